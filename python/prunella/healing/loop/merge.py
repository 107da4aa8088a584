"""A diagnosis and the incidents in; which incident it belongs to, and as what, out.

One cause gives one incident. Five agents look at the same fire through five windows: the one at the
stairs sees smoke, the one in the yard sees flames. What tells them apart is the topology (whoever
depends on the culprit is a victim) and time (evidence that began before an incident ended is part
of it, however late it is told).
"""

from collections.abc import Iterable
from typing import Literal

import msgspec

from prunella.healing.incident import Diagnosis, IncidentState, Severity, Topology
from prunella.healing.loop.book import Case, evidence_entities
from prunella.healing.loop.settings import LoopSettings

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Where a diagnosis belongs.

    Attributes:
        how: A new incident, more about a known cause, a victim of it, a better culprit for it,
            late evidence of a resolved one, or a resolved one that is back.
        incident: Which; empty for a new one.
    """

    how: Literal["open", "cause", "consequence", "reroot", "straggler", "reopen"]
    incident: str = ""


def place(
    diagnosis: Diagnosis,
    cases: Iterable[Case],
    *,
    topology: Topology,
    settings: LoopSettings,
    now_ns: int,
) -> Placement:
    """Where `diagnosis` belongs; newest incidents are asked first."""
    best = diagnosis.hypotheses[0]
    newest_first = list(cases)[::-1]
    live = [each for each in newest_first if each.live]
    for case in live:
        if case.incident.culprit == best.culprit:
            return Placement(how="cause", incident=case.incident.id)
    for case in newest_first:
        if not case.live:
            how = _place_resolved(diagnosis, case, topology, settings=settings, now_ns=now_ns)
            if how is not None:
                return Placement(how=how, incident=case.incident.id)
    if best.fault_class in settings.independent_classes:
        return Placement(how="open")
    for case in live:
        if _is_victim(diagnosis, case, topology) and not _outweighs(diagnosis, case):
            return Placement(how="consequence", incident=case.incident.id)
        movable = case.incident.fault_class not in settings.independent_classes
        if movable and not case.acted and _is_cause_of(diagnosis, case, topology):
            return Placement(how="reroot", incident=case.incident.id)
    return Placement(how="open")


def _is_victim(diagnosis: Diagnosis, case: Case, topology: Topology) -> bool:
    """The accused depends on the case's culprit, or is what the culprit was seen to harm."""
    culprit, accused = case.incident.culprit, diagnosis.hypotheses[0].culprit
    if topology.is_downstream(accused, of=culprit):
        return True
    if topology.get(culprit) is None:
        return accused in case.evidence
    # All that was seen came out of the mouth of a component that is itself at fault (an engine
    # that was just restarted tells of old market data, say).
    entities = evidence_entities(diagnosis)
    return case.acted and bool(entities) and entities == {culprit}


def _outweighs(diagnosis: Diagnosis, case: Case) -> bool:
    """It is worse than a case for which nothing is done: nobody may wait behind that."""
    worse = SEVERITIES.index(diagnosis.severity) < SEVERITIES.index(case.incident.severity)
    return worse and case.incident.state is IncidentState.ESCALATED


def _is_cause_of(diagnosis: Diagnosis, case: Case, topology: Topology) -> bool:
    """The case's culprit depends on the accused, or is what the accused was seen to harm."""
    culprit, accused = case.incident.culprit, diagnosis.hypotheses[0].culprit
    if topology.is_downstream(culprit, of=accused):
        return True
    return topology.get(accused) is None and culprit in evidence_entities(diagnosis)


def _place_resolved(
    diagnosis: Diagnosis,
    case: Case,
    topology: Topology,
    *,
    settings: LoopSettings,
    now_ns: int,
) -> Literal["straggler", "reopen"] | None:
    """Late evidence of a resolved incident, its return, or none of its business."""
    incident, best = case.incident, diagnosis.hypotheses[0]
    onset_ns = min((each.onset_ns for each in diagnosis.symptoms), default=diagnosis.made_ns)
    since_ns = now_ns - incident.closed_ns
    same = incident.culprit == best.culprit
    began_before = onset_ns <= incident.closed_ns
    if case.following and same and (began_before or best.fault_class == incident.fault_class):
        # The cause is still there, as expected: the way back is waiting for its end.
        return "straggler"
    if since_ns > settings.straggler_ns:
        return None
    independent = best.fault_class in settings.independent_classes
    if began_before and (same or (not independent and _is_victim(diagnosis, case, topology))):
        return "straggler"
    again = same and best.fault_class == incident.fault_class
    if again and since_ns <= settings.reopen_ns and case.reopens < settings.reopens_max:
        return "reopen"
    return None
