"""Binance spot and futures: combined streams named in the address, snapshot by request.

Sources: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams (spot) and
https://developers.binance.com/docs/derivatives (USD-M: websocket-market-streams with its "Important
WebSocket Change Notice"; COIN-M: the same page of its own).
"""

from collections.abc import Sequence

from prunella.trading.venue.base import Facts, lowered

DAY_S = 86_400.0


class Binance:
    """One of Binance's exchanges; they differ in addresses and in the name of a path.

    Example:
        >>> SPOT.stream_path(["BTCUSDT"])
        '/stream?streams=btcusdt@depth@100ms/btcusdt@trade/btcusdt@bookTicker'
        >>> SPOT.snapshot_line("BTCUSDT", '{"lastUpdateId":1}', alone=False)
        '{"stream":"btcusdt@snapshot","data":{"lastUpdateId":1}}'
    """

    def __init__(self, facts: Facts, *, depth_path: str, levels: int, route: str = "") -> None:
        self._facts = facts
        self._route = route
        self._depth_path = depth_path
        self._levels = levels

    @property
    def facts(self) -> Facts:
        """What the documentation says."""
        return self._facts

    def stream_path(self, symbols: Sequence[str]) -> str:
        """All streams in the address, so that nothing has to be subscribed."""
        kinds = ("depth@100ms", "trade", "bookTicker")
        names = [f"{symbol}@{kind}" for symbol in lowered(symbols) for kind in kinds]
        return f"{self._route}/stream?streams=" + "/".join(names)

    def subscriptions(self, symbols: Sequence[str]) -> list[str]:
        """None: the address says it."""
        del symbols
        return []

    def book_renewal(self, symbol: str) -> list[str]:
        """None: the request for the snapshot does it."""
        del symbol
        return []

    def snapshot_path(self, symbol: str) -> str | None:
        """The depth request with as many levels as its weight makes reasonable."""
        return f"{self._depth_path}?symbol={symbol.upper()}&limit={self._levels}"

    def snapshot_line(self, symbol: str, answer: str, *, alone: bool) -> str:
        """Spot's answer names no symbol, so it is wrapped as a stream's frame unless alone."""
        if alone:
            return answer
        return f'{{"stream":"{symbol.lower()}@snapshot","data":{answer}}}'

    def is_refusal(self, frame: str) -> bool:
        """An `error` with a code, or the code alone."""
        return frame.startswith(('{"error"', '{"code"'))


SPOT = Binance(
    Facts(
        name="binance",
        protocol="binance_spot",
        stream_url="wss://stream.binance.com:9443",
        rest_url="https://api.binance.com",
        symbol="BTCUSDT",
        integrity="update ids chain (U = previous u + 1); best bid and ask as a second witness",
        life_s=DAY_S,
        silence_s=20.0,
        ping=None,
        limits="5 messages/s, 1,024 streams a connection; 300 connections/5 min; weight 6,000/min",
    ),
    depth_path="/api/v3/depth",
    levels=1_000,
)

USD_M = Binance(
    Facts(
        name="binance-usdm",
        protocol="binance_futures",
        stream_url="wss://fstream.binance.com",
        rest_url="https://fapi.binance.com",
        symbol="BTCUSDT",
        integrity="each change names the one before it (pu = previous u)",
        life_s=DAY_S,
        silence_s=20.0,
        ping=None,
        limits="10 messages/s, 1,024 streams a connection; weight 2,400/min",
    ),
    depth_path="/fapi/v1/depth",
    levels=1_000,
    # Since 2026-04-23 a stream is silent unless it is asked for by the route of its kind: books,
    # best prices and trades are "public".
    route="/public",
)

COIN_M = Binance(
    Facts(
        name="binance-coinm",
        protocol="binance_futures",
        stream_url="wss://dstream.binance.com",
        rest_url="https://dapi.binance.com",
        symbol="BTCUSD_PERP",
        integrity="each change names the one before it (pu = previous u); quantities are contracts",
        life_s=DAY_S,
        silence_s=20.0,
        ping=None,
        limits="10 messages/s, 1,024 streams a connection; weight 2,400/min",
    ),
    depth_path="/dapi/v1/depth",
    levels=1_000,
)

__all__ = ["COIN_M", "SPOT", "USD_M", "Binance"]
