"""An incident and its proposals in, a signed `Decision` out: a workflow, a person, or nothing."""

from prunella.healing.decide.decider import (
    Circumstances,
    Decider,
    DecideSettings,
    WorkflowFacts,
)
from prunella.healing.decide.hours import market_is_open
from prunella.healing.decide.policy import Policy
from prunella.healing.decide.reasons import RefusalReason
from prunella.healing.incident.verdict import verify_verdict

__all__ = [
    "Circumstances",
    "DecideSettings",
    "Decider",
    "Policy",
    "RefusalReason",
    "WorkflowFacts",
    "market_is_open",
    "verify_verdict",
]
