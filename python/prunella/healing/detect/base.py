"""What every detector is: readings of one series in, at most one symptom at a time out.

A detector sees telemetry and nothing else. It keeps a fixed amount of memory, never looks ahead,
and says two things only: "it has begun" and "it is over". Between them it may repeat itself when
the evidence has grown by half, never at every reading: whoever cries wolf ten times a second is
turned down.
"""

from abc import ABC, abstractmethod

import msgspec

from prunella.healing.incident import Symptom, SymptomKind
from prunella.telemetry import Domain, Reading

GROWTH_TOLD = 1.5
"""A symptom is told again when its score is this many times the one told last; a lower factor
would publish noise, a higher one would hide a fault that doubles."""


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a detector's options: a misspelt one is refused."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """What one detector looks at: one metric of one entity."""

    domain: Domain
    metric: str
    entity: str


class Episode:
    """Yes and no per reading in; the begin, growth and end of a symptom out.

    A reading beyond the threshold begins nothing by itself: it has to stay so for `sustain_ns` and
    `count_min` readings. It is over after `clear_ns` of readings that are not. Rejected: a plain
    threshold, which turns every value that wavers about it into a stream of new symptoms.

    Example:
        >>> episode = Episode("saturation", "saturation", sustain_ns=10, clear_ns=20)
        >>> series = Series(domain="cpu", metric="process_cpu_ratio", entity="pid:7")
        >>> told = [episode.observe(series, beyond=beyond, score=1.2, value=1.0, expected=0.6,
        ...                         labels={}, now_ns=now)
        ...         for now, beyond in ((0, True), (10, True), (20, False), (40, False))]
        >>> [each and each.active for each in told]
        [None, True, None, False]
        >>> told[1].onset_ns
        0
    """

    __slots__ = (
        "_clear_ns",
        "_count",
        "_count_min",
        "_detector",
        "_kind",
        "_last",
        "_quiet_ns",
        "_since_ns",
        "_sustain_ns",
        "_told",
    )

    def __init__(
        self,
        detector: str,
        kind: SymptomKind,
        *,
        sustain_ns: int,
        clear_ns: int,
        count_min: int = 1,
    ) -> None:
        self._detector = detector
        self._kind: SymptomKind = kind
        self._sustain_ns = sustain_ns
        self._clear_ns = clear_ns
        self._count_min = count_min
        self._count = 0
        self._since_ns: int | None = None
        self._quiet_ns: int | None = None
        self._told = 0.0
        self._last: Symptom | None = None

    @property
    def active(self) -> bool:
        """Whether a symptom is open."""
        return self._last is not None

    def observe(
        self,
        series: Series,
        *,
        beyond: bool,
        score: float,
        value: float,
        expected: float,
        labels: dict[str, str],
        now_ns: int,
        onset_ns: int | None = None,
    ) -> Symptom | None:
        """Takes the judgement of one reading; `onset_ns` where the reading tells when it began."""
        if not beyond:
            return self._within(now_ns)
        self._quiet_ns = None
        self._count += 1
        if self._since_ns is None:
            self._since_ns = now_ns
        if self._last is not None:
            if score < self._told * GROWTH_TOLD:
                return None
            onset_ns = self._last.onset_ns
        elif now_ns - self._since_ns < self._sustain_ns or self._count < self._count_min:
            return None
        self._told = score
        self._last = Symptom(
            domain=series.domain,
            detector=self._detector,
            metric=series.metric,
            entity=series.entity,
            kind=self._kind,
            score=score,
            value=value,
            expected=expected,
            onset_ns=self._since_ns if onset_ns is None else onset_ns,
            detected_ns=now_ns,
            labels=dict(labels),
        )
        return self._last

    def _within(self, now_ns: int) -> Symptom | None:
        self._since_ns, self._count = None, 0
        if self._last is None:
            return None
        if self._quiet_ns is None:
            self._quiet_ns = now_ns
        return self.end(now_ns) if now_ns - self._quiet_ns >= self._clear_ns else None

    def end(self, now_ns: int) -> Symptom | None:
        """Closes the open symptom, if any, and forgets it."""
        last, self._last = self._last, None
        self._since_ns, self._quiet_ns, self._count, self._told = None, None, 0, 0.0
        if last is None:
            return None
        return msgspec.structs.replace(last, active=False, detected_ns=now_ns)


class Detector(ABC):
    """Looks at one series; what it is about stands in `_series`, its open symptom in `_episode`."""

    _series: Series
    _episode: Episode

    @abstractmethod
    def update(self, reading: Reading, now_ns: int) -> Symptom | None:
        """Takes one reading; a symptom when one begins, has grown, or is over."""

    def check(self, now_ns: int) -> Symptom | None:  # noqa: ARG002 - most judge each reading
        """Called when a round of readings is complete; for what needs all of them."""
        return None

    def close(self, now_ns: int) -> Symptom | None:
        """Ends an open symptom because nothing is read any more; what is normal is kept."""
        return self._episode.end(now_ns)

    @abstractmethod
    def reset(self, now_ns: int) -> Symptom | None:
        """Back to the beginning; the end of a symptom that was open."""


def seconds(duration_s: float) -> int:
    """Seconds as written in options, nanoseconds as used."""
    return round(duration_s * 1_000_000_000)
