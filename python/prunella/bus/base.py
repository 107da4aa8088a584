"""The `Bus` protocol: publish under a topic, subscribe to prefixes; and the `Message` received."""

from collections import OrderedDict
from typing import Protocol

import msgspec

QUEUE_MAX = 1000
"""Messages that one queue holds: about ten seconds of one domain. Who is further behind than that
would decide on what is long past."""

_SERIES_MAX = 1024
"""Topics whose sequence is remembered; names come from outside, the memory stays bounded."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message as received.

    Attributes:
        topic: Full topic, such as `local/cpu/host/normal`.
        source: Who published it.
        seq: Counts up by one per topic and publisher, from 1.
        ts_event_ns: When what it says was so, nanoseconds UTC.
        ts_init_ns: When it was published, nanoseconds UTC.
        kind: The record's tag.
        payload: MessagePack of the record.
    """

    topic: str
    source: str
    seq: int
    ts_event_ns: int
    ts_init_ns: int
    kind: str
    payload: bytes


class Subscription(Protocol):
    """Bounded queues, one of each urgency; when one is full the newest of it is dropped."""

    @property
    def lost(self) -> int:
        """Messages that never came, as the gaps between sequence numbers tell."""
        ...

    @property
    def malformed(self) -> int:
        """Messages that were no envelope and were dropped."""
        ...

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, urgent ones first; None when none came in time; 0 does not wait."""
        ...

    def close(self) -> None:
        """Ends the subscription."""
        ...


class Bus(Protocol):
    """One process's access to the bus, under its role.

    Any thread may publish; a subscription belongs to the thread that receives from it.
    """

    @property
    def dropped(self) -> int:
        """Messages of ours that were not sent, for the queue was full or nobody carried them."""
        ...

    def publish(
        self, topic: str, record: bytes, *, kind: str, now_ns: int, ts_event_ns: int = 0
    ) -> None:
        """Sends a record (MessagePack) without waiting; drops and counts when it cannot.

        `ts_event_ns` 0 means: just now.
        """
        ...

    def subscribe(self, *prefixes: str) -> Subscription:
        """All messages whose topic begins with one of the prefixes, as far as the role may."""
        ...

    def close(self) -> None:
        """Ends the access and all its subscriptions."""
        ...


class Gaps:
    """Sequence numbers in, how many messages are missing out.

    Example:
        >>> gaps = Gaps()
        >>> for seq in (5, 6, 9, 1, 2):  # two are lost, then the publisher is another
        ...     gaps.see("local/cpu/host/normal", seq)
        >>> gaps.lost
        2
    """

    def __init__(self) -> None:
        self._last: OrderedDict[str, int] = OrderedDict()
        self.lost = 0

    def see(self, topic: str, seq: int) -> None:
        """Takes the sequence number of one received message."""
        last = self._last.pop(topic, None)
        if last is not None and seq > last:
            self.lost += seq - last - 1
        self._last[topic] = seq
        if len(self._last) > _SERIES_MAX:
            self._last.popitem(last=False)
