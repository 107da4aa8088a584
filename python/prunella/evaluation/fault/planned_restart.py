"""A negative: an operator restarts an agent inside a declared maintenance window."""

from prunella.evaluation.fault.base import FaultKind, Injection
from prunella.evaluation.stack import RunningStack

AGENT = "agent-io"
WINDOW_S = 10


class PlannedRestart:
    """The agent is gone for a moment, and everybody was told so before."""

    name = "planned-restart"
    title = "agent restarted in its maintenance window"
    kind: FaultKind = "negative"
    fault_class = ""
    workflows: frozenset[str] = frozenset()
    hold_s = 4.0

    def inject(self, stack: RunningStack) -> Injection:
        """Declares the window, stops the agent for a second, and starts it again."""
        stack.declare_maintenance(AGENT, seconds=WINDOW_S, reason="planned restart")
        before = stack.pid(AGENT)
        commanded_ns = stack.clock.now_ns()
        stack.supervisor.stop_process(AGENT)
        effective_ns = stack.clock.now_ns()
        stack.wait(lambda: not stack.process_alive(before), "the agent to be gone")
        stack.pause(1.0)
        stack.supervisor.start_process(AGENT)
        return Injection(
            commanded_ns=commanded_ns, effective_ns=effective_ns, pid=before, culprit=""
        )

    def revert(self, stack: RunningStack, injection: Injection) -> None:
        """Nothing to take back: the window ends by itself."""
