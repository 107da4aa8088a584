"""The primary exchange's clock is wrong."""

from typing import ClassVar

from prunella.evaluation.fault.base import Injection
from prunella.evaluation.fault.misbehaving_venue import Behaviours, MisbehavingVenue
from prunella.evaluation.stack import RunningStack


class VenueClock(MisbehavingVenue):
    """Its timestamps and ours cannot both be believed; signed requests are refused."""

    name = "venue-clock"
    title = "primary exchange's clock is wrong"
    domain = ""
    fault_class = "clock.offset"
    behaviours: ClassVar[Behaviours] = {
        1: {"clock_offset_ms": 2_000},
        2: {"clock_offset_ms": 10_000},
        3: {"clock_offset_ms": -60_000},
    }

    def shows(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """The exchange says that it does."""
        return self.told(stack)
