"""Ledger records of one remediation in, where it stands out.

A run has no state but this fold. Whatever is not in the ledger did not happen; so a run that lost
its process is the same run when the records are folded again.
"""

from dataclasses import dataclass, field
from typing import Any

from prunella.errors import InvariantError
from prunella.healing.incident.trail import (
    Leg,
    Outcome,
    Phase,
    ProbeRead,
    RunEnded,
    RunHeld,
    RunMoved,
    RunRecord,
    RunStarted,
    StepIntended,
    StepReplied,
    StepUnanswered,
)

LEGS: dict[Phase, Leg] = {
    "acting": "do",
    "undoing": "undo",
    "returning": "return",
    "repeating": "again",
}
"""Phases in which steps are carried out, and which way."""


@dataclass(kw_only=True)
class Run:
    """One remediation.

    Attributes:
        started: How it began.
        started_ns: When.
        phase: Where it stands.
        step: The next step of the present leg, or the last one while verifying.
        phase_ns: When the phase began.
        pending: An intent without its reply: the act may have happened.
        attempts: How often the pending act was asked.
        replies: Replies by leg and step.
        commands: What was asked, by leg and step.
        ended: How it ended, once it did.
        ended_ns: When.
        acted_ns: When the last act took effect; probes look at nothing before.
        proof: What the probe saw when the goal had held for its time.
        held: Why no step is begun now; empty when one may be.
    """

    started: RunStarted
    started_ns: int
    phase: Phase = "acting"
    step: int = 0
    phase_ns: int = 0
    pending: StepIntended | None = None
    attempts: int = 0
    replies: dict[tuple[Leg, int], StepReplied] = field(default_factory=dict)
    commands: dict[tuple[Leg, int], dict[str, Any]] = field(default_factory=dict)
    ended: Outcome | None = None
    ended_ns: int = 0
    acted_ns: int = 0
    proof: tuple[str, ...] = ()
    held: str = ""

    @property
    def incident(self) -> str:
        """The incident's id."""
        return self.started.incident

    @property
    def cured(self) -> bool:
        """The goal was reached; only the way back may be left."""
        return self.phase in {"following", "returning", "confirming", "repeating"}

    @property
    def touched(self) -> list[int]:
        """Steps that may have taken effect, oldest first: done, or asked and never answered."""
        return [
            reply.step
            for (leg, _), reply in self.replies.items()
            if leg == "do" and (reply.ok or reply.code == "TARGET_UNAVAILABLE")
        ]

    def fold(self, record: RunRecord, at_ns: int) -> None:
        """Takes in what happened.

        Raises:
            InvariantError: The record cannot follow the ones before.
        """
        if self.ended is not None:
            raise InvariantError(f"{self.incident}: {record} after the end")
        match record:
            case StepIntended():
                self.pending = record
                self.attempts = 1
                self.commands[record.leg, record.step] = record.command
            case StepUnanswered():
                self.attempts = record.attempt + 1
            case StepReplied():
                self._fold_reply(record, at_ns)
            case ProbeRead(result="held", phase="verifying"):
                self.proof = record.seen
            case RunMoved():
                self.phase, self.step, self.phase_ns = record.phase, record.step, at_ns
            case RunHeld():
                self.held = record.reason
            case RunEnded():
                self.ended, self.ended_ns = record.outcome, at_ns
            case RunStarted():
                raise InvariantError(f"{self.incident}: started twice")

    def _fold_reply(self, record: StepReplied, at_ns: int) -> None:
        if self.pending is None or self.pending.key != record.key:
            raise InvariantError(f"{self.incident}: reply {record.key} to no intent")
        self.pending = None
        self.replies[record.leg, record.step] = record
        self.acted_ns = at_ns
