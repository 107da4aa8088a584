"""Why policy refused: one closed list of codes, `CATEGORY_CONDITION`."""

from enum import StrEnum


class RefusalReason(StrEnum):
    """Every way in which a proposal can be refused; the reference page shows what each says."""

    ACTION_LOOSENS = "ACTION_LOOSENS"
    """A step of the workflow would loosen trading; only a person may do that."""
    AUTONOMY_ASK_FIRST = "AUTONOMY_ASK_FIRST"
    """This workflow is set to `ask`: a person decides."""
    AUTONOMY_OBSERVE_ONLY = "AUTONOMY_OBSERVE_ONLY"
    """This workflow is set to `observe`: it is written down and not run."""
    BLAST_RADIUS_EXCEEDED = "BLAST_RADIUS_EXCEEDED"
    """Too many components would be under remediation at once."""
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"
    """Too many remediations were begun in the last hour."""
    CONFIDENCE_LOW = "CONFIDENCE_LOW"
    """The advice is less sure of the cause than acting on it needs."""
    MAINTENANCE_WINDOW_OPEN = "MAINTENANCE_WINDOW_OPEN"
    """A person works on the component just now."""
    PARAMETERS_INVALID = "PARAMETERS_INVALID"
    """What the workflow has to know, such as a process id, cannot be filled in."""
    PLANE_FROZEN = "PLANE_FROZEN"
    """A person has stopped the healing plane."""
    POLICY_ERROR = "POLICY_ERROR"
    """Asking policy gave an error, and any error is a no."""
    POLICY_NO_PERMIT = "POLICY_NO_PERMIT"
    """No rule allows it, and what no rule allows is denied."""
    PRECONDITION_UNMET = "PRECONDITION_UNMET"
    """Our own readings do not show what the workflow wants to see first."""
    PROPOSALS_NONE = "PROPOSALS_NONE"
    """The diagnosis came without a proposal."""
    TARGET_FOREIGN = "TARGET_FOREIGN"
    """The target has nothing to do with the incident's culprit."""
    TARGET_IS_COMPONENT = "TARGET_IS_COMPONENT"
    """The target is a component of ours, and the workflow is for strangers."""
    TARGET_IS_VENUE = "TARGET_IS_VENUE"
    """The target is a venue: it can be left, never restarted."""
    WORKFLOW_ALREADY_TRIED = "WORKFLOW_ALREADY_TRIED"
    """The same workflow has already run for this incident."""
    WORKFLOW_MISMATCH = "WORKFLOW_MISMATCH"
    """The workflow does not cure the diagnosed class of fault."""
    WORKFLOW_UNKNOWN = "WORKFLOW_UNKNOWN"
    """The catalogue has no workflow of this name."""


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
