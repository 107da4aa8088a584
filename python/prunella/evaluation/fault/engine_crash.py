"""Kills the engine with SIGKILL in the middle of trading."""

import os
import signal

from prunella.evaluation.fault.base import FaultKind, Injection
from prunella.evaluation.stack import RunningStack


class EngineCrash:
    """`kill -9` of the engine: no goodbye, orders in flight of unknown fate."""

    name = "engine-crash"
    title = "engine killed (SIGKILL)"
    kind: FaultKind = "state"
    fault_class = "process.crashed"
    workflows = frozenset({"restart-with-warm-up"})
    hold_s = 0.0

    def inject(self, stack: RunningStack) -> Injection:
        """Kills it and waits until the process is gone."""
        pid = stack.pid("engine")
        commanded_ns = stack.clock.now_ns()
        os.kill(pid, signal.SIGKILL)
        stack.wait(lambda: not stack.process_alive(pid), "the killed engine to be gone")
        return Injection(
            commanded_ns=commanded_ns,
            effective_ns=stack.clock.now_ns(),
            pid=pid,
            culprit="engine",
        )

    def revert(self, stack: RunningStack, injection: Injection) -> None:
        """Nothing to take back."""
