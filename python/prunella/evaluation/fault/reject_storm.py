"""The primary exchange refuses most orders for a reason of its own."""

from typing import ClassVar

from prunella.evaluation.fault.misbehaving_venue import Behaviours, MisbehavingVenue
from prunella.evaluation.stack import RunningStack


class RejectStorm(MisbehavingVenue):
    """A refusal is an answer: retrying is not the cure."""

    name = "reject-storm"
    title = "primary exchange refuses most orders"
    domain = "execution"
    fault_class = "venue.rejecting"
    workflows = frozenset()  # opening the breaker wants a signature: a person is to be called
    behaviours: ClassVar[Behaviours] = {
        1: {"reject_ratio": 0.5},
        2: {"reject_ratio": 0.8},
        3: {"reject_ratio": 1.0},
    }

    def seen(self, stack: RunningStack) -> int:
        """Its answers of that kind to order requests."""
        return stack.venue_answers("primary", 400)
