"""Replicas that answer late, wrongly or well: who is set aside, told, and taken back."""

from typing import Any

import msgspec
import pytest
from healing_rig import Rig
from prunella.errors import UsageError
from prunella.healing.incident import Diagnosis, IncidentState
from prunella.healing.loop.agent_supervisor import STRIKES_MAX
from stack import SECOND, advise
from stack import beat as sign

LATE_NS = 3 * SECOND


def say(rig: Rig, source: str = "agent-cpu.2", late_ns: int = 0, **words: str) -> Diagnosis:
    """A replica tells that the engine waits for a core that nobody takes from it."""
    said: dict[str, Any] = {"fault": "process.crashed", "culprit": "engine", "agent": "agent-cpu"}
    diagnosis = advise(rig.stack, **said | words)
    diagnosis = msgspec.structs.replace(diagnosis, made_ns=rig.stack.now_ns - late_ns)
    rig.plane.hear_diagnosis(diagnosis, rig.stack.now_ns, source)
    return diagnosis


def beat(rig: Rig, source: str = "agent-cpu.2", late_ns: int = 0) -> None:
    """A replica's heartbeat arrives."""
    rig.plane.hear_heartbeat(sign(source, rig.stack.now_ns - late_ns), rig.stack.now_ns)


def disabled(rig: Rig) -> set[str]:
    """Whom the plane listens to no more."""
    return set(rig.plane.book.disabled)


WRONG = {
    "nobody": {"culprit": "the-moon"},
    "another": {"agent": "agent-http"},
}


@pytest.mark.parametrize("how", ["late", *WRONG])
def test_replica_that_is_late_or_wrong_again_and_again_is_disabled_and_told(how: str) -> None:
    """Four times is bad luck; the fifth is enough, and a person reads it among the incidents."""
    rig = Rig()
    beat(rig)
    for count in range(STRIKES_MAX):
        assert disabled(rig) == set(), count
        say(rig, late_ns=LATE_NS if how == "late" else 0, **WRONG.get(how, {}))
        beat(rig)
        rig.run(0.2)
    assert disabled(rig) == {"agent-cpu.2"}
    told = [each for each in rig.cases if each.incident.fault_class == "agent.unreliable"]
    assert [each.incident.culprit for each in told] == ["agent-cpu.2"]
    view = {each.name: each for each in rig.plane.registry.views(0, rig.plane.book.disabled)}
    assert (view["agent-cpu.2"].state, view["agent-cpu.2"].health) == ("disabled", 0.0)
    assert "5 of 5 answers" in view["agent-cpu.2"].why


def test_disabled_replica_is_not_heard_until_a_person_enables_it() -> None:
    """Also by the next life of the plane; the incident about it ends with the person's word."""
    rig = Rig()
    beat(rig)
    for _ in range(STRIKES_MAX):
        say(rig, culprit="the-moon")
    rig.run(1.0)
    rig.restart_plane()
    beat(rig)
    rig.stack.kill("engine")
    rig.run(0.2)
    say(rig)
    rig.run(0.5)
    assert [each.incident.culprit for each in rig.cases] == ["agent-cpu.2"]
    assert rig.state() is IncidentState.ESCALATED
    now_ns = rig.stack.now_ns
    rig.plane.switch_agent(
        "agent-cpu.2", enabled=True, actor="ana", reason="new disk", now_ns=now_ns
    )
    assert disabled(rig) == set()
    assert rig.state() is IncidentState.RESOLVED
    say(rig)
    rig.run(0.5)
    assert [each.incident.culprit for each in rig.cases] == ["agent-cpu.2", "engine"]


def test_replica_that_is_right_more_often_stays() -> None:
    """Six wrong ones among thirteen are no reason."""
    rig = Rig()
    beat(rig)
    for turn in range(13):
        say(rig, culprit="the-moon" if turn % 2 else "engine")
    rig.run(0.2)
    assert disabled(rig) == set()


def test_strikes_of_long_ago_are_forgotten() -> None:
    """Four yesterday and one today make no five."""
    rig = Rig()
    beat(rig)
    for _ in range(STRIKES_MAX - 1):
        say(rig, culprit="the-moon")
    rig.run(61)
    beat(rig)
    say(rig, culprit="the-moon")
    rig.run(0.2)
    assert disabled(rig) == set()


def test_slow_bus_makes_nobody_late() -> None:
    """Where heartbeats are late as well, it is not the agents."""
    rig = Rig()
    for _ in range(2 * STRIKES_MAX):
        beat(rig, late_ns=LATE_NS)
        say(rig, late_ns=LATE_NS)
    rig.run(0.2)
    assert rig.plane.agents.late == 0
    assert disabled(rig) == set()


def test_what_our_own_readings_do_not_show_is_a_strike() -> None:
    """An engine that is up is not crashed, whoever says so."""
    rig = Rig()
    say(rig, "agent-cpu", workflow="restart-with-warm-up")
    rig.run(5)
    assert rig.state() is IncidentState.ESCALATED
    assert rig.plane.agents.wrong == 1


def test_unreadable_answers_are_strikes() -> None:
    """Who cannot be understood is of no use."""
    rig = Rig()
    beat(rig)
    for _ in range(STRIKES_MAX):
        rig.plane.hear_nonsense("agent-cpu.2", rig.stack.now_ns)
    rig.run(0.2)
    assert disabled(rig) == {"agent-cpu.2"}


def test_person_disables_only_who_is_there_and_only_once() -> None:
    """A mistyped name is one sentence."""
    rig = Rig()
    words: dict[str, Any] = {"actor": "ana", "reason": "looks odd", "now_ns": rig.stack.now_ns}
    rig.plane.switch_agent("agent-io", enabled=False, **words)
    with pytest.raises(UsageError, match="agent-io is disabled already"):
        rig.plane.switch_agent("agent-io", enabled=False, **words)
    with pytest.raises(UsageError, match="no replica 'agent-iu'"):
        rig.plane.switch_agent("agent-iu", enabled=False, **words)
