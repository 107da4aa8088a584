"""Why policy refused: one closed list of codes, `CATEGORY_CONDITION`."""

from enum import StrEnum


class RefusalReason(StrEnum):
    """Every way in which a proposal can be refused; the reference page shows what each says."""

    ACTION_LOOSENS = "ACTION_LOOSENS"
    """A step of the workflow would loosen trading; only a person may do that."""
    ADVICE_DOUBTED = "ADVICE_DOUBTED"
    """A model differs from the expert, or a model alone says so: a person has to sign."""
    APPROVAL_NEEDED = "APPROVAL_NEEDED"
    """This workflow waits for a person's signature: `prunella approvals`."""
    APPROVAL_REJECTED = "APPROVAL_REJECTED"
    """A person has said no to exactly this action."""
    APPROVAL_SECOND_NEEDED = "APPROVAL_SECOND_NEEDED"
    """Two different people have to sign this workflow."""
    AUTONOMY_OBSERVE_ONLY = "AUTONOMY_OBSERVE_ONLY"
    """This workflow is set to `observe`: it is written down and not run."""
    AUTONOMY_PROPOSE_ONLY = "AUTONOMY_PROPOSE_ONLY"
    """This workflow is set to `propose`: a person does it by hand, as the runbook says."""
    BLAST_RADIUS_EXCEEDED = "BLAST_RADIUS_EXCEEDED"
    """Too many components would be under remediation at once."""
    BUDGET_EXHAUSTED = "BUDGET_EXHAUSTED"
    """Too many remediations were begun in the last hour or day, or too many of this workflow."""
    CONFIDENCE_LOW = "CONFIDENCE_LOW"
    """The advice is less sure of the cause than acting on it needs."""
    ENVIRONMENT_GUARDED = "ENVIRONMENT_GUARDED"
    """In production this waits for a person's signature."""
    LOCAL_RULE = "LOCAL_RULE"
    """A rule of this stack's own `policies` folder forbids it; the verdict names the rule."""
    MAINTENANCE_WINDOW_OPEN = "MAINTENANCE_WINDOW_OPEN"
    """A person works on the component just now."""
    MARKET_OPEN = "MARKET_OPEN"
    """It can wait for the close of the market, or for a person's signature."""
    NOT_POSSIBLE_HERE = "NOT_POSSIBLE_HERE"
    """This machine or stack lacks what a step needs; the entry in the ledger says what."""
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
    REMEDIATION_LOOP = "REMEDIATION_LOOP"
    """The same remedy has run for the same cause too often: it does not cure it for good."""
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
    "forbid-act-on-venue": RefusalReason.TARGET_IS_VENUE,
    "forbid-action-rate": RefusalReason.BUDGET_EXHAUSTED,
    "forbid-already-tried": RefusalReason.WORKFLOW_ALREADY_TRIED,
    "forbid-blast-radius": RefusalReason.BLAST_RADIUS_EXCEEDED,
    "forbid-component-as-offender": RefusalReason.TARGET_IS_COMPONENT,
    "forbid-daily-action-rate": RefusalReason.BUDGET_EXHAUSTED,
    "forbid-doubted-advice": RefusalReason.ADVICE_DOUBTED,
    "forbid-foreign-target": RefusalReason.TARGET_FOREIGN,
    "forbid-in-market-hours": RefusalReason.MARKET_OPEN,
    "forbid-frozen-plane": RefusalReason.PLANE_FROZEN,
    "forbid-loosening": RefusalReason.ACTION_LOOSENS,
    "forbid-low-confidence": RefusalReason.CONFIDENCE_LOW,
    "forbid-maintenance-window": RefusalReason.MAINTENANCE_WINDOW_OPEN,
    "forbid-mismatched-cause": RefusalReason.WORKFLOW_MISMATCH,
    "forbid-observe-only": RefusalReason.AUTONOMY_OBSERVE_ONLY,
    "forbid-own-daily-rate": RefusalReason.BUDGET_EXHAUSTED,
    "forbid-own-rate": RefusalReason.BUDGET_EXHAUSTED,
    "forbid-propose-only": RefusalReason.AUTONOMY_PROPOSE_ONLY,
    "forbid-rejected": RefusalReason.APPROVAL_REJECTED,
    "forbid-remediation-loop": RefusalReason.REMEDIATION_LOOP,
    "forbid-second-person-missing": RefusalReason.APPROVAL_SECOND_NEEDED,
    "forbid-unattended-in-production": RefusalReason.ENVIRONMENT_GUARDED,
    "forbid-unapproved": RefusalReason.APPROVAL_NEEDED,
}
"""Which code each `forbid` rule gives; the loader checks that no rule is missing here."""

LOCAL_PREFIX = "forbid-local-"
"""How the rules of a stack's own folder begin; they may forbid more, and permit nothing."""

QUIET_REASONS = frozenset(
    {
        RefusalReason.MAINTENANCE_WINDOW_OPEN,
        RefusalReason.PLANE_FROZEN,
        RefusalReason.AUTONOMY_OBSERVE_ONLY,
    }
)
"""A person wanted it so: nobody is called."""

SIGNABLE_REASONS = frozenset(
    {
        RefusalReason.ADVICE_DOUBTED,
        RefusalReason.APPROVAL_NEEDED,
        RefusalReason.APPROVAL_SECOND_NEEDED,
    }
)
"""Nothing but a signature is missing: `prunella approve` can give it."""

REASON_ORDER: tuple[RefusalReason, ...] = (
    RefusalReason.PLANE_FROZEN,
    RefusalReason.MAINTENANCE_WINDOW_OPEN,
    RefusalReason.ACTION_LOOSENS,
    RefusalReason.TARGET_FOREIGN,
    RefusalReason.TARGET_IS_VENUE,
    RefusalReason.TARGET_IS_COMPONENT,
    RefusalReason.WORKFLOW_MISMATCH,
    RefusalReason.WORKFLOW_ALREADY_TRIED,
    RefusalReason.LOCAL_RULE,
    RefusalReason.REMEDIATION_LOOP,
    RefusalReason.CONFIDENCE_LOW,
    RefusalReason.BLAST_RADIUS_EXCEEDED,
    RefusalReason.BUDGET_EXHAUSTED,
    RefusalReason.AUTONOMY_OBSERVE_ONLY,
    RefusalReason.AUTONOMY_PROPOSE_ONLY,
    RefusalReason.APPROVAL_REJECTED,
    RefusalReason.ADVICE_DOUBTED,
    RefusalReason.APPROVAL_SECOND_NEEDED,
    RefusalReason.ENVIRONMENT_GUARDED,
    RefusalReason.MARKET_OPEN,
    RefusalReason.APPROVAL_NEEDED,
)
"""When several rules forbid, this one is told first: what a person said, then what is unsafe; last
what a signature can give, so that nobody is asked to sign what would be refused all the same."""


def reason_of(rule: str) -> RefusalReason | None:
    """The code that a deciding rule gives; None for a rule that forbids nothing."""
    if rule.startswith(LOCAL_PREFIX):
        return RefusalReason.LOCAL_RULE
    return RULE_REASONS.get(rule)
