"""Replicas of an agent on the modelled stack: shared work, takeover, coming and going."""

from collections.abc import Callable

import msgspec
import pytest
from prunella.bus import MemoryBroker
from prunella.healing.incident import Diagnosis, Heartbeat, Roster, replicated
from prunella.healing.loop import AgentLoop, AgentSettings, subscriptions
from prunella.healing.loop.team import Team
from prunella.values import ManualClock
from stack_readings import PROCESSES, Stack, Stranger, topology

WARM_S = 13.0


class Domain:
    """The modelled stack, the bus, and the replicas of one agent that listen to it."""

    def __init__(self, *names: str) -> None:
        self.agent = replicated(names[0])
        self.stack = Stack(11)
        self.clock = ManualClock(start_ns=self.stack.now_ns)
        self.broker = MemoryBroker()
        self.watch = self.broker.connect("watch")
        self.plane = self.broker.connect("healing")
        self.advice = self.plane.subscribe("local/healing/")
        self.told: list[tuple[float, str, Diagnosis]] = []
        self.beats: dict[str, Heartbeat] = {}
        self.loops: dict[str, AgentLoop] = {}
        for each in PROCESSES:
            self.stack.start(each)
        for each in names:
            self.add(each)

    def add(self, name: str) -> None:
        """One more replica."""
        settings = AgentSettings(name=name, components=topology().components)
        bus = self.broker.connect(self.agent)
        self.loops[name] = AgentLoop(
            settings, inlet=bus.subscribe(*subscriptions(settings)), outlet=bus, clock=self.clock
        )

    def kill(self, name: str) -> None:
        """Kill -9: it says nothing any more, not even that it leaves."""
        del self.loops[name]

    def leave(self, name: str) -> None:
        """SIGTERM."""
        loop = self.loops.pop(name)
        loop.stop()
        loop.run()

    def run(self, seconds: float) -> "Domain":
        """Lets time pass."""
        for batches in self.stack.rounds(seconds):
            self.clock.advance(self.stack.now_ns - self.clock.now_ns())
            for batch in batches:
                self.watch.publish(
                    f"local/{batch.domain}/{batch.source}/normal",
                    msgspec.msgpack.encode(batch),
                    kind="readings",
                    now_ns=self.stack.now_ns,
                )
            for loop in self.loops.values():
                loop.drain(0.0)
                loop.turn()
            while message := self.advice.receive(0.0):
                if message.kind == "diagnosis":
                    diagnosis = msgspec.msgpack.decode(message.payload, type=Diagnosis)
                    self.told.append((self.stack.now_s, message.source, diagnosis))
                elif message.kind == "heartbeat":
                    beat = msgspec.msgpack.decode(message.payload, type=Heartbeat)
                    self.beats[beat.source] = beat
        return self

    def tellers(self, culprit: str, since_s: float) -> list[str]:
        """Who told of it since then, in order, each once."""
        named = [
            source
            for at_s, source, diagnosis in self.told
            if at_s >= since_s and diagnosis.hypotheses[0].culprit == culprit
        ]
        return list(dict.fromkeys(named))


def owner(domain: Domain, culprit: str) -> str:
    """Whose the lots make the culprit."""
    members = list(domain.loops)
    return next(each for each in members if _team(each, members).tells(culprit))


def _team(me: str, members: list[str]) -> Team:
    team = Team(me, 0)
    for each in members:
        team.hear(Heartbeat(source=each, started_ns=0, at_ns=0), 10**12)
    team.refresh(10**12)
    return team


@pytest.mark.parametrize("count", [2, 3])
def test_each_fault_is_told_by_one_replica_and_all_have_work(count: int) -> None:
    """Killed components are told once each, by their owner, and the shares make up the whole."""
    domain = Domain(*("agent-cpu", "agent-cpu.2", "agent-cpu.3")[:count]).run(WARM_S)
    shares = [domain.beats[each].share for each in domain.loops]
    assert sum(shares) == pytest.approx(1.0)
    assert min(shares) > 0.05
    for victim in ("engine", "exchange-primary", "exchange-backup"):
        since_s = domain.stack.now_s
        domain.stack.kill(victim)
        domain.run(0.5)
        assert domain.tellers(victim, since_s) == [owner(domain, victim)]
        domain.stack.start(victim)
        domain.run(4.0)


def test_rule_over_series_of_several_replicas_finds_its_culprit() -> None:
    """Who burns the engine's processor is found though nobody looks at both of them."""
    names = ("agent-cpu", "agent-cpu.2", "agent-cpu.3", "agent-cpu.4", "agent-cpu.5")
    domain = Domain(*names).run(WARM_S)
    teams = {each: _team(each, list(names)) for each in names}
    stranger = next(
        pid
        for pid in range(4000, 5000)
        if not any(team.looks("engine") and team.looks(f"pid:{pid}") for team in teams.values())
    )
    since_s = domain.stack.now_s
    domain.stack.strangers.append(Stranger(pid=stranger, cpu=0.9, core=domain.stack.engine_core))
    domain.run(3.0)
    assert domain.tellers(f"pid:{stranger}", since_s) == [owner(domain, f"pid:{stranger}")]


def test_work_of_a_killed_replica_is_told_by_the_other_within_two_seconds() -> None:
    """Kill -9 of the owner: an open fault and a new one are told by who is left."""
    domain = Domain("agent-cpu", "agent-cpu.2").run(WARM_S)
    victims = ("engine", "exchange-primary", "exchange-backup", "watch", "bus")
    doomed = owner(domain, "engine")
    mine = [each for each in victims if owner(domain, each) == doomed]
    left = next(each for each in domain.loops if each != doomed)
    domain.stack.kill(mine[0])
    domain.run(0.5)
    since_s = domain.stack.now_s
    domain.kill(doomed)
    domain.run(0.1)
    fresh = "pid:4242" if len(mine) == 1 else mine[1]
    if fresh != "pid:4242":
        domain.stack.kill(fresh)
    domain.run(1.9)
    assert domain.tellers(mine[0], since_s) == [left]
    assert fresh == "pid:4242" or domain.tellers(fresh, since_s) == [left]
    assert domain.beats[left].share == 1.0


def test_replica_that_leaves_hands_over_at_once() -> None:
    """Nobody waits for who said that it goes."""
    domain = Domain("agent-cpu", "agent-cpu.2").run(WARM_S)
    gone = owner(domain, "engine")
    left = next(each for each in domain.loops if each != gone)
    domain.leave(gone)
    domain.run(0.1)
    since_s = domain.stack.now_s
    domain.stack.kill("engine")
    domain.run(0.3)
    assert domain.tellers("engine", since_s) == [left]


def test_new_replica_learns_first_and_then_takes_its_part() -> None:
    """Nothing is handed to somebody who does not know what is normal."""
    domain = Domain("agent-cpu").run(WARM_S)
    domain.add("agent-cpu.2")
    domain.run(5.0)
    assert (domain.beats["agent-cpu"].share, domain.beats["agent-cpu.2"].share) == (1.0, 0.0)
    domain.run(10.0)
    assert domain.beats["agent-cpu"].share < 1.0
    assert domain.beats["agent-cpu.2"].share == pytest.approx(1 - domain.beats["agent-cpu"].share)
    assert domain.told == []


@pytest.mark.parametrize("by", ["roster", "nobody"])
def test_disabled_replica_tells_nothing_and_the_other_tells_all(by: str) -> None:
    """The plane's roster moves its work; without one the owner tells."""
    domain = Domain("agent-cpu", "agent-cpu.2").run(WARM_S)
    named = owner(domain, "engine")
    other = next(each for each in domain.loops if each != named)
    if by == "roster":
        record = msgspec.msgpack.encode(Roster(disabled=(named,)))
        domain.plane.publish(
            "local/healing/healing/normal", record, kind="roster", now_ns=domain.stack.now_ns
        )
    domain.run(1.0)
    since_s = domain.stack.now_s
    domain.stack.kill("engine")
    domain.run(0.5)
    assert domain.tellers("engine", since_s) == [other if by == "roster" else named]


def test_symptom_that_only_a_dead_replica_saw_is_forgotten() -> None:
    """What nobody sees any more is over: no replica holds a fault open for a dead one."""
    domain = Domain("agent-cpu", "agent-cpu.2").run(WARM_S)
    domain.stack.kill("engine")
    domain.run(1.0)
    domain.kill("agent-cpu")
    domain.stack.start("engine")
    domain.run(6.0)
    assert domain.loops["agent-cpu.2"].status().open_symptoms == ()
    assert domain.loops["agent-cpu.2"].status().open_diagnoses == ()


def test_team_gives_every_name_to_exactly_one_and_moves_only_a_dead_ones() -> None:
    """Rendezvous: who stays keeps what was theirs."""
    members = ["agent-io", "agent-io.2", "agent-io.3"]
    names = [f"pid:{each}" for each in range(300)]
    whose: Callable[[list[str]], dict[str, str]] = lambda alive: {  # noqa: E731
        name: each for each in alive for name in names if _team(each, alive).tells(name)
    }
    before, after = whose(members), whose(members[:2])
    assert len(before) == len(after) == 300
    assert all(after[name] == before[name] for name in names if before[name] != "agent-io.3")
    looked = [sum(_team(each, members).looks(name) for each in members) for name in names]
    assert set(looked) == {2}
