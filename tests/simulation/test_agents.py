"""A modelled stack's readings in, what the five agents tell of it out."""

from collections.abc import Callable

import msgspec
import pytest
from prunella.bus import MemoryBroker
from prunella.healing.diagnose import AGENTS
from prunella.healing.incident import Diagnosis
from prunella.healing.loop.agent_service import AgentLoop, AgentSettings, subscriptions
from prunella.values import ManualClock
from stack_readings import PROCESSES, Stack, Stranger, topology

SEEDS = (1, 2, 3, 4)
QUIET_S = 8.0


class Plane:
    """The modelled stack, the bus, and the five agents that listen to it."""

    def __init__(self, seed: int) -> None:
        print(f"seed {seed}: pytest tests/simulation/test_agents.py -k 'seed{seed}'")  # noqa: T201
        self.stack = Stack(seed)
        self.clock = ManualClock(start_ns=self.stack.now_ns)
        self.broker = MemoryBroker()
        self.watch = self.broker.connect("watch")
        self.advice = self.broker.connect("healing").subscribe("local/healing/")
        self.told: list[tuple[float, Diagnosis]] = []
        self.buses = {name: self.broker.connect(name) for name in AGENTS}
        self.loops = {name: self._loop(name) for name in AGENTS}

    def _loop(self, name: str) -> AgentLoop:
        settings = AgentSettings(name=name, components=topology().components)
        bus = self.buses[name]
        inlet = bus.subscribe(*subscriptions(settings))
        return AgentLoop(settings, inlet=inlet, outlet=bus, clock=self.clock)

    def run(self, duration_s: float) -> "Plane":
        """Lets time pass."""
        stack = self.stack
        for batches in stack.rounds(duration_s):
            self.clock.advance(stack.now_ns - self.clock.now_ns())
            for batch in batches:
                self.watch.publish(
                    f"local/{batch.domain}/{batch.source}/normal",
                    msgspec.msgpack.encode(batch),
                    kind="readings",
                    now_ns=stack.now_ns,
                )
            for name, loop in self.loops.items():
                if stack.up[name]:
                    loop.drain(0.0)
                    loop.turn()
            while message := self.advice.receive(0.0):
                if message.kind == "diagnosis":
                    diagnosis = msgspec.msgpack.decode(message.payload, type=Diagnosis)
                    self.told.append((stack.now_s, diagnosis))
        return self

    def restart_agent(self, name: str) -> None:
        """A new process life: nothing is remembered."""
        self.buses[name].close()
        self.buses[name] = self.broker.connect(name)
        self.loops[name] = self._loop(name)
        self.stack.start(name)

    def first(self, agent: str, since_s: float) -> tuple[float, Diagnosis]:
        """The first diagnosis of an agent since then, and its delay in seconds."""
        at_s, diagnosis = next(
            each for each in self.told if each[0] >= since_s and each[1].agent == agent
        )
        return at_s - since_s, diagnosis

    def accused(self, since_s: float = 0.0) -> set[str]:
        """Everybody who was accused of anything that was going on."""
        return {
            each.culprit
            for at_s, diagnosis in self.told
            if at_s >= since_s and all(symptom.active for symptom in diagnosis.symptoms)
            for each in diagnosis.hypotheses
        }


@pytest.fixture(params=SEEDS, ids=lambda seed: f"seed{seed}")
def plane(request: pytest.FixtureRequest) -> Plane:
    """A stack that has started, one process after the other, and is well."""
    plane = Plane(request.param)
    for name in PROCESSES:
        plane.stack.start(name)
        plane.run(0.15)
    plane.run(QUIET_S)
    assert plane.told == []
    return plane


def test_killed_engine_is_told_at_once_and_nobody_else_accused(plane: Plane) -> None:
    """The CPU agent names the engine within 0.3 s; the others name it too, or nobody."""
    killed_s = plane.stack.now_s
    plane.stack.kill("engine")
    plane.run(1.5)
    plane.stack.start("engine")
    plane.run(6.0)
    delay_s, diagnosis = plane.first("agent-cpu", killed_s)
    best = diagnosis.hypotheses[0]
    assert (best.fault_class, best.culprit) == ("process.crashed", "engine")
    assert diagnosis.proposals[0].workflow == "restart-with-warm-up"
    assert delay_s <= 0.3
    assert plane.accused() == {"engine"}
    delay_s, diagnosis = plane.first("agent-network", killed_s)
    assert diagnosis.hypotheses[0].fault_class == "process.crashed"
    assert delay_s <= 1.0


def test_frozen_venue_is_silent_and_its_thaw_starts_nothing(plane: Plane) -> None:
    """The network agent names the venue within a second; the HTTP agent agrees."""
    frozen_s = plane.stack.now_s
    plane.stack.freeze("primary")
    plane.run(4.0)
    plane.stack.active = "backup"
    plane.run(6.0)
    plane.stack.thaw("primary")
    plane.run(4.0)
    calm_s = plane.stack.now_s
    plane.run(8.0)
    for agent, delay_max_s in (("agent-network", 1.0), ("agent-http", 2.5)):
        delay_s, diagnosis = plane.first(agent, frozen_s)
        best = diagnosis.hypotheses[0]
        assert (best.fault_class, best.culprit) == ("venue.silent", "exchange-primary")
        assert diagnosis.proposals[0].workflow == "reroute-to-backup-venue"
        assert delay_s <= delay_max_s
    assert plane.accused() == {"exchange-primary"}
    assert plane.accused(calm_s) == set()


def test_hog_on_the_engines_core_is_named_with_its_pid(plane: Plane) -> None:
    """Contention is told within a second, with what the workflow needs to hit the right one."""
    began_s = plane.stack.now_s
    plane.stack.strangers.append(Stranger(pid=4242, cpu=0.7, core=0))
    plane.run(3.0)
    plane.stack.strangers.clear()
    plane.run(4.0)
    delay_s, diagnosis = plane.first("agent-cpu", began_s)
    best = diagnosis.hypotheses[0]
    assert (best.fault_class, best.culprit) == ("cpu.contention", "pid:4242")
    assert delay_s <= 1.0
    labels = {each.entity: each.labels for each in diagnosis.symptoms}
    assert labels["pid:4242"]["start_ticks"] == str(4242 * 7)
    assert diagnosis.proposals[0].target == "pid:4242"
    assert plane.accused() == {"pid:4242"}


def test_busy_stranger_that_harms_nobody_is_no_fault(plane: Plane) -> None:
    """A compiler on another core is somebody's work."""
    plane.stack.strangers.append(Stranger(pid=77, cpu=0.98, core=1))
    plane.run(20.0)
    assert plane.told == []


def test_overloaded_order_path_is_told_from_its_errors(plane: Plane) -> None:
    """Bursts of 503 and 429 name the venue's order path within a second of the first ones."""
    began_s = plane.stack.now_s
    plane.stack.capacity = 5
    plane.run(6.0)
    plane.stack.capacity = None
    plane.run(6.0)
    delay_s, diagnosis = plane.first("agent-http", began_s)
    best = diagnosis.hypotheses[0]
    assert (best.fault_class, best.culprit) == ("order_path.overloaded", "exchange-primary")
    assert diagnosis.proposals[0].workflow == "back-off-and-shed"
    assert delay_s <= 1.5
    assert plane.accused() == {"exchange-primary"}


def test_five_fold_market_burst_is_no_fault(plane: Plane) -> None:
    """More of everything is a busy day."""
    plane.stack.speed = 5.0
    plane.run(20.0)
    plane.stack.speed = 1.0
    plane.run(10.0)
    assert plane.told == []


def test_restarted_agent_is_lost_until_it_is_back(plane: Plane) -> None:
    """Loss of an agent is told by the CPU agent; policy knows about maintenance, agents do not."""
    stopped_s = plane.stack.now_s
    plane.stack.kill("agent-io")
    plane.run(2.5)
    plane.restart_agent("agent-io")
    plane.run(6.0)
    delay_s, diagnosis = plane.first("agent-cpu", stopped_s)
    best = diagnosis.hypotheses[0]
    assert (best.fault_class, best.culprit) == ("agent.lost", "agent-io")
    assert delay_s <= 0.3
    delay_s, diagnosis = plane.first("agent-execution", stopped_s)
    assert diagnosis.hypotheses[0].fault_class == "agent.lost"
    assert delay_s <= 2.5
    assert plane.accused() == {"agent-io"}


def test_each_fault_is_told_once_then_remembered_then_ended(plane: Plane) -> None:
    """No stream of copies: growth and a reminder every two seconds, and one end."""
    plane.stack.freeze("primary")
    plane.run(10.0)
    plane.stack.thaw("primary")
    plane.run(6.0)
    told = [each for _, each in plane.told if each.agent == "agent-network"]
    ends = [each for each in told if not any(symptom.active for symptom in each.symptoms)]
    assert len(ends) == 1
    assert told[-1] is ends[0]
    assert len(told) <= 11
    assert plane.loops["agent-network"].status().diagnoses == 1


def test_agent_restarted_in_the_middle_of_a_fault_sees_it_again(plane: Plane) -> None:
    """What a new process life does not remember, it reads."""
    plane.stack.freeze("primary")
    plane.run(2.0)
    plane.restart_agent("agent-network")
    restarted_s = plane.stack.now_s
    plane.run(4.0)
    delay_s, diagnosis = plane.first("agent-network", restarted_s)
    assert diagnosis.hypotheses[0].culprit == "exchange-primary"
    assert delay_s <= 3.5


@pytest.mark.parametrize("seed", SEEDS)
def test_long_healthy_run_with_restarts_of_the_watched_gives_no_diagnosis(seed: int) -> None:
    """Three minutes of start-up, work, busy strangers and restarted observers: nothing to tell."""
    plane = Plane(seed)
    disturb: list[Callable[[], None]] = [
        lambda: plane.stack.strangers.append(
            Stranger(pid=900, cpu=0.9, core=1, until_s=plane.stack.now_s + 5)
        ),
        lambda: setattr(plane.stack, "speed", 3.0),
        lambda: setattr(plane.stack, "speed", 1.0),
        lambda: plane.restart_agent("agent-network"),
        lambda: plane.restart_agent("agent-cpu"),
        lambda: plane.restart_agent("agent-http"),
    ]
    for name in PROCESSES:
        plane.stack.start(name)
        plane.run(0.3)
    for act in disturb:
        act()
        plane.run(30.0)
    assert plane.told == []
