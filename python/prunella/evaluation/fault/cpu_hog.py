"""Starts a busy process on the engine's core, with a higher priority where that is allowed."""

import sys
from typing import ClassVar

from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack

_BURN = """
import os, sys
parent = os.getppid()
os.sched_setaffinity(0, {int(sys.argv[1])})
try:
    os.setpriority(os.PRIO_PROCESS, 0, int(sys.argv[2]))
    open("/proc/self/autogroup", "w").write(sys.argv[2])
except OSError:
    pass
while os.getppid() == parent:  # whoever started it and was killed leaves no hog behind
    pass
"""
DELAY_RATIO_MIN = 0.08
"""The engine's hot thread sleeps most of the time; without a hog it waits for its core for
three hundredths of it."""


class CpuHog(Fault):
    """A batch job that somebody started beside the engine: same core, greedy priority."""

    name = "cpu-hog"
    title = "CPU hog on the engine's core"
    domain = "cpu"
    fault_class = "cpu.contention"
    workflows = frozenset({"contain-cpu-offender"})
    severities: ClassVar[tuple[Severity, ...]] = (1, 2, 3)
    nice: ClassVar[dict[Severity, int]] = {1: -5, 2: -10, 3: -15}

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:
        """Starts it."""
        core = str(stack.engine_core())
        commanded_ns = stack.clock.now_ns()
        pid = stack.spawn(sys.executable, "-S", "-c", _BURN, core, str(self.nice[severity]))
        return Injection(commanded_ns=commanded_ns, pid=pid, culprit=f"pid:{pid}")

    def shows(self, stack: RunningStack, injection: Injection) -> bool:
        """The kernel says that the engine's hot thread waits for its core."""
        burns = stack.process_alive(injection.pid)
        return burns and stack.hot_delay_ratio() > DELAY_RATIO_MIN

    def revert(self, stack: RunningStack, injection: Injection) -> None:
        """Kills it (also when a remedy has stopped it)."""
        stack.reap(injection.pid)
