"""Starts a busy process on the engine's core, with a higher priority where that is allowed."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from prunella.evaluation.fault.base import FaultKind, Injection
from prunella.evaluation.stack import RunningStack

_BURN = """
import os, sys
parent = os.getppid()
os.sched_setaffinity(0, {int(sys.argv[1])})
try:
    os.setpriority(os.PRIO_PROCESS, 0, -15)
    open("/proc/self/autogroup", "w").write("-15")
except OSError:
    pass
while os.getppid() == parent:  # whoever started it and was killed leaves no hog behind
    pass
"""
_BURNED_S = 0.1


class CpuHog:
    """A batch job that somebody started beside the engine: same core, greedy priority."""

    name = "cpu-hog"
    title = "CPU hog on the engine's core"
    kind: FaultKind = "state"
    fault_class = "cpu.contention"
    workflows = frozenset({"contain-cpu-offender"})
    hold_s = 0.0

    def inject(self, stack: RunningStack) -> Injection:
        """Starts it and waits until it has burned some CPU time."""
        core = stack.engine_core()
        commanded_ns = stack.clock.now_ns()
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", _BURN, str(core)],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.adopt(process)
        stack.wait(lambda: _cpu_seconds(process.pid) > _BURNED_S, "the hog to burn CPU time")
        return Injection(
            commanded_ns=commanded_ns,
            effective_ns=stack.clock.now_ns(),
            pid=process.pid,
            culprit=f"pid:{process.pid}",
        )

    def revert(self, stack: RunningStack, injection: Injection) -> None:
        """Kills it (also when a remedy has stopped it)."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(injection.pid, signal.SIGKILL)
        stack.reap(injection.pid)


def _cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, in seconds; 0 when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
