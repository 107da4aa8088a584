"""Readings in, how long each entity has been up and read without a break out.

A component that has just started behaves like a broken one: it connects, it loads, it catches up.
Who was born a moment ago is not judged by the standards of the grown-up. Born means: first read,
read again after a gap, started anew (another start time), or counting anew (a smaller total).
"""

from prunella.telemetry import Reading

GAP_NS = 700_000_000
"""Seven rounds; a shorter gap is a slow scrape, and its owner may have been up all the time."""
ABSENCES = {"process_up": "process", "scrape_up": "target"}
"""Metrics by which others say that somebody is not there, and the label that names them; they are
no sign of life of the one they are about."""
ENTITIES_MAX = 512
TOTALS_MAX = 4096
"""Names come from outside; the memory stays bounded, the oldest is forgotten first."""


class Youth:
    """When each entity was born.

    Example:
        >>> youth = Youth()
        >>> def read(metric, value, now_ns):
        ...     youth.observe(Reading(metric=metric, entity="engine", value=value,
        ...                           ts_event_ns=now_ns, ts_init_ns=now_ns), now_ns)
        >>> for i in range(100):
        ...     read("venue_frames_total", 10 * i, i * 100_000_000)
        >>> youth.ages_ns(9_900_000_000)["engine"]
        9900000000
        >>> read("venue_frames_total", 3, 10_000_000_000)
        >>> youth.ages_ns(10_500_000_000)["engine"]
        500000000
    """

    def __init__(self) -> None:
        self._lives: dict[str, tuple[int, int]] = {}
        self._totals: dict[tuple[object, ...], float] = {}

    def observe(self, reading: Reading, now_ns: int) -> None:
        """Takes one reading."""
        label = ABSENCES.get(reading.metric)
        if label is not None:
            if reading.value <= 0:
                self._lives.pop(reading.labels.get(label, reading.entity), None)
            return
        born_ns, read_ns = self._lives.get(reading.entity, (now_ns, now_ns))
        if now_ns - read_ns > GAP_NS or self._began_anew(reading):
            born_ns = now_ns
        if reading.entity not in self._lives and len(self._lives) >= ENTITIES_MAX:
            self._lives.pop(min(self._lives, key=lambda each: self._lives[each][1]))
        self._lives[reading.entity] = (born_ns, now_ns)

    def _began_anew(self, reading: Reading) -> bool:
        started = reading.metric == "process_start_ticks"
        if not started and not reading.metric.endswith("_total"):
            return False
        key = (reading.metric, reading.entity, *reading.labels.values())
        before = self._totals.get(key)
        if before is None and len(self._totals) >= TOTALS_MAX:
            self._totals.pop(next(iter(self._totals)))
        self._totals[key] = reading.value
        if before is None:
            return False
        return reading.value != before if started else reading.value < before

    @property
    def entities(self) -> tuple[str, ...]:
        """Everybody that was read, in the order of appearance."""
        return tuple(self._lives)

    def ages_ns(self, now_ns: int) -> dict[str, int]:
        """How long each entity has been up and read without a break."""
        return {entity: now_ns - born_ns for entity, (born_ns, _) in sorted(self._lives.items())}
