"""The path to the primary exchange carries less than the market data needs."""

from typing import ClassVar

from prunella.evaluation.fault.disturbed_path import Disturbances, DisturbedPath
from prunella.evaluation.injector.path import Disturbance


class PathThrottled(DisturbedPath):
    """The market comes later and later, in perfect order."""

    name = "path-throttled"
    title = "path to the primary exchange too narrow"
    fault_class = "path.slow"
    disturbances: ClassVar[Disturbances] = {
        1: Disturbance(bytes_per_s=60_000),
        2: Disturbance(bytes_per_s=20_000),
        3: Disturbance(bytes_per_s=5_000),
    }
