"""The primary exchange answers every request late."""

from typing import ClassVar

from prunella.evaluation.fault.base import Injection
from prunella.evaluation.fault.misbehaving_venue import Behaviours, MisbehavingVenue
from prunella.evaluation.stack import RunningStack

LATE_S = 0.1


class OrderLatency(MisbehavingVenue):
    """Nothing fails; everything is too late."""

    name = "order-latency"
    title = "primary exchange answers late"
    domain = "http"
    fault_class = "order_path.slow"
    behaviours: ClassVar[Behaviours] = {
        1: {"latency_ms": 300},
        2: {"latency_ms": 600, "latency_p99_ms": 1500},
        3: {"latency_ms": 1200, "latency_p99_ms": 3000},
    }

    def shows(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """A request of our own is late, or not answered."""
        return stack.round_trip_s() > LATE_S
