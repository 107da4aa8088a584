"""Puts the engine into a control group with a small quota of processor time (cgroup v1 or v2)."""

import contextlib
from pathlib import Path

from prunella.evaluation.fault.base import Fault, Injection, Severity
from prunella.evaluation.stack import RunningStack

_PERIOD_US = 100_000
_QUOTA_US: dict[Severity, int] = {1: 4_000, 2: 2_500, 3: 1_500}
_ROOTS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/cpu,cpuacct"), Path("/sys/fs/cgroup"))
_NAME = "prunella-evaluation"


class CpuThrottled(Fault):
    """A neighbourly limit that somebody set too low: the engine stands still in slices."""

    name = "cpu-throttled"
    title = "engine throttled by a processor quota"
    domain = "cpu"
    kind = "held"
    fault_class = "cpu.throttled"
    hold_s = 8.0
    severities = (1, 2, 3)

    def why_not(self, stack: RunningStack) -> str:  # noqa: ARG002
        """It takes a control group that we may make."""
        group = _group()
        if group is None:
            return "no control group for processor time can be made here"
        with contextlib.suppress(OSError):
            group.rmdir()
        return ""

    def strike(self, stack: RunningStack, severity: Severity) -> Injection:
        """Moves every thread of the engine there."""
        pid = stack.pid("engine")
        group = _group()
        if group is None:
            return Injection(commanded_ns=0, culprit="engine")
        commanded_ns = stack.clock.now_ns()
        if (group / "cpu.max").exists():
            (group / "cpu.max").write_text(f"{_QUOTA_US[severity]} {_PERIOD_US}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(_QUOTA_US[severity]))
        (group / "cgroup.procs").write_text(str(pid))
        return Injection(commanded_ns=commanded_ns, pid=pid, culprit="engine")

    def shows(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """The kernel has counted throttled periods within the last second."""
        group = _group()
        text = "" if group is None else (group / "cpu.stat").read_text(encoding="ascii")
        counts = dict(line.split() for line in text.splitlines())
        return stack.grew("throttled", int(counts.get("nr_throttled", 0)), 1.0, since=0)

    def revert(self, stack: RunningStack, injection: Injection) -> None:  # noqa: ARG002
        """Moves it back and removes the group."""
        group = _group()
        if group is None:
            return
        for pid in (group / "cgroup.procs").read_text(encoding="ascii").split():
            with contextlib.suppress(OSError):
                (group.parent / "cgroup.procs").write_text(pid)
        stack.wait(lambda: not (group / "cgroup.procs").read_text(), "an empty control group")
        with contextlib.suppress(OSError):
            group.rmdir()


def _group() -> Path | None:
    """Our control group, made where it is not there; None where that cannot be."""
    for root in _ROOTS:
        controllers = root / "cgroup.controllers"
        v1 = (root / "cpu.cfs_quota_us").exists()
        if not v1 and not (controllers.exists() and "cpu" in controllers.read_text()):
            continue
        with contextlib.suppress(OSError):
            (root / _NAME).mkdir(exist_ok=True)
            return root / _NAME
    return None
