"""The shelf of faults: a running stack in, a real disturbance and its truth out."""

from prunella.evaluation.fault.base import Fault, FaultKind, Injection
from prunella.evaluation.fault.catalogue import FAULTS

__all__ = ["FAULTS", "Fault", "FaultKind", "Injection"]
