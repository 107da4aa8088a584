"""What a market source yields: the frames that move the played market."""

from collections.abc import Iterator
from typing import Protocol

import msgspec

Levels = list[tuple[str, str]]


class BookFrame(msgspec.Struct, frozen=True, kw_only=True):
    """The whole book."""

    bids: Levels
    asks: Levels


class DiffFrame(msgspec.Struct, frozen=True, kw_only=True):
    """Absolute quantities of changed levels."""

    bids: Levels
    asks: Levels


class TickerFrame(msgspec.Struct, frozen=True, kw_only=True):
    """The best bid and offer."""

    bid: str
    bid_quantity: str
    ask: str
    ask_quantity: str


class TradeFrame(msgspec.Struct, frozen=True, kw_only=True):
    """A public trade."""

    price: str
    quantity: str
    buyer_is_maker: bool


Frame = BookFrame | DiffFrame | TickerFrame | TradeFrame


class Source(Protocol):
    """A market that can be played; the first frame is a `BookFrame`."""

    def frames(self) -> Iterator[tuple[int, Frame]]:
        """Frames with their times in nanoseconds, rising; the first time is arbitrary."""
        ...
