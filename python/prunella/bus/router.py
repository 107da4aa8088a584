"""The router: publishers' messages in, the same out to those whose role may hear them.

Who connects says its role and proves it with a password. The router then knows, for every message
and for every subscription, whose it is, and holds it to the table of roles: a subscription beyond a
role is never entered, a message beyond a role is never carried. Both are counted.

There are two lanes, each with sockets and queues of its own: what is urgent is carried first and
never waits behind, or is dropped for, what is not.

What this keeps apart is processes that hold nothing but their own role's password. Processes of the
same user that can read the key folder can make every password; against those only separate users
help.
"""

import hmac
import os
import threading
from pathlib import Path
from typing import NamedTuple

import zmq

from prunella.bus.base import QUEUE_MAX
from prunella.bus.role import role_named
from prunella.bus.topic import URGENT
from prunella.bus.zeromq import MESSAGE_BYTES_MAX, lane_path, role_password, take_credit
from prunella.errors import UsageError

_POLL_MS = 200
"""How late a stop may be noticed."""
_BATCH_MAX = 200
"""Messages carried before the other sockets get their turn, so that a flood cannot keep a new
subscriber out."""
_SUBSCRIBE = 1


class _Lane(NamedTuple):
    """The sockets of one urgency."""

    urgent: bool
    inlet: zmq.Socket[bytes]
    outlet: zmq.Socket[bytes]


class Router:
    """Carries messages until told to stop.

    Args:
        inlet: Socket for publishers; made, mode 0600, a stale one replaced.
        outlet: Socket for subscribers; likewise.
        secret: What the roles' passwords are made from.
        queue_max: Messages kept for each peer; beyond it the newest is dropped.

    Attributes:
        carried: Messages carried.
        refused_messages: Published beyond a role, or no message at all.
        refused_subscriptions: Asked for beyond a role.
        refused_peers: Connections without the right password.

    Raises:
        UsageError: The sockets cannot be made.
    """

    def __init__(
        self, inlet: Path, outlet: Path, *, secret: str, queue_max: int = QUEUE_MAX
    ) -> None:
        self.carried = 0
        self.refused_messages = 0
        self.refused_subscriptions = 0
        self.refused_peers = 0
        self._secret = secret
        self._stop = threading.Event()
        self._context = zmq.Context()
        # libzmq asks this socket about every peer; it must be there before the others.
        self._gate = self._context.socket(zmq.REP)
        self._gate.bind("inproc://zeromq.zap.01")
        # Manual: a subscription is entered by us, not by whoever asks for it.
        self._lanes = tuple(
            _Lane(
                urgent=urgent,
                inlet=self._bind(zmq.PULL, lane_path(inlet, urgent=urgent), queue_max),
                outlet=self._bind(zmq.XPUB, lane_path(outlet, urgent=urgent), queue_max),
            )
            for urgent in (True, False)
        )

    def run(self) -> None:
        """Carries until `stop`."""
        poller = zmq.Poller()
        sockets = [
            self._gate,
            *(each for lane in self._lanes for each in (lane.outlet, lane.inlet)),
        ]
        for socket in sockets:
            poller.register(socket, zmq.POLLIN)
        try:
            while not self._stop.is_set():
                ready = dict(poller.poll(_POLL_MS))
                if self._gate in ready:
                    self._admit()
                for lane in self._lanes:  # the urgent one first
                    if lane.outlet in ready:
                        self._enter(lane)
                    if lane.inlet in ready:
                        self._carry(lane)
        finally:
            for socket in sockets:
                socket.close(linger=0)
            self._context.term()

    def stop(self) -> None:
        """Ends `run`; may be called from a signal handler or another thread."""
        self._stop.set()

    def counters(self) -> dict[str, int]:
        """The totals since the start, by metric name."""
        return {
            "bus_messages_carried_total": self.carried,
            "bus_messages_refused_total": self.refused_messages,
            "bus_subscriptions_refused_total": self.refused_subscriptions,
            "bus_peers_refused_total": self.refused_peers,
        }

    def _bind(self, kind: int, path: Path, queue_max: int) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.PLAIN_SERVER, 1)
        socket.setsockopt(zmq.ZAP_DOMAIN, b"prunella")
        socket.setsockopt(zmq.SNDHWM, queue_max)
        socket.setsockopt(zmq.RCVHWM, queue_max)
        socket.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES_MAX)
        if kind == zmq.XPUB:
            socket.setsockopt(zmq.XPUB_MANUAL, 1)
        before = os.umask(0o177)
        try:
            path.unlink(missing_ok=True)
            socket.bind(f"ipc://{path}")
        except (OSError, zmq.ZMQError) as error:
            raise UsageError(f"cannot make the bus's socket {path}: {error}") from None
        finally:
            os.umask(before)
        return socket

    def _admit(self) -> None:
        """Answers libzmq's question whether a peer is who it says (ZeroMQ RFC 27)."""
        parts = self._gate.recv_multipart()
        version, request, _domain, _address, _identity, mechanism = parts[:6]
        user, good = b"", False
        if mechanism == b"PLAIN" and len(parts) == 8:
            user, password = parts[6:]
            expected = role_password(self._secret, user.decode("utf-8", "replace"))
            good = hmac.compare_digest(password, expected.encode())
        self.refused_peers += not good
        code, text = (b"200", b"OK") if good else (b"400", b"wrong role or password")
        self._gate.send_multipart((version, request, code, text, user if good else b"", b""))

    def _enter(self, lane: "_Lane") -> None:
        """Enters a subscription if the peer's role may have it; each is asked for on both lanes."""
        frame = lane.outlet.recv(copy=False)
        asked = frame.bytes
        if asked[:1] != bytes((_SUBSCRIBE,)):
            return  # a peer that left; libzmq has forgotten its subscriptions already
        if role_named(str(frame.get("User-Id"))).may_hear(asked[1:].decode("utf-8", "replace")):
            lane.outlet.setsockopt(zmq.SUBSCRIBE, asked[1:])
        elif not lane.urgent:
            self.refused_subscriptions += 1

    def _carry(self, lane: "_Lane") -> None:
        """Carries what waits, within reason; a message of the other urgency is refused."""
        for _ in range(_BATCH_MAX):
            try:
                parts = lane.inlet.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            role = role_named(str(parts[0].get("User-Id")))
            topic = parts[0].bytes.decode("utf-8", "replace")
            fits = len(parts) == 2 and topic.endswith(URGENT) == lane.urgent
            if fits and role.may_say(topic):
                take_credit(lane.outlet)
                lane.outlet.send_multipart(parts, copy=False)
                self.carried += 1
            else:
                self.refused_messages += 1
