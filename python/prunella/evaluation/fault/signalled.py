"""A mechanism that several faults share: a signal to the process of a component."""

import os
import signal
from typing import ClassVar

from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack


class SignalledFault(Fault):
    """Kills a component's process, or makes it stand still.

    Attributes:
        component: Whose process.
        number: SIGKILL or SIGSTOP.
    """

    component: ClassVar[str]
    number: ClassVar[signal.Signals]

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:  # noqa: ARG002
        """Sends the signal."""
        pid = stack.pid(self.component)
        commanded_ns = stack.clock.now_ns()
        os.kill(pid, self.number)
        return Injection(commanded_ns=commanded_ns, pid=pid, culprit=self.component)

    def shows(self, stack: RunningStack, injection: Injection) -> bool:
        """The kernel says that the process is gone, or stands still."""
        if self.number == signal.SIGSTOP:
            return stack.process_state(injection.pid) == "T"
        return not stack.process_alive(injection.pid)

    def harms(self, stack: RunningStack, injection: Injection) -> bool:
        """What should be in its place does not say that it does its job."""
        return self.shows(stack, injection) and not stack.ready(self.component)

    def revert(self, stack: RunningStack, injection: Injection) -> None:
        """Lets it run again, or starts it, if nobody did."""
        if self.number == signal.SIGSTOP and stack.process_state(injection.pid) == "T":
            os.kill(injection.pid, signal.SIGCONT)
        stack.supervisor.start_process(self.component)
