"""Makes the primary exchange's order path answer 503 and 429 beyond a small rate."""

from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack

_REQUESTS_PER_SECOND: dict[Severity, int] = {1: 4, 2: 3}
"""What the order path still carries, cancels included: less than the strategies send when the
market moves, more than nothing, so that sending less is a real cure."""
QUIET_S = 3.0
"""Without a refusal for so long, whoever sends has found the rate that is carried; markets pause
for a second or two, and then nobody is refused either."""


class OrderPathOverload(Fault):
    """Half of the 503 answers hide an order that was executed all the same."""

    name = "order-path-overload"
    title = "order path answers 503 / 429"
    domain = "http"
    fault_class = "order_path.overloaded"
    workflows = frozenset({"back-off-and-shed"})
    severities = (1, 2)
    shows_within_s = 15.0

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:
        """Sets the capacity."""
        before = stack.exchange_refusals("primary")
        commanded_ns = stack.clock.now_ns()
        capacity = _REQUESTS_PER_SECOND[severity]
        stack.misbehave("primary", order_capacity_per_second=capacity)
        return Injection(
            commanded_ns=commanded_ns,
            culprit="exchange-primary",
            before={"refused": before},
        )

    def shows(self, stack: RunningStack, injection: Injection) -> bool:
        """The exchange has refused a request for it within the last seconds."""
        refused = stack.exchange_refusals("primary")
        return stack.grew("refused", refused, QUIET_S, since=injection.before["refused"])

    def harms(self, stack: RunningStack, injection: Injection) -> bool:
        """Requests are refused, or none is sent any more: a breaker that stays open is no cure."""
        refused = self.shows(stack, injection)
        return not stack.takes_orders("primary") or refused

    def revert(self, stack: RunningStack, injection: Injection) -> None:  # noqa: ARG002
        """Gives the order path its capacity back."""
        stack.misbehave("primary")
