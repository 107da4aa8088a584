"""A recorded session in; from a raw market frame's bytes to the order's bytes, printed.

Journal append (page cache), decoding, the core's step and the signed request are included; sockets
are not. Goals: p50 at most 5 µs, p99 at most 20 µs.

    python bench/tick_to_order.py [RECORDING ...]
"""

import os
import sys
from pathlib import Path

from machine import describe, percentiles
from prunella.trading.engine import measure_session
from prunella.trading.execution import VenueLimits
from prunella.trading.runtime import TradingSettings
from prunella.trading.strategy import MarketMaker

_RUNS = 3
"""More orders than one session gives, so that p99.9 is more than one value."""

# A quote follows every move of the price, so that as many frames as can cause an order.
SETTINGS = TradingSettings(
    venues={"primary": VenueLimits(order_rate_per_second=100_000, stale_after_ms=60_000)},
    strategies={
        "maker": MarketMaker(quantity="0.01", half_spread_ppm=8, skew_ppm=20, requote_ppm=0)
    },
)


def recordings() -> list[str]:
    """The files to play: as given, else the recorded BTCUSDT spot session."""
    if sys.argv[1:]:
        return sys.argv[1:]
    data = Path(os.environ.get("PRUNELLA_DATA", "../shared/data")) / "market"
    return [str(data / f"binance_spot_btcusdt_2024080{day}.gz") for day in (8, 9)]


def main() -> None:
    """Prints the figures."""
    print(describe())
    runs = [measure_session(recordings(), config=SETTINGS.core()) for _ in range(_RUNS)]
    orders = tuple(value for run in runs for value in run.orders_ns)
    frames = tuple(value for run in runs for value in run.frames_ns)
    print(f"tick to order   {percentiles(orders)}")
    print(f"every frame     {percentiles(frames)}")


if __name__ == "__main__":
    main()
