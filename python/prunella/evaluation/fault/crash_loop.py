"""Kills the engine and takes its port: every restart fails until the port is given back."""

import os
import signal
import sys

from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack

_LISTEN = """
import os, socket, sys, time
parent = os.getppid()
while os.getppid() == parent:
    try:
        taken = socket.create_server(("127.0.0.1", int(sys.argv[1])))
        break
    except OSError:
        time.sleep(0.001)
while os.getppid() == parent:
    time.sleep(0.05)
"""
THIEF_READY_S = 0.4
"""An interpreter's start; the thief asks for the port every millisecond from then on."""


class CrashLoop(Fault):
    """The remedy is right and cannot help: after it has failed, a person must be called."""

    name = "crash-loop"
    title = "engine killed, and its restart fails"
    domain = "cpu"
    kind = "held"
    fault_class = "process.crashed"
    workflows = frozenset({"restart-with-warm-up"})
    escalates = True
    hold_s = 8.0

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:  # noqa: ARG002
        """Waits at the port first, so that it is taken the moment it is free."""
        pid = stack.pid("engine")
        thief = stack.spawn(sys.executable, "-S", "-c", _LISTEN, str(stack.ports["engine"]))
        stack.pause(THIEF_READY_S)
        commanded_ns = stack.clock.now_ns()
        os.kill(pid, signal.SIGKILL)
        return Injection(
            commanded_ns=commanded_ns, pid=pid, culprit="engine", before={"thief": thief}
        )

    def shows(self, stack: RunningStack, injection: Injection) -> bool:
        """The engine is gone."""
        return not stack.process_alive(injection.pid) and not stack.ready("engine")

    def revert(self, stack: RunningStack, injection: Injection) -> None:
        """Gives the port back and starts the engine."""
        stack.reap(injection.before.get("thief", 0))
        stack.supervisor.start_process("engine")
