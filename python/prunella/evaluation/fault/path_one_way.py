"""Requests reach the primary exchange; its answers and its market data do not come back."""

from typing import ClassVar

from prunella.evaluation.fault.disturbed_path import Disturbances, DisturbedPath
from prunella.evaluation.injector.path import Disturbance


class PathOneWay(DisturbedPath):
    """Orders are executed and nobody hears of it."""

    name = "path-one-way"
    title = "answers of the primary exchange do not come back"
    fault_class = "venue.silent"
    severities = (2,)
    disturbances: ClassVar[Disturbances] = {2: Disturbance(silent="down")}
