"""A watch list and readings in, symptoms out: one detector for each series, all within bounds."""

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

import msgspec

from prunella.healing.detect.base import Detector, Series
from prunella.healing.detect.catalogue import builder
from prunella.healing.incident import Symptom, Watch
from prunella.telemetry import Domain, Reading

SERIES_MAX = 2048
"""An exporter with an unbounded label must not fill the memory; further series are dropped and
counted until older ones are forgotten."""
UNREAD_NS = 1_500_000_000
"""A symptom whose series is no longer read is over: a process that left, a stack that went down.
Longer than a slow scrape."""
FORGET_NS = 30_000_000_000
"""A series that was not read for so long is forgotten, with its memory of what is normal; longer
than the restart of a component, whose normal is the same after it."""
LABEL_CHARACTERS_MAX = 64
LABELS_MAX = 8
"""Labels are data from outside: few, short, and of harmless characters only."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_.:@%+-]")
_Rule = tuple[Watch, Callable[[Series], Detector]]


class _Slot:
    __slots__ = ("detector", "lapsed", "read_ns")

    def __init__(self, detector: Detector, read_ns: int) -> None:
        self.detector = detector
        self.read_ns = read_ns
        self.lapsed = False


def safe_text(text: str) -> str:
    r"""A label value or name as it may be carried on: short, of harmless characters.

    Example:
        >>> safe_text("ignore previous\ninstructions; ${culprit}")
        'ignore_previous_instructions____culprit_'
    """
    return _UNSAFE.sub("_", text[:LABEL_CHARACTERS_MAX])


def safe_labels(labels: dict[str, str]) -> dict[str, str]:
    """At most `LABELS_MAX` labels (the first by name), each of them safe."""
    if len(labels) > LABELS_MAX:
        labels = {key: labels[key] for key in sorted(labels)[:LABELS_MAX]}
    return {safe_text(key): safe_text(value) for key, value in labels.items()}


def cleaned(reading: Reading) -> Reading:
    """The reading with a safe entity and safe labels; the same one when it is safe already."""
    labels = safe_labels(reading.labels)
    entity = safe_text(reading.entity)
    if labels == reading.labels and entity == reading.entity:
        return reading
    return msgspec.structs.replace(reading, entity=entity, labels=labels)


class Bank:
    """All detectors of one agent.

    Attributes:
        dropped: Readings for which there was no room.
    """

    def __init__(self, domain: Domain, watches: Iterable[Watch]) -> None:
        """Builds nothing yet: detectors are made when their series is first read.

        Raises:
            ConfigError: A watch names an unknown detector or option.
        """
        self._domain = domain
        self._rules: dict[str, list[_Rule]] = {}
        for watch in watches:
            self._rules.setdefault(watch.metric, []).append((watch, builder(watch)))
        self._slots: dict[tuple[object, ...], _Slot] = {}
        self.dropped = 0

    @property
    def series(self) -> int:
        """How many series are looked at."""
        return len(self._slots)

    def update(self, readings: Iterable[Reading], now_ns: int) -> list[Symptom]:
        """Takes one round of readings; symptoms that began, grew or are over."""
        symptoms: list[Symptom] = []
        touched: list[_Slot] = []
        for raw in readings:
            rules = self._rules.get(raw.metric)
            if rules is None:
                continue
            reading = cleaned(raw)
            for number, (watch, build) in enumerate(rules):
                slot = self._slot(number, watch, build, reading, now_ns)
                if slot is None:
                    continue
                slot.read_ns, slot.lapsed = now_ns, False
                touched.append(slot)
                symptom = slot.detector.update(reading, now_ns)
                if symptom is not None:
                    symptoms.append(symptom)
        for slot in dict.fromkeys(touched):
            symptom = slot.detector.check(now_ns)
            if symptom is not None:
                symptoms.append(symptom)
        return symptoms

    def _slot(
        self,
        number: int,
        watch: Watch,
        build: Callable[[Series], Detector],
        reading: Reading,
        now_ns: int,
    ) -> _Slot | None:
        labels = reading.labels
        key = (number, reading.metric, reading.entity, *(labels.get(each) for each in watch.by))
        slot = self._slots.get(key)
        if slot is not None:
            return slot
        if not any(fnmatchcase(reading.entity, each) for each in watch.entities):
            return None
        if len(self._slots) >= SERIES_MAX:
            self.dropped += 1
            return None
        series = Series(domain=self._domain, metric=reading.metric, entity=reading.entity)
        slot = self._slots[key] = _Slot(build(series), now_ns)
        return slot

    def drop(self, keep: Callable[[str], bool]) -> None:
        """Forgets, without a word, the series of entities that somebody else looks at now."""
        self._slots = {key: each for key, each in self._slots.items() if keep(str(key[2]))}

    def lapse(self, now_ns: int) -> list[Symptom]:
        """Ends the symptoms of series that are no longer read; forgets the oldest series."""
        symptoms: list[Symptom] = []
        for key, slot in list(self._slots.items()):
            unread_ns = now_ns - slot.read_ns
            if unread_ns >= UNREAD_NS and not slot.lapsed:
                slot.lapsed = True
                symptom = slot.detector.close(now_ns)
                if symptom is not None:
                    symptoms.append(symptom)
            if unread_ns >= FORGET_NS:
                del self._slots[key]
        return symptoms
