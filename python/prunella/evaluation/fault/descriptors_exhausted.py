"""Lowers the engine's limit of open files to what it has open, and breaks its connections."""

import resource
from pathlib import Path

from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack


class DescriptorsExhausted(Fault):
    """A leak's last stage: what is open works on, and nothing new can be opened."""

    name = "descriptors-exhausted"
    title = "engine out of file descriptors"
    domain = "io"
    kind = "held"
    fault_class = "process.descriptors_exhausted"
    hold_s = 8.0

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:  # noqa: ARG002
        """Sets the limit."""
        pid = stack.pid("engine")
        soft, _hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        highest = max(int(each.name) for each in Path(f"/proc/{pid}/fd").iterdir())
        commanded_ns = stack.clock.now_ns()
        _limit(pid, highest + 1)
        stack.misbehave("backup", disconnect_every_s=1.0)
        return Injection(
            commanded_ns=commanded_ns, pid=pid, culprit="engine", before={"soft": soft}
        )

    def shows(self, stack: RunningStack, injection: Injection) -> bool:
        """The kernel says that there is no room for one more than it had."""
        if not stack.process_alive(injection.pid):
            return False
        soft, _hard = resource.prlimit(injection.pid, resource.RLIMIT_NOFILE)
        return soft < injection.before["soft"]

    def revert(self, stack: RunningStack, injection: Injection) -> None:
        """Gives it its limit back."""
        stack.misbehave("backup")
        if injection.pid and stack.process_alive(injection.pid):
            _limit(injection.pid, injection.before["soft"])


def _limit(pid: int, soft: int) -> None:
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
