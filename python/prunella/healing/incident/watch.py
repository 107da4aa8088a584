"""`Watch`: which detector looks at which metric; an agent declares it, detect builds it."""

import msgspec

from prunella.healing.incident.records import Record


class Watch(Record, frozen=True, kw_only=True):
    """One line of an agent's list of what it looks at.

    Attributes:
        detector: Name in the catalogue of detectors.
        metric: The metric that it looks at.
        by: Labels that tell one series from the next; other labels are only carried along. A label
            that moves (`last_cpu`) must not be here: each value would begin a new series.
        entities: Patterns (`*` matches anything) of the entities that it looks at.
        options: The detector's own options; a misspelt one is refused when the agent starts.
    """

    detector: str
    metric: str
    by: tuple[str, ...] = ()
    entities: tuple[str, ...] = ("*",)
    options: dict[str, float | str | tuple[str, ...]] = msgspec.field(default_factory=dict)
