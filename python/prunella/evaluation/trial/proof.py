"""A session's ledger in; whether it verifies, was obeyed, tells whole stories and keeps time, out.

Nothing else is asked: what an auditor can establish with the folder and two public keys.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from prunella.errors import AuthenticationError, JournalError
from prunella.evaluation.trial.records import Proof
from prunella.healing.audit import Entry, read_trail
from prunella.healing.incident import (
    Action,
    Decision,
    DecisionMade,
    Diagnosis,
    DiagnosisJoined,
    IncidentMoved,
    IncidentOpened,
    IncidentRerooted,
    IncidentState,
    RunEnded,
    RunStarted,
    StepIntended,
    StepReplied,
)
from prunella.healing.incident.verdict import verify_verdict
from prunella.journal import load_public_key, verify_ledger

TOLD_MAX = 20
"""Of each kind of fault in the ledger; the rest is in the ledger itself."""


def prove_session(ledger: Path, *, ledger_key: Path, decider_key: Path) -> Proof:
    """All that the ledger alone says of a session."""
    try:
        entries = verify_ledger(ledger, load_public_key(ledger_key)).entries
        trail = list(read_trail(ledger))
    except JournalError as error:
        return Proof(problem=str(error))
    acts, unpermitted = check_permissions(trail, load_public_key(decider_key))
    stories = list(story_gaps(trail))
    missing = [f"{name}: no {what}" for name, what in stories if what]
    pairs = list(clock_pairs(trail))
    disordered = [name for name, cause_ns, effect_ns in pairs if effect_ns < cause_ns]
    return Proof(
        entries=entries,
        acts=acts,
        unpermitted=tuple(unpermitted[:TOLD_MAX]),
        traces=len(stories),
        incomplete=tuple(missing[:TOLD_MAX]),
        pairs=len(pairs),
        disordered=tuple(disordered[:TOLD_MAX]),
    )


def check_permissions(trail: Sequence[Entry], decider: Ed25519PublicKey) -> tuple[int, list[str]]:
    """How many steps were carried out, and those without a permission that fits.

    A permission fits when a decision written before the run carries the very verdict that the run
    was started with, its signature holds, it allows exactly this workflow on this target with
    these parameters, and it was valid then.
    """
    decided: dict[str, list[Decision]] = {}
    permitted: set[str] = set()
    acts, complaints = 0, []
    for entry in trail:
        match entry.record:
            case DecisionMade(incident=incident, decision=decision):
                decided.setdefault(incident, []).append(decision)
            case RunStarted() as started:
                why = _why_not_permitted(started, decided, decider, entry.ts_ns)
                if why:
                    complaints.append(f"#{entry.seq} {started.workflow}: {why}")
                    permitted.discard(started.incident)
                else:
                    permitted.add(started.incident)
            case StepReplied(incident=incident, key=key, ok=ok):
                acts += 1
                if ok and incident not in permitted:
                    complaints.append(f"#{entry.seq} {key}: no run that was permitted")
    return acts, complaints


def _why_not_permitted(
    started: RunStarted,
    decided: dict[str, list[Decision]],
    decider: Ed25519PublicKey,
    now_ns: int,
) -> str:
    if not any(each.signed == started.signed for each in decided.get(started.incident, [])):
        return "no decision carries its verdict"
    action = Action(
        incident=started.incident,
        workflow=started.workflow,
        target=started.target,
        parameters=started.parameters,
    )
    try:
        verify_verdict(started.signed, action, now_ns, decider)
    except AuthenticationError as error:
        return str(error)
    return ""


def story_gaps(trail: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """Each incident that something came of, and the first thing that its records lack."""
    by_incident: dict[str, list[Entry]] = {}
    for entry in trail:
        if entry.incident:
            by_incident.setdefault(entry.incident, []).append(entry)
    for name, entries in by_incident.items():
        kinds = {entry.kind for entry in entries}
        acted = "run.started" in kinds
        wanted = ["incident.opened"]
        if acted or "decision.made" in kinds:
            wanted += ["incident.moved", "decision.made"]
        if acted:
            wanted += ["decision.verdict", "run.intent", "run.reply", "run.probe"]
        lacking = [kind for kind in wanted if kind not in kinds]
        yield name, next(iter(lacking), "") or _unfinished(entries, acted=acted)


def _unfinished(entries: Sequence[Entry], *, acted: bool) -> str:
    """What is missing at the story's end or in its middle."""
    records = [entry.record for entry in entries]
    intended = {each.key for each in records if isinstance(each, StepIntended)}
    replied = {each.key for each in records if isinstance(each, StepReplied)}
    moves = [each.state for each in records if isinstance(each, IncidentMoved)]
    state = moves[-1] if moves else IncidentState.OPEN
    opened = next(each for each in records if isinstance(each, IncidentOpened))
    ended = any(isinstance(each, RunEnded) for each in records)
    closed = {IncidentState.RESOLVED, IncidentState.SUPPRESSED, IncidentState.ESCALATED}
    checks = {
        "evidence or reasoner in its opening": bool(
            opened.diagnosis.symptoms and opened.diagnosis.reasoner
        ),
        "intent before an act": not replied - intended,
        "reply to an intent": not intended - replied,
        "end of its remediation": ended or not acted or state is not IncidentState.RESOLVED,
        f"end: it is still {state}": state in closed,
    }
    return next((lacking for lacking, fine in checks.items() if not fine), "")


def clock_pairs(trail: Sequence[Entry]) -> Iterator[tuple[str, int, int]]:
    """Name, time of the cause, time of the effect: each pair read off two processes' clocks."""
    intents: dict[str, int] = {}
    for entry in trail:
        record = entry.record
        match record:
            case IncidentOpened(diagnosis=diagnosis):
                yield from _advice_pairs(diagnosis, entry)
            case DiagnosisJoined(diagnosis=diagnosis) | IncidentRerooted(diagnosis=diagnosis):
                yield from _advice_pairs(diagnosis, entry)
            case StepIntended(key=key):
                intents[key] = entry.ts_ns
            case StepReplied(key=key, at_ns=at_ns) if at_ns and key in intents:
                yield f"#{entry.seq} intent before act", intents[key], at_ns
                yield f"#{entry.seq} act before reply", at_ns, entry.ts_ns
            case _:
                pass


def _advice_pairs(diagnosis: Diagnosis, entry: Entry) -> Iterator[tuple[str, int, int]]:
    for symptom in diagnosis.symptoms:
        yield f"#{entry.seq} symptom before diagnosis", symptom.detected_ns, diagnosis.made_ns
    yield f"#{entry.seq} diagnosis before incident", diagnosis.made_ns, entry.ts_ns
