"""A thousand incidents in the queue and a dead engine: who waits for whom."""

import pytest
from healing_rig import Rig, check
from prunella.healing.incident import IncidentState

THOUSAND = 1_000


def flood(rig: Rig, count: int) -> None:
    """So many minor faults of as many strangers, told at once."""
    for number in range(count):
        rig.advise(
            agent="agent-cpu",
            fault="cpu.contention",
            culprit=f"pid:{10_000 + number}",
            workflow="contain-cpu-offender",
            evidence=(f"process_cpu_ratio@pid:{10_000 + number}",),
            severity="low",
        )


def time_to_act(count: int) -> float:
    """Seconds from the advice about a killed engine to the order to restart it."""
    rig = Rig()
    rig.run(3)
    flood(rig, count)
    rig.crash_engine(severity="critical")
    began_ns = rig.stack.now_ns
    while "Restart" not in rig.acts():
        rig.run(0.1)
        assert rig.stack.now_ns - began_ns < 10_000_000_000
    taken_s = (rig.stack.now_ns - began_ns) / 1e9
    check(rig)
    return taken_s


def test_thousand_queued_incidents_do_not_delay_an_urgent_one() -> None:
    """The engine is restarted in the same tick as if there were nothing else to do."""
    assert time_to_act(THOUSAND) == time_to_act(0)


@pytest.mark.parametrize("count", [200])
def test_every_queued_incident_is_decided_in_the_end(count: int) -> None:
    """None is forgotten behind the others."""
    rig = Rig()
    rig.run(3)
    flood(rig, count)
    rig.run(12)
    about = [each for each in rig.cases if each.incident.fault_class == "cpu.contention"]
    assert len(about) == count
    assert not {each.incident.state for each in about} & {IncidentState.OPEN}
    assert all(each.incident.decisions for each in about)
