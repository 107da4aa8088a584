"""A negative: a polite batch job on another core than the engine's."""

import os
import sys

from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack

_WORK = """
import os, sys
parent = os.getppid()
os.sched_setaffinity(0, {int(sys.argv[1])})
os.setpriority(os.PRIO_PROCESS, 0, 19)
while os.getppid() == parent:
    pass
"""


class BatchJob(Fault):
    """Busy, nice and elsewhere: a stranger is no offender for being busy."""

    name = "batch-job"
    title = "nice batch job on another core"
    domain = "cpu"
    kind = "negative"
    hold_s = 6.0

    def why_not(self, stack: RunningStack) -> str:
        """It takes another core."""
        others = os.sched_getaffinity(0) - {stack.engine_core()}
        return "" if others else "there is one core only"

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:  # noqa: ARG002
        """Starts it."""
        other = min(os.sched_getaffinity(0) - {stack.engine_core()})
        commanded_ns = stack.clock.now_ns()
        pid = stack.spawn(sys.executable, "-S", "-c", _WORK, str(other))
        return Injection(commanded_ns=commanded_ns, pid=pid, culprit="")

    def shows(self, stack: RunningStack, injection: Injection) -> bool:
        """It runs."""
        return stack.process_state(injection.pid) == "R"

    def revert(self, stack: RunningStack, injection: Injection) -> None:
        """Kills it."""
        stack.reap(injection.pid)
