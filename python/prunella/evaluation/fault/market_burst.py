"""A negative: the market runs at five times its rate for a while."""

from prunella.evaluation.fault.base import FaultKind, Injection
from prunella.evaluation.stack import RunningStack

FACTOR = 5.0


class MarketBurst:
    """An opening auction looks like this; nothing is broken and nothing may be done."""

    name = "market-burst"
    title = "market at five times its rate"
    kind: FaultKind = "negative"
    fault_class = ""
    workflows: frozenset[str] = frozenset()
    hold_s = 6.0

    def inject(self, stack: RunningStack) -> Injection:
        """Speeds both exchanges up; effective at once."""
        commanded_ns = stack.clock.now_ns()
        for venue in ("primary", "backup"):
            stack.admin(venue, "market", {"speed": FACTOR * stack.market_speed})
        return Injection(commanded_ns=commanded_ns, effective_ns=stack.clock.now_ns(), culprit="")

    def revert(self, stack: RunningStack, _injection: Injection) -> None:
        """Back to the usual speed."""
        for venue in ("primary", "backup"):
            stack.admin(venue, "market", {"speed": stack.market_speed})
