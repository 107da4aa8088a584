"""What the ledger holds of a question that was put to a model, and of what came back."""

from typing import Literal

import msgspec

from prunella.healing.incident.records import Diagnosis, Record, Symptom
from prunella.telemetry import Domain

Why = Literal["rivals", "unsure", "no_remedy", "unmet", "mismatch", "failed", "unexplained"]
"""Why habit is not enough: two remedies compete, the expert is unsure or has none, our readings do
not show what its remedy wants, the remedy is not for this, it did not help, no rule fits at all."""

Stance = Literal["agrees", "differs", "adds", "abstains", "none"]
"""The model against the expert: the same remedy; another culprit or remedy; one where the expert
has none; no opinion; no usable answer at all, so that the expert's stands."""


class Attempt(Record, frozen=True, kw_only=True, tag="attempt"):
    """One call, or why there was none.

    Attributes:
        outcome: `answered`, a code of `AnswerFault`, `HTTP_503`, `UNREACHABLE_timeout`,
            `BUDGET …`, `NO_KEY`, `RESTING`, `OUT_OF_TIME`, `CACHED`, `REPLAYED`, `NOT_RECORDED`.
        model: As the settings name it.
        tokens_in: Read, as the endpoint tells.
        tokens_out: Written, as the endpoint tells.
        cost_microusd: Millionths of a dollar.
        answer_sha256: Of the text as it came; empty without one.
    """

    endpoint: str
    outcome: str
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_microusd: int = 0
    elapsed_ns: int = 0
    answer_sha256: str = ""


class ThoughtAsked(Record, frozen=True, kw_only=True, tag="thought.asked"):
    """Written before a model is asked: the exact question, which holds no secret and no prose.

    Attributes:
        incident: Empty for symptoms that belong to none.
        template: The prompt file, with its version.
        question_sha256: Over template, system text, question and schema of the answer.
    """

    incident: str
    why: Why
    template: str
    question_sha256: str
    question: str


class ThoughtAnswered(Record, frozen=True, kw_only=True, tag="thought.answered"):
    """Written when the answer is there, or when it is waited for no longer.

    Attributes:
        reasoner: Whose answer counts: `ENDPOINT/MODEL`, or the expert's name.
        text: What the model said, without secrets, cut.
        attempts: Every call, with what it cost.
        diagnosis: What the answer says, when it says something.
    """

    incident: str
    why: Why
    question_sha256: str
    reasoner: str
    stance: Stance
    text: str = ""
    attempts: tuple[Attempt, ...] = ()
    elapsed_ns: int = 0
    diagnosis: Diagnosis | None = None


class Unexplained(Record, frozen=True, kw_only=True, tag="unexplained"):
    """An agent's symptoms that no rule of its knowledge explains; a question, not an accusation."""

    agent: str
    domain: Domain
    symptoms: tuple[Symptom, ...] = msgspec.field(default_factory=tuple)
    made_ns: int
