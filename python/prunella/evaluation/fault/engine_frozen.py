"""Stops the engine with SIGSTOP: it holds its orders and does nothing."""

import signal

from prunella.evaluation.fault.signalled import SignalledFault


class EngineFrozen(SignalledFault):
    """Alive to the kernel, dead to the market."""

    name = "engine-frozen"
    title = "engine frozen (SIGSTOP)"
    domain = "execution"
    fault_class = "process.hung"
    workflows = frozenset({"restart-with-warm-up"})
    component = "engine"
    number = signal.SIGSTOP
