"""The primary exchange's clock is wrong."""

from typing import ClassVar

from prunella.control import Resume
from prunella.evaluation.fault.base import Injection
from prunella.evaluation.fault.misbehaving_venue import Behaviours, MisbehavingVenue
from prunella.evaluation.stack import RunningStack


class VenueClock(MisbehavingVenue):
    """Its timestamps and ours cannot both be believed; signed requests are refused."""

    name = "venue-clock"
    title = "primary exchange's clock is wrong"
    domain = ""
    fault_class = "clock.offset"
    workflows = frozenset({"fence-on-clock-error"})
    target = "engine"
    behaviours: ClassVar[Behaviours] = {
        1: {"clock_offset_ms": 2_000},
        2: {"clock_offset_ms": 10_000},
        3: {"clock_offset_ms": -60_000},
    }

    def shows(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """The exchange says that it does."""
        return self.told(stack)

    def harms(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """Positions may still grow by times that nobody can believe."""
        return (stack.get("engine", "/status") or {}).get("trading_state") == "active"

    def revert(self, stack: RunningStack, injection: Injection) -> None:
        """The true time, and a person lets trading go on."""
        super().revert(stack, injection)
        if (stack.get("engine", "/status") or {}).get("trading_state") != "active":
            stack.tell_engine(Resume(), reason="the clock is right again")
