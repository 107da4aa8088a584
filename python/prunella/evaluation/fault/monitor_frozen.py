"""Stops the monitor with SIGSTOP: nobody serves what people look at."""

import signal

from prunella.evaluation.fault.signalled import SignalledFault


class MonitorFrozen(SignalledFault):
    """Trading goes on; the page of the engine's figures does not."""

    name = "monitor-frozen"
    title = "monitor frozen (SIGSTOP)"
    domain = "network"
    fault_class = "process.hung"
    workflows = frozenset({"restart-with-warm-up"})
    component = "monitor"
    number = signal.SIGSTOP
