"""Shift: a value and its own long memory in, "it has moved for good" out.

A house that creaks every night is a house that creaks. What matters is that it creaks more than it
used to, and goes on doing so. The last moments (smoothed over `tau_s`) are compared with the
series's own normal of the last minute; they have to differ by many of its own scales *and* by an
amount that matters (`rise_min`), for `sustain_s`.

Answers: began, over. Thresholds: `z` = 6, since at ten readings a second a 4-sigma event happens
every half hour in a perfectly healthy normal series, and ours have longer tails; `rise_min`, the
harm that is worth a sentence, because a very still series makes any flutter many sigmas; `certain`,
a value that is beyond whatever the memory says, because an agent that was restarted in the middle
of a fault would learn the fault as normal; `settle_s`, during which nothing is learnt, because a
restless youth would excuse everything for the next minute; `warm_up_s`, before which the memory
knows too little.
The memory does not learn while the values are beyond; after `accept_s` it starts anew: what lasts
for ten minutes is the new normal, and somebody has been told long ago. Rejected: ADWIN and Bayesian
change points, which find the moment of a small change with more arithmetic; our changes are not
small, and CUSUM, whose drift term must be set for each series.

Source: Roberts (1959), "Control chart tests based on geometric moving averages", Technometrics
1(3); rejected: Bifet and Gavalda (2007), "Learning from time-changing data with
adaptive windowing".

Example:
    >>> from prunella.healing.detect import Series
    >>> from prunella.telemetry import Reading
    >>> series = Series(domain="cpu", metric="process_run_delay_ratio", entity="engine")
    >>> detector = Shift(ShiftOptions(rise_min=0.08, certain=0.5, scale_min=0.01), series)
    >>> told = []
    >>> for i in range(140):
    ...     now, value = i * 100_000_000, 0.02 if i < 100 else 0.35
    ...     symptom = detector.update(
    ...         Reading(metric="process_run_delay_ratio", entity="engine", value=value,
    ...                 ts_event_ns=now, ts_init_ns=now), now)
    ...     if symptom:
    ...         told.append((i - 100, symptom.kind))
    >>> told[0]
    (2, 'shift')
"""

from prunella.healing.detect.base import Detector, Episode, Options, Series, seconds
from prunella.healing.detect.memory import Memory, Smoother
from prunella.healing.incident import Symptom
from prunella.telemetry import Reading

COUNT_MIN = 20
"""Readings before the memory is asked; fewer give no scale."""

AGREEMENT = 0.5
"""A single reading agrees when it is beyond by this share of the margin."""


class ShiftOptions(Options, frozen=True, kw_only=True):
    """How far is far.

    Attributes:
        rise_min: Least rise that matters, in the metric's unit.
        certain: A value that is beyond in any case; 0 for none.
        scale_min: Least scale, in the metric's unit: the measurement's own grain.
        z: Scales above the location.
        tau_s: Over how long the last moments are smoothed.
        memory_s: How long the memory is.
        settle_s: How long after its first reading it learns nothing.
        warm_up_s: How long it learns before it speaks.
        sustain_s: How long it has to stay beyond.
        clear_s: How long it has to be normal again.
        accept_s: After how long the new level is the normal one.
    """

    rise_min: float
    certain: float = 0.0
    scale_min: float
    z: float = 6.0
    tau_s: float = 0.15
    memory_s: float = 60.0
    settle_s: float = 3.0
    warm_up_s: float = 3.0
    sustain_s: float = 0.2
    clear_s: float = 1.0
    accept_s: float = 600.0


class Shift(Detector):
    """Says that a value lastingly left its own normal, upwards."""

    def __init__(self, options: ShiftOptions, series: Series) -> None:
        self._options = options
        self._series = series
        self._memory = Memory(tau_s=options.memory_s, scale_min=options.scale_min)
        self._smoother = Smoother(tau_s=options.tau_s)
        self._episode = Episode(
            "shift",
            "shift",
            sustain_ns=seconds(options.sustain_s),
            clear_ns=seconds(options.clear_s),
        )
        self._since_ns: int | None = None
        self._first_ns: int | None = None

    def update(self, reading: Reading, now_ns: int) -> Symptom | None:
        """Takes one value."""
        options, memory = self._options, self._memory
        value = self._smoother.update(reading.value, now_ns)
        if self._first_ns is None:
            self._first_ns = now_ns
        margin = max(options.rise_min, options.z * memory.scale)
        threshold = memory.location + margin
        warm = memory.count >= COUNT_MIN and now_ns - memory.born_ns >= seconds(options.warm_up_s)
        # Each reading has to agree: the mean alone would be carried along by one or two outliers.
        beyond = (
            warm and value >= threshold and reading.value >= memory.location + AGREEMENT * margin
        )
        if options.certain and value >= options.certain:
            beyond = True
            threshold = min(threshold, options.certain) if warm else options.certain
        if not beyond:
            self._since_ns = None
            if now_ns - self._first_ns >= seconds(options.settle_s):
                memory.learn(reading.value, now_ns)
        elif self._since_ns is None:
            self._since_ns = now_ns
        elif now_ns - self._since_ns >= seconds(options.accept_s):
            return self.reset(now_ns)
        return self._episode.observe(
            self._series,
            beyond=beyond,
            score=value / threshold if threshold > 0 else 1.0,
            value=value,
            expected=memory.location if warm else options.certain,
            labels=reading.labels,
            now_ns=now_ns,
        )

    def reset(self, now_ns: int) -> Symptom | None:
        """Forgets what is normal."""
        options = self._options
        self._memory = Memory(tau_s=options.memory_s, scale_min=options.scale_min)
        self._smoother.reset()
        self._since_ns = self._first_ns = None
        return self._episode.end(now_ns)
