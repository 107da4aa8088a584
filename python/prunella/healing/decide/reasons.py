"""Why policy refused: one closed list of codes, `CATEGORY_CONDITION`."""

from enum import StrEnum


class RefusalReason(StrEnum):
    """Every way in which a proposal can be refused."""

    ACTION_LOOSENS = "ACTION_LOOSENS"
    AUTONOMY_ASK_FIRST = "AUTONOMY_ASK_FIRST"
    AUTONOMY_OBSERVE_ONLY = "AUTONOMY_OBSERVE_ONLY"
    BLAST_RADIUS_EXCEEDED = "BLAST_RADIUS_EXCEEDED"
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"
    CONFIDENCE_LOW = "CONFIDENCE_LOW"
    MAINTENANCE_WINDOW_OPEN = "MAINTENANCE_WINDOW_OPEN"
    PARAMETERS_INVALID = "PARAMETERS_INVALID"
    PLANE_FROZEN = "PLANE_FROZEN"
    POLICY_ERROR = "POLICY_ERROR"
    POLICY_NO_PERMIT = "POLICY_NO_PERMIT"
    PRECONDITION_UNMET = "PRECONDITION_UNMET"
    PROPOSALS_NONE = "PROPOSALS_NONE"
    TARGET_FOREIGN = "TARGET_FOREIGN"
    TARGET_IS_COMPONENT = "TARGET_IS_COMPONENT"
    TARGET_IS_VENUE = "TARGET_IS_VENUE"
    WORKFLOW_ALREADY_TRIED = "WORKFLOW_ALREADY_TRIED"
    WORKFLOW_MISMATCH = "WORKFLOW_MISMATCH"
    WORKFLOW_UNKNOWN = "WORKFLOW_UNKNOWN"


RULE_REASONS: dict[str, RefusalReason] = {
    "forbid-action-rate": RefusalReason.BUDGET_EXHAUSTED,
    "forbid-already-tried": RefusalReason.WORKFLOW_ALREADY_TRIED,
    "forbid-blast-radius": RefusalReason.BLAST_RADIUS_EXCEEDED,
    "forbid-component-as-offender": RefusalReason.TARGET_IS_COMPONENT,
    "forbid-foreign-target": RefusalReason.TARGET_FOREIGN,
    "forbid-frozen-plane": RefusalReason.PLANE_FROZEN,
    "forbid-loosening": RefusalReason.ACTION_LOOSENS,
    "forbid-low-confidence": RefusalReason.CONFIDENCE_LOW,
    "forbid-maintenance-window": RefusalReason.MAINTENANCE_WINDOW_OPEN,
    "forbid-mismatched-cause": RefusalReason.WORKFLOW_MISMATCH,
    "forbid-restart-of-venue": RefusalReason.TARGET_IS_VENUE,
}
"""Which code each `forbid` rule gives; the loader checks that no rule is missing here."""

QUIET_REASONS = frozenset(
    {
        RefusalReason.MAINTENANCE_WINDOW_OPEN,
        RefusalReason.PLANE_FROZEN,
        RefusalReason.AUTONOMY_OBSERVE_ONLY,
    }
)
"""A person wanted it so: nobody is called."""

REASON_ORDER: tuple[RefusalReason, ...] = (
    RefusalReason.PLANE_FROZEN,
    RefusalReason.MAINTENANCE_WINDOW_OPEN,
    RefusalReason.ACTION_LOOSENS,
    RefusalReason.TARGET_FOREIGN,
    RefusalReason.TARGET_IS_VENUE,
    RefusalReason.TARGET_IS_COMPONENT,
    RefusalReason.WORKFLOW_MISMATCH,
    RefusalReason.WORKFLOW_ALREADY_TRIED,
    RefusalReason.CONFIDENCE_LOW,
    RefusalReason.BLAST_RADIUS_EXCEEDED,
    RefusalReason.BUDGET_EXHAUSTED,
)
"""When several rules forbid, this one is told first: what a person said, then what is unsafe."""
