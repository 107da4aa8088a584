"""Coinbase Advanced Trade: one subscription a channel, numbered messages, heartbeats.

Source: https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/ (channels, rate
limits).
"""

from collections.abc import Sequence

import msgspec

from prunella.trading.venue.base import Facts
from prunella.trading.venue.streamed import Streamed

CHANNELS = ("heartbeats", "level2", "market_trades")


class Coinbase(Streamed):
    """Public channels need no key. Without `heartbeats` a quiet channel is closed.

    Example:
        >>> COINBASE.subscriptions(["BTC-USD"])[1]
        '{"type":"subscribe","product_ids":["BTC-USD"],"channel":"level2"}'
    """

    facts = Facts(
        name="coinbase",
        protocol="coinbase",
        stream_url="wss://advanced-trade-ws.coinbase.com",
        rest_url="",
        symbol="BTC-USD",
        integrity="one number over all messages of a connection; heartbeats have their own",
        life_s=0.0,
        silence_s=5.0,
        ping=None,
        limits="8 connections/s and 8 messages/s an address; subscribe within 5 s of connecting",
    )

    def stream_path(self, symbols: Sequence[str]) -> str:
        """Nothing follows the address."""
        del symbols
        return ""

    def subscriptions(self, symbols: Sequence[str]) -> list[str]:
        """One message a channel, heartbeats first."""
        return [
            msgspec.json.encode(
                {"type": "subscribe", "product_ids": list(symbols), "channel": channel}
            ).decode()
            for channel in CHANNELS
        ]

    def book_renewal(self, symbol: str) -> list[str]:
        """Leaving the book's channel and joining it again."""
        return [
            msgspec.json.encode(
                {"type": kind, "product_ids": [symbol], "channel": "level2"}
            ).decode()
            for kind in ("unsubscribe", "subscribe")
        ]

    def is_refusal(self, frame: str) -> bool:
        """A message of type `error`."""
        return '"type":"error"' in frame


COINBASE = Coinbase()

__all__ = ["COINBASE", "Coinbase"]
