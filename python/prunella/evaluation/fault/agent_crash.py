"""Kills an agent: one domain is not watched any more."""

import signal

from prunella.evaluation.fault.signalled import SignalledFault


class AgentCrash(SignalledFault):
    """Trading goes on; nobody would notice but for the heartbeat."""

    name = "agent-crash"
    title = "network agent killed (SIGKILL)"
    domain = "execution"
    fault_class = "agent.lost"
    workflows = frozenset({"restart-with-warm-up"})
    component = "agent-network"
    number = signal.SIGKILL
