"""Makes the primary exchange's order path answer 503 and 429 beyond a small rate."""

from prunella.evaluation.fault.base import FaultKind, Injection
from prunella.evaluation.stack import RunningStack

REQUESTS_PER_SECOND = 4
"""What the order path still carries, cancels included: less than the strategies send when the
market moves, more than nothing, so that sending less is a real cure."""


class OrderPathOverload:
    """Half of the 503 answers hide an order that was executed all the same."""

    name = "order-path-overload"
    title = "order path answers 503 / 429"
    kind: FaultKind = "state"
    fault_class = "order_path.overloaded"
    workflows = frozenset({"back-off-and-shed"})
    hold_s = 0.0

    def inject(self, stack: RunningStack) -> Injection:
        """Sets the capacity and waits until the exchange has refused a request for it."""
        before = stack.exchange_refusals("primary")
        commanded_ns = stack.clock.now_ns()
        stack.admin("primary", "behaviour", {"order_capacity_per_second": REQUESTS_PER_SECOND})
        stack.wait(
            lambda: stack.exchange_refusals("primary") > before,
            "the exchange to refuse an order request",
            timeout_s=15.0,
        )
        return Injection(
            commanded_ns=commanded_ns,
            effective_ns=stack.clock.now_ns(),
            culprit="exchange-primary",
        )

    def revert(self, stack: RunningStack, _injection: Injection) -> None:
        """Gives the order path its capacity back."""
        stack.admin("primary", "behaviour", {"order_capacity_per_second": None})
