"""Starts a process that writes and syncs as fast as it can beside the stack's journal."""

import sys
from pathlib import Path

from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack

_WRITE = """
import os, sys
parent = os.getppid()
path, size = sys.argv[1], int(sys.argv[2])
block = os.urandom(size)
file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
os.unlink(path)
written = 0
while os.getppid() == parent:
    os.pwrite(file, block, written % (64 << 20))
    os.fsync(file)
    written += size
"""
_BLOCK_BYTES: dict[Severity, int] = {1: 1 << 18, 2: 1 << 20, 3: 4 << 20}
WRITTEN_PER_S_MIN = 4 << 20


class DiskHog(Fault):
    """A backup in the middle of the day: every other write waits behind its own."""

    name = "disk-hog"
    title = "stranger writes and syncs on the journal's disk"
    domain = "io"
    kind = "held"
    fault_class = "io.contention"
    hold_s = 8.0
    severities = (1, 2, 3)

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:
        """Starts it in the stack's own file system."""
        path = stack.home.root.parent / f".{stack.home.root.name}.hog"
        commanded_ns = stack.clock.now_ns()
        size = str(_BLOCK_BYTES[severity])
        pid = stack.spawn(sys.executable, "-S", "-c", _WRITE, str(path), size)
        return Injection(commanded_ns=commanded_ns, pid=pid, culprit=f"pid:{pid}")

    def shows(self, stack: RunningStack, injection: Injection) -> bool:
        """The kernel counts its writes."""
        written = _written_bytes(injection.pid)
        return written > WRITTEN_PER_S_MIN and stack.grew("disk hog", written, 1.0, since=0)

    def revert(self, stack: RunningStack, injection: Injection) -> None:
        """Kills it."""
        stack.reap(injection.pid)


def _written_bytes(pid: int) -> int:
    """What a process has sent to disks so far; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(x.split()[1]) for x in lines if x.startswith("write_bytes")), 0)
