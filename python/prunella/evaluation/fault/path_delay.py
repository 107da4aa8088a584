"""Everything to and from the primary exchange is late by the same time."""

from typing import ClassVar

from prunella.evaluation.fault.disturbed_path import Disturbances, DisturbedPath
from prunella.evaluation.injector.path import Disturbance


class PathDelay(DisturbedPath):
    """A route that became a detour."""

    name = "path-delay"
    title = "path to the primary exchange delayed"
    fault_class = "path.slow"
    disturbances: ClassVar[Disturbances] = {
        1: Disturbance(delay_ms=50),
        2: Disturbance(delay_ms=100),
        3: Disturbance(delay_ms=300),
    }
