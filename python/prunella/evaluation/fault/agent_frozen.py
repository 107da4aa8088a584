"""Stops an agent with SIGSTOP: it is there and mute."""

import signal

from prunella.evaluation.fault.signalled import SignalledFault


class AgentFrozen(SignalledFault):
    """The process is alive, its heartbeat is not."""

    name = "agent-frozen"
    title = "HTTP agent frozen (SIGSTOP)"
    domain = "execution"
    fault_class = "agent.lost"
    workflows = frozenset({"restart-with-warm-up"})
    component = "agent-http"
    number = signal.SIGSTOP
