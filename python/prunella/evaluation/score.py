"""What was injected and what the ledger says in; one scored row per fault out.

The healing plane never sees the truth records, and the scorer never asks the healing plane: it
reads the ledger alone. Matching is one to one: an incident belongs to the fault during whose time
it was opened; an incident outside of every fault's time is a false alarm.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from prunella.evaluation.fault import FAULTS
from prunella.healing.audit import Entry
from prunella.healing.incident import (
    DecisionMade,
    Diagnosis,
    DiagnosisJoined,
    IncidentMoved,
    IncidentOpened,
    IncidentRerooted,
    IncidentState,
    ProbeRead,
    RunEnded,
    RunStarted,
    StepIntended,
    StepReplied,
)

Result = Literal["cured", "not cured", "wrong", "missed", "left alone", "acted on"]


class Truth(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One injection, as the injector saw it from outside.

    Attributes:
        until_ns: Until when incidents count as this fault's: the next injection, or the end.
    """

    fault: str
    commanded_ns: int
    effective_ns: int
    reverted_ns: int
    until_ns: int
    culprit: str


class IncidentFacts(msgspec.Struct, kw_only=True):
    """What the ledger says of one incident; times are nanoseconds UTC, 0 for what never came.

    Attributes:
        raised_ns: When each symptom in its evidence was raised.
        replied_ns: When the first act was answered that was carried out.
        cured_ns: When its probe became good for the last time.
        reason: Why it is in its state.
        escalated: Whether a person was called at any time.
        silenced: Why it was only written down, if ever it was.
    """

    id: str
    culprit: str
    fault_class: str
    opened_ns: int
    opened_seq: int
    raised_ns: tuple[int, ...] = ()
    diagnosed_ns: int = 0
    decided_ns: int = 0
    acted_ns: int = 0
    replied_ns: int = 0
    cured_ns: int = 0
    resolved_ns: int = 0
    last_seq: int = 0
    workflow: str = ""
    rule: str = ""
    agents: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    asked: dict[str, str] = msgspec.field(default_factory=dict)
    outcomes: tuple[str, ...] = ()
    state: IncidentState = IncidentState.OPEN
    reason: str = ""
    escalated: bool = False
    silenced: str = ""


class FaultRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the final table; durations in milliseconds since the fault took effect."""

    fault: str
    title: str
    kind: str
    effective_ns: int
    result: Result
    detected_ms: float | None = None
    fault_class: str = ""
    culprit: str = ""
    reflex: str = ""
    workflow: str = ""
    actions: tuple[str, ...] = ()
    cured_ms: float | None = None
    rolled_back: bool = False
    incident: str = ""
    ledger_seq: int = 0

    @property
    def good(self) -> bool:
        """Whether this is what should have happened."""
        return self.result in {"cured", "left alone"}


def incidents(entries: Iterable[Entry]) -> list[IncidentFacts]:
    """Folds the trail into one record of facts per incident, oldest first."""
    facts: dict[str, IncidentFacts] = {}
    for entry in entries:
        record = entry.record
        if isinstance(record, IncidentOpened):
            name = entry.incident
            facts[name] = IncidentFacts(
                id=name,
                culprit=record.culprit,
                fault_class=record.fault_class,
                opened_ns=entry.ts_ns,
                opened_seq=entry.seq,
            )
            _advised(facts[name], record.diagnosis)
            continue
        incident = facts.get(entry.incident)
        if incident is not None:
            _fold(incident, entry)
            incident.last_seq = entry.seq
    return list(facts.values())


def _fold(incident: IncidentFacts, entry: Entry) -> None:
    """Adds one entry's facts to its incident."""
    match entry.record:
        case DiagnosisJoined(diagnosis=diagnosis, role=role) if role != "over":
            _advised(incident, diagnosis)
        case IncidentRerooted(culprit=culprit, fault_class=fault_class, diagnosis=diagnosis):
            incident.culprit, incident.fault_class = culprit, fault_class
            _advised(incident, diagnosis)
        case DecisionMade(decision=decision):
            incident.decided_ns = entry.ts_ns
            incident.rule = ", ".join(decision.verdicts[-1].rules) if decision.verdicts else ""
        case IncidentMoved(state=state, reason=reason):
            incident.state, incident.reason = state, reason
            incident.escalated = incident.escalated or state is IncidentState.ESCALATED
            if state is IncidentState.SUPPRESSED:
                incident.silenced = incident.silenced or reason
            if state is IncidentState.RESOLVED:
                incident.resolved_ns = entry.ts_ns
        case _:
            _fold_run(incident, entry)


def _fold_run(incident: IncidentFacts, entry: Entry) -> None:
    """Adds what a remediation's entry says."""
    match entry.record:
        case RunStarted(workflow=workflow):
            incident.workflow = workflow
            incident.acted_ns = incident.acted_ns or entry.ts_ns
        case StepIntended(leg=leg, command=command, key=key):
            incident.asked[key] = f"{leg} {command['type']}"
        case StepReplied(ok=ok, code=code, key=key):
            done = incident.asked.get(key, key).removeprefix("do ")
            incident.actions += (done if ok else f"{done}: {code}",)
            incident.replied_ns = incident.replied_ns or (entry.ts_ns if ok else 0)
        case ProbeRead(result="good", phase="verifying"):
            incident.cured_ns = entry.ts_ns
        case RunEnded(outcome=outcome):
            incident.outcomes += (outcome,)


def _advised(incident: IncidentFacts, diagnosis: Diagnosis) -> None:
    """Adds when it was detected and diagnosed, and by whom."""
    incident.raised_ns += tuple(s.detected_ns for s in diagnosis.symptoms)
    incident.diagnosed_ns = incident.diagnosed_ns or diagnosis.made_ns
    if diagnosis.agent not in incident.agents:
        incident.agents += (diagnosis.agent,)


def score(
    truths: Sequence[Truth],
    facts: Sequence[IncidentFacts],
    reflexes: Sequence[tuple[int, str, str]] = (),
) -> list[FaultRow]:
    """One row per injected fault, in the order of injection.

    Args:
        truths: What was injected.
        facts: What the ledger says.
        reflexes: Time in nanoseconds UTC, venue and name of each, from the engine's journal.
    """
    return [
        msgspec.structs.replace(
            _row(truth, [f for f in facts if _within(f, truth)]),
            reflex=_first_reflex(truth, reflexes),
        )
        for truth in truths
    ]


def _first_reflex(truth: Truth, reflexes: Sequence[tuple[int, str, str]]) -> str:
    """What the core did by itself first, at the venue that the fault is at."""
    for ts_ns, venue, name in reflexes:
        if truth.effective_ns <= ts_ns < truth.until_ns and truth.culprit == f"exchange-{venue}":
            return f"{name.replace('_', ' ')} after {(ts_ns - truth.effective_ns) / 1e6:.0f} ms"
    return ""


def strays(truths: Sequence[Truth], facts: Sequence[IncidentFacts]) -> list[IncidentFacts]:
    """Incidents in which something was done although nothing had been injected."""
    return [f for f in facts if f.workflow and not any(_within(f, t) for t in truths)]


def _within(facts: IncidentFacts, truth: Truth) -> bool:
    return truth.commanded_ns <= facts.opened_ns < truth.until_ns


def _row(truth: Truth, facts: Sequence[IncidentFacts]) -> FaultRow:
    """Scores one fault against the incidents of its time."""
    fault = FAULTS[truth.fault]
    row = FaultRow(
        fault=fault.name,
        title=fault.title,
        kind=fault.kind,
        effective_ns=truth.effective_ns,
        result="left alone" if fault.kind == "negative" else "missed",
    )
    acted = [f for f in facts if f.workflow]
    if fault.kind == "negative":
        return msgspec.structs.replace(row, result="acted on") if acted else row
    if not facts:
        return row
    mine = max(facts, key=lambda f: (f.culprit == truth.culprit, bool(f.workflow)))
    right = (
        mine.culprit == truth.culprit
        and mine.fault_class == fault.fault_class
        and all(f is mine and f.workflow in fault.workflows for f in acted)
    )
    cured = (
        right
        and bool(acted)
        and mine.state is IncidentState.RESOLVED
        and "rolled_back" not in mine.outcomes
    )
    # A symptom that was there before the fault is evidence of something else.
    raised = [ns for ns in mine.raised_ns if ns >= truth.commanded_ns]
    detected_ns = min(raised, default=mine.diagnosed_ns)
    return msgspec.structs.replace(
        row,
        result="cured" if cured else "not cured" if right else "wrong",
        detected_ms=(detected_ns - truth.effective_ns) / 1e6,
        fault_class=mine.fault_class,
        culprit=mine.culprit,
        workflow=mine.workflow,
        actions=mine.actions,
        cured_ms=(mine.cured_ns - truth.effective_ns) / 1e6 if cured else None,
        rolled_back="rolled_back" in mine.outcomes,
        incident=mine.id,
        ledger_seq=mine.opened_seq,
    )
