"""Some of what goes to or comes from the primary exchange must be sent again."""

from typing import ClassVar

from prunella.evaluation.fault.disturbed_path import Disturbances, DisturbedPath
from prunella.evaluation.injector.path import Disturbance


class PathLoss(DisturbedPath):
    """Ten per cent loss, as a program sees it: pauses."""

    name = "path-loss"
    title = "path to the primary exchange loses segments"
    fault_class = "path.lossy"
    disturbances: ClassVar[Disturbances] = {
        1: Disturbance(loss_ratio=0.05),
        2: Disturbance(loss_ratio=0.1),
        3: Disturbance(loss_ratio=0.3),
    }
