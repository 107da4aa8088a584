"""OKX: books whose messages name the one before; the connection is kept by a text ping.

Since 2026-06-23 the checksum is always 0, which says nothing; recordings made before have one that
is checked. Sources: https://www.okx.com/docs-v5/en/ (order book channel, connection limits) and
https://www.okx.com/help/okx-order-book-channels-checksum-field-deprecation.
"""

from collections.abc import Sequence

import msgspec

from prunella.trading.venue.base import Facts, Ping
from prunella.trading.venue.streamed import Streamed


class Okx(Streamed):
    """One subscription names every channel and instrument.

    Example:
        >>> OKX.subscriptions(["BTC-USDT"])[0][:61]
        '{"op":"subscribe","args":[{"channel":"books","instId":"BTC-US'
    """

    facts = Facts(
        name="okx",
        protocol="okx",
        stream_url="wss://ws.okx.com:8443",
        rest_url="",
        symbol="BTC-USDT",
        integrity="each message names the one before it (seqId, prevSeqId); until June 2026 CRC32",
        life_s=0.0,
        silence_s=30.0,
        ping=Ping(text="ping", every_s=20.0),
        limits="3 connections/s an address; 480 subscriptions/h a connection",
    )

    def stream_path(self, symbols: Sequence[str]) -> str:
        """The public channels."""
        del symbols
        return "/ws/v5/public"

    def subscriptions(self, symbols: Sequence[str]) -> list[str]:
        """Books and trades of all instruments in one message."""
        channels = ("books", "trades")
        args = [
            {"channel": channel, "instId": symbol} for channel in channels for symbol in symbols
        ]
        return [msgspec.json.encode({"op": "subscribe", "args": args}).decode()]

    def book_renewal(self, symbol: str) -> list[str]:
        """Leaving the book's channel and joining it again."""
        args = [{"channel": "books", "instId": symbol}]
        return [
            msgspec.json.encode({"op": op, "args": args}).decode()
            for op in ("unsubscribe", "subscribe")
        ]

    def is_refusal(self, frame: str) -> bool:
        """An event `error`."""
        return '"event":"error"' in frame


OKX = Okx()

__all__ = ["OKX", "Okx"]
