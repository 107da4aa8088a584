"""Ledger records in, the open incidents, maintenance windows and budgets out; nothing else.

The book is what the orchestrator knows. It only changes by folding a record that is already in the
ledger, so that folding the ledger again after a crash gives the same book.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from prunella.errors import InvariantError
from prunella.healing.incident import (
    Diagnosis,
    Incident,
    IncidentState,
    ThoughtAnswered,
    ThoughtAsked,
    advance,
)
from prunella.healing.incident.trail import (
    AgentSwitched,
    ApprovalGiven,
    DecisionMade,
    DiagnosisJoined,
    IncidentMoved,
    IncidentOpened,
    IncidentRerooted,
    PlaneFrozen,
    ProbeRead,
    ProposalJudged,
    Role,
    RunEnded,
    RunHeld,
    RunMoved,
    RunStarted,
    StepIntended,
    StepReplied,
    StepUnanswered,
    Trail,
    WindowClosed,
    WindowOpened,
    incident_id,
    kind_of,
)

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
CASES_KEPT = 256
"""Resolved incidents that are remembered; the ledger keeps them all."""
EVENTS_KEPT = 200
"""Per incident: enough to tell its whole story, with an end."""


_OfThePlane = WindowOpened | WindowClosed | PlaneFrozen | AgentSwitched


class Begun(NamedTuple):
    """A remediation that began, for budgets and for the loop guard."""

    at_ns: int
    workflow: str
    fault_class: str
    culprit: str


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One link of the line evidence → diagnosis → decision → action → verified.

    Attributes:
        at_ns: When, nanoseconds UTC.
        seq: The ledger entry that proves it.
        text: For people.
    """

    at_ns: int
    seq: int
    text: str


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One ledger entry of an incident, for people."""

    at_ns: int
    seq: int
    kind: str
    text: str


@dataclass(kw_only=True)
class Case:
    """An incident with what the orchestrator keeps beside it.

    Attributes:
        moved_ns: When its state changed last.
        known: Advice already taken in, by agent, class and culprit.
        over: Agents that see the fault no more.
        acted: Something was done about it.
        reopens: How often it was reopened.
        following: Its remediation waits for the way back.
        signed: Who signed for or against an action since the last decision.
        thoughts: For which reasons a model was asked about it.
        contested: A model names another culprit or another remedy than the expert.
        stages: The line that the console and the demo show.
    """

    incident: Incident
    moved_ns: int
    known: set[tuple[str, str, str]] = field(default_factory=set)
    causes: list[Diagnosis] = field(default_factory=list)
    over: set[str] = field(default_factory=set)
    acted: bool = False
    reopens: int = 0
    following: bool = False
    signed: str = ""
    workflow: str = ""
    target: str = ""
    outcome: str = ""
    reason: str = ""
    thoughts: set[str] = field(default_factory=set)
    contested: bool = False
    stages: dict[str, Stage] = field(default_factory=dict)
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))

    @property
    def live(self) -> bool:
        """Not resolved."""
        return self.incident.state is not IncidentState.RESOLVED

    @property
    def gone(self) -> bool:
        """Every agent that named the culprit sees the fault no more."""
        return bool(self.causes) and {each.agent for each in self.causes} <= self.over

    @property
    def evidence(self) -> frozenset[str]:
        """Entities that the causes' evidence is about."""
        return frozenset(
            entity for diagnosis in self.causes for entity in evidence_entities(diagnosis)
        )


def evidence_entities(diagnosis: Diagnosis) -> frozenset[str]:
    """Whom the best hypothesis's evidence is about (`metric@entity`)."""
    return frozenset(
        each.rpartition("@")[2] for each in diagnosis.hypotheses[0].evidence if "@" in each
    )


class Book:
    """All that is known, folded from the ledger."""

    def __init__(self) -> None:
        self.cases: dict[str, Case] = {}
        self.windows: list[WindowOpened] = []
        self.frozen = False
        self.disabled: dict[str, str] = {}
        self.begun: deque[Begun] = deque()
        self.approvals: dict[str, list[ApprovalGiven]] = {}
        self.nonces: set[str] = set()

    def live(self) -> list[Case]:
        """Incidents that are not resolved, oldest first."""
        return [each for each in self.cases.values() if each.live]

    def maintenance(self, now_ns: int) -> frozenset[str]:
        """Components that a person works on now."""
        return frozenset(
            each.component for each in self.windows if each.start_ns <= now_ns < each.end_ns
        )

    def recent(self, now_ns: int, window_ns: int) -> list[Begun]:
        """Remediations begun in the last `window_ns`, a day at most, oldest first."""
        while self.begun and self.begun[0].at_ns <= now_ns - DAY_NS:
            self.begun.popleft()
        return [each for each in self.begun if each.at_ns > now_ns - window_ns]

    def actions_last_hour(self, now_ns: int) -> int:
        """Remediations begun in the last hour."""
        return len(self.recent(now_ns, HOUR_NS))

    def fold(self, seq: int, record: Trail, at_ns: int) -> None:
        """Takes in one ledger entry."""
        match record:
            case WindowOpened() | WindowClosed() | PlaneFrozen() | AgentSwitched():
                self._fold_plane(record, at_ns)
                return
            case IncidentOpened():
                name = incident_id(seq)
                self.cases[name] = Case(
                    incident=Incident(
                        id=name,
                        state=IncidentState.OPEN,
                        culprit=record.culprit,
                        fault_class=record.fault_class,
                        severity=record.severity,
                        opened_ns=at_ns,
                        onset_ns=record.onset_ns,
                    ),
                    moved_ns=at_ns,
                )
                self._forget()
            case ThoughtAsked() | ThoughtAnswered() if not record.incident:
                return
            case _:
                pass
        name = incident_id(seq) if isinstance(record, IncidentOpened) else record.incident
        case = self.cases.get(name)
        if case is None:
            raise InvariantError(f"entry {seq}: {kind_of(record)} of unknown incident {name}")
        if isinstance(record, RunStarted):
            incident = case.incident
            self.begun.append(Begun(at_ns, record.workflow, incident.fault_class, incident.culprit))
        elif isinstance(record, ApprovalGiven):
            self.approvals.setdefault(name, []).append(record)
            self.nonces.add(record.nonce)
        text = _fold_case(case, record, seq, at_ns)
        case.events.append(Event(at_ns=at_ns, seq=seq, kind=kind_of(record), text=text))

    def _fold_plane(self, record: _OfThePlane, at_ns: int) -> None:
        """Takes in an entry that is of no incident."""
        match record:
            case WindowOpened():
                self.windows = [each for each in self.windows if each.end_ns > at_ns]
                self.windows.append(record)
            case WindowClosed():
                self.windows = [each for each in self.windows if each.component != record.component]
            case PlaneFrozen():
                self.frozen = record.frozen
            case AgentSwitched():
                if record.enabled:
                    self.disabled.pop(record.name, None)
                else:
                    self.disabled[record.name] = f"by {record.actor}: {record.reason}"

    def _forget(self) -> None:
        resolved = [name for name, case in self.cases.items() if not case.live]
        for name in resolved[: max(0, len(self.cases) - CASES_KEPT)]:
            del self.cases[name]
            self.approvals.pop(name, None)


def _fold_case(case: Case, record: Trail, seq: int, at_ns: int) -> str:
    """Takes one record into its incident; gives the line for people."""
    text = ""
    match record:
        case IncidentOpened():
            text = _fold_diagnosis(case, record.diagnosis, "cause", seq, at_ns)
        case DiagnosisJoined():
            text = _fold_diagnosis(case, record.diagnosis, record.role, seq, at_ns)
        case IncidentRerooted():
            case.incident = msgspec.structs.replace(
                case.incident,
                culprit=record.culprit,
                fault_class=record.fault_class,
                severity=record.severity,
            )
            case.stages.pop("diagnosis", None)
            text = f"not {record.culprit_before}: " + _fold_diagnosis(
                case, record.diagnosis, "cause", seq, at_ns
            )
        case IncidentMoved():
            text = _fold_state(case, record, seq, at_ns)
        case ProposalJudged():
            verdict = record.verdict
            text = (
                f"{verdict.action.workflow} on {verdict.action.target}: {verdict.reason} "
                f"by {', '.join(verdict.rules)}"
            )
            text += f" ({verdict.note})" if verdict.note else ""
        case DecisionMade():
            text = _fold_decision(case, record, seq, at_ns)
        case ApprovalGiven():
            case.signed = record.person
            word = "approved" if record.approve else "rejected"
            text = f"{record.workflow} on {record.target} {word} by {record.person}"
            text += f": {record.reason}" if record.reason else ""
        case ThoughtAsked():
            case.thoughts.add(record.why)
            text = f"{record.why}: a model is asked ({record.template})"
        case ThoughtAnswered():
            case.contested = case.contested or record.stance == "differs"
            text = _thought(record)
        case _:
            text = _fold_run(case, record, seq, at_ns)
    return text


def _thought(record: ThoughtAnswered) -> str:
    """An answer in one line."""
    seconds = f"{record.elapsed_ns / 1e9:.1f} s"
    if record.diagnosis is None:
        tried = ", ".join(f"{each.endpoint} {each.outcome}" for each in record.attempts)
        return f"{record.reasoner} {record.stance} after {seconds}: {tried or 'no answer'}"
    best = record.diagnosis.hypotheses[0]
    named = [each.workflow for each in record.diagnosis.proposals]
    says = f"{best.fault_class} of {best.culprit} ({best.confidence:.2f})"
    return f"{record.reasoner} {record.stance} after {seconds}: {says}, {named or 'no remedy'}"


def _fold_diagnosis(case: Case, diagnosis: Diagnosis, role: Role, seq: int, at_ns: int) -> str:
    incident = case.incident
    best = diagnosis.hypotheses[0]
    if role == "opinion":
        return f"opinion of {diagnosis.reasoner}: {best.fault_class} of {best.culprit}"
    case.known.add((diagnosis.agent, best.fault_class, best.culprit))
    if role == "over":
        case.over.add(diagnosis.agent)
        return f"over: {diagnosis.agent} sees it no more"
    case.over.discard(diagnosis.agent)
    onset_ns = min((each.onset_ns for each in diagnosis.symptoms), default=diagnosis.made_ns)
    case.incident = msgspec.structs.replace(
        incident,
        diagnoses=(*incident.diagnoses, diagnosis),
        onset_ns=min(incident.onset_ns, onset_ns),
    )
    if role == "cause":
        case.causes.append(diagnosis)
    seen = min(diagnosis.symptoms, key=lambda each: each.detected_ns, default=None)
    if seen is not None and "evidence" not in case.stages:
        text = f"{seen.metric}@{seen.entity} {seen.kind} ({seen.value:g}, normal {seen.expected:g})"
        case.stages["evidence"] = Stage(at_ns=seen.detected_ns, seq=seq, text=text)
    text = f"{best.fault_class} of {best.culprit} ({best.confidence:.2f}, {diagnosis.agent})"
    case.stages.setdefault("diagnosis", Stage(at_ns=at_ns, seq=seq, text=text))
    return f"{role}: {text}"


def _fold_state(case: Case, record: IncidentMoved, seq: int, at_ns: int) -> str:
    before = case.incident.state
    case.incident = advance(case.incident, record.state)
    case.moved_ns = at_ns
    case.reason = record.reason
    if record.state is IncidentState.RESOLVED:
        case.incident = msgspec.structs.replace(case.incident, closed_ns=at_ns)
        case.stages["verified"] = Stage(at_ns=at_ns, seq=seq, text=record.reason)
    elif before is IncidentState.RESOLVED:
        case.incident = msgspec.structs.replace(case.incident, closed_ns=0)
        case.reopens += 1
    return f"{before} → {record.state}: {record.reason}"


def _fold_decision(case: Case, record: DecisionMade, seq: int, at_ns: int) -> str:
    decision = record.decision
    case.signed = ""
    case.incident = msgspec.structs.replace(
        case.incident, decisions=(*case.incident.decisions, decision)
    )
    last = decision.verdicts[-1] if decision.verdicts else None
    text = f"{decision.outcome}: {decision.reason}"
    if decision.outcome == "run" and last is not None:
        text = f"{last.action.workflow} on {last.action.target}, by {', '.join(last.rules)}"
    case.stages["decision"] = Stage(at_ns=at_ns, seq=seq, text=text)
    return text


def _fold_run(case: Case, record: Trail, seq: int, at_ns: int) -> str:
    text = ""
    match record:
        case RunStarted():
            case.incident = msgspec.structs.replace(
                case.incident, tried=(*case.incident.tried, record.workflow)
            )
            case.acted, case.following = True, False
            case.workflow, case.target, case.outcome = record.workflow, record.target, ""
            text = f"{record.workflow} on {record.target} {record.parameters}"
        case StepIntended():
            text = f"{record.leg} {record.step}: {record.command} through {record.through}"
        case StepUnanswered():
            text = f"{record.key}: attempt {record.attempt} unanswered: {record.message}"
        case StepReplied():
            text = f"{record.leg} {record.step}: {record.code} {record.message}".strip()
            if record.replaced:
                text += f", replaced {record.replaced}"
            if record.leg == "do":
                done = f"{case.workflow} step {record.step}: {record.code}"
                case.stages["action"] = Stage(at_ns=at_ns, seq=seq, text=done)
        case _:
            text = _fold_phase(case, record, seq)
    return text


def _fold_phase(case: Case, record: Trail, seq: int) -> str:
    """A remediation's probes and phases."""
    match record:
        case ProbeRead():
            text = f"{record.phase}: {record.result}: {'; '.join(record.seen)}"
        case RunMoved():
            case.following = record.phase in {"following", "returning", "confirming", "repeating"}
            text = f"{record.phase} {record.step}: {record.reason}"
        case RunHeld():
            text = f"held: {record.reason}" if record.reason else "goes on"
        case RunEnded():
            case.following, case.outcome = False, record.outcome
            text = f"{record.workflow}: {record.outcome} {record.reason}".strip()
        case _:
            raise InvariantError(f"entry {seq}: {kind_of(record)} is not of a remediation")
    return text
