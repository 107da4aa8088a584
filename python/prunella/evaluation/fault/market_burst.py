"""A negative: the market runs at several times its rate for a while."""

from collections.abc import Mapping
from typing import ClassVar

from prunella.evaluation.fault.base import Injection, Severity
from prunella.evaluation.fault.market_pace import MarketPace, speed_of
from prunella.evaluation.stack import RunningStack


class MarketBurst(MarketPace):
    """An opening auction looks like this; nothing is broken and nothing may be done."""

    name = "market-burst"
    title = "market at several times its rate"
    factors: ClassVar[Mapping[Severity, float]] = {1: 2.0, 2: 5.0, 3: 8.0}

    def shows(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """The exchange says its speed."""
        return speed_of(stack) > stack.market_speed
