"""`Fault`: something real that is done to a running stack, with the truth that scoring needs."""

from typing import Literal, Protocol

import msgspec

from prunella.evaluation.stack import RunningStack

FaultKind = Literal["state", "held", "negative"]
"""State: a remedy can cure it. Held: it lasts until reverted, so a remedy can only contain it.
Negative: looks alarming, and nothing may be done."""


class Injection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was done, and when it first showed out of band.

    Attributes:
        commanded_ns: When the injector acted, nanoseconds UTC.
        effective_ns: When its own probe first saw the physical effect, nanoseconds UTC.
        pid: The process that was hit or started; 0 when there is none.
        culprit: Whom a right diagnosis names.
    """

    commanded_ns: int
    effective_ns: int
    pid: int = 0
    culprit: str


class Fault(Protocol):
    """One fault of the catalogue.

    Attributes:
        name: Catalogue name, such as `engine-crash`.
        title: For tables.
        fault_class: What a right diagnosis says; empty for a negative.
        workflows: Every remedy that counts as right.
        hold_s: How long a held fault or a negative lasts before it is reverted.
    """

    name: str
    title: str
    kind: FaultKind
    fault_class: str
    workflows: frozenset[str]
    hold_s: float

    def inject(self, stack: RunningStack) -> Injection:
        """Does it and waits (bounded) until its effect is seen.

        Raises:
            UsageError: It cannot be done here; the message says what is missing.
        """
        ...

    def revert(self, stack: RunningStack, injection: Injection, /) -> None:
        """Takes back what was done; harmless when there is nothing left to take back."""
        ...
