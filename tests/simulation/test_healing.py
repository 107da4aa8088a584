"""The demo's faults and negatives on a simulated stack, from advice to a verified cure."""

from healing_rig import Rig, check
from prunella.healing.incident import IncidentState


def test_crashed_engine_is_restarted_and_verified() -> None:
    """A killed engine is restarted once, and the incident closes when orders flow again."""
    rig = Rig()
    rig.run(3)
    rig.crash_engine()
    rig.run(8)
    assert rig.state() is IncidentState.RESOLVED
    assert rig.acts() == ["Restart"]
    assert set(rig.case.stages) == {"evidence", "diagnosis", "decision", "action", "verified"}
    check(rig)


def test_silent_venue_is_left_and_returned_to() -> None:
    """Orders move to the backup; after the primary was well for its hold time they move back."""
    rig = Rig()
    rig.run(3)
    rig.freeze_primary()
    rig.run(4)
    assert rig.state() is IncidentState.RESOLVED
    assert rig.stack.active == "backup"
    rig.run(5)
    assert rig.stack.active == "backup"
    rig.stack.frozen.clear()
    rig.run(9)
    assert rig.stack.active == "primary"
    assert rig.acts() == ["SwitchVenue", "SwitchVenue"]
    assert rig.case.outcome == "returned"
    check(rig)


def test_cpu_hog_is_reniced_and_no_more() -> None:
    """A hog that yields to a lower priority is neither pinned nor stopped."""
    rig = Rig()
    rig.run(3)
    rig.burn()
    rig.run(5)
    assert rig.state() is IncidentState.RESOLVED
    assert rig.acts() == ["Renice"]
    check(rig)


def test_stubborn_cpu_hog_is_stopped_at_last() -> None:
    """A hog that withstands priority and pinning is stopped."""
    rig = Rig()
    rig.run(3)
    rig.burn(stubborn=2)
    rig.run(16)
    assert rig.state() is IncidentState.RESOLVED
    assert rig.acts() == ["Renice", "Pin", "Stop"]
    check(rig)


def test_overloaded_order_path_is_relieved() -> None:
    """Fewer orders are sent, below what the venue still answered, until errors stop."""
    rig = Rig()
    rig.run(3)
    rig.overload()
    rig.run(10)
    assert rig.state() is IncidentState.RESOLVED
    assert rig.acts() == ["SetOrderRate"]
    assert rig.stack.rate < 5
    check(rig)


def test_market_burst_is_left_alone() -> None:
    """More of everything without a diagnosis does nothing."""
    rig = Rig()
    rig.run(3)
    rig.stack.market_speed = 5
    rig.stack.rate_configured = rig.stack.rate = 100
    rig.run(20)
    assert rig.cases == []
    assert rig.acts() == []


def test_planned_agent_restart_is_left_alone() -> None:
    """An agent that is down inside its maintenance window is not restarted by us."""
    rig = Rig()
    rig.run(6)
    rig.plane.open_window("agent-io", 20, "ana", "upgrade", rig.stack.now_ns)
    rig.stack.kill("agent-io")
    rig.run(5)
    assert rig.state() is IncidentState.SUPPRESSED
    rig.stack.processes["agent-io"].up = True
    rig.run(20)
    assert rig.state() is IncidentState.RESOLVED
    assert rig.acts() == []
    check(rig)


def test_agent_that_stays_down_after_its_window_is_restarted() -> None:
    """Maintenance delays the cure; it does not cancel it."""
    rig = Rig()
    rig.run(6)
    rig.plane.open_window("agent-io", 10, "ana", "upgrade", rig.stack.now_ns)
    rig.stack.kill("agent-io")
    rig.run(20)
    assert rig.state() is IncidentState.RESOLVED
    assert rig.acts() == ["Restart"]
    check(rig)


def test_lost_agent_is_restarted() -> None:
    """An agent that falls silent is missed, restarted, and heard again."""
    rig = Rig()
    rig.run(6)
    rig.stack.kill("agent-http")
    rig.run(8)
    assert rig.case.incident.culprit == "agent-http"
    assert rig.state() is IncidentState.RESOLVED
    assert rig.acts() == ["Restart"]
    check(rig)


def test_deaf_plane_accuses_nobody() -> None:
    """When nothing at all is heard, the agents are not to blame."""
    rig = Rig()
    rig.run(6)
    for _ in range(100):
        rig.stack.advance()
        rig.plane.tick(rig.stack.now_ns)
    assert rig.cases == []


def test_wrong_diagnosis_is_not_acted_on() -> None:
    """Advice that our own readings contradict is refused and a person is asked."""
    rig = Rig()
    rig.run(3)
    rig.advise(
        agent="agent-cpu",
        fault="process.crashed",
        culprit="engine",
        workflow="restart-with-warm-up",
    )
    rig.run(3)
    assert rig.state() is IncidentState.ESCALATED
    assert rig.case.reason == "PRECONDITION_UNMET"
    assert rig.acts() == []
    rig.run(15)
    assert rig.state() is IncidentState.RESOLVED


def test_remedy_that_does_not_help_is_undone_and_escalated() -> None:
    """Every step of a failed remediation is undone in reverse order and a person is asked."""
    rig = Rig()
    rig.run(3)
    rig.stack.refuse.add("Stop")
    rig.burn(stubborn=2)
    rig.run(25)
    assert rig.state() is IncidentState.ESCALATED
    assert rig.acts() == ["Renice", "Pin", "Stop", "Pin", "Renice"]
    assert rig.stack.offender is not None
    assert (rig.stack.offender.nice, rig.stack.offender.cpu) == (0, 0)
    check(rig)


def test_engine_that_dies_again_and_again_is_given_to_a_person() -> None:
    """A restart that does not cure is not repeated for the same incident."""
    rig = Rig()
    rig.run(3)
    rig.stack.cursed.add("engine")
    rig.crash_engine()
    rig.run(30)
    assert rig.state() is IncidentState.ESCALATED
    assert rig.acts() == ["Restart"]
    check(rig)


def test_silent_target_is_asked_again_with_the_same_key() -> None:
    """A target that does not answer is asked again; the act happens once."""
    for seed in range(6):
        rig = Rig(seed=seed)
        rig.run(3)
        rig.stack.silent["supervisor"] = 3
        rig.crash_engine()
        rig.run(12)
        assert rig.state() is IncidentState.RESOLVED
        assert rig.stack.processes["engine"].starts == 1
        check(rig)


def test_broken_ledger_stops_every_act() -> None:
    """No record, no action."""
    rig = Rig()
    rig.run(3)
    rig.ledger.broken = True
    rig.crash_engine()
    rig.run(5)
    assert rig.acts() == []
    assert "disk is gone" in rig.plane.failed


def test_killed_plane_resumes_after_any_record() -> None:
    """Killed right after each single ledger record, the next life finishes the same work once."""
    for fault in ("crash_engine", "freeze_primary", "burn", "overload"):
        at = 0
        while True:
            at += 1
            rig = Rig()
            rig.run(3)
            rig.ledger.crash_after = at
            rig.guard(getattr(rig, fault))
            rig.run(10)
            rig.stack.frozen.clear()
            rig.run(15)
            if not rig.crashes:
                break
            check(rig)
            assert rig.state() is IncidentState.RESOLVED, (fault, at)
            assert len(rig.acts()) == len(rig.stack.replies), (fault, at)
            assert len(set(rig.acts())) == 1, (fault, at, rig.acts())
        assert at > 8
