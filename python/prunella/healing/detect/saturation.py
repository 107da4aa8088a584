"""Saturation: ratios in, "it is full" out, when a thing stays near its limit.

A road that is full for a moment is a road at rush hour; one that stays full is blocked. The reading
is smoothed over `tau_s`, because a processor's share taken every 100 ms from a clock of 10 ms jumps
by a tenth, and has to stay beyond the limit for `sustain_s`.

Answers: began, over. Thresholds: `limit`, given per metric; `sustain_s` = 0.2, so that a compiler's
burst or a log rotation is not told. Below nine tenths of the limit it is over (a value that wavers
about the limit is one episode, not many). Rejected: queueing estimates of the waiting time from the
ratio; the waiting time is itself measured (`process_run_delay_ratio`).

Source: Gregg (2013), "Thinking methodically about performance", Communications of the ACM 56(2):
utilization, saturation and errors, in that order.

Example:
    >>> from prunella.healing.detect import Series
    >>> from prunella.telemetry import Reading
    >>> series = Series(domain="cpu", metric="process_cpu_ratio", entity="pid:7")
    >>> detector = Saturation(SaturationOptions(limit=0.6), series)
    >>> for i in range(4):
    ...     now = i * 100_000_000
    ...     symptom = detector.update(
    ...         Reading(metric="process_cpu_ratio", entity="pid:7", value=0.97,
    ...                 ts_event_ns=now, ts_init_ns=now), now)
    ...     print(now, symptom and symptom.kind)
    0 None
    100000000 None
    200000000 saturation
    300000000 None
"""

from prunella.healing.detect.base import Detector, Episode, Options, Series, seconds
from prunella.healing.detect.memory import Smoother
from prunella.healing.incident import Symptom
from prunella.telemetry import Reading

HYSTERESIS = 0.9
"""An open symptom stays open down to this share of the limit."""


class SaturationOptions(Options, frozen=True, kw_only=True):
    """How full is full.

    Attributes:
        limit: Ratio that is beyond.
        tau_s: Over how long single readings are smoothed.
        sustain_s: How long it has to stay beyond.
        clear_s: How long it has to be below again.
    """

    limit: float
    tau_s: float = 0.2
    sustain_s: float = 0.2
    clear_s: float = 1.0


class Saturation(Detector):
    """Says that a ratio stays at its limit."""

    def __init__(self, options: SaturationOptions, series: Series) -> None:
        self._limit = options.limit
        self._series = series
        self._smoother = Smoother(tau_s=options.tau_s)
        self._episode = Episode(
            "saturation",
            "saturation",
            sustain_ns=seconds(options.sustain_s),
            clear_ns=seconds(options.clear_s),
        )

    def update(self, reading: Reading, now_ns: int) -> Symptom | None:
        """Takes one ratio."""
        value = self._smoother.update(reading.value, now_ns)
        limit = self._limit * HYSTERESIS if self._episode.active else self._limit
        return self._episode.observe(
            self._series,
            beyond=value >= limit,
            score=value / self._limit,
            value=value,
            expected=self._limit,
            labels=reading.labels,
            now_ns=now_ns,
        )

    def reset(self, now_ns: int) -> Symptom | None:
        """Forgets the smoothed value."""
        self._smoother.reset()
        return self._episode.end(now_ns)
