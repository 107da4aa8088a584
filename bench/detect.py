"""The detector of telemetry: samples of metrics a second, and the time of one update.

Goals on one core: 2 million metric-samples a second, 0.5 µs each at p50.
"""

import time
from collections.abc import Iterable

import numpy as np
from prunella.detect import Detector, Forecast
from prunella.detect.table import Array
from prunella.evaluation.bench import Latency, Rate, latency

METRICS = 20
PERIOD_S = 60.0
ROWS, QUICK_ROWS = 100_000, 5_000
GOAL_PER_SECOND = "≥ 2 M/s"
GOAL_EACH = "≤ 0.5 µs"


def figures(*, quick: bool) -> Iterable[Latency | Rate]:
    """Throughput over a table, and each update of it alone, by row and by metric."""
    rows = QUICK_ROWS if quick else ROWS
    rng = np.random.default_rng(7)
    table: Array = np.cumsum(rng.normal(size=(rows, METRICS)), axis=0) + rng.normal(
        size=(rows, METRICS)
    )
    t: Array = np.linspace(0.0, (rows - 1) * PERIOD_S, rows)
    detector = Detector(METRICS, PERIOD_S)
    begun = time.perf_counter_ns()
    detector.update_many(t, table)
    taken_s = (time.perf_counter_ns() - begun) / 1e9
    yield Rate(
        name=f"metric-samples, rows of {METRICS}",
        goal="" if quick else GOAL_PER_SECOND,
        per_second=rows * METRICS / taken_s,
    )
    taken = updates(Detector(METRICS, PERIOD_S), t, table)
    yield latency(f"update of a row of {METRICS}, from Python", taken)
    each = [one // METRICS for one in taken]
    yield latency("update, each metric's share", each, goal="" if quick else GOAL_EACH)
    yield latency("update of a row of 1, from Python", updates(Detector(1, PERIOD_S), t, table))
    yield latency("forecast of one value, from Python", forecasts(table))


def updates(detector: Detector, t: Array, table: Array) -> list[int]:
    """Nanoseconds of each row."""
    width = len(detector.metrics)
    taken = []
    for at, row in zip(t.tolist(), np.ascontiguousarray(table[:, :width]), strict=True):
        begun = time.perf_counter_ns()
        detector.update(at, row)
        taken.append(time.perf_counter_ns() - begun)
    return taken


def forecasts(table: Array) -> list[int]:
    """Nanoseconds of each value."""
    forecast = Forecast(limit=1e9, period_s=PERIOD_S)
    taken = []
    for value in table[:, 0].tolist():
        begun = time.perf_counter_ns()
        forecast.update(value)
        taken.append(time.perf_counter_ns() - begun)
    return taken
