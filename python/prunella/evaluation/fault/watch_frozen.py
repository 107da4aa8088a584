"""Stops the collector with SIGSTOP: telemetry ends, and everything looks calm."""

import signal

from prunella.evaluation.fault.signalled import SignalledFault


class WatchFrozen(SignalledFault):
    """The plane must not act blind, and must not stay blind."""

    name = "watch-frozen"
    title = "collector frozen (SIGSTOP)"
    domain = ""
    kind = "held"
    hold_s = 8.0
    fault_class = "telemetry.lost"
    component = "watch"
    number = signal.SIGSTOP
