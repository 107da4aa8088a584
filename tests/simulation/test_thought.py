"""A model beside the healing plane on a simulated stack: asked late, waited for by nobody."""

import json

from healing_rig import check
from prunella.evaluation.model_server import ModelServer, Reply, opinion
from prunella.healing.incident import IncidentState, Unexplained
from thinking import symptom, thinking_rig


def test_habit_cures_before_a_model_is_asked() -> None:
    """A known fault with a proven remedy never becomes a question."""
    with ModelServer("good") as server:
        rig, thinker = thinking_rig(server, patient=True)
        rig.run(3)
        rig.crash_engine()
        rig.run(8)
        assert rig.state() is IncidentState.RESOLVED
        assert (server.asked, thinker.waiting) == ([], [])
    assert rig.ledger.records("thought") == []
    check(rig)


def test_other_incidents_heal_while_a_model_thinks() -> None:
    """A question that is never answered keeps nobody from being healed."""
    with ModelServer("good") as server:
        rig, thinker = thinking_rig(server, patient=True)
        rig.run(3)
        rig.advise(agent="agent-io", fault="disk.slow", culprit="agent-http")
        rig.run(1)
        assert len(thinker.waiting) == 1
        rig.crash_engine()
        rig.run(8)
        assert rig.acts() == ["Restart"]
        assert rig.cases[1].incident.state is IncidentState.RESOLVED
        rig.run(60)
        answered = rig.ledger.records("thought.answered")
        assert [(each.reasoner, each.stance) for each in answered] == [("nobody", "none")]
    check(rig)


def test_model_knows_a_remedy_where_the_expert_has_none() -> None:
    """Where the settings let it act alone, its advice passes the same policy and heals."""
    with ModelServer("good") as server:
        rig, _ = thinking_rig(server, alone="act")
        rig.run(3)
        rig.stack.kill("engine")
        rig.run(0.2)
        rig.advise(agent="agent-io", fault="disk.slow", culprit="engine")
        rig.run(10)
        assert rig.state() is IncidentState.RESOLVED
        assert rig.acts() == ["Restart"]
        asked, answered = rig.ledger.records("thought")
        assert (asked.why, answered.stance) == ("no_remedy", "adds")
        assert asked.question_sha256 == answered.question_sha256
        assert json.loads(asked.question)["why"] == "no_remedy"
        assert answered.attempts[0].outcome == "answered"
    check(rig)


def test_model_alone_does_nothing_unless_allowed_to() -> None:
    """By default its own idea is for people to read."""
    with ModelServer("good") as server:
        rig, _ = thinking_rig(server)
        rig.run(3)
        rig.stack.kill("engine")
        rig.run(0.2)
        rig.advise(agent="agent-io", fault="disk.slow", culprit="engine")
        rig.run(10)
        assert (rig.state(), rig.case.reason) == (IncidentState.ESCALATED, "ADVICE_DOUBTED")
        assert rig.acts() == []
        (waiting,) = rig.plane.approvals.waiting(rig.stack.now_ns)
        assert waiting.action.workflow == "restart-with-warm-up"
        assert waiting.rules == ("forbid-doubted-advice",)
    check(rig)


def test_model_that_differs_makes_a_person_look() -> None:
    """The expert hesitates between nothing and a restart, the model blames a venue: nobody acts."""
    with ModelServer("hostile") as server:
        rig, _ = thinking_rig(server, alone="act")
        rig.run(3)
        rig.freeze_primary()
        rig.advise(
            agent="agent-io",
            fault="venue.silent",
            culprit="exchange-primary",
            workflow="restart-with-warm-up",
            target="engine",
            evidence=("venue_feed_age_seconds@engine",),
            confidence=0.9,
        )
        rig.run(6)
        (answered,) = rig.ledger.records("thought.answered")
        assert (answered.why, answered.stance) == ("rivals", "differs")
        assert (rig.state(), rig.case.reason) == (IncidentState.ESCALATED, "ADVICE_DOUBTED")
        assert rig.acts() == []
        assert rig.case.contested
        assert any(each.kind == "incident.diagnosis" for each in rig.case.events)
    check(rig)


def test_agreement_makes_an_unsure_expert_sure_enough() -> None:
    """Two advisers who say the same lift a guess over policy's lowest confidence."""
    with ModelServer("good") as server:
        rig, _ = thinking_rig(server)
        rig.run(3)
        rig.crash_engine(fault="process.hung", confidence=0.5)
        rig.run(10)
        assert rig.acts() == ["Restart"]
        (answered,) = rig.ledger.records("thought.answered")
        assert (answered.why, answered.stance) == ("unsure", "agrees")
    check(rig)


def test_yes_man_cannot_carry_a_wild_guess() -> None:
    """A model that agrees with everything lifts the expert by no more than a little."""
    with ModelServer("good") as server:
        rig, _ = thinking_rig(server)
        rig.run(3)
        rig.crash_engine(fault="process.hung", confidence=0.4)
        rig.run(10)
        assert rig.acts() == []
        assert rig.case.reason == "CONFIDENCE_LOW"


def test_decision_between_rivals_waits_and_then_goes_on_without() -> None:
    """A model that does not answer costs the time that the settings give it, and no more."""
    with ModelServer("good") as server:
        rig, thinker = thinking_rig(server, patient=True, hold_s=3.0)
        rig.run(3)
        rig.stack.frozen.add("primary")
        rig.run(0.4)
        for workflow, target in (
            ("reroute-to-backup-venue", "engine"),
            ("restart-with-warm-up", "engine"),
        ):
            rig.advise(
                agent=f"agent-{workflow[:3]}",
                fault="venue.silent",
                culprit="exchange-primary",
                workflow=workflow,
                target=target,
                evidence=("venue_feed_age_seconds@engine",),
                labels={"venue": "primary"},
                confidence=0.9 if target == "engine" and workflow[:3] == "rer" else 0.85,
            )
        rig.run(2.5)
        assert rig.acts() == []
        assert len(thinker.waiting) == 1
        rig.run(4)
        assert rig.acts() == ["SwitchVenue"]
    check(rig)


def test_unexplained_symptoms_are_asked_about_once() -> None:
    """What no rule explains becomes an incident only when a model can explain it."""
    with ModelServer("good") as server:
        rig, _ = thinking_rig(server, alone="act")
        rig.run(3)
        rig.stack.kill("engine")
        puzzle = Unexplained(
            agent="agent-cpu",
            domain="cpu",
            symptoms=(symptom(onset_ns=rig.stack.now_ns, detected_ns=rig.stack.now_ns),),
            made_ns=rig.stack.now_ns,
        )
        for _ in range(3):
            rig.plane.hear_unexplained(puzzle, rig.stack.now_ns)
            rig.run(3)
        assert len(server.asked) == 1
        assert rig.acts() == ["Restart"]
        assert rig.state() is IncidentState.RESOLVED
    check(rig)


def test_model_that_does_not_know_opens_no_incident() -> None:
    """`unknown` bothers nobody."""
    with ModelServer(lambda asked: Reply(text=json.dumps(opinion(asked)))) as server:
        rig, _ = thinking_rig(server, alone="act")
        rig.run(3)
        puzzle = Unexplained(
            agent="agent-cpu", domain="cpu", symptoms=(symptom(),), made_ns=rig.stack.now_ns
        )
        rig.plane.hear_unexplained(puzzle, rig.stack.now_ns)
        rig.run(2)
        assert len(server.asked) == 1
        assert rig.cases == []


def test_killed_plane_does_not_ask_the_same_twice() -> None:
    """A question is in the ledger before it is asked; the next life knows."""
    with ModelServer("good") as server:
        rig, thinker = thinking_rig(server, patient=True)
        rig.run(3)
        rig.advise(agent="agent-io", fault="disk.slow", culprit="engine")
        rig.run(1)
        assert len(thinker.waiting) == 1
        rig.plane = rig._assemble()
        rig.run(2)
        assert len(rig.ledger.records("thought.asked")) == 1
        assert rig.case.thoughts == {"no_remedy"}
