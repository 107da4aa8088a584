"""A negative: somebody compresses old journals beside the stack."""

import sys

from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack

_COMPRESS = """
import os, sys, zlib
parent = os.getppid()
os.setpriority(os.PRIO_PROCESS, 0, 10)
path = sys.argv[1]
block = os.urandom(1 << 18) + bytes(1 << 18)
file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
os.unlink(path)
for turn in range(1 << 30):
    if os.getppid() != parent:
        break
    os.pwrite(file, zlib.compress(block, 6), (turn % 64) << 18)
"""


class Compaction(Fault):
    """Processor and disk are used, as every night; it yields to whoever is in a hurry."""

    name = "compaction"
    title = "old journals compressed"
    domain = "io"
    kind = "negative"
    hold_s = 6.0

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:  # noqa: ARG002
        """Starts it."""
        path = stack.home.root.parent / f".{stack.home.root.name}.compaction"
        commanded_ns = stack.clock.now_ns()
        pid = stack.spawn(sys.executable, "-S", "-c", _COMPRESS, str(path))
        return Injection(commanded_ns=commanded_ns, pid=pid, culprit="")

    def shows(self, stack: RunningStack, injection: Injection) -> bool:
        """It is there."""
        return stack.process_alive(injection.pid)

    def revert(self, stack: RunningStack, injection: Injection) -> None:
        """Kills it."""
        stack.reap(injection.pid)
