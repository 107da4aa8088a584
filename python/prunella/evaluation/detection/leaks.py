"""Labelled series in, leaks planted into them, how well their end is foretold out.

Into every other series of a single metric a rise is planted after its warm-up, that starts slowly
or at once and ends where the limit is; the rest stay as they are, for false pages. The limit lies
above all that the series ever was, by a quarter of its range. A leak is foretold by an alarm
between its begin and its end; every other alarm is a page in vain, merged within the hour. Place,
length and shape come from the series's name, so that a run can be repeated.
"""

import random
from collections.abc import Callable
from pathlib import Path
from statistics import median

import msgspec
import numpy as np
from numpy.typing import NDArray

from prunella.detect import Forecast
from prunella.evaluation.detection.corpus import Series, manifest, read
from prunella.evaluation.detection.tally import Tally, tally

LENGTHS = (100, 200, 400)
"""Samples from the begin of a leak to its end."""
HEADROOM = 0.25
"""The limit is so much of the series's range above its highest value: near enough for a busy day
to look like the way there."""
SHAPES = (1.0, 1.5)
"""Powers of the rise: even, or slow first."""


class LeakScore(msgspec.Struct, frozen=True, kw_only=True):
    """How well the end of leaks is foretold.

    Attributes:
        leaks: How many were planted.
        foretold: How many were told before their end.
        pages: Alarms about nothing.
        f1: Harmonic mean of the shares of alarms that were right and of leaks foretold.
        lead_samples: Median of the samples between alarm and end; 0 if none was foretold.
        pages_per_day: Pages for each day and series.
    """

    leaks: int
    foretold: int
    pages: int
    f1: float
    lead_samples: float
    pages_per_day: float


def evaluate_leaks(folder: Path, *, tell: Callable[[str], None] = lambda _: None) -> LeakScore:
    """Plants leaks into the folder's series of one metric and forecasts them.

    Raises:
        UsageError: The folder holds no labelled series; trying again cannot help.
    """
    total, leads, number = Tally(), [], 0
    for entry in manifest(folder):
        series = read(folder, entry)
        if series.x.shape[1] > 1:
            continue
        tell(f"leaks: {entry.corpus} {entry.id}")
        count, lead = _one(series, plant=number % 2 == 0)
        total, number = total + count, number + 1
        leads += lead
    return LeakScore(
        leaks=total.events,
        foretold=total.found,
        pages=total.pages,
        f1=total.f1,
        lead_samples=median(leads) if leads else 0.0,
        pages_per_day=total.pages_per_day,
    )


def _one(series: Series, *, plant: bool) -> tuple[Tally, list[int]]:
    values = series.x[:, 0].copy()
    span = float(values.max() - values.min()) or 1.0
    limit = float(values.max()) + HEADROOM * span
    end, events = len(values), np.empty((0, 2), dtype=np.int32)
    if plant:
        begin, end = _plant(values, limit, series)
        events = np.array([[begin, end - 1]], dtype=np.int32)
    alarms = foretell(values[:end], limit, series.period_s)
    counts = tally(alarms, series.t[:end], events, warmup=series.warmup)
    if not counts.found:
        return counts, []
    first = int(np.flatnonzero(alarms[events[0, 0] :])[0]) + int(events[0, 0])
    return counts, [end - first]


def _plant(values: NDArray[np.float64], limit: float, series: Series) -> tuple[int, int]:
    """Lets the values rise to the limit; where it begins, and where it ends."""
    dice = random.Random(series.id)  # noqa: S311  no secret
    room = len(values) - series.warmup
    length = min(dice.choice(LENGTHS), room // 2)
    begin = series.warmup + dice.randrange(room - length)
    rise = np.linspace(0.0, 1.0, length) ** dice.choice(SHAPES)
    usual = float(np.median(values[max(begin - length, 0) : begin + 1]))
    values[begin : begin + length] += rise * (limit - usual)
    over = np.flatnonzero(values[begin : begin + length] >= limit)
    return begin, begin + (int(over[0]) if len(over) else length)


def foretell(values: NDArray[np.float64], limit: float, period_s: float) -> NDArray[np.bool_]:
    """Whether a forecast with the defaults told at each value."""
    forecast = Forecast(limit, period_s)
    said = [forecast.update(float(value)) for value in values]
    return np.array([one is not None and one.alarm for one in said], dtype=np.bool_)
