"""The metrics of one entity in; score, alarm and what they are about out."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from prunella._core import StreamDetector

Scores: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Kind = Literal[
    "spike", "level shift", "trend", "variance", "silence", "saturation", "burst of errors"
]
"""What it looks like; a novel template of a log is another class's, `Templates`."""


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """What one metric says.

    Attributes:
        metric: Its name.
        kind: What it looks like.
        share: Its share of all surprise, 0 to 1.
        surprise: Minus the logarithm of how often its statistics were as far off, in nats.
        value: The value.
        expected: What was expected instead.
        onset_t: When it began to be unusual, in seconds.
    """

    metric: str
    kind: Kind
    share: float
    surprise: float
    value: float
    expected: float
    onset_t: float


class Symptom(msgspec.Struct, frozen=True, kw_only=True):
    """What the last row shows.

    Attributes:
        kind: What the loudest metric looks like.
        metric: The loudest metric.
        score: How sure it is that something new is wrong, 0 to 1; an alarm above 0.5.
        onset_t: When the loudest metric began to be unusual, in seconds.
        contributions: The metrics that say anything, loudest first.
    """

    kind: Kind
    metric: str
    score: float
    onset_t: float
    contributions: tuple[Contribution, ...]


class Detector:
    """All metrics of one entity, sampled together.

    Args:
        n_metrics: How many metrics a row has, at least 1.
        period_s: Seconds between two rows, above 0.
        metrics: Their names; `metric 0` and so on without.

    Raises:
        ValueError: No metric, a period that is not above 0, or another number of names; trying
            again cannot help.
    """

    def __init__(
        self, n_metrics: int, period_s: float, metrics: Sequence[str] | None = None
    ) -> None:
        names = metrics if metrics is not None else [f"metric {at}" for at in range(n_metrics)]
        if len(names) != n_metrics:
            raise ValueError(f"found {len(names)} names, expected {n_metrics}")
        self._inner = StreamDetector(n_metrics, period_s)
        self._metrics = tuple(names)
        self._period_s = period_s
        self._score, self._t = 0.0, 0.0

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics, in the order of a row."""
        return self._metrics

    def update(self, t: float, row: Sequence[float] | NDArray[np.float64]) -> tuple[float, bool]:
        """Takes in one row.

        Args:
            t: When, in seconds; of any origin, but midnight should be a multiple of a day.
            row: One value of each metric; NaN for one that is missing.

        Returns:
            How sure it is that something new is wrong, 0 to 1, and whether somebody should be
            told. What was told is not told again within the day unless it has become louder.

        Raises:
            ValueError: Another number of values, or a time that is not finite.
        """
        self._score, alarm = self._inner.update(t, row)
        self._t = t
        return self._score, alarm

    def update_many(self, t: ArrayLike, rows: ArrayLike) -> tuple[Scores, Flags]:
        """Takes in many rows; the same as `update` with one after the other.

        Args:
            t: Seconds of each row.
            rows: One row per sample, one column per metric.

        Returns:
            Score and alarm of each row.

        Raises:
            ValueError: The shapes do not fit, or a time is not finite; the rows before it count.
        """
        times = np.ascontiguousarray(t, dtype=np.float64)
        table = np.ascontiguousarray(rows, dtype=np.float64)
        scores = np.empty(times.size)
        alarms = np.empty(times.size, dtype=np.uint8)
        self._inner.fill(times, table, scores, alarms)
        if scores.size:
            self._score, self._t = float(scores[-1]), float(times[-1])
        return scores, alarms.astype(np.bool_)

    def explain(self) -> Symptom:
        """What the last row shows, whether or not it was an alarm."""
        evidence = self._inner.evidence()
        total = sum(one[1] for one in evidence) or 1.0
        told = sorted(zip(self._metrics, evidence, strict=True), key=lambda pair: -pair[1][1])
        contributions = tuple(self._contribution(metric, total, *one) for metric, one in told)
        first = contributions[0]
        return Symptom(
            kind=first.kind,
            metric=first.metric,
            score=self._score,
            onset_t=first.onset_t,
            contributions=tuple(one for one in contributions if one.surprise > 0.0),
        )

    def _contribution(
        self, metric: str, total: float, kind: Any, surprise: float, *rest: float
    ) -> Contribution:
        value, expected, samples = rest
        return Contribution(
            metric=metric,
            kind=kind,
            share=surprise / total,
            surprise=surprise,
            value=value,
            expected=expected,
            onset_t=self._t - max(samples - 1, 0) * self._period_s,
        )
