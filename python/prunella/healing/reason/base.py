"""`Reasoner`: a prompt in, an answer out; an expert and a language model share it."""

from typing import Protocol

from prunella.healing.incident import Hypothesis, Proposal, Severity, Urgency
from prunella.healing.incident.records import Record
from prunella.healing.reason.prompt import Prompt


class Finding(Record, frozen=True, kw_only=True, tag="finding"):
    """One candidate cause and what would be done about it.

    Attributes:
        severity: How bad it is if it is so.
        proposal: A workflow of the catalogue; None where only a person can help.
        hold_s: For how long it must be found without a break before it is told.
        priority: How soon somebody should look.
    """

    hypothesis: Hypothesis
    severity: Severity
    proposal: Proposal | None = None
    hold_s: float = 0.0
    priority: Urgency = "normal"


class Answer(Record, frozen=True, kw_only=True, tag="answer"):
    """All candidate causes, best first; none when the evidence names no culprit."""

    findings: tuple[Finding, ...] = ()


class Reasoner(Protocol):
    """Whoever reasons."""

    @property
    def name(self) -> str:
        """`expert@1`, or a model's name."""
        ...

    def diagnose(self, prompt: Prompt) -> Answer:
        """The candidate causes; the same prompt gives the same answer."""
        ...
