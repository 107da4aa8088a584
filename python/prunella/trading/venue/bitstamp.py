"""Bitstamp: changed levels with a rising time, or order by order; snapshot by request.

Source: https://www.bitstamp.net/websocket/v2/ (channels, 90 days, `bts:request_reconnect`).
"""

from collections.abc import Sequence

import msgspec

from prunella.trading.venue.base import Facts, Ping, lowered


def _facts(name: str, protocol: str, integrity: str) -> Facts:
    return Facts(
        name=name,
        protocol=protocol,
        stream_url="wss://ws.bitstamp.net",
        rest_url="https://www.bitstamp.net",
        symbol="btcusd",
        integrity=integrity,
        life_s=90 * 86_400.0,
        silence_s=60.0,
        ping=Ping(text='{"event":"bts:heartbeat"}', every_s=20.0),
        limits="400 requests/s, 10,000 in 10 min",
    )


class Bitstamp:
    """Channels are named by pair; a snapshot names none and is wrapped.

    Example:
        >>> BITSTAMP.subscriptions(["btcusd"])[0]
        '{"event":"bts:subscribe","data":{"channel":"diff_order_book_btcusd"}}'
        >>> BITSTAMP.snapshot_line("btcusd", "{}", alone=True)
        '{"event":"snapshot","channel":"order_book_snapshot_btcusd","data":{}}'
    """

    def __init__(self, facts: Facts, channel: str) -> None:
        self._facts = facts
        self._channel = channel

    @property
    def facts(self) -> Facts:
        """What the documentation says."""
        return self._facts

    def stream_path(self, symbols: Sequence[str]) -> str:
        """Nothing follows the address."""
        del symbols
        return ""

    def subscriptions(self, symbols: Sequence[str]) -> list[str]:
        """The book's channel, then trades."""
        return [
            msgspec.json.encode(
                {"event": "bts:subscribe", "data": {"channel": f"{channel}_{symbol}"}}
            ).decode()
            for symbol in lowered(symbols)
            for channel in (self._channel, "live_trades")
        ]

    def book_renewal(self, symbol: str) -> list[str]:
        """None: the request for the snapshot does it."""
        del symbol
        return []

    def snapshot_path(self, symbol: str) -> str | None:
        """The whole book; none for single orders, whose book stays partial."""
        if self._channel == "live_orders":
            return None
        return f"/api/v2/order_book/{symbol.lower()}/"

    def snapshot_line(self, symbol: str, answer: str, *, alone: bool) -> str:
        """Wrapped as the frame of a channel that does not exist."""
        del alone
        channel = f"order_book_snapshot_{symbol.lower()}"
        return f'{{"event":"snapshot","channel":"{channel}","data":{answer}}}'

    def is_refusal(self, frame: str) -> bool:
        """An event `bts:error`."""
        return '"bts:error"' in frame


BITSTAMP = Bitstamp(
    _facts("bitstamp", "bitstamp", "microtimestamp strictly rises; a lost change may go unnoticed"),
    "diff_order_book",
)
BITSTAMP_ORDERS = Bitstamp(
    _facts("bitstamp-orders", "bitstamp_orders", "none; order by order, the book stays partial"),
    "live_orders",
)

__all__ = ["BITSTAMP", "BITSTAMP_ORDERS", "Bitstamp"]
