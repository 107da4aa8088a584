"""The primary exchange answers 503 and has not executed the order."""

from typing import ClassVar

from prunella.evaluation.fault.misbehaving_venue import Behaviours, MisbehavingVenue
from prunella.evaluation.stack import RunningStack


class OrdersLost(MisbehavingVenue):
    """The same words as for one that it did execute."""

    name = "orders-lost"
    title = "orders lost and answered 503"
    domain = "http"
    fault_class = "order_path.failing"
    behaviours: ClassVar[Behaviours] = {
        1: {"lost_ratio": 0.3},
        2: {"lost_ratio": 0.6},
        3: {"lost_ratio": 1.0},
    }

    def seen(self, stack: RunningStack) -> int:
        """Its answers of that kind to order requests."""
        return stack.venue_answers("primary", 503)
