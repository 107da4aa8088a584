"""A negative: the market nearly falls asleep."""

from collections.abc import Mapping
from typing import ClassVar

from prunella.evaluation.fault.base import Injection, Severity
from prunella.evaluation.fault.market_pace import MarketPace, speed_of
from prunella.evaluation.stack import RunningStack


class MarketLull(MarketPace):
    """Lunch time: fewer frames, fewer orders, and nothing is broken."""

    name = "market-lull"
    title = "market at a third of its rate"
    factors: ClassVar[Mapping[Severity, float]] = {1: 0.5, 2: 0.3}

    def shows(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """The exchange says its speed."""
        return 0 < speed_of(stack) < stack.market_speed
