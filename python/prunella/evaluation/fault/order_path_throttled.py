"""The primary exchange answers 429 beyond a small rate."""

from typing import ClassVar

from prunella.evaluation.fault.base import Injection
from prunella.evaluation.fault.misbehaving_venue import RECENT_S, Behaviours, MisbehavingVenue
from prunella.evaluation.stack import RunningStack


class OrderPathThrottled(MisbehavingVenue):
    """The venue says plainly what it wants: less."""

    name = "order-path-throttled"
    title = "order path answers 429"
    domain = "http"
    fault_class = "order_path.overloaded"
    kind = "state"
    workflows = frozenset({"back-off-and-shed"})
    shows_within_s = 25.0
    severities = (1, 2)
    behaviours: ClassVar[Behaviours] = {
        1: {"order_capacity_per_second": 4, "errors": (429,)},
        2: {"order_capacity_per_second": 3, "errors": (429,)},
    }

    def seen(self, stack: RunningStack) -> int:
        """Its answers of that kind to order requests."""
        return stack.venue_answers("primary", 429)

    def shows(self, stack: RunningStack, injection: Injection) -> bool:
        """It has said so within the last seconds."""
        seen = self.seen(stack)
        return stack.grew(self.name, seen, RECENT_S, since=injection.before["seen"])

    def harms(self, stack: RunningStack, injection: Injection) -> bool:
        """It says so, or nothing is sent any more."""
        refused = self.shows(stack, injection)
        return not stack.takes_orders("primary") or refused
