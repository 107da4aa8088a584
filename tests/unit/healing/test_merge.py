"""One cause gives one incident: who joins, who is a victim, who is the better culprit."""

import msgspec
import pytest
from healing_rig import Rig, check
from prunella.healing.incident import Diagnosis, IncidentState


def ready() -> Rig:
    """A stack that has run for a while."""
    rig = Rig()
    rig.run(3)
    return rig


def test_two_agents_with_the_same_culprit_give_one_incident() -> None:
    """Network and HTTP both see the frozen venue."""
    rig = ready()
    rig.freeze_primary()
    rig.advise(agent="agent-http", fault="order_path.timeout", culprit="exchange-primary")
    rig.run(1)
    assert {each.agent for each in rig.case.incident.diagnoses} == {
        "agent-network",
        "agent-http",
    }


def test_victim_downstream_joins_as_a_consequence() -> None:
    """An engine that suffers from a silent venue is not a second cause."""
    rig = ready()
    rig.freeze_primary()
    rig.run(0.5)
    rig.advise(
        agent="agent-execution",
        fault="execution.slow",
        culprit="engine",
        workflow="restart-with-warm-up",
        evidence=("tick_to_order_microseconds@engine",),
    )
    rig.run(3)
    assert rig.case.incident.culprit == "exchange-primary"
    assert rig.acts() == ["SwitchVenue"]


def test_culprit_upstream_reroots_before_anything_is_done() -> None:
    """The victim was named first; the venue upstream is the better culprit."""
    rig = ready()
    rig.advise(
        agent="agent-execution",
        fault="execution.slow",
        culprit="engine",
        workflow="restart-with-warm-up",
        evidence=("tick_to_order_microseconds@engine",),
    )
    rig.freeze_primary()
    rig.run(3)
    assert rig.case.incident.culprit == "exchange-primary"
    assert rig.state() is IncidentState.RESOLVED
    assert rig.acts() == ["SwitchVenue"]
    check(rig)


def test_hog_reroots_the_engine_that_it_harms() -> None:
    """A foreign process is upstream of whoever its evidence shows as harmed."""
    rig = ready()
    rig.advise(
        agent="agent-execution",
        fault="execution.slow",
        culprit="engine",
        evidence=("tick_to_order_microseconds@engine",),
    )
    rig.burn()
    rig.run(4)
    assert rig.case.incident.culprit == "pid:4242"
    assert rig.acts() == ["Renice"]


def test_crash_during_another_incident_is_its_own() -> None:
    """A dead process is never explained by its surroundings."""
    rig = ready()
    rig.freeze_primary()
    rig.run(1)
    rig.crash_engine()
    rig.run(8)
    assert [each.incident.fault_class for each in rig.cases] == ["venue.silent", "process.crashed"]
    assert all(each.incident.state is IncidentState.RESOLVED for each in rig.cases)
    assert rig.acts()[:2] == ["SwitchVenue", "Restart"]
    check(rig)


def test_late_evidence_is_absorbed_and_a_fresh_onset_reopens_once() -> None:
    """What began before the end belongs to it; what begins after it means it was not cured."""
    rig = ready()
    rig.crash_engine()
    began_ns = rig.stack.now_ns
    rig.run(8)
    words = {
        "agent": "agent-execution",
        "fault": "process.crashed",
        "culprit": "engine",
        "workflow": "restart-with-warm-up",
    }
    rig.advise(**words, onset_ns=began_ns)
    rig.run(1)
    assert rig.state() is IncidentState.RESOLVED
    rig.crash_engine()
    rig.run(5)
    assert rig.case.reopens == 1
    assert rig.state() is IncidentState.ESCALATED
    assert rig.acts() == ["Restart"]


def test_same_fault_much_later_is_a_new_incident() -> None:
    """An hour of health is a cure."""
    rig = ready()
    rig.crash_engine()
    rig.run(60)
    rig.crash_engine()
    rig.run(8)
    assert [each.outcome for each in rig.cases] == ["cured", "cured"]
    assert rig.acts() == ["Restart", "Restart"]
    check(rig)


def test_repeated_advice_is_counted_not_recorded() -> None:
    """An agent that says the same ten times a second does not fill the ledger."""
    rig = ready()
    rig.freeze_primary()
    rig.run(5)
    before = len(rig.ledger.entries)
    for _ in range(50):
        rig.freeze_primary()
    rig.run(0.1)
    assert len(rig.ledger.entries) == before
    assert rig.plane.counters["repeated"] >= 50


def test_advice_that_is_faster_than_readings_is_acted_on_when_they_agree() -> None:
    """A refusal for want of our own evidence is taken back when the evidence comes."""
    rig = ready()
    rig.advise(
        agent="agent-cpu",
        fault="process.crashed",
        culprit="engine",
        workflow="restart-with-warm-up",
    )
    rig.run(2.5)
    assert rig.case.reason == "PRECONDITION_UNMET"
    rig.stack.kill("engine")
    rig.run(8)
    assert rig.state() is IncidentState.RESOLVED
    assert rig.acts() == ["Restart"]


@pytest.mark.parametrize("fault", ["crash_engine", "burn", "overload", "freeze_primary"])
def test_frozen_plane_watches_and_does_nothing(fault: str) -> None:
    """A person's word stops every act, and lifting it lets the plane go on."""
    rig = ready()
    rig.plane.freeze(frozen=True, actor="ana", reason="migration", now_ns=rig.stack.now_ns)
    getattr(rig, fault)()
    rig.run(5)
    assert rig.state() is IncidentState.SUPPRESSED
    assert rig.acts() == []
    rig.plane.freeze(frozen=False, actor="ana", reason="done", now_ns=rig.stack.now_ns)
    rig.run(12)
    assert rig.state() is IncidentState.RESOLVED
    check(rig)


def test_fault_that_its_agents_see_no_more_is_closed_if_nothing_was_done() -> None:
    """An agent's word ends what nobody acted on; new evidence opens it again."""
    rig = ready()
    told = rig.advise(
        agent="agent-execution",
        fault="execution.slow",
        culprit="engine",
        evidence=("tick_to_order_microseconds@engine",),
    )
    rig.run(1)
    assert rig.state() is IncidentState.ESCALATED
    rig.plane.hear_diagnosis(over(told), rig.stack.now_ns)
    rig.run(0.2)
    assert rig.state() is IncidentState.RESOLVED
    assert rig.case.reason == "gone by itself"


def test_end_of_a_fault_does_not_close_what_is_under_remediation() -> None:
    """What was acted on is closed by its probe; and an end never opens anything."""
    rig = ready()
    rig.burn()
    rig.run(0.5)
    rig.plane.hear_diagnosis(over(rig.case.causes[0]), rig.stack.now_ns)
    rig.run(0.2)
    assert rig.state() is IncidentState.VERIFYING
    rig.run(4)
    assert rig.state() is IncidentState.RESOLVED
    rig.plane.hear_diagnosis(over(rig.case.causes[0]), rig.stack.now_ns)
    rig.run(1)
    assert len(rig.cases) == 1


def test_escalated_fault_that_agents_still_see_stays_open() -> None:
    """The backup is silent while the primary trades: nothing to do, but not over either."""
    rig = ready()
    rig.stack.frozen.add("backup")
    for _ in range(10):
        rig.advise(
            agent="agent-network",
            fault="venue.silent",
            culprit="exchange-backup",
            workflow="reroute-to-backup-venue",
        )
        rig.run(2)
    assert rig.state() is IncidentState.ESCALATED
    assert rig.acts() == []
    rig.run(20)
    assert rig.state() is IncidentState.RESOLVED


def over(diagnosis: Diagnosis) -> Diagnosis:
    """The same fault, seen no more."""
    symptoms = tuple(msgspec.structs.replace(each, active=False) for each in diagnosis.symptoms)
    return msgspec.structs.replace(diagnosis, symptoms=symptoms)


def test_a_hung_engine_does_not_wait_behind_a_lesser_fault_that_only_a_person_can_mend() -> None:
    """A venue that loses messages is told to somebody; an engine that stands still is restarted."""
    rig = ready()
    rig.advise(
        agent="agent-network",
        fault="feed.gapped",
        culprit="exchange-primary",
        evidence=("venue_health_reason@engine",),
        labels={"venue": "primary"},
        severity="medium",
    )
    rig.run(2)
    assert rig.state() is IncidentState.ESCALATED
    rig.advise(
        agent="agent-cpu",
        fault="process.hung",
        culprit="engine",
        workflow="restart-with-warm-up",
        severity="critical",
    )
    rig.run(1)
    assert [each.incident.culprit for each in rig.cases] == ["exchange-primary", "engine"]
