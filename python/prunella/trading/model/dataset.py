"""Recorded sessions in; rows of figures, as the core computes them, with what followed, out."""

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from prunella._core import feature_names, feature_rows
from prunella.errors import UsageError
from prunella.trading.engine import MarketSettings, core_config
from prunella.trading.execution import VenueLimits
from prunella.trading.market import Instrument
from prunella.trading.risk import RiskSettings
from prunella.trading.strategy import Onnx

FEATURES_VERSION, _NAMES = feature_names()
FEATURES = tuple(_NAMES)
"""Names of the figures, in order; prices are parts per million, shares -1 to 1."""


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of figures, oldest first.

    Attributes:
        ts_ns: When each row was seen, nanoseconds UTC; shape `(rows,)`.
        figures: 32-bit floats, shape `(rows, len(FEATURES))`, all finite.
        returns_ppm: What the mid price did within the horizon, parts per million; shape `(rows,)`.
        horizon_ns: How far the returns look ahead.
    """

    ts_ns: npt.NDArray[np.int64]
    figures: npt.NDArray[np.float32]
    returns_ppm: npt.NDArray[np.float64]
    horizon_ns: int


def read_dataset(
    paths: Sequence[str], *, instrument: Instrument, horizon_ms: int, stride_ms: int
) -> Dataset:
    """Plays recordings through the core and reads off the figures.

    Args:
        paths: Recorded files of one market, in order.
        instrument: What was recorded.
        horizon_ms: How far ahead the returns look, milliseconds.
        stride_ms: Least time between two rows, milliseconds.

    Raises:
        RecordingError: A file is missing, damaged or no recording; trying again cannot help.
        UsageError: The recording is too short for a single row.
    """
    horizon_ns = horizon_ms * 1_000_000
    times, figures, mids, later = feature_rows(
        paths,
        config=_config(instrument),
        stride_ns=stride_ms * 1_000_000,
        horizons_ns=[horizon_ns],
    )
    ts_ns = np.frombuffer(times, np.int64)
    before, after = np.frombuffer(mids), np.frombuffer(later[0])
    is_known = np.isfinite(after)
    if not is_known.any():
        needed = math.ceil(34 + horizon_ms / 1_000)
        raise UsageError(
            f"expected more than {needed} s of {instrument.symbol} in a recording that "
            f"holds a depth snapshot, found {len(ts_ns)} complete rows"
        )
    matrix = np.frombuffer(figures, np.float32).reshape(-1, len(FEATURES))
    returns = (after / before - 1.0) * 1e6
    return Dataset(
        ts_ns=ts_ns[is_known],
        figures=matrix[is_known],
        returns_ppm=returns[is_known],
        horizon_ns=horizon_ns,
    )


def _config(instrument: Instrument) -> bytes:
    """A core that looks and never trades: its strategy has no model."""
    risk = RiskSettings(
        quantity_min=instrument.lot,
        quantity_max=instrument.lot,
        notional_min="0.000000001",
        notional_max="1",
        position_max=instrument.lot,
    )
    return core_config(
        run=1,
        venues={"recorded": VenueLimits(order_rate_per_second=1)},
        markets=[MarketSettings(venue="recorded", instrument=instrument, risk=risk)],
        strategies={"model": Onnx(quantity=instrument.lot, threshold="1")},
        loss_max="1",
    )
