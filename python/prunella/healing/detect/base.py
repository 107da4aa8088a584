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
