"""One metric and its limit in; when the limit will be reached, and how sure that is, out."""

import msgspec

from prunella._core import StreamForecast

HORIZON_SAMPLES = 120.0
"""How far ahead an alarm looks if nobody says otherwise. The line remembers 25 samples; what is
many memories away is prophecy."""


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be expected.

    Attributes:
        level: The value now without its scatter, in its unit.
        slope: Its change in a second.
        reached_s: Seconds until the limit if it goes on like this; infinite if never.
        earliest_s: The earliest of the interval.
        latest_s: The latest of the interval; infinite if it may never be.
        alarm: Whether somebody should be told: even the latest is within the horizon.
    """

    level: float
    slope: float
    reached_s: float
    earliest_s: float
    latest_s: float
    alarm: bool


class Forecast:
    """Time to exhaustion of one metric: memory, disk, descriptors, a queue, a latency's limit.

    Args:
        limit: What must not be reached; above the first value, or below it for what runs out.
        period_s: Seconds between two values.
        horizon_s: How far ahead an alarm looks, in seconds; 120 samples without.

    Raises:
        ValueError: A limit that is not finite, or a period or horizon that is not above 0.

    Example:
        >>> forecast = Forecast(limit=100.0, period_s=10.0)
        >>> said = [forecast.update(20.0 + 0.5 * max(i - 60, 0) + i % 3) for i in range(200)]
        >>> first = next(i for i, outlook in enumerate(said) if outlook and outlook.alarm)
        >>> first < 200, said[-1].earliest_s <= 190 <= said[-1].latest_s
        (True, True)
    """

    def __init__(self, limit: float, period_s: float, horizon_s: float | None = None) -> None:
        if not period_s > 0.0:
            raise ValueError(f"found a period of {period_s} s, expected one above 0")
        self._period_s = period_s
        horizon = HORIZON_SAMPLES if horizon_s is None else horizon_s / period_s
        self._inner = StreamForecast(limit, horizon)

    def update(self, value: float) -> Outlook | None:
        """Takes in one value; `None` while there were too few (60), and for a missing one (NaN)."""
        found = self._inner.update(value)
        if found is None:
            return None
        level, slope, reached, earliest, latest, alarm = found
        return Outlook(
            level=level,
            slope=slope / self._period_s,
            reached_s=reached * self._period_s,
            earliest_s=earliest * self._period_s,
            latest_s=latest * self._period_s,
            alarm=alarm,
        )
