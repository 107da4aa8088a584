"""An incident's ledger entries in; its story out, each sentence with the entries that it rests on.

Nothing here knows more than the ledger: no log, no metric, no memory of the plane. A sentence that
has no entry cannot be written, so that whoever doubts one can ask for its proof
(`prunella ledger prove N`). What people and models wrote is told as a quotation, never as a fact.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from prunella.errors import UsageError
from prunella.healing.audit.trail import Entry, IncidentTrail
from prunella.healing.incident import (
    ApprovalGiven,
    DecisionMade,
    Diagnosis,
    DiagnosisJoined,
    IncidentMoved,
    IncidentOpened,
    IncidentRerooted,
    IncidentState,
    ProbeRead,
    ProposalJudged,
    RunEnded,
    RunMoved,
    RunStarted,
    StepIntended,
    StepReplied,
    StepUnanswered,
    Symptom,
    ThoughtAnswered,
    ThoughtAsked,
    Verdict,
)
from prunella.healing.incident.trail import RunHeld

_LEGS = {
    "do": "step",
    "undo": "undoing step",
    "return": "returning step",
    "again": "repeating step",
}


class Sentence(msgspec.Struct, frozen=True, kw_only=True):
    """One statement.

    Attributes:
        text: Plain text.
        entries: Numbers of the ledger entries that say so; at least one.
    """

    text: str
    entries: tuple[int, ...]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Statements under one heading."""

    title: str
    sentences: tuple[Sentence, ...]


class PostMortem(msgspec.Struct, frozen=True, kw_only=True):
    """The whole story.

    Attributes:
        proven: How many of the entries a signed checkpoint covers.
        checkpoint: The signed note that their proofs lead to.
    """

    incident: str
    title: str
    sections: tuple[Section, ...]
    entries: int
    proven: int
    checkpoint: str


def write_postmortem(trail: IncidentTrail) -> PostMortem:
    """The story of an incident.

    Raises:
        UsageError: The trail is empty.
    """
    entries = [each.entry for each in trail.links]
    if not entries or not isinstance(entries[0].record, IncidentOpened):
        raise UsageError(f"the ledger holds no incident {trail.incident!r}")
    opened = entries[0].record
    culprit, fault = opened.culprit, opened.fault_class
    for each in entries:
        if isinstance(each.record, IncidentRerooted):
            culprit, fault = each.record.culprit, each.record.fault_class
    parts: tuple[tuple[str, Callable[[Sequence[Entry]], Iterator[Sentence]]], ...] = (
        ("Summary", _summary),
        ("What was seen", _evidence),
        ("What was concluded", _diagnoses),
        ("What was decided", _decisions),
        ("What was done", _acts),
        ("What did not go smoothly", _trouble),
        ("Timeline", _timeline),
    )
    sections = [Section(title=title, sentences=tuple(tell(entries))) for title, tell in parts]
    return PostMortem(
        incident=trail.incident,
        title=f"{trail.incident}: {fault} of {culprit}",
        sections=tuple(each for each in sections if each.sentences),
        entries=len(entries),
        proven=sum(each.proof is not None for each in trail.links),
        checkpoint=trail.checkpoint,
    )


def _summary(entries: Sequence[Entry]) -> Iterator[Sentence]:
    first = entries[0]
    opened = first.record
    assert isinstance(opened, IncidentOpened)  # noqa: S101 - checked by the one caller
    yield _said(
        f"At {_when(first.ts_ns)} UTC an incident of severity {opened.severity} was opened: "
        f"{opened.fault_class} of {opened.culprit}.",
        first,
    )
    lead_ns = first.ts_ns - opened.onset_ns
    yield _said(
        f"The evidence began at {_when(opened.onset_ns)} UTC, {_span(lead_ns)} before.", first
    )
    for each in entries:
        if isinstance(each.record, IncidentRerooted):
            again = each.record
            yield _said(
                f"The blame moved from {again.culprit_before} to {again.culprit} "
                f"({again.fault_class}).",
                each,
            )
    moves = [each for each in entries if isinstance(each.record, IncidentMoved)]
    last = moves[-1] if moves else first
    record = last.record
    if not isinstance(record, IncidentMoved):
        yield _said("Nothing has come of it yet.", first)
    elif record.state is IncidentState.RESOLVED:
        took = _span(last.ts_ns - opened.onset_ns)
        yield _said(
            f"It was resolved at {_when(last.ts_ns)} UTC, {took} after the evidence began: "
            f"{record.reason}.",
            first,
            last,
        )
    else:
        yield _said(f"It is {record.state} since {_when(last.ts_ns)} UTC: {record.reason}.", last)


def _evidence(entries: Sequence[Entry]) -> Iterator[Sentence]:
    told: dict[tuple[str, str, str], None] = {}
    for entry in entries:
        for diagnosis in _diagnosis_of(entry):
            for symptom in diagnosis.symptoms:
                key = (symptom.metric, symptom.entity, symptom.detector)
                if symptom.active and key not in told:
                    told[key] = None
                    yield _said(_symptom(symptom, diagnosis), entry)


def _symptom(symptom: Symptom, diagnosis: Diagnosis) -> str:
    after = _span(symptom.detected_ns - symptom.onset_ns)
    return (
        f"{diagnosis.agent} saw {symptom.metric} of {symptom.entity} at {symptom.value:g} where "
        f"{symptom.expected:g} is normal ({symptom.kind}, by the detector {symptom.detector}), "
        f"{after} after it began."
    )


def _diagnoses(entries: Sequence[Entry]) -> Iterator[Sentence]:
    for entry in entries:
        record = entry.record
        if isinstance(record, ThoughtAnswered):
            yield _said(_thought(record), entry)
            continue
        for diagnosis in _diagnosis_of(entry):
            role = record.role if isinstance(record, DiagnosisJoined) else "cause"
            if role == "over":
                yield _said(f"{diagnosis.agent} saw the fault no more.", entry)
                continue
            best = diagnosis.hypotheses[0]
            advice = diagnosis.proposals[0] if diagnosis.proposals else None
            remedy = f"proposed {advice.workflow} on {advice.target}" if advice else "had no remedy"
            yield _said(
                f"{diagnosis.agent} ({diagnosis.reasoner}) took it for {best.fault_class} of "
                f"{best.culprit} with confidence {best.confidence:.2f} by the rule {best.rule}, "
                f"as a {role}, and {remedy}.",
                entry,
            )


def _thought(record: ThoughtAnswered) -> str:
    calls = ", ".join(f"{each.endpoint}: {each.outcome}" for each in record.attempts)
    cost = sum(each.cost_microusd for each in record.attempts) / 1e6
    return (
        f"A model was asked ({record.why}); after {_span(record.elapsed_ns)} "
        f"{record.reasoner} {record.stance} ({calls or 'no call'}; {cost:.6f} USD)."
    )


def _decisions(entries: Sequence[Entry]) -> Iterator[Sentence]:
    judged: list[Entry] = []
    for entry in entries:
        record = entry.record
        if isinstance(record, ProposalJudged):
            judged.append(entry)
            yield _said(_verdict(record.verdict), entry)
        elif isinstance(record, ApprovalGiven):
            word = "approved" if record.approve else "rejected"
            why = f": “{record.reason}”" if record.reason else ""
            yield _said(
                f"{record.person} {word} {record.workflow} on {record.target} with a signature"
                f"{why}.",
                entry,
            )
        elif isinstance(record, DecisionMade):
            outcome = {"run": "to run it", "ask": "to ask a person", "nothing": "to do nothing"}
            yield _said(
                f"The decision was {outcome[record.decision.outcome]} ({record.decision.reason}).",
                *judged,
                entry,
            )
            judged = []


def _verdict(verdict: Verdict) -> str:
    word = "allowed" if verdict.allowed else f"refused ({verdict.reason})"
    return (
        f"Policy {verdict.policy_sha256[:12]} {word} {verdict.action.workflow} on "
        f"{verdict.action.target} by {', '.join(verdict.rules)}."
    )


def _acts(entries: Sequence[Entry]) -> Iterator[Sentence]:
    intents: dict[str, Entry] = {}
    for entry in entries:
        record = entry.record
        if isinstance(record, RunStarted):
            with_what = ", ".join(f"{name} = {value}" for name, value in record.parameters.items())
            yield _said(
                f"{record.workflow} began on {record.target} at {_when(entry.ts_ns)} UTC"
                f"{' with ' + with_what if with_what else ''}.",
                entry,
            )
        elif isinstance(record, StepIntended):
            intents[record.key] = entry
        elif isinstance(record, StepReplied):
            yield _reply(record, entry, intents.get(record.key))
        elif isinstance(record, ProbeRead) and record.result in {"held", "timeout"}:
            word = "held" if record.result == "held" else "did not hold in time"
            yield _said(f"While {record.phase}, the probe {word}: {'; '.join(record.seen)}.", entry)
        elif isinstance(record, RunEnded):
            why = f" ({record.reason})" if record.reason else ""
            yield _said(f"{record.workflow} ended: {record.outcome}{why}.", entry)


def _reply(record: StepReplied, entry: Entry, intent: Entry | None) -> Sentence:
    asked = intent.record if intent is not None else None
    what = f"{record.code}"
    if isinstance(asked, StepIntended) and intent is not None:
        took = _span(entry.ts_ns - intent.ts_ns)
        command = ", ".join(f"{name} {value}" for name, value in asked.command.items())
        what = f"{command} through {asked.through}; the answer after {took}: {record.code}"
    replaced = ", ".join(f"{name} {value}" for name, value in record.replaced.items())
    return _said(
        f"{_LEGS[record.leg].capitalize()} {record.step}: {what}"
        f"{'; it replaced ' + replaced if replaced else ''}.",
        *([intent] if intent is not None else []),
        entry,
    )


def _trouble(entries: Sequence[Entry]) -> Iterator[Sentence]:
    """What somebody should look at: refusals, silence, failures, differing opinions, reopening."""
    before: IncidentState | None = None
    for entry in entries:
        record = entry.record
        match record:
            case StepUnanswered():
                yield _said(f"Attempt {record.attempt} got no answer: {record.message}.", entry)
            case StepReplied() if not record.ok:
                yield _said(f"Step {record.step} failed: {record.code} {record.message}.", entry)
            case RunEnded() if record.outcome in {
                "rolled_back",
                "rollback_failed",
                "return_failed",
            }:
                yield _said(f"{record.workflow} did not help: {record.outcome}.", entry)
            case ProposalJudged() if not record.verdict.allowed:
                action = record.verdict.action
                yield _said(f"{action.workflow} was refused: {record.verdict.reason}.", entry)
            case ThoughtAnswered() if record.stance == "differs":
                yield _said(f"{record.reasoner} differed from the expert.", entry)
            case IncidentMoved():
                if before is IncidentState.RESOLVED:
                    yield _said(f"It came back after it was resolved: {record.reason}.", entry)
                elif record.state is IncidentState.ESCALATED:
                    yield _said(f"A person had to be asked: {record.reason}.", entry)
                before = record.state
            case _:
                pass


def _timeline(entries: Sequence[Entry]) -> Iterator[Sentence]:
    began_ns = entries[0].ts_ns
    for entry in entries:
        yield _said(f"+{(entry.ts_ns - began_ns) / 1e6:.0f} ms {entry.kind}{_detail(entry)}", entry)


def _detail(entry: Entry) -> str:
    """The one fact of an entry that the timeline shows."""
    record: Any = entry.record
    match record:
        case IncidentMoved():
            text = f"{record.state}: {record.reason}"
        case DiagnosisJoined():
            text = f"{record.role}, {record.diagnosis.agent}"
        case StepIntended() | StepReplied():
            text = f"{_LEGS[record.leg]} {record.step}"
        case RunMoved():
            text = record.phase
        case ProbeRead():
            text = f"{record.phase}: {record.result}"
        case DecisionMade():
            text = record.decision.outcome
        case ProposalJudged():
            text = record.verdict.reason
        case ThoughtAsked():
            text = record.why
        case RunHeld():
            text = "held"
        case _:
            text = ""
    return f": {text}" if text else ""


def _diagnosis_of(entry: Entry) -> tuple[Diagnosis, ...]:
    record = entry.record
    if isinstance(record, IncidentOpened | DiagnosisJoined | IncidentRerooted):
        return (record.diagnosis,)
    return ()


def _said(text: str, *entries: Entry) -> Sentence:
    return Sentence(text=text, entries=tuple(each.seq for each in entries))


def _when(ns: int) -> str:
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%d %H:%M:%S}.{rest // 1_000_000:03d}"


def _span(ns: int) -> str:
    return f"{ns / 1e9:.2f} s" if abs(ns) >= 1_000_000_000 else f"{ns / 1e6:.0f} ms"
