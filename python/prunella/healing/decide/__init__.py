"""An incident and its proposals in, a signed `Decision` out: a workflow, a person, or nothing."""

from prunella.healing.decide.again import explain, judge_again
from prunella.healing.decide.decider import (
    Circumstances,
    Decider,
    DecideSettings,
    WorkflowFacts,
    outcome_of,
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
    "explain",
    "judge_again",
    "market_is_open",
    "outcome_of",
    "verify_verdict",
]
