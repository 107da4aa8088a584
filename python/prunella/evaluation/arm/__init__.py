"""The shelf of arms: ways to judge and act that are scored side by side."""

from prunella.evaluation.arm.base import Arm, Surroundings
from prunella.evaluation.arm.catalogue import ARMS

__all__ = ["ARMS", "Arm", "Surroundings"]
