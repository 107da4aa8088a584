"""Connections to the primary exchange are reset again and again."""

from typing import ClassVar

from prunella.evaluation.fault.disturbed_path import Disturbances, DisturbedPath
from prunella.evaluation.injector.path import Disturbance


class PathResets(DisturbedPath):
    """A middlebox that forgets."""

    name = "path-resets"
    title = "connections to the primary exchange reset"
    fault_class = "path.flapping"
    disturbances: ClassVar[Disturbances] = {
        1: Disturbance(reset_every_s=2.0),
        2: Disturbance(reset_every_s=1.0),
        3: Disturbance(reset_every_s=0.4),
    }
