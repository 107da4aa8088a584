"""Counts and samples in; what may be said about them with 95 % confidence out."""

import math
import random
from collections.abc import Sequence

import msgspec

Z_95 = 1.959963984540054
RESAMPLES = 1_000


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """A share with Wilson's interval; no share of nothing.

    Source: Wilson (1927), "Probable inference, the law of succession, and statistical inference",
    JASA 22. The textbook interval is rejected: at 20 of 20 it says "exactly 1".
    """

    hits: int
    of: int
    value: float | None
    low: float
    high: float


def rate(hits: int, of: int) -> Rate:
    """The share with its interval.

    Example:
        >>> share = rate(19, 20)
        >>> share.value, round(share.low, 3), round(share.high, 3)
        (0.95, 0.764, 0.991)
        >>> rate(0, 0).value is None
        True
    """
    if of <= 0:
        return Rate(hits=0, of=0, value=None, low=0.0, high=1.0)
    share, z2 = hits / of, Z_95**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    spread = Z_95 / (1 + z2 / of) * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return Rate(
        hits=hits,
        of=of,
        value=share,
        low=max(0.0, middle - spread) if hits else 0.0,
        high=min(1.0, middle + spread) if hits < of else 1.0,
    )


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Quantiles of a sample with a bootstrap interval each; milliseconds.

    Attributes:
        count: How many were measured.
        censored: How many never came within their time: they count as longer than any.
        p50: None when so many are censored that it is not known.
    """

    count: int
    censored: int
    p50: float | None = None
    p50_low: float | None = None
    p50_high: float | None = None
    p95: float | None = None
    p95_low: float | None = None
    p95_high: float | None = None


def spread(sample: Sequence[float], *, censored: int = 0, seed: int = 0) -> Spread:
    """Median and 95th percentile, each with the middle 95 % of resampled ones.

    Example:
        >>> spread([10.0, 20.0, 30.0]).p50
        20.0
        >>> spread([10.0], censored=9).p50 is None
        True
    """
    whole = [*sorted(sample), *[math.inf] * censored]
    if not whole:
        return Spread(count=0, censored=0)
    draw = random.Random(seed)  # noqa: S311 - resampling, not a secret
    again = [sorted(draw.choices(whole, k=len(whole))) for _ in range(RESAMPLES)]
    found: dict[str, float | None] = {}
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        resampled = sorted(quantile(each, share) for each in again)
        found[name] = _finite(quantile(whole, share))
        found[f"{name}_low"] = _finite(quantile(resampled, 0.025))
        found[f"{name}_high"] = _finite(quantile(resampled, 0.975))
    return Spread(count=len(sample), censored=censored, **found)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the sample does not exceed."""
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def _finite(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None
