"""Order book updates near the top, a million of them, from NumPy arrays and one by one.

Goal: 20 ns a level from arrays. The time of one update inside the core, without Python, is
`cargo bench -p prunella-engine --bench book`. The peer is what anybody would write in Python: a
dictionary of integers that keeps the best price. Where `$PRUNELLA_DATA` has the recorded session,
its depth frames are applied too, one call for each: many levels lie far from the top there.
"""

import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from prunella.evaluation.bench import Rate
from prunella.trading.market import Book
from prunella.values.recording import Recording

UPDATES, QUICK_UPDATES = 1_000_000, 50_000
BATCH = 1_000
TICK = 10_000_000
MIDDLE = 6_183_763
Rows = npt.NDArray[np.int64]
DATA = Path(os.environ.get("PRUNELLA_DATA", "../shared/data")) / "market"


def figures(*, quick: bool) -> Iterable[Rate]:
    """Levels a second of each way."""
    count = QUICK_UPDATES if quick else UPDATES
    bids, asks = side(-1, count // 2), side(1, count // 2)
    ways: tuple[tuple[str, str, Callable[[Rows, Rows], object]], ...] = (
        ("levels from arrays", "prunella", from_arrays),
        ("levels one by one", "prunella", one_by_one),
        ("levels one by one", "dict", dictionary),
    )
    for name, system, run in ways:
        begun = time.perf_counter_ns()
        run(bids, asks)
        seconds = (time.perf_counter_ns() - begun) / 1e9
        goal = "≥ 50,000,000/s" if run is from_arrays else ""
        yield Rate(name=name, goal=goal, per_second=count / seconds, system=system)
    files = sorted(DATA.glob("binance_spot_btcusdt_*.gz"))[: 1 if quick else None]
    if files:
        yield recorded(files)


def recorded(files: Iterable[Path]) -> Rate:
    """Levels a second of the recorded depth frames."""
    frames = []
    for _, frame in Recording([str(file) for file in files]):
        data = json.loads(frame).get("data", {})
        if data.get("e") == "depthUpdate":
            frames.append((rows(data["b"]), rows(data["a"])))
    book = Book()
    begun = time.perf_counter_ns()
    for bids, asks in frames:
        book.apply(bids, asks)
    seconds = (time.perf_counter_ns() - begun) / 1e9
    count = sum(len(bids) + len(asks) for bids, asks in frames)
    return Rate(name="recorded levels, a frame a call", goal="", per_second=count / seconds)


def rows(levels: list[list[str]]) -> Rows:
    """Texts with eight decimals as integers of 1e-9."""
    numbers = [[int(text.replace(".", "")) * 10 for text in level] for level in levels]
    return np.array(numbers, dtype=np.int64).reshape(-1, 2)


def side(direction: int, count: int) -> Rows:
    """Adds, changes and deletes, mostly near the top, which walks."""
    rng = np.random.default_rng(7)
    walk = np.cumsum(rng.choice([-1, 0, 0, 1], size=count))
    ticks = MIDDLE + walk + direction * (1 + rng.exponential(10.0, size=count).astype(np.int64))
    quantities = rng.integers(1, 10**10, size=count) * (rng.random(count) > 0.3)
    return np.ascontiguousarray(np.stack([ticks * TICK, quantities], axis=1))


def from_arrays(bids: Rows, asks: Rows) -> None:
    """In batches, as a backtest or a recording has them."""
    book = Book()
    for begin in range(0, len(bids), BATCH):
        book.apply(bids[begin : begin + BATCH], asks[begin : begin + BATCH])


def one_by_one(bids: Rows, asks: Rows) -> None:
    """One call for each level."""
    book, rows = Book(), zip(bids.tolist(), asks.tolist(), strict=True)
    for (bid, bid_quantity), (ask, ask_quantity) in rows:
        book.set(True, bid, bid_quantity)  # noqa: FBT003  the side
        book.set(False, ask, ask_quantity)  # noqa: FBT003


def dictionary(bids: Rows, asks: Rows) -> None:
    """Plain Python, which keeps the best price and looks for the next one when it goes."""
    for rows, best_of in ((bids.tolist(), max), (asks.tolist(), min)):
        levels: dict[int, int] = {}
        best = 0
        for price, quantity in rows:
            if quantity:
                levels[price] = quantity
                best = best_of(best, price) if best else price
            elif levels.pop(price, 0) and price == best:
                best = best_of(levels, default=0)
