"""Two replicas of an agent as real processes on the real bus; one is killed with SIGKILL."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from engine_process import wait_until
from prunella.bridge import Supervisor
from prunella.bus.zeromq import ZeroMqBus, ZeroMqSubscription, role_password
from prunella.cli.clock import SystemClock
from prunella.cli.stack import free_port_base, new_home, prepare, programs
from prunella.config import Settings, StackSettings, save
from prunella.control.tokens import load_token
from prunella.errors import TargetUnavailableError
from prunella.healing.incident import Diagnosis, Heartbeat
from prunella.healing.loop import HealingClient
from prunella.healing.loop.team import Team
from prunella.telemetry import Reading, Readings
from prunella.values import Home

pytestmark = pytest.mark.timeout(60)

REPLICAS = ("agent-cpu", "agent-cpu.2")
VICTIMS = ("engine", "exchange-primary", "exchange-backup", "monitor", "watch")
ROUND_NS = 100_000_000
TAKEOVER_S = 2.0


class World:
    """The bus, the plane and two replicas as processes; the test is the collector."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.clock = SystemClock()
        self.supervisor = Supervisor(home)
        self.down: set[str] = set()
        self.healing = HealingClient(home)
        self.heard: list[tuple[float, str, Diagnosis]] = []
        self.shares: dict[str, float] = {}
        self._buses: list[ZeroMqBus] = []
        self._due_ns = 0

    def start(self) -> None:
        """Brings them up."""
        prepare(self.home)
        self.supervisor.start(programs(self.home, ("bus", *REPLICAS, "healing")))
        self._watch = self._bus("watch")
        self._inbox: ZeroMqSubscription = self._bus("viewer").subscribe("local/healing/")

    def _bus(self, role: str) -> ZeroMqBus:
        home = self.home
        password = role_password(load_token(home.key("bus.token")), role)
        bus = ZeroMqBus(home.socket("bus-in"), home.socket("bus-out"), role=role, password=password)
        self._buses.append(bus)
        return bus

    def stop(self) -> None:
        """Ends all."""
        self.supervisor.stop()
        for each in self._buses:
            each.close()

    def pump(self) -> None:
        """Ten rounds of readings a second, and what the replicas say."""
        now_ns = self.clock.now_ns()
        if now_ns >= self._due_ns:
            self._due_ns = now_ns + ROUND_NS
            rows = [("process_up", each, float(each not in self.down)) for each in VICTIMS]
            alive = [each for each in VICTIMS if each not in self.down]
            rows += [("process_start_ticks", each, 7.0) for each in alive]
            items = tuple(
                Reading(
                    metric=metric,
                    entity=name,
                    value=value,
                    labels={"process": name} if metric == "process_up" else {},
                    ts_event_ns=now_ns,
                    ts_init_ns=now_ns,
                )
                for metric, name, value in rows
            )
            batch = Readings(domain="cpu", source="host", items=items)
            self._watch.publish(
                "local/cpu/host/normal",
                msgspec.msgpack.encode(batch),
                kind="readings",
                now_ns=now_ns,
            )
        message = self._inbox.receive(0.02)
        if message is not None and message.kind == "diagnosis":
            diagnosis = msgspec.msgpack.decode(message.payload, type=Diagnosis)
            self.heard.append((time.monotonic(), message.source, diagnosis))
        elif message is not None and message.kind == "heartbeat":
            beat = msgspec.msgpack.decode(message.payload, type=Heartbeat)
            self.shares[beat.source] = beat.share

    def tellers(self, culprit: str, since: float) -> list[tuple[float, str]]:
        """When and who told of it since then."""
        return [
            (at - since, source)
            for at, source, diagnosis in self.heard
            if at >= since and diagnosis.hypotheses[0].culprit == culprit
        ]

    def wait(self, what: str, told: Callable[[], bool], timeout_s: float = 15.0) -> None:
        """Pumps until it is so."""

        def look() -> bool:
            self.pump()
            return told()

        wait_until(look, what, timeout_s=timeout_s)

    def incidents(self, culprit: str) -> int:
        """How many incidents the plane has opened about it."""
        try:
            return sum(each.culprit == culprit for each in self.healing.incidents())
        except TargetUnavailableError:
            return 0


@pytest.fixture
def world() -> Iterator[World]:
    """Two replicas that share the work of their agent, and a plane that may not act."""
    folder = Path(tempfile.mkdtemp(prefix="pr-", dir="/tmp"))
    home = new_home(folder)
    save(Settings(stack=StackSettings(port_base=free_port_base())), home.settings)
    world = World(home)
    try:
        world.start()
        world.wait("both to share", lambda: _shared(world))
        world.healing.freeze(frozen=True, actor="test", reason="only the advice is looked at")
        yield world
    finally:
        world.stop()
        shutil.rmtree(folder)


def _shared(world: World) -> bool:
    shares = [world.shares.get(each, 1.0) for each in REPLICAS]
    return sum(shares) == pytest.approx(1.0) and max(shares) < 1.0 and _answers(world)


def _answers(world: World) -> bool:
    try:
        return len(world.healing.status().replicas) > len(REPLICAS)
    except TargetUnavailableError:
        return False


def owned(name: str) -> list[str]:
    """Whom the lots give to a replica, of those that the test may break."""
    team = Team(name, 0)
    for other in REPLICAS:
        team.hear(Heartbeat(source=other, started_ns=0, at_ns=0), 0)
    team.refresh(0)
    return [each for each in VICTIMS if team.tells(each)]


def share_of(world: World, replica: str) -> float:
    """What it looks at, as a heartbeat told last."""
    return next(each.share for each in world.healing.status().replicas if each.name == replica)


@pytest.mark.parametrize("doomed", REPLICAS)
def test_killed_replicas_work_is_told_by_the_other_within_two_seconds(
    world: World, doomed: str
) -> None:
    """An open fault and a new one, both of the dead one's share; each is one incident."""
    known, fresh = owned(doomed)[:2]
    left = next(each for each in REPLICAS if each != doomed)
    before = time.monotonic()
    world.down.add(known)
    world.wait("the owner to tell", lambda: bool(world.tellers(known, before)))
    assert {source for _, source in world.tellers(known, before)} == {doomed}

    os.kill(world.supervisor.state(doomed).pid, signal.SIGKILL)
    killed = time.monotonic()
    world.down.add(fresh)
    both = lambda: all(world.tellers(each, killed) for each in (known, fresh))  # noqa: E731
    world.wait("the other to tell", both)
    for culprit in (known, fresh):
        delay_s, source = world.tellers(culprit, killed)[0]
        print(f"{culprit}: told by {source} {delay_s:.2f} s after the kill")  # noqa: T201
        assert source == left
        assert delay_s < TAKEOVER_S
    world.wait("an incident each", lambda: all(map(world.incidents, (known, fresh))))
    assert [world.incidents(each) for each in (known, fresh)] == [1, 1]
    world.wait("the other to have it all", lambda: share_of(world, left) == 1.0)
