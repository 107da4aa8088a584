"""`Prompt`: everything that whoever reasons is told, typed; log text has no field to enter by.

Names and label values are data from outside. They were cut and cleaned when the reading came in,
so that none of them can hold a sentence, and a reasoner gets them in fields of their own.
"""

import msgspec

from prunella.healing.incident import Component, Symptom
from prunella.healing.incident.records import Record
from prunella.telemetry import Domain


class Fact(Record, frozen=True, kw_only=True, tag="fact"):
    """The newest value of a metric that the knowledge asks about.

    Attributes:
        age_ns: How old it is.
    """

    metric: str
    entity: str
    value: float
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    age_ns: int = 0


class Anomaly(Record, frozen=True, kw_only=True, tag="anomaly"):
    """A symptom in one line, for reading: what departs from what, since when.

    Attributes:
        metric: Whose value departs.
        entity: Whom it is about.
        form: The symptom's kind.
        ratio: Value over what would have been normal; 0 when that is 0.
        lasting_ns: For how long.
    """

    metric: str
    entity: str
    form: str
    ratio: float
    lasting_ns: int


class Precedent(Record, frozen=True, kw_only=True, tag="precedent"):
    """A closed incident that looked alike. Retrieval fills them in; without it there are none."""

    incident: str
    fault_class: str
    workflow: str
    cured: bool
    similarity: float


class Option(Record, frozen=True, kw_only=True, tag="option"):
    """A workflow that may be proposed.

    Attributes:
        workflow: Catalogue name.
        summary: What it does.
        causes: Fault classes that it cures.
        parameters: What the proposal may choose, and among which values.
    """

    workflow: str
    summary: str
    causes: tuple[str, ...]
    parameters: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)


class View(Record, frozen=True, kw_only=True, tag="view"):
    """What the expert found already.

    Attributes:
        workflow: What it would do; empty: nothing.
    """

    fault_class: str
    culprit: str
    confidence: float
    workflow: str = ""
    target: str = ""


class Note(Record, frozen=True, kw_only=True, tag="note"):
    """A piece of written knowledge that fits: a rule of ours, in words."""

    source: str
    text: str


class Impact(Record, frozen=True, kw_only=True, tag="impact"):
    """What the evidence touches, by topology.

    Attributes:
        entities: Whom the symptoms are about.
        downstream: Components that depend on any of them.
    """

    entities: tuple[str, ...] = ()
    downstream: tuple[str, ...] = ()


class Prompt(Record, frozen=True, kw_only=True, tag="prompt"):
    """One question: what is the cause of this, and what would you do.

    Attributes:
        agent: Who asks.
        window_start_ns: Earliest onset among the symptoms, nanoseconds UTC.
        window_end_ns: Now, nanoseconds UTC.
        symptoms: The open ones, oldest first.
        anomalies: The same in short form.
        facts: Newest values that the knowledge asks about.
        topology: The components.
        ages_ns: How long each entity has been up and read without a break.
        precedents: Similar closed incidents.
        impact: What the evidence touches.
        why: Why thought is asked where habit is not enough; empty for an agent's own question.
        views: What the expert found already.
        options: All that may be proposed.
        tried: Workflows that already ran for this incident.
        notes: Written knowledge that fits.
    """

    agent: str
    domain: Domain
    window_start_ns: int
    window_end_ns: int
    symptoms: tuple[Symptom, ...]
    anomalies: tuple[Anomaly, ...] = ()
    facts: tuple[Fact, ...] = ()
    topology: tuple[Component, ...] = ()
    ages_ns: dict[str, int] = msgspec.field(default_factory=dict)
    precedents: tuple[Precedent, ...] = ()
    impact: Impact = msgspec.field(default_factory=Impact)
    why: str = ""
    views: tuple[View, ...] = ()
    options: tuple[Option, ...] = ()
    tried: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


def describe(symptom: Symptom, now_ns: int) -> Anomaly:
    """A symptom in short form."""
    return Anomaly(
        metric=symptom.metric,
        entity=symptom.entity,
        form=symptom.kind,
        ratio=round(symptom.value / symptom.expected, 3) if symptom.expected else 0.0,
        lasting_ns=max(now_ns - symptom.onset_ns, 0),
    )
