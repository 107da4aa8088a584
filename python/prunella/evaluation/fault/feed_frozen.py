"""The primary exchange's streams freeze while its sockets answer every ping."""

from typing import ClassVar

from prunella.evaluation.fault.base import Injection
from prunella.evaluation.fault.misbehaving_venue import Behaviours, MisbehavingVenue
from prunella.evaluation.stack import RunningStack


class FeedFrozen(MisbehavingVenue):
    """A heartbeat without a market: connected, alive and blind."""

    name = "feed-frozen"
    title = "primary market data frozen, pings answered"
    domain = "network"
    fault_class = "venue.silent"
    severities = (2,)
    behaviours: ClassVar[Behaviours] = {2: {"market": {"frozen": True}}}

    def shows(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """The exchange says that it does."""
        return self.told(stack)
