"""Overdue: ages ("how long since you last heard of it") in, "it has fallen silent" out.

A friend who writes daily is not missed at noon; after three days you telephone. The age of the
newest message is the whole evidence, and it tells the time of the last sign of life as well: the
onset is now minus the age.

Answers: began, over. Threshold: `limit_s`, chosen above the longest pause of a healthy source (a
venue that is asked for a pong after 100 ms of silence answers within a few ms) and below the time
by which the fault must be named; two readings in a row, since after a pause of the whole machine
the first reading is old by no fault of the source. Rejected: learning the usual interval of each
source; a market that has gone quiet for the night would teach it to accept any silence.

Source: Chen, Toueg and Aguilera (2002), "On the quality of service of failure detectors", IEEE
Transactions on Computers 51(5): a fixed bound on the age of the freshest heartbeat.

Example:
    >>> from prunella.healing.detect import Series
    >>> from prunella.telemetry import Reading
    >>> series = Series(domain="network", metric="venue_feed_age_seconds", entity="engine")
    >>> detector = Overdue(OverdueOptions(limit_s=0.5), series)
    >>> for now, age in ((1_000_000_000, 0.05), (1_600_000_000, 0.6), (1_700_000_000, 0.7)):
    ...     symptom = detector.update(
    ...         Reading(metric="venue_feed_age_seconds", entity="engine", value=age,
    ...                 ts_event_ns=now, ts_init_ns=now), now)
    >>> symptom.kind, symptom.onset_ns
    ('silence', 1000000000)
"""

from prunella.healing.detect.base import Detector, Episode, Options, Series, seconds
from prunella.healing.incident import Symptom
from prunella.telemetry import Reading


class OverdueOptions(Options, frozen=True, kw_only=True):
    """How old is too old.

    Attributes:
        limit_s: Age that is beyond.
        count_min: Consecutive readings.
        clear_s: How long it has to be fresh again.
    """

    limit_s: float
    count_min: int = 2
    clear_s: float = 0.5


class Overdue(Detector):
    """Says that the newest sign of life is too old."""

    def __init__(self, options: OverdueOptions, series: Series) -> None:
        self._limit_s = options.limit_s
        self._series = series
        self._episode = Episode(
            "overdue",
            "silence",
            sustain_ns=0,
            clear_ns=seconds(options.clear_s),
            count_min=options.count_min,
        )

    def update(self, reading: Reading, now_ns: int) -> Symptom | None:
        """Takes one age in seconds; a negative one means that there was never a sign of life."""
        age_s = reading.value
        return self._episode.observe(
            self._series,
            beyond=age_s >= self._limit_s,
            score=age_s / self._limit_s,
            value=age_s,
            expected=self._limit_s,
            labels=reading.labels,
            now_ns=now_ns,
            onset_ns=reading.ts_event_ns - seconds(min(age_s, 3600.0)),
        )

    def reset(self, now_ns: int) -> Symptom | None:
        """Closes what is open; there is no other state."""
        return self._episode.end(now_ns)
