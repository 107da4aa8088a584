"""Readings in, their latest values and short windows out; bounded in every direction.

Probes and parameters ask what a series is now, or what it did over the last seconds. Only metrics
that some workflow asks about are kept, so that a chatty exporter cannot fill the memory.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from prunella.telemetry import Reading

SERIES_MAX = 4096
"""A label with unbounded values (order ids, say) would otherwise grow the table for ever."""
SAMPLES_MAX = 400
"""Ten a second for 40 s."""
WINDOW_NS_MAX = 30_000_000_000
"""No probe looks back further; older samples are dropped."""


class Series:
    """One metric of one entity with one set of labels: its last samples."""

    __slots__ = ("entity", "labels", "metric", "samples")

    def __init__(self, reading: Reading) -> None:
        self.metric = reading.metric
        self.entity = reading.entity
        self.labels = dict(reading.labels)
        self.samples: deque[tuple[int, float]] = deque(maxlen=SAMPLES_MAX)

    @property
    def name(self) -> str:
        """Readable and unique, such as `venue_state@engine{venue=primary}`.

        Labels that change with the process (`start_ticks`) are part of it, as they should be.
        """
        labels = ",".join(f"{key}={self.labels[key]}" for key in sorted(self.labels))
        return f"{self.metric}@{self.entity}" + (f"{{{labels}}}" if labels else "")

    @property
    def last_ns(self) -> int:
        """When the newest sample was taken."""
        return self.samples[-1][0]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.samples[-1][1]

    def since(self, start_ns: int) -> list[float]:
        """Values from `start_ns` on, oldest first."""
        return [value for at_ns, value in self.samples if at_ns >= start_ns]

    def increase(self, start_ns: int) -> float:
        """How much a counter grew since `start_ns`; a restart (a smaller value) counts from 0."""
        grown = 0.0
        before: float | None = None
        for at_ns, value in self.samples:
            if at_ns > start_ns and before is not None:
                grown += value - before if value >= before else value
            before = value
        return grown


class Table:
    """The newest readings of the metrics that are asked about."""

    def __init__(self, metrics: Iterable[str]) -> None:
        self._metrics: dict[str, dict[tuple[object, ...], Series]] = {
            each: {} for each in sorted(metrics)
        }
        self._count = 0
        self.dropped = 0

    @property
    def metrics(self) -> frozenset[str]:
        """The metrics that are kept."""
        return frozenset(self._metrics)

    def put(self, reading: Reading) -> None:
        """Takes one reading; late ones (older than the newest of their series) are dropped."""
        family = self._metrics.get(reading.metric)
        if family is None:
            return
        key = (reading.entity, *sorted(reading.labels.items()))
        series = family.get(key)
        if series is None:
            if self._count >= SERIES_MAX:
                self._evict()
            series = family[key] = Series(reading)
            self._count += 1
        samples = series.samples
        if samples and reading.ts_event_ns < samples[-1][0]:
            self.dropped += 1
            return
        samples.append((reading.ts_event_ns, reading.value))
        while samples[0][0] < reading.ts_event_ns - WINDOW_NS_MAX:
            samples.popleft()

    def find(self, metric: str, entity: str, labels: dict[str, str]) -> Iterator[Series]:
        """Series of `metric` whose entity (empty: any) and labels fit.

        A label's wanted value may list alternatives: `timeout|server_error`.
        """
        for series in self._metrics.get(metric, {}).values():
            if entity and series.entity != entity:
                continue
            if all(series.labels.get(name) in wanted.split("|") for name, wanted in labels.items()):
                yield series

    def newest(self, metric: str, entity: str, labels: dict[str, str]) -> Series | None:
        """The fitting series that was read last, or None."""
        return max(self.find(metric, entity, labels), key=lambda each: each.last_ns, default=None)

    def _evict(self) -> None:
        """Forgets the series that was silent for longest."""
        _, family, key = min(
            (
                (series.last_ns, name, key)
                for name, members in self._metrics.items()
                for key, series in members.items()
            ),
            key=lambda each: each[0],
        )
        del self._metrics[family][key]
        self._count -= 1
        self.dropped += 1
