"""Market hours as people write them in; whether the market is open at a moment out (UTC)."""

import re

from prunella.errors import ConfigError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ENTRY = re.compile(r"([a-z]{3})(?:-([a-z]{3}))? ([0-2]\d):([0-5]\d)-([0-2]\d):([0-5]\d)")
_MINUTE_NS = 60_000_000_000
_DAY_MINUTES = 1440
_WEEK_MINUTES = 7 * _DAY_MINUTES
_THURSDAY = 3
"""1 January 1970, where the count of nanoseconds begins, was a Thursday."""


def market_is_open(hours: tuple[str, ...], now_ns: int) -> bool:
    """Whether one of the spans holds `now_ns`; a span such as `mon-fri 13:30-20:00`, in UTC.

    Args:
        hours: Days and times; a span that ends before it begins goes on into the next day.
        now_ns: Nanoseconds UTC.

    Raises:
        ConfigError: A span cannot be read.

    Example:
        >>> thursday_noon = 12 * 3_600_000_000_000
        >>> market_is_open(("mon-fri 11:00-16:30",), thursday_noon)
        True
        >>> market_is_open(("sat-sun 00:00-24:00", "thu 22:00-02:00"), thursday_noon)
        False
    """
    minute = (now_ns // _MINUTE_NS + _THURSDAY * _DAY_MINUTES) % _WEEK_MINUTES
    return any(
        (minute - start) % _WEEK_MINUTES < length
        for entry in hours
        for start, length in _spans(entry)
    )


def _spans(entry: str) -> list[tuple[int, int]]:
    """First minute in the week and length of every day's span."""
    match = _ENTRY.fullmatch(entry)
    if match is None or match[1] not in _DAYS or (match[2] or match[1]) not in _DAYS:
        raise ConfigError(f"market hours: {entry!r} should look like 'mon-fri 13:30-20:00'")
    begin, end = int(match[3]) * 60 + int(match[4]), int(match[5]) * 60 + int(match[6])
    if max(begin, end) > _DAY_MINUTES:
        raise ConfigError(f"market hours: {entry!r}: a day has 24 hours")
    first, last = _DAYS.index(match[1]), _DAYS.index(match[2] or match[1])
    length = end - begin if end > begin else end - begin + _DAY_MINUTES
    days = range((last - first) % 7 + 1)
    return [((first + day) % 7 * _DAY_MINUTES + begin, length) for day in days]
