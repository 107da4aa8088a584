"""Arrays of prices, volumes and quotes in; technical figures out. Also one observation at a time.

A function takes float64 arrays, oldest first, and gives arrays of the same length with NaN during
warm-up. The class of the same name takes one observation at a time and gives `None` during warm-up;
it gives the same bits as the function, and it is what the trading core computes.

    >>> import numpy as np
    >>> from prunella.indicators import Rsi, rsi
    >>> closes = np.array([44.0, 45.0, 44.5, 46.0, 45.0])
    >>> rsi(closes, period=3).round(2)
    array([  nan,   nan,   nan, 83.33, 55.56])
    >>> live = Rsi(period=3)
    >>> [live.update(close) for close in closes][:3]
    [None, None, None]

NaN at the beginning of an input is another indicator's warm-up and is passed over, so that figures
can be made of figures. Anything later that is not a finite number raises `ValueError` and says
where.
"""

from prunella._core import (
    Atr,
    Bollinger,
    Ema,
    Macd,
    Microprice,
    RealisedVolatility,
    Rsi,
    Sma,
    Vwap,
)
from prunella.indicators.arrays import (
    Bands,
    Convergence,
    atr,
    bollinger,
    book_imbalance,
    ema,
    macd,
    microprice,
    realised_volatility,
    rsi,
    sma,
    vwap,
)

__all__ = [
    "Atr",
    "Bands",
    "Bollinger",
    "Convergence",
    "Ema",
    "Macd",
    "Microprice",
    "RealisedVolatility",
    "Rsi",
    "Sma",
    "Vwap",
    "atr",
    "bollinger",
    "book_imbalance",
    "ema",
    "macd",
    "microprice",
    "realised_volatility",
    "rsi",
    "sma",
    "vwap",
]
