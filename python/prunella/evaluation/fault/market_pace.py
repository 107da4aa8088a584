"""What a faster and a slower market have in common: both exchanges' pace is set, and set back."""

from collections.abc import Mapping
from typing import ClassVar

from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack


class MarketPace(Fault):
    """A negative: the market runs at another pace for a while.

    Attributes:
        factors: Pace by severity, as a multiple of the usual one.
    """

    factors: ClassVar[Mapping[Severity, float]]
    domain = "network"
    kind = "negative"
    hold_s = 6.0
    severities = (1, 2)

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:
        """Sets the pace of both exchanges; effective at once."""
        commanded_ns = stack.clock.now_ns()
        _set(stack, self.factors[severity] * stack.market_speed)
        return Injection(commanded_ns=commanded_ns, culprit="")

    def revert(self, stack: RunningStack, injection: Injection) -> None:  # noqa: ARG002
        """Back to the usual pace."""
        _set(stack, stack.market_speed)


def _set(stack: RunningStack, speed: float) -> None:
    for venue in ("primary", "backup"):
        stack.admin(venue, "market", {"speed": speed})


def speed_of(stack: RunningStack) -> float:
    """What the primary exchange says of its pace; 0 when it says nothing."""
    status = stack.get("exchange-primary", "/status") or {}
    return float(status.get("speed", 0.0))
