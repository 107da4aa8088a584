"""Nothing passes to or from the primary exchange, and no connection ends."""

from typing import ClassVar

from prunella.evaluation.fault.disturbed_path import Disturbances, DisturbedPath
from prunella.evaluation.injector.path import Disturbance


class PathCut(DisturbedPath):
    """A partition as it really is: no error, only silence."""

    name = "path-cut"
    title = "path to the primary exchange cut, silently"
    fault_class = "venue.silent"
    severities = (2,)
    disturbances: ClassVar[Disturbances] = {2: Disturbance(silent="both")}
