"""Error burst: running totals by outcome in, "too many of them fail" out, over a sliding window.

One broken plate in a day of washing up is life; five of the last eight is a person to be relieved.
So failures are counted against all attempts of the last moments, and only when there were enough of
them: the share of one in two tells nothing.

The totals of all outcomes belong together, so the judgement is made when the round is complete
(`check`), not in its middle where the failures may be counted and the successes not yet. A smaller
total is a restart of its owner and counts from zero. An outcome that appears later than its
siblings counts from zero as well (exporters show a label only after its first event); the first
sight of all of them counts nothing, for the past is not a burst.

Answers: began, over. Thresholds: `share` = 0.3, far above what a healthy venue refuses for
overload (nothing); `failures_min` = 4 within `window_s` = 1.5, few enough to be seen within a
second at ten orders a second. Rejected: a sequential probability ratio test, which decides a little
sooner but needs both failure rates beforehand.

Source: Nygard (2018), "Release It!", 2nd edition, chapter 5, and the sliding windows of breakers
that followed it; rejected: Wald (1945), "Sequential tests of statistical hypotheses".

Example:
    >>> from prunella.healing.detect import Series
    >>> from prunella.telemetry import Reading
    >>> series = Series(domain="http", metric="order_requests_total", entity="engine")
    >>> detector = ErrorBurst(ErrorBurstOptions(failures=("throttled",)), series)
    >>> told = []
    >>> for i in range(40):
    ...     now = i * 100_000_000
    ...     for outcome, total in (("ok", i), ("throttled", max(0, i - 30))):
    ...         detector.update(
    ...             Reading(metric="order_requests_total", entity="engine", value=total,
    ...                     labels={"outcome": outcome}, ts_event_ns=now, ts_init_ns=now), now)
    ...     symptom = detector.check(now)
    ...     if symptom:
    ...         told.append((i - 30, symptom.kind))
    >>> told[0]
    (7, 'error_burst')
"""

from prunella.healing.detect.base import Detector, Episode, Options, Series, seconds
from prunella.healing.incident import Symptom
from prunella.telemetry import Reading

BUCKETS = 15
"""The window is cut into so many slices: memory is constant and the window moves in small steps."""
OUTCOMES_MAX = 16
"""A label with ever new values must not grow the memory."""
SIBLING_NS = 500_000_000
"""An outcome that comes so much later than the first one is new, not merely unread."""


class ErrorBurstOptions(Options, frozen=True, kw_only=True):
    """How many failures are too many.

    Attributes:
        name: What kind of failure this is about; symptoms carry it as the label `burst`.
        failures: Outcomes that are failures.
        outcome_label: The label that holds the outcome.
        share: Failures of all attempts.
        failures_min: Least number of failures.
        window_s: Within how long.
        clear_s: How long it has to be well again; longer than a breaker stays open, so that the
            pause that it makes is not taken for health.
    """

    name: str = ""
    failures: tuple[str, ...]
    outcome_label: str = "outcome"
    share: float = 0.3
    failures_min: int = 4
    window_s: float = 1.5
    clear_s: float = 2.5


class ErrorBurst(Detector):
    """Says that too many of the last attempts failed."""

    def __init__(self, options: ErrorBurstOptions, series: Series) -> None:
        self._options = options
        self._series = series
        self._failures = frozenset(options.failures)
        self._slice_ns = seconds(options.window_s) // BUCKETS
        self._episode = Episode(
            "error_burst", "error_burst", sustain_ns=0, clear_ns=seconds(options.clear_s)
        )
        self._totals: dict[str, float] = {}
        self._buckets = [(-1, 0.0, 0.0)] * BUCKETS
        self._first_ns: int | None = None
        self._labels = {"burst": options.name}

    def update(self, reading: Reading, now_ns: int) -> Symptom | None:
        """Takes the running total of one outcome; judged by `check`."""
        outcome = reading.labels.get(self._options.outcome_label, "")
        if self._first_ns is None:
            self._first_ns = now_ns
        before = self._totals.get(outcome)
        if before is None:
            if len(self._totals) >= OUTCOMES_MAX:
                return None
            late = now_ns - self._first_ns >= SIBLING_NS
            grown = reading.value if late else 0.0
        else:
            grown = reading.value - before if reading.value >= before else reading.value
        self._totals[outcome] = reading.value
        if grown > 0:
            self._labels = {
                key: value
                for key, value in reading.labels.items()
                if key != self._options.outcome_label
            } | {"burst": self._options.name}
            self._add(now_ns, grown, failed=outcome in self._failures)
        return None

    def _add(self, now_ns: int, count: float, *, failed: bool) -> None:
        number = now_ns // self._slice_ns
        slot = number % BUCKETS
        held, attempts, failures = self._buckets[slot]
        if held != number:
            attempts, failures = 0.0, 0.0
        self._buckets[slot] = (number, attempts + count, failures + (count if failed else 0.0))

    def check(self, now_ns: int) -> Symptom | None:
        """Judges the window that ends now."""
        oldest = now_ns // self._slice_ns - BUCKETS
        attempts = sum(each[1] for each in self._buckets if each[0] > oldest)
        failures = sum(each[2] for each in self._buckets if each[0] > oldest)
        share = failures / attempts if attempts else 0.0
        options = self._options
        return self._episode.observe(
            self._series,
            beyond=failures >= options.failures_min and share >= options.share,
            score=share / options.share,
            value=share,
            expected=0.0,
            labels=self._labels,
            now_ns=now_ns,
            onset_ns=min(
                (each[0] for each in self._buckets if each[0] > oldest and each[2]), default=0
            )
            * self._slice_ns,
        )

    def reset(self, now_ns: int) -> Symptom | None:
        """Forgets totals and window."""
        self._totals.clear()
        self._buckets = [(-1, 0.0, 0.0)] * BUCKETS
        self._first_ns = None
        return self._episode.end(now_ns)
