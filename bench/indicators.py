"""RSI and MACD over a random walk of a million bars, beside TA-Lib, numba and pandas.

Goal: 2 ms each by the public function, into arrays of the caller's; without `out` it also makes
fresh arrays, whose first touch is the system's work.
"""

import time
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from prunella import indicators
from prunella.evaluation.bench import Latency, latency
from prunella.indicators.arrays import Array

BARS, QUICK_BARS = 1_000_000, 100_000
TRIES, QUICK_TRIES = 31, 5


def figures(*, quick: bool) -> Iterable[Latency]:
    """One figure for each indicator and system; times are of all bars together."""
    bars, tries = (QUICK_BARS, QUICK_TRIES) if quick else (BARS, TRIES)
    close = 61_837.63 + np.cumsum(np.random.default_rng(7).normal(size=bars))
    goal = "" if quick else "≤ 2 ms"
    out = (np.empty(bars), np.empty(bars), np.empty(bars))
    for name, system, run in (
        ("RSI(14)", "prunella, into arrays", lambda: indicators.rsi(close, out=out[0])),
        ("RSI(14)", "prunella", lambda: indicators.rsi(close)),
        ("MACD(12, 26, 9)", "prunella, into arrays", lambda: indicators.macd(close, out=out)),
        ("MACD(12, 26, 9)", "prunella", lambda: indicators.macd(close)),
        ("volatility(20)", "prunella", lambda: indicators.realised_volatility(close)),
        *peers(close),
    ):
        ours = system.startswith("prunella")
        yield latency(f"{name}, {bars:,} bars", timed(run, tries), goal=ours * goal, system=system)


def peers(close: Array) -> Iterable[tuple[str, str, Callable[[], object]]]:
    """The same of the systems that are installed."""
    if find_spec("talib"):
        talib: Any = import_module("talib")
        yield "RSI(14)", "TA-Lib", lambda: talib.RSI(close, 14)
        yield "MACD(12, 26, 9)", "TA-Lib", lambda: talib.MACD(close)
    if find_spec("numba"):
        numba: Any = import_module("numba")
        compiled, converge = numba.njit(plain_rsi), numba.njit(plain_macd)
        yield "RSI(14)", "numba", lambda: compiled(close, 14)
        yield "MACD(12, 26, 9)", "numba", lambda: converge(close, 12, 26, 9)
    if find_spec("pandas"):
        series: Any = import_module("pandas").Series(close)
        yield "RSI(14)", "pandas", lambda: pandas_rsi(series)
        yield "MACD(12, 26, 9)", "pandas", lambda: pandas_macd(series)


def plain_rsi(close: Array, period: int) -> Array:
    """The recurrence as anybody would write it, for numba to compile."""
    values = np.full(close.size, np.nan)
    rise = fall = 0.0
    for at in range(1, close.size):
        change = close[at] - close[at - 1]
        weight = 1.0 / min(at, period)
        rise += weight * (max(change, 0.0) - rise)
        fall += weight * (max(-change, 0.0) - fall)
        if at >= period:
            values[at] = 100.0 * rise / (rise + fall)
    return values


def plain_macd(close: Array, fast: int, slow: int, signal: int) -> tuple[Array, Array, Array]:
    """The three recurrences as anybody would write them, each begun with its first value."""
    line, mean, histogram = np.empty(close.size), np.empty(close.size), np.empty(close.size)
    quick = long = close[0]
    smooth = 0.0
    for at in range(close.size):
        quick += 2.0 / (fast + 1) * (close[at] - quick)
        long += 2.0 / (slow + 1) * (close[at] - long)
        line[at] = quick - long
        smooth += 2.0 / (signal + 1) * (line[at] - smooth)
        mean[at] = smooth
        histogram[at] = line[at] - smooth
    return line, mean, histogram


def pandas_rsi(series: Any) -> object:
    """By exponentially weighted means."""
    change = series.diff()
    rise = change.clip(lower=0).ewm(alpha=1 / 14, adjust=False).mean()
    fall = (-change).clip(lower=0).ewm(alpha=1 / 14, adjust=False).mean()
    return 100 * rise / (rise + fall)


def pandas_macd(series: Any) -> object:
    """By exponentially weighted means."""
    line = series.ewm(span=12, adjust=False).mean() - series.ewm(span=26, adjust=False).mean()
    signal = line.ewm(span=9, adjust=False).mean()
    return line, signal, line - signal


def timed(run: Callable[[], object], tries: int) -> list[int]:
    """Nanoseconds of each call; the first, which may compile, is not counted."""
    run()
    taken = []
    for _ in range(tries):
        begun = time.perf_counter_ns()
        run()
        taken.append(time.perf_counter_ns() - begun)
    return taken
