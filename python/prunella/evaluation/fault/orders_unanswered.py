"""The primary exchange executes orders and answers 503 all the same."""

from typing import ClassVar

from prunella.evaluation.fault.misbehaving_venue import Behaviours, MisbehavingVenue
from prunella.evaluation.stack import RunningStack


class OrdersUnanswered(MisbehavingVenue):
    """Failed is the one thing that it did not; whoever sends again pays twice."""

    name = "orders-unanswered"
    title = "orders executed and answered 503"
    domain = "http"
    fault_class = "order_path.failing"
    behaviours: ClassVar[Behaviours] = {
        1: {"unanswered_ratio": 0.3},
        2: {"unanswered_ratio": 0.6},
        3: {"unanswered_ratio": 1.0},
    }

    def seen(self, stack: RunningStack) -> int:
        """Its answers of that kind to order requests."""
        return stack.venue_answers("primary", 503)
