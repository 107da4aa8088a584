"""Absence: "is it there" readings (1 or 0) in, "it is gone" out.

You do not take a pulse twice to see that a chair is empty. When whoever keeps the list of processes
says that the engine has none, that is a fact, and one reading is enough (`misses = 1`). A question
that went unanswered is weaker: the one asked may be busy, so it takes a few in a row (`misses = 3`
for a scrape).

A chair that was never taken is not an absence: at start-up everything is 0 for a while. So the
detector is armed by the first 1, or by `grace_s` of nothing else than 0 (an agent that was itself
restarted must still see what is missing).

Answers: began, over. Thresholds: `misses`, because one lost scrape under load is common and three
in a row are not; `grace_s` = 10, longer than any start-up of the stack. Rejected: a phi-accrual
detector, which estimates how likely a silence of that length is; it needs a history of arrivals
and gives a probability where we have a plain answer ten times a second.

Source: Chandra and Toueg (1996), "Unreliable failure detectors for reliable distributed systems",
Journal of the ACM 43(2); rejected: Hayashibara et al. (2004), "The phi accrual failure detector".

Example:
    >>> from prunella.healing.detect import Series
    >>> from prunella.telemetry import Reading
    >>> series = Series(domain="cpu", metric="process_up", entity="engine")
    >>> detector = Absence(AbsenceOptions(misses=1), series)
    >>> for now, up in ((0, 0), (1, 1), (2, 0)):
    ...     symptom = detector.update(
    ...         Reading(metric="process_up", entity="engine", value=up, ts_event_ns=now,
    ...                 ts_init_ns=now), now)
    ...     print(now, symptom and symptom.kind)
    0 None
    1 None
    2 absence
"""

from prunella.healing.detect.base import Detector, Episode, Options, Series, seconds
from prunella.healing.incident import Symptom
from prunella.telemetry import Reading


class AbsenceOptions(Options, frozen=True, kw_only=True):
    """How soon a 0 is believed.

    Attributes:
        misses: Consecutive zeros.
        grace_s: From the first reading on, how long a thing that was never there may be missing.
        clear_s: How long it has to be back.
    """

    misses: int = 1
    grace_s: float = 10.0
    clear_s: float = 0.0


class Absence(Detector):
    """Says that a thing which should be there is not."""

    def __init__(self, options: AbsenceOptions, series: Series) -> None:
        self._options = options
        self._series = series
        self._episode = Episode(
            "absence",
            "absence",
            sustain_ns=0,
            clear_ns=seconds(options.clear_s),
            count_min=options.misses,
        )
        self._seen = False
        self._first_ns: int | None = None

    def update(self, reading: Reading, now_ns: int) -> Symptom | None:
        """Takes one reading: 0 is absent, anything else is there."""
        if self._first_ns is None:
            self._first_ns = now_ns
        there = reading.value > 0
        self._seen = self._seen or there
        armed = self._seen or now_ns - self._first_ns >= seconds(self._options.grace_s)
        return self._episode.observe(
            self._series,
            beyond=armed and not there,
            score=1.0,
            value=reading.value,
            expected=1.0,
            labels=reading.labels,
            now_ns=now_ns,
        )

    def reset(self, now_ns: int) -> Symptom | None:
        """Forgets that it was ever there."""
        self._seen, self._first_ns = False, None
        return self._episode.end(now_ns)
