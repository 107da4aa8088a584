"""The primary exchange ends all connections and takes no new ones."""

from typing import ClassVar

from prunella.evaluation.fault.base import Injection
from prunella.evaluation.fault.misbehaving_venue import Behaviours, MisbehavingVenue
from prunella.evaluation.stack import RunningStack


class VenueRefuses(MisbehavingVenue):
    """A venue that closes early; it says so at once."""

    name = "venue-refuses"
    title = "primary exchange ends all connections"
    domain = "network"
    fault_class = "venue.down"
    severities = (2,)
    behaviours: ClassVar[Behaviours] = {2: {"disconnect": True}}

    def shows(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """No stream is connected to it."""
        status = stack.get("exchange-primary", "/status") or {}
        return status.get("clients") == 0
