"""What an agent and the plane ask of a bus subscription: the next message's kind and bytes."""

from typing import Protocol


class Message(Protocol):
    """What the bus hands over."""

    @property
    def source(self) -> str:
        """Who published it, as the bus knows."""
        ...

    @property
    def kind(self) -> str:
        """The record's tag."""
        ...

    @property
    def payload(self) -> bytes:
        """MessagePack of the record."""
        ...


class Inlet(Protocol):
    """Where messages come from."""

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, or None when none came in time."""
        ...


class Outlet(Protocol):
    """Where messages go."""

    def publish(self, topic: str, record: bytes, *, kind: str, now_ns: int) -> None:
        """Sends one record; never blocks."""
        ...
