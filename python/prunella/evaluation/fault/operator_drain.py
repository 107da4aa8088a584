"""A negative: a person halts trading for a few seconds and resumes it."""

from prunella.control import Halt, Resume
from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack

WINDOW_S = 15


class OperatorDrain(Fault):
    """No order is sent because somebody wants it so; nothing is to be restarted for that."""

    name = "operator-drain"
    title = "trading halted by a person for a moment"
    domain = "execution"
    kind = "negative"
    hold_s = 5.0

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:  # noqa: ARG002
        """Halts."""
        commanded_ns = stack.clock.now_ns()
        stack.declare_maintenance("engine", seconds=WINDOW_S, reason="drain")
        stack.tell_engine(Halt(), reason="drain")
        return Injection(commanded_ns=commanded_ns, culprit="")

    def shows(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """The engine says so."""
        return bool((stack.get("engine", "/status") or {}).get("trading_state") == "halted")

    def revert(self, stack: RunningStack, injection: Injection) -> None:  # noqa: ARG002
        """Resumes."""
        stack.tell_engine(Resume(), reason="drained")
