"""An incident's diagnoses in; the proposals that count, and how a model's stands to the expert's.

Two advisers, one desk. The expert speaks first and by itself. A model may agree, which makes the
expert a little surer; it may differ, which makes a person look; it may know a remedy where the
expert has none. What it cannot do is to overrule.
"""

import msgspec

from prunella.healing.incident import Diagnosis, Proposal, Stance
from prunella.healing.loop.book import Book, Case

LIFT_MAX = 0.15
"""How much surer the expert gets when a model agrees. More would let a model that agrees with
everything carry every guess over policy's lowest confidence."""
RIVAL_WITHIN = 0.1
"""Remedies whose confidences are nearer than this compete."""


FAILED_BEFORE = 0.7
"""What is left of a remedy's confidence when it never helped with this cause before."""
FAILURES_MIN = 2
"""One failure may be chance."""


def weighed(case: Case, book: Book) -> tuple[Proposal, ...]:
    """The proposals, less sure of what did not help the last times.

    Looks at other incidents of the same class and culprit in which the same workflow ran last:
    when it failed every time, twice at least, the experience is put into the confidence, so that
    a model or a person is asked rather than the same thing done again.
    """
    incident, proposals = case.incident, proposals_of(case)
    outcomes: dict[str, list[str]] = {}
    for each in book.cases.values():
        past = each.incident
        same = (past.fault_class, past.culprit) == (incident.fault_class, incident.culprit)
        if same and past.id != incident.id and each.outcome:
            outcomes.setdefault(each.workflow, []).append(each.outcome)
    return tuple(
        sorted(
            (
                msgspec.structs.replace(each, confidence=each.confidence * FAILED_BEFORE)
                if _never_helped(outcomes.get(each.workflow, []))
                else each
                for each in proposals
            ),
            key=lambda each: -each.confidence,
        )
    )


def _never_helped(outcomes: list[str]) -> bool:
    failed = [each in {"rolled_back", "rollback_failed"} for each in outcomes]
    return len(failed) >= FAILURES_MIN and all(failed)


def by_model(diagnosis: Diagnosis) -> bool:
    """Whether a model said so."""
    return any(each.rule.startswith("model:") for each in diagnosis.hypotheses)


def proposals_of(case: Case) -> tuple[Proposal, ...]:
    """Advice for the present culprit, the surest first, each workflow and target once."""
    return _merged(case, model=True)


def experts_proposals(case: Case) -> tuple[Proposal, ...]:
    """The same without what models say."""
    return _merged(case, model=False)


def doubted(case: Case, *, trusted: bool) -> frozenset[tuple[str, str]]:
    """Workflow and target of what a person has to look at first.

    Everything where a model contradicts the expert; what a model alone proposes, unless models are
    `trusted` to.
    """
    every = frozenset((each.workflow, each.target) for each in proposals_of(case))
    if case.contested:
        return every
    own = frozenset((each.workflow, each.target) for each in experts_proposals(case))
    return frozenset() if trusted else every - own


def _merged(case: Case, *, model: bool) -> tuple[Proposal, ...]:
    found: dict[tuple[str, str], Proposal] = {}
    for diagnosis in case.causes:
        if by_model(diagnosis) or diagnosis.hypotheses[0].culprit != case.incident.culprit:
            continue
        for proposal in diagnosis.proposals:
            key = (proposal.workflow, proposal.target)
            if key not in found or proposal.confidence > found[key].confidence:
                found[key] = proposal
    for diagnosis in case.causes if model else ():
        if by_model(diagnosis) and diagnosis.hypotheses[0].culprit == case.incident.culprit:
            for proposal in diagnosis.proposals:
                key = (proposal.workflow, proposal.target)
                found[key] = _lifted(found[key], proposal) if key in found else proposal
    return tuple(sorted(found.values(), key=lambda each: -each.confidence))


def _lifted(expert: Proposal, model: Proposal) -> Proposal:
    """The expert's own proposal, a little surer."""
    surer = min(model.confidence, expert.confidence + LIFT_MAX)
    return msgspec.structs.replace(expert, confidence=max(expert.confidence, surer))


def compete(proposals: tuple[Proposal, ...]) -> bool:
    """Whether two remedies are about equally sure."""
    return len(proposals) > 1 and proposals[0].confidence - proposals[1].confidence < RIVAL_WITHIN


def stance_of(case: Case, diagnosis: Diagnosis | None) -> Stance:
    """How a model's diagnosis stands to what the expert says of the incident."""
    if diagnosis is None:
        return "abstains"
    if diagnosis.hypotheses[0].culprit != case.incident.culprit:
        return "differs"
    expert = experts_proposals(case)
    named = {(each.workflow, each.target) for each in diagnosis.proposals}
    if not expert:
        return "adds" if named else "agrees"
    if compete(expert):
        known = {(each.workflow, each.target) for each in expert}
        return "agrees" if named and named <= known else "differs"
    return "agrees" if (expert[0].workflow, expert[0].target) in named else "differs"
