"""Freezes the primary exchange with SIGSTOP: silence without a disconnect."""

import os
import signal

from prunella.evaluation.fault.base import FaultKind, Injection
from prunella.evaluation.stack import RunningStack


class VenueFreeze:
    """The venue's sockets stay open and say nothing: the hardest silence to notice."""

    name = "venue-freeze"
    title = "primary exchange frozen (SIGSTOP)"
    kind: FaultKind = "held"
    fault_class = "venue.silent"
    workflows = frozenset({"reroute-to-backup-venue"})
    hold_s = 8.0

    def inject(self, stack: RunningStack) -> Injection:
        """Stops the process and waits until the kernel says so."""
        pid = stack.pid("exchange-primary")
        commanded_ns = stack.clock.now_ns()
        os.kill(pid, signal.SIGSTOP)
        stack.wait(lambda: stack.process_state(pid) == "T", "the exchange to be stopped")
        return Injection(
            commanded_ns=commanded_ns,
            effective_ns=stack.clock.now_ns(),
            pid=pid,
            culprit="exchange-primary",
        )

    def revert(self, stack: RunningStack, injection: Injection) -> None:
        """Lets it run again."""
        if stack.process_alive(injection.pid):
            os.kill(injection.pid, signal.SIGCONT)
