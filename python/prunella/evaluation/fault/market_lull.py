"""A negative: the market nearly falls asleep."""

from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack

_FACTOR: dict[Severity, float] = {1: 0.5, 2: 0.3}


class MarketLull(Fault):
    """Lunch time: fewer frames, fewer orders, and nothing is broken."""

    name = "market-lull"
    title = "market at a third of its rate"
    domain = "network"
    kind = "negative"
    hold_s = 6.0
    severities = (1, 2)

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:
        """Slows both exchanges down."""
        commanded_ns = stack.clock.now_ns()
        for venue in ("primary", "backup"):
            stack.admin(venue, "market", {"speed": _FACTOR[severity] * stack.market_speed})
        return Injection(commanded_ns=commanded_ns, culprit="")

    def shows(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """The exchange says its speed."""
        status = stack.get("exchange-primary", "/status") or {}
        return 0 < float(status.get("speed", 0.0)) < stack.market_speed

    def revert(self, stack: RunningStack, injection: Injection) -> None:  # noqa: ARG002
        """Back to the usual speed."""
        for venue in ("primary", "backup"):
            stack.admin(venue, "market", {"speed": stack.market_speed})
