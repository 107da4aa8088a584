"""What the ledger holds of an incident: one record per thing that happened, told in the past tense.

The healing plane has no other memory. It appends a record and then folds it into what it knows, so
that after a crash folding the ledger again gives the same knowledge ("no record, no action" is not
a rule to remember but the only way to change anything).
"""

from typing import Literal

import msgspec

from prunella.healing.incident.records import (
    Decision,
    Diagnosis,
    Proposal,
    Record,
    Severity,
    SignedVerdict,
    Verdict,
)
from prunella.healing.incident.state import IncidentState
from prunella.healing.incident.thought import ThoughtAnswered, ThoughtAsked

Role = Literal["cause", "consequence", "straggler", "over", "opinion"]
"""Why a diagnosis belongs to an incident: it names the culprit, a victim, it came late, it says
that its agent sees the fault no more, or it is a model's that differs (for people to read)."""

Leg = Literal["do", "undo", "return", "again"]
"""Which way a step goes: forward, back after a failure, back when all is well again, and forward
once more when going back did not hold."""

Phase = Literal[
    "acting", "verifying", "undoing", "following", "returning", "confirming", "repeating"
]
"""Where a remediation stands; `following` waits until the way back is safe."""

Outcome = Literal[
    "cured", "rolled_back", "rollback_failed", "returned", "stayed", "return_failed", "abandoned"
]
"""`abandoned`: left as it stood, because its workflow is not the one any more that was allowed."""


class IncidentOpened(Record, frozen=True, kw_only=True, tag="incident.opened"):
    """A cause without an open incident; the entry's own sequence number makes the id.

    The diagnosis is in the same record: an incident never exists without its evidence, wherever
    the process is killed.
    """

    culprit: str
    fault_class: str
    severity: Severity
    onset_ns: int
    diagnosis: Diagnosis


class DiagnosisJoined(Record, frozen=True, kw_only=True, tag="incident.diagnosis"):
    """An agent's advice (its symptoms and proposals are inside) became part of an incident."""

    incident: str
    role: Role
    diagnosis: Diagnosis


class IncidentRerooted(Record, frozen=True, kw_only=True, tag="incident.rerooted"):
    """A better culprit was named before anything was done."""

    incident: str
    culprit: str
    fault_class: str
    severity: Severity
    culprit_before: str
    diagnosis: Diagnosis


class IncidentMoved(Record, frozen=True, kw_only=True, tag="incident.moved"):
    """An incident changed its state."""

    incident: str
    state: IncidentState
    reason: str


class ProposalJudged(Record, frozen=True, kw_only=True, tag="decision.verdict"):
    """Policy's answer to one proposal."""

    incident: str
    proposal: Proposal
    verdict: Verdict


class DecisionMade(Record, frozen=True, kw_only=True, tag="decision.made"):
    """What will be done."""

    incident: str
    decision: Decision


class RunStarted(Record, frozen=True, kw_only=True, tag="run.started"):
    """A workflow began, by this signed verdict, with these values filled in.

    Attributes:
        parameters: Every parameter of the workflow, filled in from telemetry and advice.
        baseline: Last values before the first act, by series, for "as before" probes.
        workflow_sha256: Hash of the workflow's file.
    """

    incident: str
    workflow: str
    target: str
    parameters: dict[str, str]
    baseline: dict[str, float]
    signed: SignedVerdict
    workflow_sha256: str


class StepIntended(Record, frozen=True, kw_only=True, tag="run.intent"):
    """Written before the act: exactly what will be asked of whom, under which key."""

    incident: str
    leg: Leg
    step: int
    through: str
    command: dict[str, str | int | bool | tuple[int, ...]]
    key: str


class StepUnanswered(Record, frozen=True, kw_only=True, tag="run.unanswered"):
    """The target did not answer; it will be asked again with the same key."""

    incident: str
    key: str
    attempt: int
    message: str


class StepReplied(Record, frozen=True, kw_only=True, tag="run.reply"):
    """Written after the act: the answer, with the state that it replaced."""

    incident: str
    leg: Leg
    step: int
    key: str
    ok: bool
    code: str
    message: str = ""
    replaced: dict[str, str] = msgspec.field(default_factory=dict)
    target_seq: int = 0
    at_ns: int = 0


class ProbeRead(Record, frozen=True, kw_only=True, tag="run.probe"):
    """A probe turned good or bad, held, or ran out of time; with what it saw."""

    incident: str
    phase: Phase
    result: Literal["good", "bad", "held", "timeout"]
    seen: tuple[str, ...]


class RunMoved(Record, frozen=True, kw_only=True, tag="run.moved"):
    """A remediation went on to its next phase."""

    incident: str
    phase: Phase
    step: int = 0
    reason: str = ""


class RunHeld(Record, frozen=True, kw_only=True, tag="run.held"):
    """A person stopped the plane, or works on the component: no step is begun until that ends.

    Attributes:
        reason: A refusal's code; empty when it goes on.
    """

    incident: str
    reason: str


class RunEnded(Record, frozen=True, kw_only=True, tag="run.ended"):
    """A remediation is over."""

    incident: str
    workflow: str
    outcome: Outcome
    reason: str = ""


class WindowOpened(Record, frozen=True, kw_only=True, tag="maintenance.opened"):
    """A person announced work on a component: nothing is done to it until `end_ns`."""

    component: str
    start_ns: int
    end_ns: int
    actor: str
    reason: str


class WindowClosed(Record, frozen=True, kw_only=True, tag="maintenance.closed"):
    """A person ended the work early."""

    component: str
    actor: str


class ApprovalGiven(Record, frozen=True, kw_only=True, tag="approval.given"):
    """A person signed for (or against) exactly this action; see `prunella approve`.

    Attributes:
        parameters: Filled in when the person was asked; others are not approved.
        approve: False: they said no.
        person: Name of their key among the allowed keys.
        nonce: Makes the signature good once.
        until_ns: Until when it is good, nanoseconds UTC.
        signature: Ed25519 over all of these, hexadecimal.
        reason: Why, for people.
    """

    incident: str
    workflow: str
    target: str
    parameters: dict[str, str]
    approve: bool
    person: str
    nonce: str
    until_ns: int
    signature: str
    reason: str = ""


class PlaneFrozen(Record, frozen=True, kw_only=True, tag="plane.frozen"):
    """A person stopped (or again allowed) all acts of the healing plane."""

    frozen: bool
    actor: str
    reason: str


class AgentSwitched(Record, frozen=True, kw_only=True, tag="agent.switched"):
    """A replica of an agent is listened to no more, or again.

    Attributes:
        name: Which, such as `agent-cpu.2`.
        actor: Who says so: `healing` (only to disable it), or a person.
    """

    name: str
    enabled: bool
    actor: str
    reason: str


Trail = (
    IncidentOpened
    | DiagnosisJoined
    | IncidentRerooted
    | IncidentMoved
    | ProposalJudged
    | DecisionMade
    | RunStarted
    | StepIntended
    | StepUnanswered
    | StepReplied
    | ProbeRead
    | RunMoved
    | RunHeld
    | RunEnded
    | WindowOpened
    | WindowClosed
    | PlaneFrozen
    | AgentSwitched
    | ApprovalGiven
    | ThoughtAsked
    | ThoughtAnswered
)
RunRecord = (
    RunStarted
    | StepIntended
    | StepUnanswered
    | StepReplied
    | ProbeRead
    | RunMoved
    | RunHeld
    | RunEnded
)


def kind_of(record: Trail) -> str:
    """The record's ledger kind, which is its tag, such as `run.intent`."""
    return str(type(record).__struct_config__.tag)


def incident_id(seq: int) -> str:
    """The id of the incident whose opening has this ledger sequence number.

    Example:
        >>> incident_id(7)
        'inc-000007'
    """
    return f"inc-{seq:06d}"
