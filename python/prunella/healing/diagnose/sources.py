"""Signs of life in, their ages as readings out: a telemetry source that stops can say nothing.

Silence cannot be read from readings, for there are none. So every message is a sign of life of
whoever it came from, and each tick gives the ages as readings like any other.
"""

from prunella.telemetry import Reading

SOURCES_MAX = 64
"""Names come from outside; the memory stays bounded."""
ASLEEP_NS = 400_000_000
"""When we ourselves were not called for so long, the silence was ours: a machine that pauses must
not accuse everybody on it."""
FORGET_NS = 60_000_000_000
"""A source that was silent for so long is no longer expected."""


class SourceAges:
    """How long ago each source last spoke.

    Example:
        >>> ages = SourceAges("telemetry_age_seconds")
        >>> ages.hear("engine", 0)
        >>> [each.value for now in (100_000_000, 200_000_000) for each in ages.read(now)]
        [0.1, 0.2]
        >>> [each.value for each in ages.read(5_200_000_000)]
        [0.2]
    """

    def __init__(self, metric: str) -> None:
        self._metric = metric
        self._heard_ns: dict[str, int] = {}
        self._asked_ns: int | None = None

    def hear(self, entity: str, now_ns: int) -> None:
        """A sign of life of `entity`."""
        if entity in self._heard_ns or len(self._heard_ns) < SOURCES_MAX:
            self._heard_ns[entity] = now_ns

    def forget(self, entity: str) -> None:
        """It said that it stops: its silence will be no symptom."""
        self._heard_ns.pop(entity, None)

    def read(self, now_ns: int) -> tuple[Reading, ...]:
        """The ages; to be called a few times a second, after the waiting messages were taken."""
        slept_ns = 0 if self._asked_ns is None else now_ns - self._asked_ns
        self._asked_ns = now_ns
        if slept_ns > ASLEEP_NS:
            self._heard_ns = {
                entity: min(heard_ns + slept_ns, now_ns)
                for entity, heard_ns in self._heard_ns.items()
            }
        self._heard_ns = {
            entity: heard_ns
            for entity, heard_ns in self._heard_ns.items()
            if now_ns - heard_ns < FORGET_NS
        }
        return tuple(
            Reading(
                metric=self._metric,
                entity=entity,
                value=max(now_ns - heard_ns, 0) / 1e9,
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
            )
            for entity, heard_ns in self._heard_ns.items()
        )
