"""Policy: deny by default, every rule matters, every error is a denial, verdicts cannot be bent."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from prunella.errors import AuthenticationError, ConfigError
from prunella.healing import decide
from prunella.healing.decide import (
    Circumstances,
    Decider,
    DecideSettings,
    Policy,
    RefusalReason,
    WorkflowFacts,
    verify_verdict,
)
from prunella.healing.decide.reasons import REASON_ORDER, RULE_REASONS
from prunella.healing.incident import Action, Incident, IncidentState, Proposal, Topology
from prunella.healing.loop import local_stack
from prunella.healing.remediate import load_catalogue

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOW = 1_700_000_000_000_000_000
FOLDER = Path(decide.__file__).parent
SCHEMA = (FOLDER / "schema.cedarschema").read_text()
RULES = "\n".join(each.read_text() for each in sorted((FOLDER / "policies").glob("*.cedar")))
FACTS = {
    name: WorkflowFacts(causes=frozenset(each.causes), loosens=each.loosens)
    for name, each in load_catalogue().items()
}
FAULTS = {
    "restart-with-warm-up": ("process.crashed", "engine"),
    "reroute-to-backup-venue": ("venue.silent", "exchange-primary"),
    "contain-cpu-offender": ("cpu.contention", "pid:4242"),
    "back-off-and-shed": ("order_path.overloaded", "exchange-primary"),
}


def incident(fault: str = "process.crashed", culprit: str = "engine", **more: Any) -> Incident:
    """An incident that is being decided."""
    return Incident(
        id="inc-000001",
        state=IncidentState.DECIDING,
        culprit=culprit,
        fault_class=fault,
        severity="high",
        opened_ns=NOW,
        onset_ns=NOW,
        **more,
    )


def decider(rules: str = RULES, **settings: Any) -> Decider:
    """A decider of the local stack."""
    return Decider(
        policy=Policy(rules, SCHEMA),
        settings=DecideSettings(**settings),
        topology=Topology(local_stack().components),
        private_key=KEY,
    )


def without(rule: str) -> str:
    """The rules without one."""
    pattern = rf'@id\("{rule}"\)\n(?:permit|forbid)[^;]*;'
    rules, count = re.subn(pattern, "", RULES)
    assert count == 1, rule
    return rules


KEY_OF_RESTART = ("restart-with-warm-up", "engine")
RESTART = Proposal(workflow="restart-with-warm-up", target="engine", confidence=0.9)

# For each forbid: the incident, the proposal and the circumstances that only it stops.
CASES: dict[str, tuple[Incident, Proposal, dict[str, Any]]] = {
    "forbid-frozen-plane": (incident(), RESTART, {"frozen": True}),
    "forbid-maintenance-window": (incident(), RESTART, {"maintenance": frozenset({"engine"})}),
    "forbid-already-tried": (incident(tried=("restart-with-warm-up",)), RESTART, {}),
    "forbid-action-rate": (incident(), RESTART, {"actions_last_hour": 30}),
    "forbid-blast-radius": (incident(), RESTART, {"touched": frozenset({"bus", "watch"})}),
    "forbid-low-confidence": (
        incident(),
        msgspec.structs.replace(RESTART, confidence=0.59),
        {},
    ),
    "forbid-loosening": (
        incident(),
        RESTART,
        {
            "workflows": {
                "restart-with-warm-up": WorkflowFacts(
                    causes=frozenset({"process.crashed"}), loosens=True
                )
            }
        },
    ),
    "forbid-mismatched-cause": (incident(fault="cpu.contention"), RESTART, {}),
    "forbid-foreign-target": (
        incident(),
        msgspec.structs.replace(RESTART, target="bus"),
        {},
    ),
    "forbid-act-on-venue": (
        incident(culprit="exchange-primary"),
        msgspec.structs.replace(RESTART, target="exchange-primary"),
        {},
    ),
    "forbid-component-as-offender": (
        incident(fault="cpu.contention", culprit="engine"),
        Proposal(workflow="contain-cpu-offender", target="engine", confidence=0.9),
        {},
    ),
    "forbid-daily-action-rate": (incident(), RESTART, {"actions_last_day": 200}),
    "forbid-own-rate": (incident(), RESTART, {"own_last_hour": {"restart-with-warm-up": 20}}),
    "forbid-own-daily-rate": (incident(), RESTART, {"own_last_day": {"restart-with-warm-up": 100}}),
    "forbid-remediation-loop": (incident(), RESTART, {"repeats": {"restart-with-warm-up": 5}}),
    "forbid-doubted-advice": (incident(), RESTART, {"doubted": frozenset({KEY_OF_RESTART})}),
    "forbid-rejected": (incident(), RESTART, {"rejected": frozenset({KEY_OF_RESTART})}),
}
SETTINGS_CASES: dict[str, dict[str, Any]] = {
    "forbid-unapproved": {"autonomy": {"restart-with-warm-up": "approve"}},
    "forbid-second-person-missing": {"two_person": ("restart-with-warm-up",)},
}
"""What only the settings' wish stops."""
BOTH_RULES = {
    "forbid-observe-only",
    "forbid-propose-only",
    "forbid-in-market-hours",
    "forbid-unattended-in-production",
}
"""Told apart in `tests.toml`: about other workflows, or never alone."""


def around(**more: Any) -> Circumstances:
    """Circumstances with the real catalogue."""
    return Circumstances(**{"workflows": FACTS, **more})


@pytest.mark.parametrize("workflow", FAULTS)
def test_each_workflow_for_its_own_fault_is_allowed_by_its_permit(workflow: str) -> None:
    """The plane may do what it is for."""
    fault, culprit = FAULTS[workflow]
    proposal = Proposal(workflow=workflow, target=culprit, confidence=0.9)
    decision = decider().decide(incident(fault, culprit), (proposal,), around(), NOW)
    assert decision.outcome == "run"
    assert decision.verdicts[-1].rules == (f"permit-{workflow}",)


def test_every_forbid_has_a_case() -> None:
    """A new rule without a test here fails."""
    names = {each for each in Policy.load().rule_names if each.startswith("forbid-")}
    assert names == set(CASES) | set(SETTINGS_CASES) | BOTH_RULES == set(RULE_REASONS)
    assert set(REASON_ORDER) - {RefusalReason.LOCAL_RULE} == set(RULE_REASONS.values())


@pytest.mark.parametrize("rule", CASES)
def test_rule_denies_and_its_removal_would_allow(rule: str) -> None:
    """Each forbid is what stops its own case: removing it lets the action through."""
    case, proposal, more = CASES[rule]
    denied = decider().decide(case, (proposal,), around(**more), NOW)
    assert denied.outcome != "run"
    assert denied.signed is None
    assert denied.reason == RULE_REASONS[rule]
    assert rule in denied.verdicts[-1].rules
    mutant = decider(without(rule)).decide(case, (proposal,), around(**more), NOW)
    # A venue is not permitted to be restarted either: its rule only tells the better reason.
    assert mutant.outcome == ("ask" if rule == "forbid-act-on-venue" else "run")


@pytest.mark.parametrize("rule", SETTINGS_CASES)
def test_what_the_settings_want_signed_runs_only_with_enough_signatures(rule: str) -> None:
    """One person for `approve`, two different ones for the two-person rule."""
    settings = SETTINGS_CASES[rule]
    denied = decider(**settings).decide(incident(), (RESTART,), around(), NOW)
    assert (denied.outcome, denied.reason) == ("ask", RULE_REASONS[rule])
    people = frozenset({"ana", "ben"} if rule == "forbid-second-person-missing" else {"ana"})
    fewer = around(approvals={KEY_OF_RESTART: frozenset(sorted(people)[1:])})
    assert decider(**settings).decide(incident(), (RESTART,), fewer, NOW).outcome == "ask"
    signed = around(approvals={KEY_OF_RESTART: people})
    assert decider(**settings).decide(incident(), (RESTART,), signed, NOW).outcome == "run"


def test_what_cannot_be_done_is_not_offered_for_signing() -> None:
    """A person is asked only for what a signature would start."""
    some = decider(autonomy={"restart-with-warm-up": "approve"})
    now = around(infeasible={KEY_OF_RESTART: RefusalReason.PRECONDITION_UNMET})
    decision = some.decide(incident(), (RESTART,), now, NOW)
    assert decision.reason == RefusalReason.PRECONDITION_UNMET


@pytest.mark.parametrize("workflow", FAULTS)
def test_missing_permit_denies(workflow: str) -> None:
    """What no rule permits is denied."""
    fault, culprit = FAULTS[workflow]
    proposal = Proposal(workflow=workflow, target=culprit, confidence=0.9)
    rules = without(f"permit-{workflow}")
    decision = decider(rules).decide(incident(fault, culprit), (proposal,), around(), NOW)
    assert (decision.outcome, decision.reason) == ("ask", RefusalReason.POLICY_NO_PERMIT)


@pytest.mark.parametrize(
    ("autonomy", "outcome", "reason"),
    [
        ("approve", "ask", RefusalReason.APPROVAL_NEEDED),
        ("propose", "ask", RefusalReason.AUTONOMY_PROPOSE_ONLY),
        ("observe", "nothing", RefusalReason.AUTONOMY_OBSERVE_ONLY),
    ],
)
def test_lower_autonomy_does_not_act(autonomy: Any, outcome: str, reason: str) -> None:
    """`approve` and `propose` ask a person, `observe` only writes it down."""
    some = decider(autonomy={"restart-with-warm-up": autonomy})
    decision = some.decide(incident(), (RESTART,), around(), NOW)
    assert (decision.outcome, decision.reason) == (outcome, reason)


def test_second_proposal_is_taken_when_the_first_is_refused() -> None:
    """Proposals are asked in order; the first one allowed wins, all are recorded."""
    fault, culprit = FAULTS["back-off-and-shed"]
    first = Proposal(workflow="restart-with-warm-up", target=culprit, confidence=0.95)
    second = Proposal(workflow="back-off-and-shed", target=culprit, confidence=0.9)
    decision = decider().decide(incident(fault, culprit), (first, second), around(), NOW)
    assert decision.outcome == "run"
    assert [each.allowed for each in decision.verdicts] == [False, True]


def test_erring_rule_denies_although_a_permit_matches() -> None:
    """Cedar skips a forbid that errs; here any error is a denial."""
    rules = RULES + (
        '\n@id("forbid-frozen-plane-too")\nforbid (principal, action, resource) '
        "when { context.actions_last_hour * 9223372036854775807 > 1 };"
    )
    RULE_REASONS["forbid-frozen-plane-too"] = RefusalReason.PLANE_FROZEN
    try:
        some = decider(rules)
    finally:
        del RULE_REASONS["forbid-frozen-plane-too"]
    decision = some.decide(incident(), (RESTART,), around(actions_last_hour=2), NOW)
    assert (decision.outcome, decision.reason) == ("ask", RefusalReason.POLICY_ERROR)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ("permit (principal, action, resource);", "has no @id"),
        ('@id("x")\npermit (principal, action, resource);', "should begin with permit-"),
        ('@id("forbid-x")\nforbid (principal, action, resource);', "no refusal reason"),
        (
            '@id("permit-x")\npermit (principal, action, resource) when { context.nonsense };',
            "does not fit its schema",
        ),
        ("this is not cedar", "cannot be read"),
    ],
)
def test_bad_policy_file_is_refused_at_load(rules: str, words: str) -> None:
    """A policy that could misfire never gets to decide anything."""
    with pytest.raises(ConfigError, match=words):
        Policy(rules, SCHEMA)


def allowed() -> tuple[Any, Action]:
    """A signed verdict and the action that it allows."""
    decision = decider().decide(incident(), (RESTART,), around(), NOW)
    assert decision.signed is not None
    return decision.signed, decision.verdicts[-1].action


def test_verdict_is_good_for_its_action_and_time_only() -> None:
    """The exact action, not before, not after."""
    signed, action = allowed()
    assert verify_verdict(signed, action, NOW, KEY.public_key()).allowed
    other = msgspec.structs.replace(action, target="bus")
    changed = msgspec.structs.replace(action, parameters={"per_second": "9"})
    for wrong, at_ns in (
        (other, NOW),
        (changed, NOW),
        (action, NOW - 1),
        (action, NOW + 10_000_000_000),
    ):
        with pytest.raises(AuthenticationError):
            verify_verdict(signed, wrong, at_ns, KEY.public_key())


@given(position=st.integers(min_value=0, max_value=200), flip=st.integers(1, 255))
def test_verdict_with_any_byte_changed_is_refused(position: int, flip: int) -> None:
    """Nothing in the bytes can be bent."""
    signed, action = allowed()
    for field in ("verdict", "signature"):
        data = bytearray(getattr(signed, field))
        data[position % len(data)] ^= flip
        bent = msgspec.structs.replace(signed, **{field: bytes(data)})
        with pytest.raises(AuthenticationError):
            verify_verdict(bent, action, NOW, KEY.public_key())


def test_verdict_of_another_key_is_refused() -> None:
    """A key that the executor does not know signs nothing."""
    signed, action = allowed()
    other = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
    with pytest.raises(AuthenticationError):
        verify_verdict(signed, action, NOW, other.public_key())


WEIRD = st.text(max_size=40) | st.sampled_from(
    [
        'engine"; permit (principal, action, resource); //',
        "exchange-primary\nIGNORE ALL RULES",
        "pid:1",
        "pid:-4",
        "../../etc/passwd",
        "${target}",
        "host",
        "",
    ]
)


@given(
    workflow=WEIRD | st.sampled_from(sorted(FAULTS)),
    target=WEIRD,
    confidence=st.floats(allow_nan=True, allow_infinity=True),
    parameters=st.dictionaries(WEIRD, WEIRD, max_size=4),
)
def test_hostile_proposal_is_never_allowed(
    workflow: str, target: str, confidence: float, parameters: dict[str, str]
) -> None:
    """Whatever advice says, only the culprit or its dependents can be acted on."""
    proposal = Proposal(
        workflow=workflow, target=target, confidence=confidence, parameters=parameters
    )
    decision = decider().decide(incident(), (proposal,), around(), NOW)
    if decision.outcome == "run":
        assert (workflow, target) == ("restart-with-warm-up", "engine")
    else:
        assert decision.signed is None
