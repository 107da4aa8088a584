"""A negative: an operator restarts an agent inside a declared maintenance window."""

from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack

AGENT = "agent-io"
WINDOW_S = 10


class PlannedRestart(Fault):
    """The agent is gone for a moment, and everybody was told so before."""

    name = "planned-restart"
    title = "agent restarted in its maintenance window"
    domain = ""
    kind = "negative"
    hold_s = 4.0

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:  # noqa: ARG002
        """Declares the window, stops the agent for a second, and starts it again."""
        stack.declare_maintenance(AGENT, seconds=WINDOW_S, reason="planned restart")
        before = stack.pid(AGENT)
        commanded_ns = stack.clock.now_ns()
        stack.supervisor.stop_process(AGENT)
        stack.wait(lambda: not stack.process_alive(before), "the agent to be gone")
        stack.pause(1.0)
        stack.supervisor.start_process(AGENT)
        return Injection(commanded_ns=commanded_ns, pid=before, culprit="")

    def shows(self, stack: RunningStack, injection: Injection) -> bool:
        """It runs as another process."""
        return not stack.process_alive(injection.pid)
