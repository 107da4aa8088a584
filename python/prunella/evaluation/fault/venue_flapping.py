"""The primary exchange ends all connections again and again; new ones are welcome."""

from typing import ClassVar

from prunella.evaluation.fault.base import Injection
from prunella.evaluation.fault.misbehaving_venue import Behaviours, MisbehavingVenue
from prunella.evaluation.stack import RunningStack


class VenueFlapping(MisbehavingVenue):
    """Each break costs a resync; in between all looks well."""

    name = "venue-flapping"
    title = "primary exchange disconnects again and again"
    domain = "network"
    fault_class = "venue.flapping"
    behaviours: ClassVar[Behaviours] = {
        1: {"disconnect_every_s": 2.0},
        2: {"disconnect_every_s": 1.0},
        3: {"disconnect_every_s": 0.5},
    }

    def shows(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """For a moment no stream is connected to it."""
        status = stack.get("exchange-primary", "/status") or {}
        return status.get("clients") == 0
