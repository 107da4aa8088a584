"""Kills the engine with SIGKILL in the middle of trading."""

import os
import signal

from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack


class EngineCrash(Fault):
    """`kill -9` of the engine: no goodbye, orders in flight of unknown fate."""

    name = "engine-crash"
    title = "engine killed (SIGKILL)"
    domain = "cpu"
    fault_class = "process.crashed"
    workflows = frozenset({"restart-with-warm-up"})

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:  # noqa: ARG002 - dead is dead
        """Kills it."""
        pid = stack.pid("engine")
        commanded_ns = stack.clock.now_ns()
        os.kill(pid, signal.SIGKILL)
        return Injection(commanded_ns=commanded_ns, pid=pid, culprit="engine")

    def shows(self, stack: RunningStack, injection: Injection) -> bool:
        """The process is gone, and what came in its place does not trade."""
        return not stack.process_alive(injection.pid) and not stack.trades()

    def revert(self, stack: RunningStack, injection: Injection) -> None:  # noqa: ARG002
        """Starts it, if nobody did."""
        stack.supervisor.start_process("engine")
