"""An incident and its proposals in, a `Decision` out: run this workflow, ask a person, or nothing.

The decider never looks at a proposal's prose. It takes the workflow's name (one of the catalogue),
the target (checked against the topology) and the confidence, asks policy, and signs what policy
allowed. Proposals are asked in order and the first one allowed wins.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from prunella.healing.decide.policy import Answer, Policy
from prunella.healing.decide.reasons import (
    QUIET_REASONS,
    REASON_ORDER,
    SIGNABLE_REASONS,
    RefusalReason,
    reason_of,
)
from prunella.healing.incident import (
    Action,
    Autonomy,
    Decision,
    Incident,
    Proposal,
    Topology,
    Verdict,
)
from prunella.healing.incident.verdict import VERDICT_LIFE_NS_MAX, sign_verdict

ALLOWED = "ALLOWED"


class DecideSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much the healing plane may do by itself in this environment.

    Attributes:
        environment: Its name; policy has rules for `production`.
        autonomy: By workflow; a workflow that is not named waits for a person's signature.
        two_person: Workflows that two different people have to sign.
        market_hours: When the market is open; see `market_is_open`. Empty: no rule about it.
        actions_per_hour_max: Beyond it a person is asked: automation that does not help must not
            run on and on.
        actions_per_day_max: The same for a day.
        repeats_max: How often one workflow may run for one cause (class and culprit) in an hour.
        repeat_wait_ns: How long the second of them waits after the first; doubles each time.
        components_touched_max: How many components may be under remediation at once.
        confidence_permille_min: Advice less sure than this is not acted on.
        verdict_life_ns: How long a signed verdict is good for.
    """

    environment: str = "local"
    autonomy: dict[str, Autonomy] = msgspec.field(
        default_factory=lambda: {
            "restart-with-warm-up": "auto",
            "reroute-to-backup-venue": "auto",
            "contain-cpu-offender": "auto",
            "back-off-and-shed": "auto",
            "resync-book": "auto",
            "reset-connections": "auto",
            "cancel-and-reconcile": "auto",
            "move-to-other-cores": "auto",
            "relieve-memory": "auto",
            "drop-caches": "auto",
            "move-journal-segments": "auto",
            "shape-traffic": "auto",
            "switch-network-path": "auto",
            "fence-on-clock-error": "auto",
        }
    )
    two_person: tuple[str, ...] = ()
    market_hours: tuple[str, ...] = ()
    actions_per_hour_max: int = 30
    actions_per_day_max: int = 200
    repeats_max: int = 5
    repeat_wait_ns: int = 2_000_000_000
    components_touched_max: int = 2
    confidence_permille_min: int = 600
    verdict_life_ns: int = 10_000_000_000


class WorkflowFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What policy must know of a workflow.

    Attributes:
        causes: Fault classes that it cures.
        loosens: Whether any step of it loosens trading.
        per_hour_max: How often it may run in an hour, whatever for.
        per_day_max: How often in a day.
    """

    causes: frozenset[str]
    loosens: bool
    per_hour_max: int = 20
    per_day_max: int = 100


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What else is so at the moment of deciding.

    Attributes:
        workflows: The catalogue, by name.
        maintenance: Components that a person works on now.
        touched: Targets of the remediations under way.
        actions_last_hour: Remediations begun in the last hour.
        actions_last_day: The same in the last day.
        own_last_hour: The same by workflow.
        own_last_day: The same by workflow.
        repeats: How often each workflow ran for this cause in the last hour.
        market_open: Whether the settings' market hours say so.
        frozen: A person stopped the plane.
        infeasible: Proposed workflows that cannot run now, with the reason.
        notes: What more there is to say about an infeasible one, for people.
        parameters: The parameters filled in for each feasible workflow and target.
        approvals: Who signed each workflow and target, with exactly these parameters.
        rejected: What a person said no to.
        doubted: What a model contradicts, or says alone.
    """

    workflows: dict[str, WorkflowFacts]
    maintenance: frozenset[str] = frozenset()
    touched: frozenset[str] = frozenset()
    actions_last_hour: int = 0
    actions_last_day: int = 0
    own_last_hour: dict[str, int] = msgspec.field(default_factory=dict)
    own_last_day: dict[str, int] = msgspec.field(default_factory=dict)
    repeats: dict[str, int] = msgspec.field(default_factory=dict)
    market_open: bool = False
    frozen: bool = False
    infeasible: dict[tuple[str, str], RefusalReason] = msgspec.field(default_factory=dict)
    notes: dict[tuple[str, str], str] = msgspec.field(default_factory=dict)
    parameters: dict[tuple[str, str], dict[str, str]] = msgspec.field(default_factory=dict)
    approvals: dict[tuple[str, str], frozenset[str]] = msgspec.field(default_factory=dict)
    rejected: frozenset[tuple[str, str]] = frozenset()
    doubted: frozenset[tuple[str, str]] = frozenset()


class Decider:
    """Asks policy about proposals and signs what it allows."""

    def __init__(
        self,
        *,
        policy: Policy,
        settings: DecideSettings,
        topology: Topology,
        private_key: Ed25519PrivateKey,
    ) -> None:
        self._policy = policy
        self._settings = settings
        self._topology = topology
        self._private_key = private_key
        self._life_ns = min(settings.verdict_life_ns, VERDICT_LIFE_NS_MAX)

    def decide(
        self,
        incident: Incident,
        proposals: tuple[Proposal, ...],
        circumstances: Circumstances,
        now_ns: int,
    ) -> Decision:
        """What to do about `incident`.

        Args:
            incident: As known now, with what was already tried for it.
            proposals: Best first; may come from anywhere, nothing in them is trusted.
            circumstances: What else is so.
            now_ns: Nanoseconds UTC.
        """
        verdicts: list[Verdict] = []
        for proposal in proposals:
            verdict = self._judge(incident, proposal, circumstances, now_ns)
            verdicts.append(verdict)
            if verdict.allowed:
                return Decision(
                    incident=incident.id,
                    outcome="run",
                    verdicts=tuple(verdicts),
                    signed=sign_verdict(verdict, self._private_key),
                    reason=ALLOWED,
                )
        outcome, reason = outcome_of(verdicts)
        return Decision(
            incident=incident.id, outcome=outcome, verdicts=tuple(verdicts), reason=reason
        )

    def _judge(
        self, incident: Incident, proposal: Proposal, now: Circumstances, now_ns: int
    ) -> Verdict:
        autonomy = self._settings.autonomy.get(proposal.workflow, "approve")
        key = (proposal.workflow, proposal.target)
        facts = now.workflows.get(proposal.workflow)
        rules: tuple[str, ...]
        reason: RefusalReason | None
        context: dict[str, int | bool | str] = {}
        if facts is None:
            allowed, rules, reason = False, ("catalogue",), RefusalReason.WORKFLOW_UNKNOWN
        else:
            context = self._context(incident, proposal, facts, autonomy, now)
            answer = self._policy.ask(
                action=proposal.workflow,
                resource=proposal.target,
                kind=self._kind(proposal.target),
                context=context,
            )
            allowed, rules, reason = read_answer(answer)
            if key in now.infeasible and (allowed or reason in SIGNABLE_REASONS):
                # Policy would allow it (or a person could), but it cannot be carried out as
                # things stand: nobody is to sign what cannot be done.
                allowed, rules, reason = False, ("catalogue",), now.infeasible[key]
        return Verdict(
            action=Action(
                incident=incident.id,
                workflow=proposal.workflow,
                target=proposal.target,
                parameters=now.parameters.get(key, {}),
            ),
            allowed=allowed,
            autonomy=autonomy,
            rules=rules,
            reason=ALLOWED if reason is None else reason,
            issued_ns=now_ns,
            expires_ns=now_ns + self._life_ns,
            policy_sha256=self._policy.sha256,
            circumstances=context,
            note=now.notes.get(key, ""),
        )

    def _context(
        self,
        incident: Incident,
        proposal: Proposal,
        facts: WorkflowFacts,
        autonomy: Autonomy,
        now: Circumstances,
    ) -> dict[str, int | bool | str]:
        settings = self._settings
        key = (proposal.workflow, proposal.target)
        return {
            "actions_last_day": now.actions_last_day,
            "actions_last_hour": now.actions_last_hour,
            "actions_per_day_max": settings.actions_per_day_max,
            "actions_per_hour_max": settings.actions_per_hour_max,
            "already_tried": proposal.workflow in incident.tried,
            "approvals": len(now.approvals.get(key, frozenset())),
            "autonomy": autonomy,
            "components_touched": len(now.touched | {proposal.target}),
            "components_touched_max": settings.components_touched_max,
            "confidence_permille": permille(proposal.confidence),
            "confidence_permille_min": settings.confidence_permille_min,
            "cures_cause": incident.fault_class in facts.causes
            or any(
                each.fault_class in facts.causes
                for diagnosis in incident.diagnoses
                for each in diagnosis.hypotheses[:1]
            ),
            "doubted": key in now.doubted,
            "environment": settings.environment,
            "frozen": now.frozen,
            "in_maintenance": bool({proposal.target, incident.culprit} & now.maintenance),
            "loosens": facts.loosens,
            "market_open": now.market_open,
            "own_last_day": now.own_last_day.get(proposal.workflow, 0),
            "own_last_hour": now.own_last_hour.get(proposal.workflow, 0),
            "own_per_day_max": facts.per_day_max,
            "own_per_hour_max": facts.per_hour_max,
            "rejected": key in now.rejected,
            "repeats": now.repeats.get(proposal.workflow, 0),
            "repeats_max": settings.repeats_max,
            "target_related": self._related(proposal.target, incident.culprit),
            "two_person": proposal.workflow in settings.two_person,
        }

    def _kind(self, target: str) -> str:
        component = self._topology.get(target)
        return "foreign" if component is None else component.kind

    def _related(self, target: str, culprit: str) -> bool:
        """The culprit itself, or one of our components that suffers from it."""
        return target == culprit or self._topology.is_downstream(target, of=culprit)


def outcome_of(verdicts: Sequence[Verdict]) -> tuple[Literal["run", "ask", "nothing"], str]:
    """What follows from the verdicts, and why: the first that allows, a quiet refusal, a person."""
    if any(each.allowed for each in verdicts):
        return "run", ALLOWED
    reasons = [RefusalReason(each.reason) for each in verdicts]
    quiet = next((each for each in reasons if each in QUIET_REASONS), None)
    if quiet is not None:
        return "nothing", quiet
    return "ask", reasons[0] if reasons else RefusalReason.PROPOSALS_NONE


def permille(confidence: float) -> int:
    """A confidence of 0 to 1 as an integer of 0 to 1000; anything odd counts as none.

    Example:
        >>> permille(0.85), permille(float("nan")), permille(7.0)
        (850, 0, 0)
    """
    return int(confidence * 1000 + 0.5) if 0.0 <= confidence <= 1.0 else 0


def read_answer(answer: Answer) -> tuple[bool, tuple[str, ...], RefusalReason | None]:
    """Whether it is allowed, the deciding rules, and the refusal's code."""
    if answer.errors:
        return False, answer.rules or ("policy-error",), RefusalReason.POLICY_ERROR
    if answer.allowed:
        return True, answer.rules, None
    reasons = {reason_of(each) for each in answer.rules}
    for reason in REASON_ORDER:
        if reason in reasons:
            return False, answer.rules, reason
    return False, ("deny-by-default",), RefusalReason.POLICY_NO_PERMIT
