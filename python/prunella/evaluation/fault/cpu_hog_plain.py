"""Starts a busy process of plain priority on the engine's core."""

from typing import ClassVar

from prunella.evaluation.fault.base import Severity
from prunella.evaluation.fault.cpu_hog import CpuHog

_NICE: dict[Severity, int] = {1: 5, 2: 0, 3: -2}


class CpuHogPlain(CpuHog):
    """Not greedy, only in the way: the kernel shares the core fairly, and half is not enough."""

    name = "cpu-hog-plain"
    title = "CPU hog of plain priority"
    severities = (2, 3)
    nice: ClassVar[dict[Severity, int]] = _NICE
