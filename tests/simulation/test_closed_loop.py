"""A modelled stack, the five agents and the healing plane: from a fault to its verified cure.

Nobody tells anybody what was broken. The model gives readings, the agents see their own domain
only, the plane decides and acts on the model, and the model shows whether that helped.
"""

from typing import Any

import pytest
from closed_loop_rig import Whole
from prunella.healing.diagnose import AGENTS
from prunella.healing.incident import IncidentState
from prunella.healing.loop.agent import Agent
from stack_readings import PROCESSES, Stranger, topology

SEEDS = (1, 2, 3)


@pytest.fixture(params=SEEDS, ids=lambda seed: f"seed{seed}")
def whole(request: pytest.FixtureRequest) -> Whole:
    """Everything started and well."""
    made = Whole(request.param)
    for name in PROCESSES:
        made.world.start(name)
        made.run(0.15)
    made.run(8.0)
    assert not made.plane.book.cases
    return made


RESOLVED = IncidentState.RESOLVED


def test_killed_engine_trades_again(whole: Whole) -> None:
    """One restart, one incident, although four agents miss the engine."""
    whole.world.kill("engine")
    whole.run(12.0)
    assert whole.story() == ("process.crashed", "engine", RESOLVED, ["Restart"])


def test_frozen_venue_is_left_and_returned_to(whole: Whole) -> None:
    """There within two seconds of the silence, back after the thaw, all in one incident."""
    whole.world.freeze("primary")
    whole.run(2.0)
    assert whole.world.active == "backup"
    whole.run(6.0)
    whole.world.thaw("primary")
    whole.run(14.0)
    fault, culprit, state, acts = whole.story()
    assert (fault, culprit, state) == ("venue.silent", "exchange-primary", RESOLVED)
    assert acts == ["SwitchVenue", "SwitchVenue"]
    assert (whole.world.active, whole.case.outcome) == ("primary", "returned")


def test_hog_is_tamed(whole: Whole) -> None:
    """The stranger is reniced, and that is enough."""
    whole.world.strangers.append(Stranger(pid=4242, cpu=0.9, core=0))
    whole.run(12.0)
    assert whole.story() == ("cpu.contention", "pid:4242", RESOLVED, ["Renice"])
    assert whole.world.nice == {4242: 19}


def test_overloaded_venue_gets_fewer_orders(whole: Whole) -> None:
    """The errors stop because less is sent; the engine's breaker alone would go on trying."""
    whole.world.capacity = 5
    whole.run(30.0)
    fault, culprit, state, acts = whole.story()
    assert (fault, culprit, state) == ("order_path.overloaded", "exchange-primary", RESOLVED)
    assert set(acts) == {"SetOrderRate"}
    assert len(acts) <= 2


@pytest.mark.parametrize("what", ["burst", "window", "nothing"])
def test_nothing_is_done_when_nothing_is_wrong(whole: Whole, what: str) -> None:
    """A busy market, a planned restart, an ordinary minute."""
    world: Any = whole.world
    if what == "burst":
        world.speed = 5.0
    elif what == "window":
        whole.plane.open_window("agent-io", 20, "ana", "upgrade", world.now_ns)
        world.kill("agent-io")
        whole.run(4.0)
        whole.agents["agent-io"] = Agent(AGENTS["agent-io"], topology())
        world.start("agent-io")
    whole.run(40.0)
    assert world.commands == []
    assert all(not each.live for each in whole.plane.book.cases.values())
