"""`Fault`: something real that is done to a running stack, with the truth that scoring needs."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import msgspec

from prunella.evaluation.stack import RunningStack
from prunella.telemetry import Domain

FaultKind = Literal["state", "held", "negative"]
"""State: a remedy can cure it. Held: it lasts until reverted, so a remedy can only contain it.
Negative: looks alarming, and nothing may be done."""

Severity = Literal[1, 2, 3]
"""Mild, middling, severe; each fault says what that means for it."""

Need = Literal["path"]
"""What a stack must be prepared with before it starts. `path`: the way to the primary exchange
leads through a proxy that can be disturbed."""


class Injection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was done, and when it first showed out of band.

    Attributes:
        commanded_ns: When the injector acted, nanoseconds UTC.
        effective_ns: When its own probe first saw the physical effect, nanoseconds UTC.
        pid: The process that was hit or started; 0 when there is none.
        culprit: Whom a right diagnosis names.
        before: Figures from before, by name, that the probe compares with.
    """

    commanded_ns: int
    effective_ns: int = 0
    pid: int = 0
    culprit: str
    before: dict[str, int] = msgspec.field(default_factory=dict)


class Fault(ABC):
    """One fault of the catalogue.

    Attributes:
        name: Catalogue name, such as `engine-crash`.
        title: For tables.
        domain: Whose it is; `""` for what concerns all.
        fault_class: What a right diagnosis says; empty for a negative.
        workflows: Every remedy that counts as right; none: a person must be told.
        target: Whom the remedy acts on, where that is not the culprit.
        escalates: The right remedy is bound to fail; after it, a person must be called.
        hold_s: How long a held fault or a negative lasts before it is reverted.
        severities: Those that it knows.
        needs: What the stack must be prepared with.
        shows_within_s: How long its effect may take to show.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    domain: ClassVar[Domain | Literal[""]]
    kind: ClassVar[FaultKind] = "state"
    fault_class: ClassVar[str] = ""
    workflows: ClassVar[frozenset[str]] = frozenset()
    target: ClassVar[str] = ""
    escalates: ClassVar[bool] = False
    hold_s: ClassVar[float] = 0.0
    severities: ClassVar[tuple[Severity, ...]] = (2,)
    needs: ClassVar[frozenset[Need]] = frozenset()
    shows_within_s: ClassVar[float] = 10.0

    def why_not(self, stack: RunningStack) -> str:  # noqa: ARG002 - most can always be done
        """Why it cannot be done on this machine; empty when it can. The capability probe."""
        return ""

    @abstractmethod
    def strike(self, stack: RunningStack, severity: Severity) -> Injection:
        """Does it, and does not wait.

        Raises:
            UsageError: It cannot be done here; the message says what is missing.
        """

    @abstractmethod
    def shows(self, stack: RunningStack, injection: Injection) -> bool:
        """Whether its physical effect is there now, seen past the stack's own telemetry."""

    def harms(self, stack: RunningStack, injection: Injection) -> bool:
        """Whether it still does the harm that a remedy is to end: as long as it shows, mostly."""
        return self.shows(stack, injection)

    def revert(self, stack: RunningStack, injection: Injection) -> None:  # noqa: B027
        """Takes back what was done; harmless when there is nothing left to take back.

        An injection that failed half way is taken back too; its fields are then empty.
        """

    def inject(self, stack: RunningStack, severity: Severity | None = None) -> Injection:
        """Does it and waits (bounded) until its effect is seen.

        Raises:
            UsageError: It cannot be done here, or its effect never showed.
        """
        injection = self.strike(stack, self.severities[-1] if severity is None else severity)
        stack.wait(
            lambda: self.shows(stack, injection),
            f"{self.title} to show",
            timeout_s=self.shows_within_s,
        )
        return msgspec.structs.replace(injection, effective_ns=stack.clock.now_ns())
