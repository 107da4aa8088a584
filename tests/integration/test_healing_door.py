"""The healing plane's loop and its socket, with real threads and a real unix socket."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from healing_rig import KEY
from integration_parts import QueueInlet, RealClock
from prunella.control import SignedAct
from prunella.control.acts import public_text, sign_act
from prunella.errors import TargetUnavailableError, UsageError
from prunella.healing.decide import DecideSettings
from prunella.healing.incident import Heartbeat
from prunella.healing.loop import (
    HealingClient,
    LoopSettings,
    PlaneLoop,
    approval_parts,
    assemble,
    local_stack,
)
from prunella.healing.loop.door import Door
from prunella.healing.remediate import ThreadPool
from prunella.telemetry import Readings
from prunella.values import Home
from stack import MemoryLedger, Stack, advise


class Plane:
    """A healing plane that runs on a thread, fed from a simulated stack in real time."""

    def __init__(self, home: Home, settings: LoopSettings | None = None) -> None:
        self.clock = RealClock()
        self.stack = Stack(now_ns=self.clock.now_ns())
        self.ledger = MemoryLedger()
        self.inlet = QueueInlet()
        self.pool = ThreadPool()
        plane = assemble(
            settings=settings or local_stack(),
            ledger=self.ledger,
            earlier=[],
            targets=self.stack.targets(),
            private_key=KEY,
            pool=self.pool,
            now_ns=self.stack.now_ns,
            persons=lambda: {"ana": public_text(KEY)},
        )
        self.loop = PlaneLoop(plane, self.inlet, self.clock)
        self.door = Door(home.socket("healing"), "secret", self.loop.ask)
        self.thread = threading.Thread(target=self.loop.run)
        self.client = HealingClient(home)

    def feed(self, until: Callable[[], bool], *, timeout_s: float = 20.0) -> None:
        """Carries telemetry every 100 ms until the condition holds."""
        deadline = time.monotonic() + timeout_s
        pause = threading.Event()
        while not until():
            assert time.monotonic() < deadline
            self.stack.advance()
            self.stack.now_ns = self.clock.now_ns()
            self.inlet.send(
                "readings",
                Readings(domain="cpu", source="host", items=tuple(self.stack.readings())),
            )
            for agent in self.stack.heartbeats():
                self.inlet.send("heartbeat", Heartbeat(source=agent, started_ns=0, at_ns=0))
            pause.wait(0.1)

    def close(self) -> None:
        """Stops everything."""
        self.loop.stop()
        self.thread.join(5)
        assert not self.thread.is_alive()
        self.door.close()
        self.pool.close()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home folder with a token."""
    made = Home(tmp_path / "h").create()
    made.keys.mkdir(exist_ok=True)
    made.key("control.token").write_text("secret\n")
    return made


@pytest.fixture
def plane(home: Home) -> Iterator[Plane]:
    """A running plane."""
    made = Plane(home)
    made.door.open()
    made.thread.start()
    yield made
    made.close()


def test_advice_over_the_bus_is_healed_and_told_over_the_socket(plane: Plane) -> None:
    """From a message to a verified cure, seen through the client, with times and entries."""
    plane.feed(lambda: len(plane.client.status().agents) == 5)
    plane.stack.kill("engine")
    plane.inlet.send(
        "diagnosis",
        advise(
            plane.stack,
            agent="agent-cpu",
            fault="process.crashed",
            culprit="engine",
            workflow="restart-with-warm-up",
        ),
    )
    plane.inlet.send("diagnosis", Heartbeat(source="nonsense", started_ns=0, at_ns=0))
    plane.feed(lambda: any(each.state == "resolved" for each in plane.client.incidents()))
    incident = plane.client.incident(plane.client.incidents()[0].id)
    assert list(incident.stages) == ["evidence", "diagnosis", "decision", "action", "verified"]
    assert incident.line.count(" → ") == 4
    assert [each.seq for each in incident.events] == sorted(each.seq for each in incident.events)
    assert plane.loop.malformed == 1


def test_person_orders_are_obeyed_and_recorded(plane: Plane) -> None:
    """Maintenance and freeze, by name; nonsense is refused with a reason."""
    plane.client.maintenance("agent-io", seconds=30, actor="ana", reason="upgrade")
    plane.client.freeze(frozen=True, actor="ana", reason="migration")
    status = plane.client.status()
    assert status.maintenance == ("agent-io",)
    assert not status.acting
    assert [type(each).__name__ for each in plane.ledger.records()] == [
        "WindowOpened",
        "PlaneFrozen",
    ]
    plane.client.freeze(frozen=False, actor="ana", reason="done")
    plane.client.end_maintenance("agent-io", actor="ana")
    assert plane.client.status().acting
    with pytest.raises(UsageError, match="no component 'agent-ioo'"):
        plane.client.maintenance("agent-ioo", seconds=30, actor="ana", reason="upgrade")
    with pytest.raises(UsageError, match="ACTOR_MISSING"):
        plane.client.freeze(frozen=True, actor=" ", reason="")
    with pytest.raises(UsageError, match="INCIDENT_UNKNOWN"):
        plane.client.incident("inc-999999")


def test_person_signs_over_the_socket_and_it_is_done(home: Home) -> None:
    """Listed, signed with a key, carried out, verified; another's signature is refused."""
    settings = DecideSettings(autonomy={"restart-with-warm-up": "approve"})
    plane = Plane(home, msgspec.structs.replace(local_stack(), decide=settings))
    plane.door.open()
    plane.thread.start()
    try:
        plane.stack.kill("engine")
        advice = advise(
            plane.stack,
            agent="agent-cpu",
            fault="process.crashed",
            culprit="engine",
            workflow="restart-with-warm-up",
        )
        plane.inlet.send("diagnosis", advice)
        plane.feed(lambda: bool(plane.client.approvals()))
        (waiting,) = plane.client.approvals()
        parts = approval_parts(waiting.action, approve=True)
        until_ns = plane.clock.now_ns() + 60_000_000_000
        wrong = SignedAct(person="ana", nonce="n", until_ns=until_ns, signature="00")
        name = waiting.action.incident
        with pytest.raises(UsageError, match="SIGNATURE_REFUSED"):
            plane.client.approve(name, "", approve=True, signed=wrong, reason="")
        act = sign_act("approval", parts, person="ana", nonce="n", until_ns=until_ns, key=KEY)
        told = plane.client.approve(name, "", approve=True, signed=act, reason="seen it")
        assert told == "restart-with-warm-up on engine"
        plane.feed(lambda: plane.client.incident(name).state == "resolved")
        with pytest.raises(UsageError, match="APPROVAL_UNKNOWN"):
            plane.client.approve(name, "", approve=True, signed=act, reason="")
    finally:
        plane.close()


def test_wrong_token_and_garbage_are_refused(plane: Plane, home: Home) -> None:
    """Neither gets an answer about the plane."""
    home.key("control.token").write_text("guess\n")
    with pytest.raises(UsageError, match="AUTHENTICATION_FAILED"):
        plane.client.status()
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(5)
        raw.connect(str(home.socket("healing")))
        raw.sendall(b"\x00garbage\n")
        assert b"ASK_UNREADABLE" in raw.recv(4096)
    assert home.socket("healing").stat().st_mode & 0o777 == 0o600


def test_plane_that_is_down_is_told_so(home: Home) -> None:
    """The client says that nobody answers."""
    with pytest.raises(TargetUnavailableError):
        HealingClient(home).status()
