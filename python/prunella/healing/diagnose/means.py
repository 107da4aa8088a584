"""Totals and counts in, their recent means as readings out: what one more of it took lately.

A histogram tells the sum and the number of all it ever saw; how long an order takes *now* is in
neither. Over a moving second of growth the quotient says it, and nothing while nothing grows.
"""

from collections import deque
from collections.abc import Iterable

import msgspec

from prunella.telemetry import Reading

WINDOW_NS = 1_000_000_000
"""Several orders of a busy strategy; short enough to feel a change at once."""
GROWTH_MIN = 2
"""One late answer is an accident."""
SERIES_MAX = 256
"""Names come from outside; the memory stays bounded."""

_Key = tuple[str, tuple[tuple[str, str], ...]]


class Means:
    """The means of some metrics; each reading is called `METRIC_mean`.

    Example:
        >>> means = Means(["wait_milliseconds"])
        >>> def read(name, value, now_ns):
        ...     return Reading(metric=f"wait_milliseconds_{name}", entity="engine", value=value,
        ...                    ts_event_ns=now_ns, ts_init_ns=now_ns)
        >>> for second, (total, count) in enumerate([(0.0, 0), (30.0, 3), (330.0, 6)]):
        ...     now = second * 500_000_000
        ...     made = means.update([read("sum", total, now), read("count", count, now)])
        ...     print([each.value for each in made])
        []
        [10.0]
        [55.0]
    """

    def __init__(self, metrics: Iterable[str]) -> None:
        self._metrics = {f"{each}_{part}" for each in metrics for part in ("sum", "count")}
        self._sums: dict[_Key, float] = {}
        self._seen: dict[_Key, deque[tuple[int, float, float]]] = {}

    def update(self, readings: Iterable[Reading]) -> list[Reading]:
        """Takes one round; a mean for each series that grew."""
        made = []
        for reading in readings:
            if reading.metric not in self._metrics:
                continue
            metric, _, part = reading.metric.rpartition("_")
            key = (f"{reading.entity} {metric}", tuple(sorted(reading.labels.items())))
            if part == "sum":
                if key in self._sums or len(self._sums) < SERIES_MAX:
                    self._sums[key] = reading.value
            elif key in self._sums:
                mean = self._mean(key, self._sums[key], reading)
                if mean is not None:
                    name = f"{metric}_mean"
                    made.append(msgspec.structs.replace(reading, metric=name, value=mean))
        return made

    def _mean(self, key: _Key, total: float, count: Reading) -> float | None:
        seen = self._seen.setdefault(key, deque())
        if seen and (count.value < seen[-1][2] or total < seen[-1][1]):
            seen.clear()  # it counts anew
        seen.append((count.ts_event_ns, total, count.value))
        while len(seen) > 2 and count.ts_event_ns - seen[1][0] >= WINDOW_NS:
            seen.popleft()
        grown = seen[-1][2] - seen[0][2]
        return (seen[-1][1] - seen[0][1]) / grown if grown >= GROWTH_MIN else None
