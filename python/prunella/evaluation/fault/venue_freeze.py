"""Freezes the primary exchange with SIGSTOP: silence without a disconnect."""

import os
import signal

from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack


class VenueFreeze(Fault):
    """The venue's sockets stay open and say nothing: the hardest silence to notice."""

    name = "venue-freeze"
    title = "primary exchange frozen (SIGSTOP)"
    domain = "network"
    kind = "held"
    fault_class = "venue.silent"
    workflows = frozenset({"reroute-to-backup-venue"})
    hold_s = 8.0

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:  # noqa: ARG002 - it stands still or not
        """Stops the process."""
        pid = stack.pid("exchange-primary")
        commanded_ns = stack.clock.now_ns()
        os.kill(pid, signal.SIGSTOP)
        return Injection(commanded_ns=commanded_ns, pid=pid, culprit="exchange-primary")

    def shows(self, stack: RunningStack, injection: Injection) -> bool:
        """The kernel says that it is stopped."""
        return stack.process_state(injection.pid) == "T"

    def harms(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """Orders still go there, or nowhere."""
        return stack.active_venue() != "backup" or not stack.takes_orders("backup")

    def revert(self, stack: RunningStack, injection: Injection) -> None:
        """Lets it run again."""
        if stack.process_alive(injection.pid):
            os.kill(injection.pid, signal.SIGCONT)
