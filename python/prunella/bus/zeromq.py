"""The bus between processes of one host: messages to and from the router over unix sockets.

Publishing never waits: without a router, or when it does not keep up, the message is dropped and
counted, for a reading that arrives late is worse than none. The two sockets reconnect by themselves
after the router was restarted.
"""

import hmac
import threading
from pathlib import Path

import zmq

from prunella.bus.base import QUEUE_MAX, Gaps, Message
from prunella.bus.envelope import Sealer, unseal
from prunella.errors import PermanentError

MESSAGE_BYTES_MAX = 1 << 20
"""Bounds what one publisher can make every subscriber keep; a whole round has a few kilobytes."""

_RECONNECT_MS = 50
_LINGER_MS = 200
"""How long a closing publisher waits for its last words to leave."""


def role_password(secret: str, role: str) -> str:
    """What a process of that role proves itself with; only the holder of `secret` can make it."""
    return hmac.new(secret.encode(), role.encode(), "sha256").hexdigest()


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
        self._turn = threading.Lock()  # a ZeroMQ socket breaks when two threads touch it at once
        self._sealer = Sealer()
        self._subscriptions: list[ZeroMqSubscription] = []
        self._push = self._socket(zmq.PUSH)
        self._push.setsockopt(zmq.IMMEDIATE, 1)  # queue only for a router that is there
        self._push.connect(f"ipc://{inlet}")
        self.dropped = 0

    def publish(
        self, topic: str, record: bytes, *, kind: str, now_ns: int, ts_event_ns: int = 0
    ) -> None:
        """Sends a record without waiting; drops and counts when it cannot.

        Raises:
            PermanentError: The topic is none, or the record is larger than any message may be.
        """
        if len(record) > MESSAGE_BYTES_MAX // 2:
            raise PermanentError(f"{kind} of {len(record)} bytes is too large for the bus")
        with self._turn:
            envelope = self._sealer.seal(
                topic, record, kind=kind, now_ns=now_ns, ts_event_ns=ts_event_ns
            )
            take_credit(self._push)
            try:
                self._push.send_multipart((topic.encode(), envelope), zmq.NOBLOCK)
            except zmq.Again:
                self.dropped += 1

    def subscribe(self, *prefixes: str) -> "ZeroMqSubscription":
        """A queue of what comes from now on; the router ignores prefixes beyond the role."""
        socket = self._socket(zmq.SUB)
        socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES_MAX)
        for prefix in prefixes:
            socket.setsockopt(zmq.SUBSCRIBE, prefix.encode())
        socket.connect(f"ipc://{self._outlet}")
        subscription = ZeroMqSubscription(socket)
        self._subscriptions.append(subscription)
        return subscription

    def close(self) -> None:
        """Ends the access and all its subscriptions."""
        for each in self._subscriptions:
            each.close()
        self._push.close()
        self._context.term()

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
    """A bounded queue in a socket; when it is full the router drops the newest message."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._socket = socket
        self._gaps = Gaps()
        self.malformed = 0

    @property
    def lost(self) -> int:
        """Messages that never came, as the gaps between sequence numbers tell."""
        return self._gaps.lost

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, or None when none came in time."""
        while self._socket.poll(max(0, round(timeout_s * 1000))):
            parts = self._socket.recv_multipart()
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
        self._socket.close(linger=0)
