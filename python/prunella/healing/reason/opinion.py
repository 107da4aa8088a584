"""A model's text and the brief in; a checked `Answer` out, or the reason why it is refused.

The schema asks for the right form, but a schema is a wish: here every name is compared with what
the brief offered, whatever the endpoint promised to enforce.
"""

from enum import StrEnum

import msgspec

from prunella.healing.incident import Hypothesis, Proposal, Severity, Urgency
from prunella.healing.incident.records import Record
from prunella.healing.reason.base import Answer, Finding
from prunella.healing.reason.brief import NONE, UNKNOWN, Brief
from prunella.healing.reason.redact import Redactor, plain

ANSWER_CHARACTERS_MAX = 16_384
BECAUSE_CHARACTERS_MAX = 400


class AnswerFault(StrEnum):
    """Why an answer is not taken."""

    ANSWER_EMPTY = "ANSWER_EMPTY"
    """Nothing was said."""
    ANSWER_TRUNCATED = "ANSWER_TRUNCATED"
    """It ended before its end."""
    ANSWER_NOT_JSON = "ANSWER_NOT_JSON"
    """It is no JSON object, or more than one."""
    ANSWER_SCHEMA = "ANSWER_SCHEMA"
    """A field is missing, unknown, or of the wrong type or size."""
    ANSWER_CAUSE_UNKNOWN = "ANSWER_CAUSE_UNKNOWN"
    """The cause is no class of ours."""
    ANSWER_CULPRIT_FOREIGN = "ANSWER_CULPRIT_FOREIGN"
    """The culprit is nobody whom the evidence leads to."""
    ANSWER_WORKFLOW_UNKNOWN = "ANSWER_WORKFLOW_UNKNOWN"
    """The catalogue has no such workflow."""
    ANSWER_WORKFLOW_MISMATCH = "ANSWER_WORKFLOW_MISMATCH"
    """The workflow does not cure the cause that the same answer names."""
    ANSWER_TARGET_FOREIGN = "ANSWER_TARGET_FOREIGN"
    """The target is neither the culprit nor one that depends on it."""
    ANSWER_PARAMETER_INVALID = "ANSWER_PARAMETER_INVALID"
    """A parameter that there is not, or a value that is not among its choices."""
    ANSWER_EVIDENCE_NONE = "ANSWER_EVIDENCE_NONE"
    """It rests on nothing."""
    ANSWER_EVIDENCE_UNKNOWN = "ANSWER_EVIDENCE_UNKNOWN"
    """It cites evidence that does not exist."""


class AnswerRefusedError(ValueError):
    """The answer is not taken; `fault` says why, in our words and none of the model's."""

    def __init__(self, fault: AnswerFault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class Choice(Record, frozen=True, kw_only=True):
    """One parameter of the workflow."""

    name: str
    value: str


class Opinion(Record, frozen=True, kw_only=True):
    """What a model says, as the schema wants it."""

    cause: str
    culprit: str
    workflow: str
    target: str
    parameters: tuple[Choice, ...]
    severity: Severity
    priority: Urgency
    confidence_permille: int
    evidence: tuple[str, ...]
    because: str


def read_opinion(text: str) -> Opinion:
    """The opinion in a model's text.

    Raises:
        AnswerRefusedError: It is not exactly one object of that form.
    """
    body = _unfenced(text)
    if not body:
        raise AnswerRefusedError(AnswerFault.ANSWER_EMPTY)
    if len(body) > ANSWER_CHARACTERS_MAX:
        raise AnswerRefusedError(AnswerFault.ANSWER_SCHEMA)
    try:
        opinion = msgspec.json.decode(body, type=Opinion)
    except msgspec.ValidationError:
        raise AnswerRefusedError(AnswerFault.ANSWER_SCHEMA) from None
    except msgspec.DecodeError:
        raise AnswerRefusedError(AnswerFault.ANSWER_NOT_JSON) from None
    if not 0 <= opinion.confidence_permille <= 1000:
        raise AnswerRefusedError(AnswerFault.ANSWER_SCHEMA)
    return opinion


def _unfenced(text: str) -> str:
    """Without the fence that many models put about JSON."""
    body = text.strip()
    if body.startswith("```") and body.endswith("```") and "\n" in body:
        body = body[body.index("\n") : -3].strip()
    return body


def fault_of(opinion: Opinion, brief: Brief) -> AnswerFault | None:
    """What is wrong with an opinion about this question; None when it can be taken."""
    if not opinion.evidence:
        return AnswerFault.ANSWER_EVIDENCE_NONE
    if any(each not in brief.evidence for each in opinion.evidence):
        return AnswerFault.ANSWER_EVIDENCE_UNKNOWN
    if opinion.cause not in (*brief.classes, UNKNOWN):
        return AnswerFault.ANSWER_CAUSE_UNKNOWN
    if opinion.culprit not in (*brief.culprits, UNKNOWN):
        return AnswerFault.ANSWER_CULPRIT_FOREIGN
    return _fault_of_proposal(opinion, brief)


def _fault_of_proposal(opinion: Opinion, brief: Brief) -> AnswerFault | None:
    if opinion.workflow == NONE:
        return None
    if opinion.workflow not in brief.causes:
        return AnswerFault.ANSWER_WORKFLOW_UNKNOWN
    if opinion.cause not in brief.causes[opinion.workflow]:
        return AnswerFault.ANSWER_WORKFLOW_MISMATCH
    if opinion.target not in brief.targets.get(opinion.culprit, ()):
        return AnswerFault.ANSWER_TARGET_FOREIGN
    choices = brief.parameters[opinion.workflow]
    names = [each.name for each in opinion.parameters]
    if len(set(names)) != len(names) or any(
        each.value not in choices.get(each.name, ()) for each in opinion.parameters
    ):
        return AnswerFault.ANSWER_PARAMETER_INVALID
    return None


def answer_of(opinion: Opinion, brief: Brief, *, source: str, redactor: Redactor) -> Answer:
    """The opinion as an answer; no finding where it says that it does not know.

    Raises:
        AnswerRefusedError: It does not fit the question.
    """
    fault = fault_of(opinion, brief)
    if fault is not None:
        raise AnswerRefusedError(fault)
    if UNKNOWN in {opinion.cause, opinion.culprit}:
        return Answer()
    confidence = opinion.confidence_permille / 1000
    proposal = None
    if opinion.workflow != NONE:
        proposal = Proposal(
            workflow=opinion.workflow,
            target=opinion.target,
            parameters={each.name: each.value for each in opinion.parameters},
            confidence=confidence,
            impact=plain(redactor.clean(opinion.because), BECAUSE_CHARACTERS_MAX),
        )
    finding = Finding(
        severity=opinion.severity,
        priority=opinion.priority,
        hypothesis=Hypothesis(
            fault_class=opinion.cause,
            culprit=opinion.culprit,
            confidence=confidence,
            evidence=tuple(dict.fromkeys(brief.evidence[each] for each in opinion.evidence)),
            rule=source,
        ),
        proposal=proposal,
    )
    return Answer(findings=(finding,))
