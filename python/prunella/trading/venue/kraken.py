"""Kraken, version 2: books with a checksum in every message.

Sources: https://docs.kraken.com/api/docs/websocket-v2/book, its guide to the checksum, and
https://docs.kraken.com/api/docs/websocket-v2/heartbeat (one a second while nothing else is sent).
"""

from collections.abc import Sequence

import msgspec

from prunella.trading.venue.base import Facts, Ping
from prunella.trading.venue.streamed import Streamed

DEPTH = 100


class Kraken(Streamed):
    """The book's depth is part of the subscription; no removal is sent for what falls out of it.

    Example:
        >>> KRAKEN.subscriptions(["BTC/USD"])[1]
        '{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"]}}'
    """

    facts = Facts(
        name="kraken",
        protocol="kraken",
        stream_url="wss://ws.kraken.com",
        rest_url="",
        symbol="BTC/USD",
        integrity="CRC32 of the ten best levels of each side in every book message",
        life_s=0.0,
        silence_s=10.0,
        ping=Ping(text='{"method":"ping"}', every_s=30.0),
        limits="about 150 connections in 10 min an address",
    )

    def stream_path(self, symbols: Sequence[str]) -> str:
        """Version 2."""
        del symbols
        return "/v2"

    def subscriptions(self, symbols: Sequence[str]) -> list[str]:
        """The book, then trades."""
        names = list(symbols)
        book = {"channel": "book", "symbol": names, "depth": DEPTH}
        trade = {"channel": "trade", "symbol": names}
        return [
            msgspec.json.encode({"method": "subscribe", "params": params}).decode()
            for params in (book, trade)
        ]

    def book_renewal(self, symbol: str) -> list[str]:
        """Leaving the book's channel and joining it again."""
        book = {"channel": "book", "symbol": [symbol], "depth": DEPTH}
        return [
            msgspec.json.encode({"method": method, "params": book}).decode()
            for method in ("unsubscribe", "subscribe")
        ]

    def is_refusal(self, frame: str) -> bool:
        """An answer without success."""
        return '"success":false' in frame


KRAKEN = Kraken()

__all__ = ["KRAKEN", "Kraken"]
