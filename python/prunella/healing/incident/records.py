"""Records between stages: detect → `Symptom`, diagnose → `Diagnosis`, decide → `Decision`."""

from typing import Literal

import msgspec

from prunella.telemetry import Domain

SymptomKind = Literal["absence", "silence", "saturation", "spike", "shift", "error_burst"]
"""What the evidence looks like: a thing is gone, quiet, full, suddenly high, lastingly moved,
or failing in bursts."""

Severity = Literal["critical", "high", "medium", "low"]
Urgency = Literal["urgent", "normal"]
Autonomy = Literal["auto", "approve", "propose", "observe"]
"""How far a workflow may go by itself: act; act once a person has signed; tell a person, who does
it by hand; only write it down."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of everything stored or sent between stages."""


class Symptom(Record, frozen=True, kw_only=True, tag="symptom"):
    """Evidence that one detector raised from telemetry alone.

    Attributes:
        detector: Catalogue name of the detector that raised it.
        metric: The metric that showed it.
        entity: The component or process that the metric is about.
        kind: What it looks like.
        score: How far beyond the detector's own threshold; 1.0 is just at it.
        value: The value seen, in the metric's unit.
        expected: What would have been normal, in the metric's unit.
        onset_ns: When the detector believes it began, nanoseconds UTC.
        detected_ns: When it was raised, nanoseconds UTC.
        labels: The reading's labels.
        active: False when the detector says that it is over.
    """

    domain: Domain
    detector: str
    metric: str
    entity: str
    kind: SymptomKind
    score: float
    value: float
    expected: float
    onset_ns: int
    detected_ns: int
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    active: bool = True


class Hypothesis(Record, frozen=True, kw_only=True, tag="hypothesis"):
    """One candidate cause.

    Attributes:
        fault_class: A class of the fault knowledge, such as `process.crashed`.
        culprit: The component or process to blame, such as `engine` or `pid:1234`.
        confidence: 0 to 1.
        evidence: Which symptoms support it, as `metric@entity`.
        rule: The knowledge rule (or model) that says so.
    """

    fault_class: str
    culprit: str
    confidence: float
    evidence: tuple[str, ...]
    rule: str


class Proposal(Record, frozen=True, kw_only=True, tag="proposal"):
    """A workflow of the catalogue with typed parameters; nothing else can be proposed.

    Attributes:
        workflow: Catalogue name.
        target: The component or process to act on (may differ from the culprit).
        parameters: The workflow's own parameters, all text.
        confidence: 0 to 1.
        impact: What is expected to happen, for people.
    """

    workflow: str
    target: str
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    confidence: float
    impact: str = ""


class Diagnosis(Record, frozen=True, kw_only=True, tag="diagnosis"):
    """An agent's advice: ranked hypotheses, and what it would do; it cannot act.

    Attributes:
        agent: Which agent, such as `agent-network`.
        hypotheses: Best first, at least one.
        proposals: Best first; may be empty.
        symptoms: The evidence.
        reasoner: Who reasoned: `expert@1`, or a model's name.
        made_ns: When, nanoseconds UTC.
        prompt: The exact question that the reasoner was asked (MessagePack of its `Prompt`), so
            that it can be asked again; empty where nobody was asked, or where all is over.
    """

    agent: str
    domain: Domain
    severity: Severity
    hypotheses: tuple[Hypothesis, ...]
    proposals: tuple[Proposal, ...]
    symptoms: tuple[Symptom, ...]
    reasoner: str
    made_ns: int
    prompt: bytes = b""


class Action(Record, frozen=True, kw_only=True, tag="action"):
    """What a verdict is about: one workflow on one target for one incident.

    Attributes:
        incident: Incident id, such as `inc-000007`.
        workflow: Catalogue name.
        target: The component or process acted on.
        parameters: The workflow's parameters.
    """

    incident: str
    workflow: str
    target: str
    parameters: dict[str, str] = msgspec.field(default_factory=dict)


class Verdict(Record, frozen=True, kw_only=True, tag="verdict"):
    """Policy's answer to one action; expires.

    Attributes:
        allowed: True only if a permit matched, no forbid did and no rule erred.
        autonomy: How far the settings let this workflow go, one of `Autonomy`.
        rules: The names of the rules that decided, at least one.
        reason: One code of `RefusalReason`, or `ALLOWED`.
        issued_ns: When, nanoseconds UTC.
        expires_ns: From when on an executor must refuse it, nanoseconds UTC.
        policy_sha256: Hash of the policy files that were asked.
        circumstances: What policy was told, so that anyone can ask it again.
        note: More about the reason, for people.
    """

    action: Action
    allowed: bool
    autonomy: str
    rules: tuple[str, ...]
    reason: str
    issued_ns: int
    expires_ns: int
    policy_sha256: str
    circumstances: dict[str, int | bool | str] = msgspec.field(default_factory=dict)
    note: str = ""


class SignedVerdict(Record, frozen=True, kw_only=True, tag="signed_verdict"):
    """The verdict's exact bytes and their Ed25519 signature; executors accept nothing else.

    Attributes:
        verdict: MessagePack of a `Verdict`.
        signature: Ed25519 over `verdict`, 64 bytes.
        key_id: First 16 hex digits of the public key's SHA-256.
    """

    verdict: bytes
    signature: bytes
    key_id: str


class Decision(Record, frozen=True, kw_only=True, tag="decision"):
    """What will be done about an incident: run a workflow, ask a person, or nothing.

    Attributes:
        incident: Incident id.
        outcome: `run`, `ask` or `nothing`.
        verdicts: Every verdict asked for, in order; the last one decided.
        signed: The signed verdict when the outcome is `run`.
        reason: One code, for people and for tests.
    """

    incident: str
    outcome: Literal["run", "ask", "nothing"]
    verdicts: tuple[Verdict, ...]
    signed: SignedVerdict | None = None
    reason: str


class Heartbeat(Record, frozen=True, kw_only=True, tag="heartbeat"):
    """A service of the healing plane is alive and does its job.

    Attributes:
        source: Its component name, such as `agent-cpu`.
        started_ns: When this process life began, nanoseconds UTC.
        readings: How many readings it has seen in this life.
        at_ns: When it was sent, nanoseconds UTC.
        health: How well it does its job, 0 to 1, in its own opinion.
        series: How many series it looks at.
        share: Which part of the components and processes it tells about, 0 to 1.
        told: How many faults it has told in this life.
        leaving: It stops now, as it was asked to: nobody has to wait for it.
    """

    source: str
    started_ns: int
    readings: int = 0
    at_ns: int
    health: float = 1.0
    series: int = 0
    share: float = 1.0
    told: int = 0
    leaving: bool = False


class SymptomShare(Record, frozen=True, kw_only=True, tag="symptoms"):
    """All that one replica of an agent sees now, for the others: rules look at many series at once.

    Attributes:
        source: Which replica, such as `agent-cpu.2`.
        symptoms: Its own open symptoms, all of them.
    """

    source: str
    symptoms: tuple[Symptom, ...]


class Roster(Record, frozen=True, kw_only=True, tag="roster"):
    """Whom the plane listens to no more, for the agents' other replicas to take over.

    Attributes:
        disabled: Names of replicas.
    """

    disabled: tuple[str, ...]
