"""Spike: a value and its own long memory in, "that was far too high" out, at once.

A bang is not an average. Where one bad moment is already harm (the hot loop stood still for a
quarter of a second), smoothing would hide it. So single readings are compared with the series's own
normal, and `count_min` of them within `window_s` are told without waiting for more.

Answers: began, over. Thresholds: `z` = 8, higher than for a lasting shift, since single readings of
a latency have long tails; `floor`, below which no value is harm; `count_min` = 2, because a machine
that pauses gives one. Rejected: a fixed percentile from a sketch, which says that one reading in a
hundred is a spike for ever.

Source: Tukey (1977), "Exploratory Data Analysis", Addison-Wesley, for far-out values beyond a
fence taken from the series itself.

Example:
    >>> from prunella.healing.detect import Series
    >>> from prunella.telemetry import Reading
    >>> series = Series(domain="execution", metric="hot_loop_lag_seconds", entity="engine")
    >>> detector = Spike(SpikeOptions(floor=0.05, scale_min=0.001), series)
    >>> told = []
    >>> for i in range(104):
    ...     now, value = i * 100_000_000, 0.002 if i < 100 else 0.25
    ...     symptom = detector.update(
    ...         Reading(metric="hot_loop_lag_seconds", entity="engine", value=value,
    ...                 ts_event_ns=now, ts_init_ns=now), now)
    ...     if symptom:
    ...         told.append((i - 100, symptom.kind))
    >>> told
    [(1, 'spike')]
"""

from prunella.healing.detect.base import Detector, Episode, Options, Series, seconds
from prunella.healing.detect.memory import Memory
from prunella.healing.incident import Symptom
from prunella.telemetry import Reading

COUNT_MIN = 20
"""Readings before the memory is asked; fewer give no scale."""


class SpikeOptions(Options, frozen=True, kw_only=True):
    """How high is far too high.

    Attributes:
        floor: Least value that matters, in the metric's unit.
        scale_min: Least scale, in the metric's unit.
        z: Scales above the location.
        count_min: How many readings beyond.
        window_s: Within how long.
        memory_s: How long the memory is.
        clear_s: How long it has to be normal again.
    """

    floor: float
    scale_min: float
    z: float = 8.0
    count_min: int = 2
    window_s: float = 1.0
    memory_s: float = 60.0
    clear_s: float = 1.0


class Spike(Detector):
    """Says that single values are far beyond the series's own normal."""

    def __init__(self, options: SpikeOptions, series: Series) -> None:
        self._options = options
        self._series = series
        self._memory = Memory(tau_s=options.memory_s, scale_min=options.scale_min)
        self._episode = Episode("spike", "spike", sustain_ns=0, clear_ns=seconds(options.clear_s))
        self._count = 0
        self._first_ns = 0

    def update(self, reading: Reading, now_ns: int) -> Symptom | None:
        """Takes one value."""
        options, memory = self._options, self._memory
        threshold = max(options.floor, memory.location + options.z * memory.scale)
        high = memory.count >= COUNT_MIN and reading.value >= threshold
        memory.learn(reading.value, now_ns)
        if high:
            if self._count == 0 or now_ns - self._first_ns > seconds(options.window_s):
                self._count, self._first_ns = 0, now_ns
            self._count += 1
        return self._episode.observe(
            self._series,
            beyond=high and (self._count >= options.count_min or self._episode.active),
            score=reading.value / threshold,
            value=reading.value,
            expected=memory.location,
            labels=reading.labels,
            now_ns=now_ns,
            onset_ns=self._first_ns,
        )

    def reset(self, now_ns: int) -> Symptom | None:
        """Forgets what is normal."""
        options = self._options
        self._memory = Memory(tau_s=options.memory_s, scale_min=options.scale_min)
        self._count = 0
        return self._episode.end(now_ns)
