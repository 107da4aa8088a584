"""Stall: a running total in, "it has stopped" out, for a counter that used to move all the time.

The wheel of the water mill turns slower or faster, but when it stands, look upstream. A counter
that grew in nearly every round and now stays the same has stopped; one that moves once an hour
never counts as moving, so it cannot stop.

Answers: began, over. Thresholds: `limit_s` of standing still, longer than any pause of a healthy
feed; `busy_share` = 0.5, since a counter which moves in fewer than half of the rounds has pauses
by nature. A smaller total is a restart of its owner and counts as movement. Rejected: a
Poisson test on the rate, which has to assume that messages come independently; frames of a market
come in flocks.

Source: Page (1954), "Continuous inspection schemes", Biometrika 41, for the run of readings that
must agree before one speaks.

Example:
    >>> from prunella.healing.detect import Series
    >>> from prunella.telemetry import Reading
    >>> series = Series(domain="network", metric="venue_frames_total", entity="engine")
    >>> detector = Stall(StallOptions(limit_s=1.0), series)
    >>> symptoms = []
    >>> for i in range(52):
    ...     now = i * 100_000_000
    ...     symptoms.append(detector.update(
    ...         Reading(metric="venue_frames_total", entity="engine", value=min(i, 40),
    ...                 ts_event_ns=now, ts_init_ns=now), now))
    >>> [(i, each.kind) for i, each in enumerate(symptoms) if each]
    [(50, 'silence')]
"""

from prunella.healing.detect.base import Detector, Episode, Options, Series, seconds
from prunella.healing.detect.memory import Smoother
from prunella.healing.incident import Symptom
from prunella.telemetry import Reading


class StallOptions(Options, frozen=True, kw_only=True):
    """How long it may stand.

    Attributes:
        limit_s: Standing still for so long is beyond.
        busy_share: It must have moved in this share of the last rounds.
        clear_s: How long it has to move again.
    """

    limit_s: float = 1.0
    busy_share: float = 0.5
    clear_s: float = 0.5


class Stall(Detector):
    """Says that a counter stopped."""

    def __init__(self, options: StallOptions, series: Series) -> None:
        self._options = options
        self._series = series
        self._limit_ns = seconds(options.limit_s)
        self._episode = Episode("stall", "silence", sustain_ns=0, clear_ns=seconds(options.clear_s))
        self._share = Smoother(tau_s=2.0)
        self._total: float | None = None
        self._moved_ns = 0

    def update(self, reading: Reading, now_ns: int) -> Symptom | None:
        """Takes one running total."""
        before, self._total = self._total, reading.value
        if before is None:
            self._share.update(0.0, now_ns)
            self._moved_ns = now_ns
            return None
        moved = reading.value != before
        if moved:
            self._moved_ns = now_ns
        still_ns = now_ns - self._moved_ns
        busy = self._share.value >= self._options.busy_share
        beyond = still_ns >= self._limit_ns and (busy or self._episode.active)
        # The share is frozen from the third standing round on: the stop must not be learnt.
        if moved or still_ns < self._limit_ns // 4:
            self._share.update(float(moved), now_ns)
        return self._episode.observe(
            self._series,
            beyond=beyond,
            score=still_ns / self._limit_ns,
            value=still_ns / 1e9,
            expected=self._options.limit_s,
            labels=reading.labels,
            now_ns=now_ns,
            onset_ns=self._moved_ns,
        )

    def reset(self, now_ns: int) -> Symptom | None:
        """Forgets the total and how it moved."""
        self._total = None
        self._share.reset()
        return self._episode.end(now_ns)
