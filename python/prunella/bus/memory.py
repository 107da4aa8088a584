"""The bus within one process: for tests, replays and simulations; same rules as over sockets."""

import threading
from collections import deque

from prunella.bus.base import QUEUE_MAX, Gaps, Message
from prunella.bus.envelope import Sealer, unseal
from prunella.bus.role import role_named
from prunella.bus.topic import URGENT


class MemoryBroker:
    """Carries messages between the buses that it hands out.

    Args:
        queue_max: Messages that each subscription holds.

    Attributes:
        refused_subscriptions: Asked for beyond a role.
        refused_messages: Published beyond a role.

    Example:
        >>> broker = MemoryBroker()
        >>> agent = broker.connect("agent-cpu").subscribe("local/cpu/")
        >>> watch = broker.connect("watch")
        >>> watch.publish("local/cpu/host/normal", b"!", kind="readings", now_ns=1)
        >>> agent.receive(0).payload
        b'!'
    """

    def __init__(self, *, queue_max: int = QUEUE_MAX) -> None:
        self._queue_max = queue_max
        self._lock = threading.Lock()
        self._subscriptions: list[MemorySubscription] = []
        self.refused_subscriptions = 0
        self.refused_messages = 0

    def connect(self, role: str) -> "MemoryBus":
        """A bus for a process of that role."""
        return MemoryBus(self, role)

    def carry(self, role: str, topic: str, envelope: bytes) -> None:
        """Takes one message from a bus to every subscription that wants it."""
        with self._lock:
            if not role_named(role).may_say(topic):
                self.refused_messages += 1
                return
            subscriptions = list(self._subscriptions)
        for each in subscriptions:
            each.offer(topic, envelope)

    def enrol(self, role: str, prefixes: tuple[str, ...]) -> "MemorySubscription":
        """A subscription to those of the prefixes that the role may hear."""
        allowed = tuple(each for each in prefixes if role_named(role).may_hear(each))
        subscription = MemorySubscription(self, allowed, self._queue_max)
        with self._lock:
            self.refused_subscriptions += len(prefixes) - len(allowed)
            self._subscriptions.append(subscription)
        return subscription

    def leave(self, subscription: "MemorySubscription") -> None:
        """Forgets a subscription."""
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)


class MemoryBus:
    """One role's access to a `MemoryBroker`."""

    def __init__(self, broker: MemoryBroker, role: str) -> None:
        self._broker = broker
        self._role = role
        self._turn = threading.Lock()
        self._sealer = Sealer()
        self._subscriptions: list[MemorySubscription] = []
        self.dropped = 0

    def publish(
        self, topic: str, record: bytes, *, kind: str, now_ns: int, ts_event_ns: int = 0
    ) -> None:
        """Hands the record to everybody who subscribed."""
        with self._turn:  # numbered and handed on in the same order
            envelope = self._sealer.seal(
                topic, record, kind=kind, now_ns=now_ns, ts_event_ns=ts_event_ns
            )
            self._broker.carry(self._role, topic, envelope)

    def subscribe(self, *prefixes: str) -> "MemorySubscription":
        """A queue of what comes from now on."""
        subscription = self._broker.enrol(self._role, prefixes)
        self._subscriptions.append(subscription)
        return subscription

    def close(self) -> None:
        """Ends all subscriptions of this bus."""
        for each in self._subscriptions:
            each.close()


class MemorySubscription:
    """Two bounded queues; when one is full its newest message is dropped, as a socket does."""

    def __init__(self, broker: MemoryBroker, prefixes: tuple[str, ...], queue_max: int) -> None:
        self._broker = broker
        self._prefixes = prefixes
        self._queue_max = queue_max
        self._urgent: deque[tuple[str, bytes]] = deque()
        self._normal: deque[tuple[str, bytes]] = deque()
        self._filled = threading.Condition()
        self._gaps = Gaps()
        self.malformed = 0

    @property
    def lost(self) -> int:
        """Messages that never came, as the gaps between sequence numbers tell."""
        return self._gaps.lost

    def offer(self, topic: str, envelope: bytes) -> None:
        """Takes a message if it is wanted and there is room."""
        if not topic.startswith(self._prefixes):
            return
        queue = self._urgent if topic.endswith(URGENT) else self._normal
        with self._filled:
            if len(queue) < self._queue_max:
                queue.append((topic, envelope))
                self._filled.notify()

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, an urgent one first, or None when none came in time."""
        with self._filled:
            if not self._filled.wait_for(lambda: bool(self._urgent or self._normal), timeout_s):
                return None
            topic, envelope = (self._urgent or self._normal).popleft()
        message = unseal(topic.encode(), envelope)
        self._gaps.see(message.topic, message.seq)
        return message

    def close(self) -> None:
        """Ends the subscription; nothing comes any more."""
        self._broker.leave(self)
        with self._filled:
            self._urgent.clear()
            self._normal.clear()
