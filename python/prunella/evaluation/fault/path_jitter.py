"""Everything to and from the primary exchange is late by a time that wavers."""

from typing import ClassVar

from prunella.evaluation.fault.disturbed_path import Disturbances, DisturbedPath
from prunella.evaluation.injector.path import Disturbance


class PathJitter(DisturbedPath):
    """The mean says little; the tail says all."""

    name = "path-jitter"
    title = "path to the primary exchange jitters"
    fault_class = "path.slow"
    disturbances: ClassVar[Disturbances] = {
        1: Disturbance(jitter_ms=100),
        2: Disturbance(jitter_ms=250),
        3: Disturbance(jitter_ms=600),
    }
