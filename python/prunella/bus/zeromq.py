"""The bus between processes of one host: messages to and from the router over unix sockets.

Publishing a reading never waits: without a router, or when it does not keep up, the message is
dropped and counted, for a reading that arrives late is worse than none. What is urgent has sockets
and queues of its own, and is tried again for a fifth of a second. The sockets reconnect by
themselves after the router was restarted.
"""

import hmac
import threading
from pathlib import Path
from typing import NamedTuple

import zmq

from prunella.bus.base import QUEUE_MAX, Gaps, Message
from prunella.bus.envelope import Sealer, unseal
from prunella.bus.topic import URGENT
from prunella.errors import PermanentError

MESSAGE_BYTES_MAX = 1 << 20
"""Bounds what one publisher can make every subscriber keep; a whole round has a few kilobytes."""

_RETRY_MS = 200
"""How long an urgent message waits for room."""
_RECONNECT_MS = 50
_LINGER_MS = 200
"""How long a closing publisher waits for its last words to leave."""


def role_password(secret: str, role: str) -> str:
    """What a process of that role proves itself with; only the holder of `secret` can make it."""
    return hmac.new(secret.encode(), role.encode(), "sha256").hexdigest()


def lane_path(path: Path, *, urgent: bool) -> Path:
    """The socket of that urgency beside the socket `path`.

    Example:
        >>> lane_path(Path("run/bus-in.sock"), urgent=True).name
        'bus-in-urgent.sock'
    """
    return path.with_stem(f"{path.stem}-urgent") if urgent else path


class _Lane(NamedTuple):
    """What publishes messages of one urgency; a ZeroMQ socket breaks when two threads touch it."""

    push: zmq.Socket[bytes]
    sealer: Sealer
    turn: threading.Lock


class ZeroMqBus:
    """One role's access to the router.

    Args:
        inlet: The router's socket for publishers.
        outlet: The router's socket for subscribers.
        role: A name of the table of roles; the router holds the bus to it.
        password: `role_password` of that role.
        queue_max: Messages that each queue holds.
    """

    def __init__(
        self, inlet: Path, outlet: Path, *, role: str, password: str, queue_max: int = QUEUE_MAX
    ) -> None:
        self._outlet = outlet
        self._role = role
        self._password = password
        self._queue_max = queue_max
        self._context = zmq.Context()
        self._subscriptions: list[ZeroMqSubscription] = []
        self._lanes = {urgent: self._lane(inlet, urgent=urgent) for urgent in (False, True)}
        self.dropped = 0

    def publish(
        self, topic: str, record: bytes, *, kind: str, now_ns: int, ts_event_ns: int = 0
    ) -> None:
        """Sends a record without waiting; drops and counts when it cannot.

        What is urgent waits for room for a fifth of a second at most.

        Raises:
            PermanentError: The topic is none, or the record is larger than any message may be.
        """
        if len(record) > MESSAGE_BYTES_MAX // 2:
            raise PermanentError(f"{kind} of {len(record)} bytes is too large for the bus")
        urgent = topic.endswith(URGENT)
        lane = self._lanes[urgent]
        with lane.turn:
            envelope = lane.sealer.seal(
                topic, record, kind=kind, now_ns=now_ns, ts_event_ns=ts_event_ns
            )
            take_credit(lane.push)
            if urgent:
                lane.push.poll(_RETRY_MS, zmq.POLLOUT)
            try:
                lane.push.send_multipart((topic.encode(), envelope), zmq.NOBLOCK)
            except zmq.Again:
                self.dropped += 1

    def subscribe(self, *prefixes: str) -> "ZeroMqSubscription":
        """A queue of what comes from now on; the router ignores prefixes beyond the role."""
        sockets = []
        for urgent in (True, False):
            socket = self._socket(zmq.SUB)
            socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES_MAX)
            for prefix in prefixes:
                socket.setsockopt(zmq.SUBSCRIBE, prefix.encode())
            socket.connect(f"ipc://{lane_path(self._outlet, urgent=urgent)}")
            sockets.append(socket)
        subscription = ZeroMqSubscription(*sockets)
        self._subscriptions.append(subscription)
        return subscription

    def close(self) -> None:
        """Ends the access and all its subscriptions."""
        for each in self._subscriptions:
            each.close()
        for lane in self._lanes.values():
            lane.push.close()
        self._context.term()

    def _lane(self, inlet: Path, *, urgent: bool) -> "_Lane":
        push = self._socket(zmq.PUSH)
        push.setsockopt(zmq.IMMEDIATE, 1)  # queue only for a router that is there
        push.connect(f"ipc://{lane_path(inlet, urgent=urgent)}")
        return _Lane(push, Sealer(), threading.Lock())

    def _socket(self, kind: int) -> zmq.Socket[bytes]:
        """A socket that introduces itself and keeps a bounded queue."""
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.SNDHWM, self._queue_max)
        socket.setsockopt(zmq.RCVHWM, self._queue_max)
        socket.setsockopt(zmq.LINGER, _LINGER_MS)
        socket.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
        socket.setsockopt(zmq.PLAIN_USERNAME, self._role.encode())
        socket.setsockopt(zmq.PLAIN_PASSWORD, self._password.encode())
        return socket


def take_credit(socket: zmq.Socket[bytes]) -> None:
    """Lets a socket see at once what its peers have read.

    By itself it looks once a millisecond while sending, and in a burst takes a queue for full that
    was emptied long ago.
    """
    socket.getsockopt(zmq.EVENTS)


class ZeroMqSubscription:
    """Bounded queues in two sockets; when one is full the router drops the newest message of it."""

    def __init__(self, urgent: zmq.Socket[bytes], normal: zmq.Socket[bytes]) -> None:
        self._sockets = (urgent, normal)
        self._poller = zmq.Poller()
        for each in self._sockets:
            self._poller.register(each, zmq.POLLIN)
        self._gaps = Gaps()
        self.malformed = 0

    @property
    def lost(self) -> int:
        """Messages that never came, as the gaps between sequence numbers tell."""
        return self._gaps.lost

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, an urgent one first, or None when none came in time."""
        while ready := dict(self._poller.poll(max(0, round(timeout_s * 1000)))):
            socket = next(each for each in self._sockets if each in ready)
            parts = socket.recv_multipart()
            try:
                topic, envelope = parts
                message = unseal(topic, envelope)
            except (ValueError, PermanentError):
                self.malformed += 1
                continue
            self._gaps.see(message.topic, message.seq)
            return message
        return None

    def close(self) -> None:
        """Ends the subscription."""
        for each in self._sockets:
            each.close(linger=0)
