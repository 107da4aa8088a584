"""Between steps: a person's word holds, others' changes stay, a changed workflow stops."""

from typing import Any

import pytest
from healing_rig import Rig, check
from prunella.healing.incident import IncidentState
from prunella.healing.remediate import load_catalogue


def stubborn() -> Rig:
    """A hog that no step but the last one tames."""
    rig = Rig()
    rig.run(3)
    rig.burn(stubborn=2)
    return rig


def until_acts(rig: Rig, count: int) -> None:
    """Runs until so many commands were carried out."""
    for _ in range(200):
        if len(rig.acts()) >= count:
            return
        rig.run(0.1)
    raise AssertionError(rig.acts())


@pytest.mark.parametrize("word", ["freeze", "maintenance"])
def test_word_given_in_the_middle_stops_the_next_step_until_it_is_taken_back(word: str) -> None:
    """A remediation under way waits; afterwards it goes on where it was."""
    rig = stubborn()
    until_acts(rig, 1)
    plane, now_ns = rig.plane, rig.stack.now_ns
    if word == "freeze":
        plane.freeze(frozen=True, actor="ana", reason="looking", now_ns=now_ns)
    else:
        rig.plane.record(window(rig), now_ns)
    rig.run(30)
    assert rig.acts() == ["Renice"]
    held = [each.reason for each in rig.ledger.records("run.held")]
    assert held == ["PLANE_FROZEN" if word == "freeze" else "MAINTENANCE_WINDOW_OPEN"]
    rig.restart_plane()
    rig.run(5)
    assert rig.acts() == ["Renice"]
    if word == "freeze":
        rig.plane.freeze(frozen=False, actor="ana", reason="done", now_ns=rig.stack.now_ns)
    else:
        rig.plane.close_window("pid:4242", "ana", rig.stack.now_ns)
    rig.run(20)
    assert rig.acts() == ["Renice", "Pin", "Stop"]
    assert rig.state() is IncidentState.RESOLVED
    check(rig)


def window(rig: Rig) -> Any:
    """Work on the culprit itself."""
    from prunella.healing.incident import WindowOpened  # noqa: PLC0415

    now_ns = rig.stack.now_ns
    return WindowOpened(
        component="pid:4242",
        start_ns=now_ns,
        end_ns=now_ns + 3_600_000_000_000,
        actor="ana",
        reason="looking",
    )


def test_workflow_changed_over_a_restart_is_not_gone_on_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Other steps than those that were allowed: left as it is, and a person is asked."""
    rig = stubborn()
    until_acts(rig, 1)
    files = load_catalogue()

    class Another:
        """The same workflow after an edit."""

        def __getattr__(self, name: str) -> Any:
            return "0" * 64 if name == "sha256" else getattr(files["contain-cpu-offender"], name)

    changed: dict[str, Any] = {**files, "contain-cpu-offender": Another()}
    monkeypatch.setattr("prunella.healing.loop.assembly.load_catalogue", lambda: changed)
    rig.restart_plane()
    rig.run(20)
    assert rig.acts() == ["Renice"]
    (end,) = rig.ledger.records("run.ended")
    assert (end.outcome, end.reason) == ("abandoned", "WORKFLOW_CHANGED")
    assert rig.state() is IncidentState.ESCALATED


def rerouted() -> Rig:
    """Orders go to the backup venue; the way back waits for the primary one."""
    rig = Rig()
    rig.run(3)
    rig.freeze_primary()
    rig.run(6)
    assert rig.stack.active == "backup"
    return rig


def test_way_back_does_not_overwrite_what_a_person_has_switched_since() -> None:
    """Somebody went back by hand: nothing is asked of the engine any more."""
    rig = rerouted()
    rig.stack.active = "primary"
    rig.stack.frozen.clear()
    before = len(rig.acts())
    rig.run(20)
    (end,) = rig.ledger.records("run.ended")
    assert (end.outcome, end.reason) == ("stayed", "STATE_CHANGED")
    assert len(rig.acts()) == before
    check_replies = [each.code for each in rig.ledger.records("run.reply")]
    assert check_replies[-1] == "STATE_CHANGED"


def test_step_that_changed_nothing_is_not_undone() -> None:
    """The hog had the lowest priority already: undoing would ask for the same again."""
    rig = Rig()
    rig.run(3)
    rig.burn(stubborn=3)
    assert rig.stack.offender is not None
    rig.stack.offender.nice = 19
    rig.stack.offender.stubborn = 9
    rig.stack.cursed.add("nothing helps")
    rig.stack.refuse.update({"Pin", "Stop"})
    rig.run(40)
    replies = [(each.leg, each.code) for each in rig.ledger.records("run.reply")]
    assert ("undo", "NOTHING_CHANGED") in replies
    assert rig.acts().count("Renice") == 1


def test_remedy_that_this_machine_cannot_carry_out_is_refused_before_anything_is_done() -> None:
    """No standby, no second path: said plainly, and nobody is asked to sign for it."""
    rig = Rig()
    rig.run(3)
    rig.stack.kill("engine")
    rig.run(0.2)
    rig.advise(
        agent="agent-execution",
        fault="engine.lost",
        culprit="engine",
        workflow="failover-to-standby",
    )
    rig.run(4)
    (verdict,) = rig.ledger.records("decision.verdict")
    assert verdict.verdict.reason == "NOT_POSSIBLE_HERE"
    assert verdict.verdict.note == "not possible here: there is no standby"
    assert rig.state() is IncidentState.ESCALATED
    assert rig.plane.approvals.waiting(rig.stack.now_ns) == ()
    assert rig.acts() == []
