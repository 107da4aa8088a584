"""An allowed action in, a verified cure or an undone attempt out: check → act → verify → commit."""

from prunella.healing.remediate.catalogue import load_catalogue
from prunella.healing.remediate.executor import Executor
from prunella.healing.remediate.parameters import Missing, Surroundings, fill_parameters
from prunella.healing.remediate.pool import InlinePool, Pool, ThreadPool
from prunella.healing.remediate.probe import Condition, Probe, look
from prunella.healing.remediate.run import Run
from prunella.healing.remediate.table import Table
from prunella.healing.remediate.workflow import Workflow, fill_probe, load_workflow

__all__ = [
    "Condition",
    "Executor",
    "InlinePool",
    "Missing",
    "Pool",
    "Probe",
    "Run",
    "Surroundings",
    "Table",
    "ThreadPool",
    "Workflow",
    "fill_parameters",
    "fill_probe",
    "load_catalogue",
    "load_workflow",
    "look",
]
