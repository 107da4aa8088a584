"""Approvals in the closed loop: nothing without a signature, and exactly what was signed."""

from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from healing_rig import Rig, check
from prunella.control import SignedAct
from prunella.control.acts import public_text, sign_act
from prunella.errors import AuthenticationError, UsageError
from prunella.healing.decide import DecideSettings
from prunella.healing.incident import IncidentState
from prunella.healing.loop import ApprovalView, approval_parts, local_stack
from prunella.healing.loop.approvals import KIND

ANA = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
BEN = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
PERSONS = {"ana": public_text(ANA), "ben": public_text(BEN)}
MINUTE = 60_000_000_000


def waiting_rig(**decide: Any) -> Rig:
    """A rig whose engine has crashed, with the restart waiting for people."""
    settings = DecideSettings(**{"autonomy": {"restart-with-warm-up": "approve"}, **decide})
    rig = Rig(settings=msgspec.structs.replace(local_stack(), decide=settings), persons=PERSONS)
    rig.run(3)
    rig.crash_engine()
    rig.run(1)
    assert rig.state() is IncidentState.ESCALATED
    assert rig.acts() == []
    return rig


def view(rig: Rig) -> ApprovalView:
    """The only action that waits."""
    (only,) = rig.plane.approvals.waiting(rig.stack.now_ns)
    return only


def signature(rig: Rig, *, approve: bool = True, nonce: str = "1", **changes: Any) -> SignedAct:
    """A person's signature, over the waiting action unless something else is given."""
    words: dict[str, Any] = {"person": "ana", "key": ANA, "until_ns": rig.stack.now_ns + MINUTE}
    action = changes.pop("action", None) or view(rig).action
    parts = approval_parts(action, approve=approve)
    return sign_act(KIND, parts, nonce=nonce, **(words | changes))


def hand_in(rig: Rig, act: SignedAct, *, approve: bool = True) -> None:
    """Hands it in as a person's ask does."""
    incident = rig.case.incident.id
    rig.plane.approve(
        incident, "", act=act, approve=approve, reason="looks right", now_ns=rig.stack.now_ns
    )


def test_signed_action_runs_and_heals() -> None:
    """Asked, signed, done, verified; the ledger holds who."""
    rig = waiting_rig()
    assert view(rig).needed == 1
    hand_in(rig, signature(rig))
    rig.run(8)
    assert rig.state() is IncidentState.RESOLVED
    assert rig.acts() == ["Restart"]
    assert [each.person for each in rig.ledger.records("approval")] == ["ana"]
    check(rig)


def test_signature_survives_a_restart_of_the_plane() -> None:
    """Killed right after the signature was written: the next life acts on it."""
    rig = waiting_rig()
    act = signature(rig)
    rig.ledger.crash_after = len(rig.ledger.entries) + 1
    rig.guard(lambda: hand_in(rig, act))
    assert rig.crashes == 1
    assert view(rig).signed == ("ana",)
    rig.run(8)
    assert rig.state() is IncidentState.RESOLVED
    check(rig)


def test_rejected_action_is_neither_done_nor_asked_for_again() -> None:
    """A person's no ends it."""
    rig = waiting_rig()
    hand_in(rig, signature(rig, approve=False), approve=False)
    rig.run(3)
    assert (rig.state(), rig.case.reason) == (IncidentState.ESCALATED, "APPROVAL_REJECTED")
    assert rig.plane.approvals.waiting(rig.stack.now_ns) == ()
    assert rig.acts() == []


def test_two_person_rule_wants_two_different_people() -> None:
    """The same person twice is one person."""
    rig = waiting_rig(two_person=("restart-with-warm-up",))
    hand_in(rig, signature(rig))
    rig.run(1)
    hand_in(rig, signature(rig, nonce="2"))
    rig.run(1)
    assert (rig.state(), rig.case.reason) == (IncidentState.ESCALATED, "APPROVAL_SECOND_NEEDED")
    assert (view(rig).needed, view(rig).signed) == (2, ("ana",))
    hand_in(rig, signature(rig, nonce="3", person="ben", key=BEN))
    rig.run(8)
    assert rig.state() is IncidentState.RESOLVED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"person": "eve"}, "nobody called 'eve'"),
        ({"person": "ben"}, "not ben's over this change"),
        ({"until_ns": 1}, "has expired"),
        ({"until_ns": 1 << 62}, "more than a day"),
        ({"approve": False}, "not ana's over this change"),
    ],
)
def test_signature_that_does_not_hold_is_refused(changes: dict[str, Any], words: str) -> None:
    """Nobody's, somebody else's, too old, too long, or for the opposite."""
    rig = waiting_rig()
    before = len(rig.ledger.entries)
    with pytest.raises(AuthenticationError, match=words):
        hand_in(rig, signature(rig, **changes))
    assert len(rig.ledger.entries) == before
    rig.run(1)
    assert rig.acts() == []


@pytest.mark.parametrize("field", ["target", "workflow", "incident", "parameters"])
def test_signature_for_another_action_is_refused(field: str) -> None:
    """Every part of the action is signed."""
    rig = waiting_rig()
    value: Any = {"x": "1"} if field == "parameters" else "other"
    other = msgspec.structs.replace(view(rig).action, **{field: value})
    with pytest.raises(AuthenticationError, match="not ana's over this change"):
        hand_in(rig, signature(rig, action=other))


def test_used_signature_is_refused() -> None:
    """A nonce is good once, also after a crash."""
    rig = waiting_rig(two_person=("restart-with-warm-up",))
    act = signature(rig)
    hand_in(rig, act)
    rig.run(1)
    rig.restart_plane()
    with pytest.raises(AuthenticationError, match="used before"):
        hand_in(rig, act)


def test_expired_signature_does_not_count_towards_two() -> None:
    """What was signed an hour ago was signed about another situation."""
    rig = waiting_rig(two_person=("restart-with-warm-up",))
    hand_in(rig, signature(rig, until_ns=rig.stack.now_ns + 2_000_000_000))
    rig.run(3)
    assert view(rig).signed == ()


def test_fault_that_went_away_meanwhile_is_not_acted_on() -> None:
    """Signed too late: our own readings say that there is nothing to do."""
    rig = waiting_rig()
    act = signature(rig)
    rig.stack.processes["engine"].up = True
    rig.run(0.2)
    hand_in(rig, act)
    rig.run(4)
    assert rig.acts() == []


def test_nothing_waits_where_nothing_was_asked() -> None:
    """An incident that runs by itself cannot be approved."""
    rig = Rig(persons=PERSONS)
    rig.run(3)
    rig.crash_engine()
    rig.run(0.5)
    with pytest.raises(UsageError, match="expected one action that waits, found nothing"):
        rig.plane.approve(
            rig.case.incident.id,
            "",
            act=SignedAct(person="ana", nonce="1", until_ns=0, signature=""),
            approve=True,
            reason="",
            now_ns=rig.stack.now_ns,
        )


def test_same_remedy_for_the_same_cause_backs_off_and_then_asks() -> None:
    """A process that dies again and again: longer and longer waits, then a person."""
    settings = msgspec.structs.replace(
        local_stack(), decide=DecideSettings(repeats_max=3, repeat_wait_ns=20_000_000_000)
    )
    rig = Rig(settings=settings)
    rig.run(3)
    starts: list[int] = []
    for _ in range(4):
        rig.stack.kill("agent-io")
        rig.run(0.2)
        rig.advise(
            agent="agent-cpu",
            fault="agent.lost",
            culprit="agent-io",
            workflow="restart-with-warm-up",
        )
        rig.run(60)
        starts = [at for _, at, each in timed(rig) if type(each).__name__ == "RunStarted"]
    assert len(starts) == 3
    assert starts[1] - starts[0] >= 20_000_000_000
    assert starts[2] - starts[1] >= 40_000_000_000
    last = rig.cases[-1]
    assert (last.incident.state, last.reason) == (IncidentState.ESCALATED, "REMEDIATION_LOOP")


def timed(rig: Rig) -> list[tuple[int, int, Any]]:
    """Every record with its time."""
    return list(rig.ledger.read())
