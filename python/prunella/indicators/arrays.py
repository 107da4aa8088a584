"""NumPy arrays of float64 in, indicators over them out, computed in the core.

Each function takes `out`: arrays of the caller's to write the figures to (one, or three for those
that give three), as long as the input. Over many series this saves the fresh memory, whose first
touch costs about as much as the computing. They may not share memory with the input.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from prunella import _core

Array: TypeAlias = npt.NDArray[np.float64]
Three: TypeAlias = tuple[Array, Array, Array]


class Convergence(NamedTuple):
    """What `macd` gives: three arrays in the unit of the price."""

    line: Array
    signal: Array
    histogram: Array


class Bands(NamedTuple):
    """What `bollinger` gives: three arrays in the unit of the price."""

    upper: Array
    middle: Array
    lower: Array


def sma(values: Array, period: int, *, out: Array | None = None) -> Array:
    """Simple moving average: the mean of the last `period` values.

    Formula: `Σ x / period` over the window.
    Unit: that of the values.
    Warm-up: `period - 1` values.
    Source: agrees with TA-Lib's `SMA`.

    Raises:
        TypeError: Not a float64 array.
        ValueError: Wrong shape or period, or a value that is not finite.

    Example:
        >>> sma(np.array([1.0, 2.0, 3.0, 4.0]), 2)
        array([nan, 1.5, 2.5, 3.5])
    """
    return _figure(_core.Sma(_whole(period=period)), out, values=values)


def ema(values: Array, period: int, *, out: Array | None = None) -> Array:
    """Exponential moving average, beginning with the mean of the first `period` values.

    Formula: `y += 2 / (period + 1) * (x - y)`.
    Unit: that of the values.
    Warm-up: `period - 1` values.
    Source: agrees with TA-Lib's `EMA`.

    Raises:
        TypeError: Not a float64 array.
        ValueError: Wrong shape or period, or a value that is not finite.

    Example:
        >>> ema(np.array([1.0, 3.0, 4.0]), 2)
        array([       nan, 2.        , 3.33333333])
    """
    return _figure(_core.Ema(_whole(period=period)), out, values=values)


def rsi(close: Array, period: int = 14, *, out: Array | None = None) -> Array:
    """Relative strength index: how much of the recent movement was upward.

    Formula: `100 * rise / (rise + fall)` with Wilder's averages (weight `1 / period`) of upward and
        downward changes; 0 where nothing moves.
    Unit: 0 to 100.
    Warm-up: `period` values.
    Source: Wilder, New Concepts in Technical Trading Systems (1978); agrees with TA-Lib's `RSI`.

    Raises:
        TypeError: Not a float64 array.
        ValueError: Wrong shape or period, or a price that is not finite.

    Example:
        >>> rsi(np.array([10.0, 11.0, 10.5, 11.5]), period=2).round(2)
        array([  nan,   nan, 66.67, 85.71])
    """
    return _figure(_core.Rsi(_whole(period=period)), out, close=close)


def macd(
    close: Array, fast: int = 12, slow: int = 26, signal: int = 9, *, out: Three | None = None
) -> Convergence:
    """Moving average convergence and divergence: a fast average against a slow one.

    Formula: `line = ema(close, fast) - ema(close, slow)`, `signal = ema(line, signal)`,
        `histogram = line - signal`; the fast average begins together with the slow one.
    Unit: that of the price.
    Warm-up: `slow + signal - 2` values.
    Source: Appel, The Moving Average Convergence Divergence Method (1979); agrees with TA-Lib's
        `MACD`.

    Raises:
        TypeError: Not a float64 array.
        ValueError: Wrong shape or periods, or a price that is not finite.

    Example:
        >>> macd(np.array([1.0, 2.0, 4.0, 7.0]), fast=1, slow=2, signal=2).line
        array([ nan, nan, 0.83333333, 1.27777778])
    """
    whole = _core.Macd(_whole(fast=fast), _whole(slow=slow), _whole(signal=signal))
    return Convergence(*_figures(whole, 3, out, close=close))


def bollinger(
    close: Array, period: int = 20, width: float = 2.0, *, out: Three | None = None
) -> Bands:
    """Bollinger bands: a mean, and how far prices usually are from it.

    Formula: `mean + width * deviation`, `mean`, `mean - width * deviation` over the last `period`
        prices; the deviation is of the whole window (divided by `period`).
    Unit: that of the price.
    Warm-up: `period - 1` values.
    Source: Bollinger on Bollinger Bands (2001); agrees with TA-Lib's `BBANDS`.

    Raises:
        TypeError: Not a float64 array.
        ValueError: Wrong shape, period or width, or a price that is not finite.

    Example:
        >>> bollinger(np.array([1.0, 3.0, 5.0]), period=2, width=2.0).upper
        array([nan, 4., 6.])
    """
    return Bands(*_figures(_core.Bollinger(_whole(period=period), width), 3, out, close=close))


def atr(
    high: Array, low: Array, close: Array, period: int = 14, *, out: Array | None = None
) -> Array:
    """Average true range: how far a bar usually reaches, gaps between bars included.

    Formula: Wilder's average (weight `1 / period`) of
        `max(high - low, |high - previous close|, |low - previous close|)`.
    Unit: that of the price.
    Warm-up: `period` bars.
    Source: Wilder, New Concepts in Technical Trading Systems (1978); agrees with TA-Lib's `ATR`.

    Raises:
        TypeError: Not float64 arrays.
        ValueError: Wrong shapes or period, a high below its low, or a price that is not finite.

    Example:
        >>> high, low = np.array([2.0, 3.0, 5.0]), np.array([1.0, 2.0, 4.0])
        >>> atr(high, low, low, period=2)
        array([nan, nan, 2.5])
    """
    return _figure(_core.Atr(_whole(period=period)), out, high=high, low=low, close=close)


def vwap(
    price: Array,
    volume: Array,
    *,
    period: int | None = None,
    session: npt.NDArray[np.int64] | None = None,
    out: Array | None = None,
) -> Array:
    """Volume-weighted average price, of a session so far or of the last `period` observations.

    Formula: `Σ price * volume / Σ volume`; NaN while no volume was seen.
    Unit: that of the price. Bars are usually given by `(high + low + close) / 3`.
    Warm-up: none, or `period - 1` values.
    Source: Berkowitz, Logue and Noser, The Total Cost of Transactions on the NYSE (1988).

    Args:
        price: Prices.
        volume: Volumes, 0 or more.
        period: Length of the rolling window; without it, everything since the session began.
        session: A whole number for each observation, such as its day; a change begins a session.
        out: Where to write the figures.

    Raises:
        TypeError: Not float64 arrays, or sessions that are not whole numbers.
        ValueError: Wrong shapes or period, a negative volume, a number that is not finite.

    Example:
        >>> price, volume = np.array([10.0, 20.0, 30.0]), np.array([1.0, 3.0, 2.0])
        >>> vwap(price, volume, session=np.array([1, 1, 2]))
        array([10. , 17.5, 30. ])
    """
    state = _core.Vwap(None if period is None else _whole(period=period))
    columns = _columns({"price": price, "volume": volume})
    size = columns[0].size
    (figures,) = _outputs(1, size, None if out is None else (out,))
    if session is None:
        state.fill(columns, [figures])
        return figures
    days = np.asarray(session)
    if days.dtype.kind not in "iu":
        raise TypeError(f"session: expected an array of whole numbers, found {days.dtype}")
    if days.shape != columns[0].shape:
        raise ValueError(f"session: expected shape {columns[0].shape}, found {days.shape}")
    edges = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), days.size]
    for begin, end in pairwise(edges):
        state.reset()
        with _offset(begin):
            state.fill([column[begin:end] for column in columns], [figures[begin:end]])
    return figures


def realised_volatility(
    close: Array, period: int = 20, *, periods_per_year: float = 1.0, out: Array | None = None
) -> Array:
    """Realised volatility: the root of the mean squared logarithmic return.

    Formula: `sqrt(periods_per_year / period * Σ ln(close / previous close) ** 2)`; the mean return
        is not taken off.
    Unit: a share of the price, per observation, or per year with `periods_per_year`.
    Warm-up: `period` values.
    Source: Andersen and Bollerslev, Answering the Skeptics (1998).

    Raises:
        TypeError: Not a float64 array.
        ValueError: Wrong shape or parameters, or a price that is not finite and above 0.

    Example:
        >>> realised_volatility(np.array([100.0, 110.0, 100.0]), period=2).round(4)
        array([ nan, nan, 0.0953])
    """
    state = _core.RealisedVolatility(_whole(period=period), periods_per_year)
    return _figure(state, out, close=close)


def microprice(
    bid: Array,
    bid_quantity: Array,
    ask: Array,
    ask_quantity: Array,
    *,
    out: Array | None = None,
) -> Array:
    """Microprice: between bid and ask, nearer to the side that has less resting on it.

    Formula: `(bid * ask_quantity + ask * bid_quantity) / (bid_quantity + ask_quantity)`; NaN where
        nothing rests.
    Unit: that of the price.
    Warm-up: none.
    Source: the weighted mid-price that Stoikov, The Micro-Price (2018), begins from.

    Raises:
        TypeError: Not float64 arrays.
        ValueError: Wrong shapes, a negative quantity, or a number that is not finite.

    Example:
        >>> one, three = np.array([1.0]), np.array([3.0])
        >>> microprice(np.array([100.0]), three, np.array([101.0]), one)
        array([100.75])
    """
    columns = {"bid": bid, "bid_quantity": bid_quantity, "ask": ask, "ask_quantity": ask_quantity}
    return _figure(_core.Microprice(), out, **columns)


def book_imbalance(
    bids: Array, asks: Array, levels: int | None = None, *, out: Array | None = None
) -> Array:
    """Book imbalance: which side has more resting on its best levels.

    Formula: `(Σ bids - Σ asks) / (Σ bids + Σ asks)`; NaN where nothing rests.
    Unit: -1 (only asks) to 1 (only bids).
    Warm-up: none.
    Source: Cont, Kukanov and Stoikov, The Price Impact of Order Book Events (2014).

    Args:
        bids: Quantities, one row for each book, best level first.
        asks: The same of the asks.
        levels: How many levels count, from the best; all without it.
        out: Where to write the figures.

    Raises:
        TypeError: Not float64 arrays.
        ValueError: Wrong shapes or levels, a negative quantity, or a number that is not finite.

    Example:
        >>> book_imbalance(np.array([[3.0, 9.0]]), np.array([[1.0, 0.0]]), levels=1)
        array([0.5])
    """
    sides = []
    for name, side in (("bids", bids), ("asks", asks)):
        array = _floats(name, side)
        if array.ndim != 2 or array.shape[1] == 0:
            raise ValueError(f"{name}: expected rows of levels (2 dimensions), found {array.shape}")
        sides.append(array)
    if sides[0].shape != sides[1].shape:
        raise ValueError(f"asks: expected shape {sides[0].shape}, found {sides[1].shape}")
    rows, width = sides[0].shape
    (figures,) = _outputs(1, rows, None if out is None else (out,))
    count = width if levels is None else _whole(levels=levels)
    _core.fill_imbalance(sides[0], sides[1], width, count, figures)
    return figures


class _Indicator(Protocol):
    """What each compiled indicator has."""

    def fill(self, observations: list[Array], figures: list[Array]) -> None: ...


def _figure(state: _Indicator, out: Array | None, /, **columns: Array) -> Array:
    """The one figure of an indicator."""
    return _figures(state, 1, None if out is None else (out,), **columns)[0]


def _figures(
    state: _Indicator, count: int, out: Sequence[Array] | None, /, **columns: Array
) -> list[Array]:
    observations = _columns(columns)
    figures = _outputs(count, observations[0].size, out)
    state.fill(observations, figures)
    return figures


def _outputs(count: int, size: int, out: Sequence[Array] | None) -> list[Array]:
    """Fresh arrays, or the caller's if they can be written as they lie."""
    if out is None:
        return [np.empty(size) for _ in range(count)]
    if len(out) != count:
        raise ValueError(f"out: expected {count} arrays, found {len(out)}")
    for array in out:
        if not isinstance(array, np.ndarray) or array.dtype != np.float64:
            raise TypeError("out: expected NumPy arrays of float64")
        if array.shape != (size,) or not array.flags.c_contiguous or not array.flags.writeable:
            raise ValueError(f"out: expected {size} values, contiguous and writable")
    return list(out)


def _columns(named: Mapping[str, Array]) -> list[Array]:
    """Arrays by name, checked and contiguous."""
    columns: list[Array] = []
    for name, values in named.items():
        array = _floats(name, values)
        if array.ndim != 1:
            raise ValueError(f"{name}: expected 1 dimension, found {array.ndim}")
        if columns and array.size != columns[0].size:
            raise ValueError(f"{name}: expected {columns[0].size} values, found {array.size}")
        columns.append(array)
    return columns


def _floats(name: str, values: Array) -> Array:
    if not isinstance(values, np.ndarray) or values.dtype != np.float64:
        found = values.dtype if isinstance(values, np.ndarray) else type(values).__name__
        raise TypeError(f"{name}: expected a NumPy array of float64, found {found}")
    return np.ascontiguousarray(values)


def _whole(**named: int) -> int:
    """A parameter that is a whole number and not negative; the core checks its range."""
    ((name, value),) = named.items()
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name}: expected a whole number, found {value!r}")
    if value < 0:
        raise ValueError(f"{name}: expected 1 to 1000000, found {value}")
    return int(value)


@contextmanager
def _offset(begin: int) -> Iterator[None]:
    """Says in which part of the array an index is counted."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"in the session that begins at index {begin}: {error}") from None
