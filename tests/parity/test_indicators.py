"""Our indicators beside TA-Lib's, and each beside its own streaming form."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from prunella import indicators as ours
from prunella.indicators.arrays import Array

talib = pytest.importorskip("talib", reason="needs the package ta-lib")

LENGTHS = (0, 1, 2, 3, 14, 15, 33, 34, 35, 300, 5_000)
PERIODS = (2, 3, 5, 14, 50, 200)
LIST: Any = [1.0]
WHOLE: Any = np.arange(5)
HALF: Any = 2.5


def _walk(length: int, *, scale: float = 1.0) -> Array:
    steps = np.random.default_rng(length).normal(size=length)
    return np.round((61_837.63 + np.cumsum(steps) * 10) * scale, 8)


def _gaps(length: int) -> Array:
    """Jumps of a quarter up and down, and stretches in which nothing moves."""
    rng = np.random.default_rng(length + 1)
    moves = rng.choice([0.0, 0.0, 0.0, 0.001, -0.001, 0.2, -0.2], size=length)
    return np.asarray(100 * np.exp(np.cumsum(moves)))


SERIES: dict[str, Callable[[int], Array]] = {
    "walk": _walk,
    "small prices": lambda length: _walk(length, scale=1e-7),
    "gaps": _gaps,
    "constant": lambda length: np.full(length, 256.0),
}


def _agree(found: Array, expected: Array, scale: float) -> None:
    """Both NaN at the same places, elsewhere within 1e-9 of the input's size."""
    assert found.shape == expected.shape
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * scale)


@pytest.mark.parametrize("name", SERIES)
def test_figures_of_closes_are_those_of_talib(name: str) -> None:
    """SMA, EMA, RSI and bands over lengths and periods, also where the input is too short."""
    for length, period in product(LENGTHS, PERIODS):
        close = SERIES[name](length)
        scale = float(np.max(close, initial=0.0))
        _agree(ours.sma(close, period), talib.SMA(close, period), scale)
        _agree(ours.ema(close, period), talib.EMA(close, period), scale)
        _agree(ours.rsi(close, period), talib.RSI(close, period), 100.0)
        # Sums of squares round in TA-Lib: its deviation is good to the root of that.
        bands = talib.BBANDS(close, timeperiod=period, nbdevup=2.0, nbdevdn=2.0)
        rounding = 1.0 if name == "walk" else 1e3
        for found, expected in zip(ours.bollinger(close, period), bands, strict=True):
            _agree(found, expected, rounding * scale)


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize("periods", [(12, 26, 9), (3, 10, 16), (2, 200, 9)])
def test_macd_is_that_of_talib(name: str, periods: tuple[int, int, int]) -> None:
    """All three arrays, beginning where TA-Lib's begin."""
    for length in LENGTHS:
        close = SERIES[name](length)
        scale = float(np.max(close, initial=0.0))
        for found, expected in zip(
            ours.macd(close, *periods), talib.MACD(close, *periods), strict=True
        ):
            _agree(found, expected, scale)


@pytest.mark.parametrize("name", SERIES)
def test_atr_is_that_of_talib(name: str) -> None:
    """Bars with gaps between them, over lengths and periods."""
    for length, period in product(LENGTHS, PERIODS):
        close = SERIES[name](length)
        reach = np.abs(np.random.default_rng(3).normal(size=length)) * close / 1000
        high, low = close + reach, close - reach / 2
        found, expected = ours.atr(high, low, close, period), talib.ATR(high, low, close, period)
        _agree(found, expected, float(np.max(close, initial=0.0)))


def _stream(state: Any, *columns: Array) -> list[Array]:
    """What a streaming indicator says to each row, as arrays."""
    rows = [state.update(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]
    width = next((len(row) for row in rows if isinstance(row, tuple)), 1)
    nothing = (np.nan,) * width
    whole = [nothing if row is None else row if isinstance(row, tuple) else (row,) for row in rows]
    return [np.array([row[at] for row in whole]) for at in range(width)]


def test_streaming_gives_the_bits_of_the_batch() -> None:
    """Each class beside its function, over more than two of the core's chunks."""
    close = _walk(1_300)
    volume = np.floor(np.random.default_rng(5).exponential(size=close.size) * 3)
    high, low = close + 3, close - 2
    pairs: list[tuple[Any, tuple[Array, ...], Any]] = [
        (ours.Sma(20), (close,), ours.sma(close, 20)),
        (ours.Ema(20), (close,), ours.ema(close, 20)),
        (ours.Rsi(), (close,), ours.rsi(close)),
        (ours.Macd(), (close,), ours.macd(close)),
        (ours.Bollinger(), (close,), ours.bollinger(close)),
        (ours.Atr(), (high, low, close), ours.atr(high, low, close)),
        (ours.Vwap(), (close, volume), ours.vwap(close, volume)),
        (ours.Vwap(7), (close, volume), ours.vwap(close, volume, period=7)),
        (ours.RealisedVolatility(30), (close,), ours.realised_volatility(close, 30)),
        (ours.Microprice(), (low, volume, high, close), ours.microprice(low, volume, high, close)),
    ]
    for state, columns, batch in pairs:
        arrays = batch if isinstance(batch, tuple) else (batch,)
        for found, expected in zip(_stream(state, *columns), arrays, strict=True):
            np.testing.assert_array_equal(found, expected, err_msg=type(state).__name__)


def test_figures_without_a_peer_are_their_formulas() -> None:
    """VWAP, realised volatility and imbalance against NumPy."""
    close, volume = _walk(500), np.arange(500.0) % 7
    days = np.arange(500) // 100
    expected = np.concatenate(
        [
            np.cumsum(close[days == day] * volume[days == day])
            / np.maximum(np.cumsum(volume[days == day]), 1e-300)
            for day in range(5)
        ]
    )
    found = ours.vwap(close, volume, session=days)
    some = np.concatenate([np.cumsum(volume[days == day]) > 0 for day in range(5)])
    np.testing.assert_allclose(found[some], expected[some], rtol=1e-12)
    assert np.isnan(found[~some]).all()
    returns = np.diff(np.log(close))
    windows = np.lib.stride_tricks.sliding_window_view(returns, 30)
    volatility = np.sqrt(365 / 30 * (windows**2).sum(axis=1))
    found = ours.realised_volatility(close, 30, periods_per_year=365.0)
    np.testing.assert_allclose(found[30:], volatility, rtol=1e-9)
    bids, asks = close.reshape(50, 10), close[::-1].reshape(50, 10)
    both = (bids[:, :4].sum(axis=1), asks[:, :4].sum(axis=1))
    np.testing.assert_allclose(
        ours.book_imbalance(bids, asks, 4), (both[0] - both[1]) / (both[0] + both[1]), rtol=1e-9
    )


def test_still_prices_have_exactly_no_width_and_no_divergence() -> None:
    """Where nothing moves, no rounding may look like a signal."""
    close = np.full(1_000, 61_837.63)
    assert not np.nan_to_num(np.array(ours.macd(close))).any()
    bands = ours.bollinger(close)
    np.testing.assert_array_equal(bands.upper[19:], close[19:])


def test_warm_up_of_another_indicator_is_passed_over() -> None:
    """Figures can be made of figures, as with TA-Lib."""
    close = _walk(200)
    smooth = ours.ema(ours.rsi(close), 9)
    _agree(smooth, talib.EMA(talib.RSI(close, 14), 9), 100.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ours.rsi(LIST),
            TypeError,
            "close: expected a NumPy array of float64, found list",
        ),
        (lambda: ours.rsi(WHOLE), TypeError, "float64, found int64"),
        (lambda: ours.rsi(np.zeros((2, 2))), ValueError, "close: expected 1 dimension, found 2"),
        (lambda: ours.rsi(np.zeros(5), 0), ValueError, "period: expected 1 to 1000000, found 0"),
        (lambda: ours.rsi(np.zeros(5), -3), ValueError, "period: expected 1 to 1000000, found -3"),
        (lambda: ours.rsi(np.zeros(5), HALF), TypeError, "expected a whole number, found 2.5"),
        (lambda: ours.ema(np.array([1.0, np.nan]), 2), ValueError, "at index 1: .* found NaN"),
        (
            lambda: ours.atr(np.ones(2), np.ones(3), np.ones(2)),
            ValueError,
            "low: expected 2 values",
        ),
        (lambda: ours.atr(np.zeros(1), np.ones(1), np.ones(1)), ValueError, "expected high ≥ low"),
        (lambda: ours.macd(np.zeros(5), 26, 12), ValueError, "fast: expected less than slow"),
        (lambda: ours.bollinger(np.zeros(5), 2, 0.0), ValueError, "width: expected .* above 0"),
        (lambda: ours.vwap(np.ones(2), -np.ones(2)), ValueError, "expected a volume of 0 or more"),
        (lambda: ours.realised_volatility(np.zeros(3)), ValueError, "expected a price above 0"),
        (lambda: ours.book_imbalance(np.ones(3), np.ones(3)), ValueError, "2 dimensions"),
        (
            lambda: ours.book_imbalance(np.ones((1, 2)), np.ones((1, 2)), 3),
            ValueError,
            "levels: expected 1 to 2, found 3",
        ),
        (lambda: ours.Rsi(0), ValueError, "period: expected 1 to 1000000"),
        (lambda: ours.Rsi(3).update(float("inf")), ValueError, "expected a finite number"),
    ],
)
def test_what_makes_no_sense_is_refused(
    call: Callable[[], object], error: type[Exception], message: str
) -> None:
    """The message says what was found and what was expected, and where."""
    with pytest.raises(error, match=message):
        call()


def test_views_with_steps_are_read_right() -> None:
    """A column of a table is not contiguous."""
    table = np.stack([_walk(100), _walk(100) * 2], axis=1)
    np.testing.assert_array_equal(ours.rsi(table[:, 1]), ours.rsi(table[:, 1].copy()))


def test_figures_are_written_to_the_callers_arrays() -> None:
    """The same bits in the very arrays that were given, sessions included."""
    close = _walk(1_300)
    volume, days = np.ones(close.size), np.arange(close.size) // 400
    bids, asks = np.ones((close.size, 2)), np.full((close.size, 2), 3.0)
    out = np.empty(close.size)
    calls: list[Callable[..., Array]] = [
        lambda **to: ours.sma(close, 20, **to),
        lambda **to: ours.ema(close, 20, **to),
        lambda **to: ours.rsi(close, **to),
        lambda **to: ours.atr(close + 3, close - 2, close, **to),
        lambda **to: ours.vwap(close, volume, session=days, **to),
        lambda **to: ours.realised_volatility(close, **to),
        lambda **to: ours.microprice(close, volume, close + 1, volume, **to),
        lambda **to: ours.book_imbalance(bids, asks, **to),
    ]
    for call in calls:
        assert call(out=out) is out
        np.testing.assert_array_equal(out, call())
    three = (np.empty(close.size), np.empty(close.size), np.empty(close.size))
    for found, given, fresh in zip(
        ours.macd(close, out=three), three, ours.macd(close), strict=True
    ):
        assert found is given
        np.testing.assert_array_equal(given, fresh)
    assert ours.bollinger(close, out=three).upper is three[0]


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        (np.empty(4), "expected 5 values"),
        (np.empty(10)[::2], "contiguous"),
        (np.empty(5, dtype=np.int64), "float64"),
    ],
)
def test_arrays_that_cannot_be_written_are_refused(out: Array, expected: str) -> None:
    """Before anything is computed, with what was expected."""
    with pytest.raises((TypeError, ValueError), match=expected):
        ours.rsi(np.arange(5.0), 2, out=out)
