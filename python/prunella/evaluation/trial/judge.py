"""One episode in, what it was worth out; from the record alone, so that it can be judged anew."""

from collections.abc import Sequence

import msgspec

from prunella.evaluation.fault import FAULTS
from prunella.evaluation.score import IncidentFacts
from prunella.evaluation.trial.records import Episode
from prunella.healing.incident import Topology
from prunella.healing.loop import local_stack

_TOPOLOGY = Topology(local_stack().components)


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one injection; durations in milliseconds.

    Attributes:
        detected: Some incident of its time is about it: its culprit, its class, or a victim.
        detection_ms: From the physical effect to the first symptom; below zero it was foreseen.
        culprit_right: The incident names the true culprit first.
        class_right: And the true class of fault.
        told_class: What it says; for the confusion matrix.
        acted_ms: From detection to the first act that was answered.
        success: Cured or contained in time, and nothing wrong was done; None for a negative.
        recovery_ms: From the physical effect until its harm was gone for good.
        wrong_acts: Remediations of somebody else, by a wrong workflow, or of nothing at all.
        false_alarms: Incidents that are not about it.
        rollbacks: Remediations undone.
        wrong_rollbacks: Undone although the workflow was a right one and the harm was gone.
    """

    fault: str
    kind: str
    domain: str
    fault_class: str
    severity: int
    detected: bool = False
    detection_ms: float | None = None
    culprit_right: bool = False
    class_right: bool = False
    told_class: str = ""
    acted_ms: float | None = None
    success: bool | None = None
    recovery_ms: float | None = None
    wrong_acts: int = 0
    false_alarms: int = 0
    acts: int = 0
    rollbacks: int = 0
    wrong_rollbacks: int = 0
    aftermath: bool = True


def judge(episode: Episode) -> Judgement:
    """What a scored episode was worth."""
    fault = FAULTS[episode.wanted.fault]
    alarms = [each for each in episode.incidents if not planned(each)]
    mine = [each for each in alarms if _about(each, episode)]
    others = [each for each in alarms if each not in mine]
    acted = [each for each in alarms if each.workflow]
    blank = Judgement(
        fault=fault.name,
        kind=fault.kind,
        domain=fault.domain or "all",
        fault_class=fault.fault_class,
        severity=episode.wanted.severity,
        false_alarms=len(others),
        acts=len(acted),
        rollbacks=sum(each.outcomes.count("rolled_back") for each in alarms),
        aftermath=not episode.aftermath,
    )
    if fault.kind == "negative":
        return msgspec.structs.replace(blank, false_alarms=len(alarms), wrong_acts=len(acted))
    wrong = [each for each in acted if each not in mine or each.workflow not in fault.workflows]
    blank = msgspec.structs.replace(
        blank,
        wrong_acts=len(wrong),
        wrong_rollbacks=_wrong_rollbacks(mine, episode),
        success=_success(mine, episode) and not wrong,
        recovery_ms=_since_effect(episode.harmless_ns, episode),
    )
    return _with_detection(blank, mine, episode) if mine else blank


def planned(facts: IncidentFacts) -> bool:
    """Written down and left alone because a person works there: no alarm."""
    return not facts.workflow and facts.silenced == "MAINTENANCE_WINDOW_OPEN"


def _about(facts: IncidentFacts, episode: Episode) -> bool:
    fault = FAULTS[episode.wanted.fault]
    if fault.kind == "negative":
        return False
    victim = _TOPOLOGY.is_downstream(facts.culprit, of=episode.culprit)
    return facts.culprit == episode.culprit or facts.fault_class == fault.fault_class or victim


def _success(mine: Sequence[IncidentFacts], episode: Episode) -> bool:
    """A remedy that is wanted must end the harm; where none is, a person must be called."""
    fault = FAULTS[episode.wanted.fault]
    if fault.workflows and not fault.escalates:
        return episode.harmless_ns > 0
    return any(
        each.culprit == episode.culprit and each.fault_class == fault.fault_class and each.escalated
        for each in mine
    )


def _wrong_rollbacks(mine: Sequence[IncidentFacts], episode: Episode) -> int:
    fault = FAULTS[episode.wanted.fault]
    return sum(
        each.outcomes.count("rolled_back")
        for each in mine
        if each.workflow in fault.workflows and 0 < episode.harmless_ns <= each.acted_ns
    )


def _with_detection(blank: Judgement, mine: Sequence[IncidentFacts], episode: Episode) -> Judgement:
    fault = FAULTS[episode.wanted.fault]
    best = max(
        mine,
        key=lambda each: (
            each.culprit == episode.culprit,
            each.fault_class == fault.fault_class,
            bool(each.workflow),
        ),
    )
    # A symptom that was there before the fault is evidence of something else.
    raised = [ns for each in mine for ns in each.raised_ns if ns >= episode.commanded_ns]
    detected_ns = min(raised, default=best.diagnosed_ns)
    return msgspec.structs.replace(
        blank,
        detected=True,
        detection_ms=_since_effect(detected_ns, episode),
        culprit_right=best.culprit == episode.culprit,
        class_right=best.culprit == episode.culprit and best.fault_class == fault.fault_class,
        told_class=best.fault_class,
        acted_ms=(best.replied_ns - detected_ns) / 1e6 if best.replied_ns else None,
    )


def _since_effect(ns: int, episode: Episode) -> float | None:
    return (ns - episode.effective_ns) / 1e6 if ns else None
