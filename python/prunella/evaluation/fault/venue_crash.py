"""Kills the primary exchange: its port answers nobody."""

import signal

from prunella.evaluation.fault.base import Injection
from prunella.evaluation.fault.signalled import SignalledFault
from prunella.evaluation.stack import RunningStack


class VenueCrash(SignalledFault):
    """Loud where a freeze is silent; the remedy is the same."""

    name = "venue-crash"
    title = "primary exchange killed (SIGKILL)"
    domain = "network"
    kind = "held"
    hold_s = 8.0
    fault_class = "venue.down"
    workflows = frozenset({"reroute-to-backup-venue"})
    component = "exchange-primary"
    number = signal.SIGKILL

    def harms(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """Orders still go there, or nowhere."""
        return stack.active_venue() != "backup" or not stack.takes_orders("backup")
