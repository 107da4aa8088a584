"""Alarms and labelled events in, counts out: which events were found, and the pages in vain.

An event is found if an alarm falls into its window, widened by `TOLERANCE_SAMPLES` on both sides.
Every other alarm calls somebody for nothing: a page. A person who was called does not mind what
follows within the hour, so that alarms up to `PAGE_S` after a page's first belong to it; one later
than that is another page, however long the alarm goes on. What comes before `warmup` is not scored.
"""

from typing import Self, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

Flags: TypeAlias = NDArray[np.bool_]
Times: TypeAlias = NDArray[np.int64]
Spans: TypeAlias = NDArray[np.int32]

TOLERANCE_SAMPLES = 3
"""Labels are set by people, who are a few samples early or late."""
PAGE_S = 3600
"""How long one page covers what follows, in seconds."""
DAY_S = 86_400


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over one series or, added up, over many.

    Attributes:
        events: Labelled events after the warm-up.
        found: Those with an alarm.
        pages: Alarms outside of all events, merged within the hour.
        days: Scored time, in days; of several series the sum.
    """

    events: int = 0
    found: int = 0
    pages: int = 0
    days: float = 0.0

    def __add__(self, other: Self) -> "Tally":
        """Both together."""
        return Tally(
            events=self.events + other.events,
            found=self.found + other.found,
            pages=self.pages + other.pages,
            days=self.days + other.days,
        )

    @property
    def precision(self) -> float:
        """Share of the calls that were about an event; 0 without any call."""
        return self.found / (self.found + self.pages) if self.found + self.pages else 0.0

    @property
    def recall(self) -> float:
        """Share of the events that were found; 0 without any event."""
        return self.found / self.events if self.events else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall.

        Example:
            >>> Tally(events=4, found=2, pages=2).f1
            0.5
        """
        total = self.events + self.found + self.pages
        return 2 * self.found / total if total else 0.0

    @property
    def pages_per_day(self) -> float:
        """Pages in vain for each day and series."""
        return self.pages / self.days if self.days else 0.0


def tally(alarms: Flags, t: Times, events: Spans, *, warmup: int) -> Tally:
    """Counts one series.

    Args:
        alarms: Per sample, whether an alarm was raised.
        t: Seconds of each sample, ascending.
        events: First and last index of each event, both inside it, ascending.
        warmup: First index that is scored.

    Example:
        >>> t = np.arange(10) * 3600
        >>> alarms = np.isin(np.arange(10), (1, 4, 9))
        >>> tally(alarms, t, np.array([[2, 3]]), warmup=0)
        Tally(events=1, found=1, pages=1, days=0.375)
    """
    raised = np.flatnonzero(alarms)
    raised = raised[raised >= warmup]
    in_vain = np.ones(len(raised), dtype=np.bool_)
    count = found = 0
    for first, last in events:
        near = (raised >= first - TOLERANCE_SAMPLES) & (raised <= last + TOLERANCE_SAMPLES)
        in_vain &= ~near
        if first >= warmup:
            count += 1
            found += bool(near.any())
    return Tally(
        events=count,
        found=found,
        pages=_pages(t[raised[in_vain]]),
        days=float(t[-1] - t[warmup]) / DAY_S if warmup < len(t) else 0.0,
    )


def _pages(times: Times) -> int:
    count, open_until = 0, None
    for time in times:
        if open_until is None or time > open_until:
            count, open_until = count + 1, time + PAGE_S
    return count
