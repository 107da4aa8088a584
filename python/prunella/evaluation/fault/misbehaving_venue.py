"""A mechanism that several faults share: the primary exchange told to misbehave."""

from typing import Any, ClassVar

from prunella.evaluation.fault.base import Fault, FaultKind, Injection, Severity
from prunella.evaluation.stack import RunningStack

RECENT_S = 3.0
Behaviours = dict[Severity, dict[str, Any]]


class MisbehavingVenue(Fault):
    """The primary exchange misbehaves until it is told not to; we can only leave it.

    Attributes:
        behaviours: What it is told, by severity.
    """

    kind: ClassVar[FaultKind] = "held"
    hold_s = 8.0
    severities: ClassVar[tuple[Severity, ...]] = (1, 2, 3)
    workflows: ClassVar[frozenset[str]] = frozenset({"reroute-to-backup-venue"})
    shows_within_s = 15.0
    behaviours: ClassVar[Behaviours]

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:
        """Tells it; what its probe compares with is read before."""
        before = {"seen": self.seen(stack)}
        commanded_ns = stack.clock.now_ns()
        stack.misbehave("primary", **self.behaviours[severity])
        return Injection(commanded_ns=commanded_ns, culprit="exchange-primary", before=before)

    def seen(self, stack: RunningStack) -> int:
        """A figure of the exchange's own that grows while it shows; here the orders taken."""
        status = stack.get("exchange-primary", "/status") or {}
        return int(status.get("last_order", 0))

    def shows(self, stack: RunningStack, injection: Injection) -> bool:
        """That figure has grown since."""
        return self.seen(stack) > injection.before["seen"]

    def told(self, stack: RunningStack) -> bool:
        """Whether the exchange says that it misbehaves as told: from its next message on."""
        status = stack.get("exchange-primary", "/status") or {}
        now = status.get("behaviour", {})
        return any(
            all(now.get(key) not in (None, False, 0) for key in each)
            for each in self.behaviours.values()
        )

    def harms(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """Orders still go there, or nowhere."""
        return stack.active_venue() != "backup" or not stack.takes_orders("backup")

    def revert(self, stack: RunningStack, injection: Injection) -> None:  # noqa: ARG002
        """It behaves again."""
        stack.misbehave("primary")
