"""The shelf of scenarios, the runner that carries one out, and how a run is concluded."""

from prunella.evaluation.scenario.base import Scenario
from prunella.evaluation.scenario.catalogue import SCENARIOS
from prunella.evaluation.scenario.conclude import conclude
from prunella.evaluation.scenario.runner import Runner

__all__ = ["SCENARIOS", "Runner", "Scenario", "conclude"]
