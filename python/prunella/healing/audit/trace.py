"""An incident's trail in; one trace out, from the first sample that showed it to its verified end.

The spans are made from the ledger afterwards, so that tracing costs the plane nothing, survives its
death, and cannot tell another story than the record. Ids come from the record too: whoever exports
an incident twice gets the same trace, not a second one.
"""

import hashlib
from collections.abc import Iterator, Sequence

import msgspec

from prunella.errors import UsageError
from prunella.healing.audit.trail import Entry, IncidentTrail
from prunella.healing.incident import (
    DecisionMade,
    DiagnosisJoined,
    IncidentMoved,
    IncidentOpened,
    IncidentRerooted,
    IncidentState,
    ProbeRead,
    RunMoved,
    StepIntended,
    StepReplied,
    ThoughtAnswered,
    ThoughtAsked,
)

TRACE_ID_BYTES = 16
SPAN_ID_BYTES = 8


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One stretch of work.

    Attributes:
        trace_id: Hexadecimal, 16 bytes.
        span_id: Hexadecimal, 8 bytes.
        parent_id: The incident's own span; empty for that.
        start_ns: Nanoseconds UTC.
        end_ns: Nanoseconds UTC.
        ok: False where it failed.
        attributes: What is known of it, with the ledger's entry numbers.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    start_ns: int
    end_ns: int
    ok: bool
    attributes: dict[str, str | int]


class _Part(msgspec.Struct, frozen=True):
    name: str
    start_ns: int
    end_ns: int
    attributes: dict[str, str | int]
    ok: bool = True


def trace_incident(trail: IncidentTrail) -> list[Span]:
    """The incident's span, and under it detection, diagnosis, decision, each step, and the proof.

    Raises:
        UsageError: The trail is empty.
    """
    entries = [each.entry for each in trail.links]
    if not entries or not isinstance(entries[0].record, IncidentOpened):
        raise UsageError(f"the ledger holds no incident {trail.incident!r}")
    opened = entries[0].record
    named = f"{trail.incident} {entries[0].ts_ns} {opened.onset_ns} {opened.culprit}"
    trace_id = hashlib.sha256(named.encode()).digest()[:TRACE_ID_BYTES].hex()
    moves = [each.record for each in entries if isinstance(each.record, IncidentMoved)]
    state = moves[-1].state if moves else IncidentState.OPEN
    parts = [*_detected(entries), *_decided(entries), *_acted(entries), *_verified(entries)]
    whole = _Part(
        trail.incident,
        min([opened.onset_ns, *(each.start_ns for each in parts)]),
        entries[-1].ts_ns,
        {
            "prunella.fault_class": opened.fault_class,
            "prunella.culprit": opened.culprit,
            "prunella.state": str(state),
            "prunella.ledger.entry": entries[0].seq,
        },
        state is IncidentState.RESOLVED,
    )
    parts = [whole, *parts]
    ids = [
        hashlib.sha256(f"{trace_id} {number} {part.name}".encode()).digest()[:SPAN_ID_BYTES].hex()
        for number, part in enumerate(parts)
    ]
    return [
        Span(
            trace_id=trace_id,
            span_id=own,
            parent_id="" if part is whole else ids[0],
            name=part.name,
            start_ns=part.start_ns,
            end_ns=max(part.end_ns, part.start_ns),
            ok=part.ok,
            attributes=part.attributes,
        )
        for own, part in zip(ids, parts, strict=True)
    ]


def _detected(entries: Sequence[Entry]) -> Iterator[_Part]:
    """From each symptom's first sample to its alarm, and from there to the record of the advice."""
    for entry in entries:
        record = entry.record
        if not isinstance(record, IncidentOpened | DiagnosisJoined | IncidentRerooted):
            continue
        diagnosis = record.diagnosis
        seen = [each for each in diagnosis.symptoms if each.active]
        for each in seen:
            yield _Part(
                f"detect {each.metric}",
                each.onset_ns,
                each.detected_ns,
                {
                    "prunella.detector": each.detector,
                    "prunella.entity": each.entity,
                    "prunella.ledger.entry": entry.seq,
                },
            )
        if seen:
            yield _Part(
                f"diagnose {diagnosis.hypotheses[0].fault_class}",
                max(each.detected_ns for each in seen),
                entry.ts_ns,
                {
                    "prunella.agent": diagnosis.agent,
                    "prunella.reasoner": diagnosis.reasoner,
                    "prunella.ledger.entry": entry.seq,
                },
            )


def _decided(entries: Sequence[Entry]) -> Iterator[_Part]:
    since_ns = entries[0].ts_ns
    asked: dict[str, int] = {}
    for entry in entries:
        record = entry.record
        if isinstance(record, IncidentMoved) and record.state is IncidentState.DECIDING:
            since_ns = entry.ts_ns
        elif isinstance(record, ThoughtAsked):
            asked[record.question_sha256] = entry.ts_ns
        elif isinstance(record, ThoughtAnswered):
            began_ns = asked.get(record.question_sha256, entry.ts_ns - record.elapsed_ns)
            about: dict[str, str | int] = {
                "prunella.reasoner": record.reasoner,
                "prunella.stance": record.stance,
                "prunella.ledger.entry": entry.seq,
            }
            yield _Part("think", began_ns, entry.ts_ns, about)
        elif isinstance(record, DecisionMade):
            about = {
                "prunella.outcome": record.decision.outcome,
                "prunella.reason": record.decision.reason,
                "prunella.ledger.entry": entry.seq,
            }
            yield _Part("decide", since_ns, entry.ts_ns, about)


def _acted(entries: Sequence[Entry]) -> Iterator[_Part]:
    intents: dict[str, Entry] = {}
    for entry in entries:
        record = entry.record
        if isinstance(record, StepIntended):
            intents[record.key] = entry
        elif isinstance(record, StepReplied) and record.key in intents:
            yield _Part(
                f"{record.leg} step {record.step}",
                intents[record.key].ts_ns,
                entry.ts_ns,
                {"prunella.code": record.code, "prunella.ledger.entry": entry.seq},
                record.ok,
            )


def _verified(entries: Sequence[Entry]) -> Iterator[_Part]:
    since: Entry | None = None
    for entry in entries:
        record = entry.record
        if isinstance(record, RunMoved):
            since = entry if record.phase in {"verifying", "confirming"} else None
        elif isinstance(record, ProbeRead) and since and record.result in {"held", "timeout"}:
            yield _Part(
                "verify",
                since.ts_ns,
                entry.ts_ns,
                {"prunella.seen": "; ".join(record.seen), "prunella.ledger.entry": entry.seq},
                record.result == "held",
            )
            since = None
