"""Stops the bus with SIGSTOP: agents and plane hear nothing of each other."""

import signal

from prunella.evaluation.fault.signalled import SignalledFault


class BusFrozen(SignalledFault):
    """No agent may be accused for it."""

    name = "bus-frozen"
    title = "bus frozen (SIGSTOP)"
    domain = ""
    kind = "held"
    hold_s = 8.0
    fault_class = "bus.silent"
    component = "bus"
    number = signal.SIGSTOP
