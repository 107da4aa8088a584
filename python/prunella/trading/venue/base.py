"""What a venue's public market data asks of a client: addresses, subscriptions, snapshots, pings.

A venue is facts and pure functions from symbols to text; the session itself (connect, subscribe,
reconnect) is the same for all and lives in `recorder`. Frames are decoded in the compiled core.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Ping(msgspec.Struct, frozen=True, kw_only=True):
    """A message that keeps a connection open, where WebSocket pings do not count.

    Attributes:
        text: What to send.
        every_s: How often, in seconds.
    """

    text: str
    every_s: float


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue's documentation says, for the table and the session.

    Attributes:
        name: Ours, as typed on the command line.
        protocol: The decoder's name in the core.
        stream_url: WebSocket address, with TLS.
        rest_url: Address of requests, with TLS; empty when none are needed.
        symbol: How a symbol is written, as an example.
        integrity: How a lost or wrong message is noticed.
        life_s: How long a connection may live; 0 when the venue sets no limit.
        silence_s: After how long without any frame the connection counts as dead.
        ping: What keeps a connection open, besides WebSocket pings.
        limits: Rate limits, for people.
    """

    name: str
    protocol: str
    stream_url: str
    rest_url: str
    symbol: str
    integrity: str
    life_s: float
    silence_s: float
    ping: Ping | None
    limits: str


class Venue(Protocol):
    """One venue's public market data."""

    @property
    def facts(self) -> Facts:
        """What its documentation says."""
        ...

    def stream_path(self, symbols: Sequence[str]) -> str:
        """What follows the stream's address for these symbols, such as `/ws`; may be empty."""
        ...

    def subscriptions(self, symbols: Sequence[str]) -> list[str]:
        """The messages that subscribe to book and trades, in order."""
        ...

    def book_renewal(self, symbol: str) -> list[str]:
        """The messages that bring one book anew, and no other; none where a request does."""
        ...

    def snapshot_path(self, symbol: str) -> str | None:
        """The request that brings the whole book; `None` where the stream does."""
        ...

    def snapshot_line(self, symbol: str, answer: str, *, alone: bool) -> str:
        """The answer as it is recorded: it must name its instrument unless it is `alone`."""
        ...

    def is_refusal(self, frame: str) -> bool:
        """Whether the venue says no to a subscription."""
        ...


def lowered(symbols: Sequence[str]) -> list[str]:
    """The symbols in lower case.

    Example:
        >>> lowered(["BTCUSDT"])
        ['btcusdt']
    """
    return [symbol.lower() for symbol in symbols]


__all__ = ["Facts", "Ping", "Venue", "lowered"]
