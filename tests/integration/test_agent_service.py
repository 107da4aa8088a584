"""Bus messages in, an agent's process at work: advice, heartbeats and pages out."""

from collections import deque
from http.client import HTTPConnection

import msgspec
import pytest
from prunella.healing.diagnose import AGENTS
from prunella.healing.incident import Diagnosis, Heartbeat
from prunella.healing.loop.agent_service import AgentService, AgentSettings, subscriptions
from prunella.values import ManualClock
from stack_readings import PROCESSES, Stack, topology

TOKEN = "read-token"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of the bus."""

    kind: str
    payload: bytes
    source: str = "watch"


class ScriptedBus:
    """A bus whose messages come at their times; waiting moves the clock and nothing else."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.waiting: deque[tuple[int, Message]] = deque()
        self.sent: list[tuple[str, str, bytes]] = []
        self.service: AgentService | None = None

    def receive(self, timeout_s: float) -> Message | None:
        """The next message that is due within the time."""
        until_ns = self.clock.now_ns() + round(timeout_s * 1e9)
        if not self.waiting and self.service is not None:
            self.service.loop.stop()
        if self.waiting and self.waiting[0][0] <= until_ns:
            due_ns, message = self.waiting.popleft()
            self.clock.advance(max(0, due_ns - self.clock.now_ns()))
            return message
        self.clock.advance(until_ns - self.clock.now_ns())
        return None

    def publish(self, topic: str, record: bytes, *, kind: str, now_ns: int) -> None:
        """Keeps what was sent."""
        assert now_ns == self.clock.now_ns()
        self.sent.append((topic, kind, record))


def play(name: str) -> tuple[ScriptedBus, AgentService]:
    """An agent that has seen ten good seconds, rubbish, and a killed engine."""
    stack = Stack(seed=5)
    clock = ManualClock(start_ns=stack.now_ns)
    bus = ScriptedBus(clock)
    for process in PROCESSES:
        stack.start(process)
    for rounds_s, kill in ((10.0, "engine"), (1.0, "")):
        for batches in stack.rounds(rounds_s):
            for batch in batches:
                if batch.domain == AGENTS[name].domain:
                    payload = msgspec.msgpack.encode(batch)
                    bus.waiting.append((stack.now_ns, Message(kind="readings", payload=payload)))
        bus.waiting.append((stack.now_ns, Message(kind="readings", payload=b"\xc1rubbish")))
        if kill:
            stack.kill(kill)
    settings = AgentSettings(name=name, components=topology().components)
    service = AgentService(settings, inlet=bus, outlet=bus, clock=clock, read_token=TOKEN)
    bus.service = service
    return bus, service


def get(port: int, path: str, *, token: str = "") -> tuple[int, bytes]:
    """Status and body of a page."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_agent_tells_its_diagnosis_and_that_it_is_alive() -> None:
    """Advice goes out as urgent, a heartbeat twice a second, rubbish is counted and dropped."""
    bus, service = play("agent-cpu")
    service.server.start()
    service.loop.run()
    service.server.close()
    diagnoses = [
        msgspec.msgpack.decode(record, type=Diagnosis)
        for topic, kind, record in bus.sent
        if (topic, kind) == ("local/healing/agent-cpu/urgent", "diagnosis")
    ]
    beats = [
        msgspec.msgpack.decode(record, type=Heartbeat)
        for topic, kind, record in bus.sent
        if (topic, kind) == ("local/healing/agent-cpu/normal", "heartbeat")
    ]
    assert diagnoses[0].hypotheses[0].culprit == "engine"
    assert len(beats) == pytest.approx(22, abs=2)
    assert beats[-1].readings > beats[0].readings
    assert service.loop.status().malformed == 2
    assert service.loop.status().open_diagnoses == ("process.crashed of engine",)


def test_pages_tell_readiness_to_all_and_figures_to_the_token() -> None:
    """/ready says why not; /status and /metrics want the read token."""
    bus, service = play("agent-io")
    service.server.start()
    try:
        service.loop.run()
        port = service.server.port
        assert get(port, "/ready")[0] == 200
        assert get(port, "/status")[0] == 401
        code, body = get(port, "/status", token=TOKEN)
        status = msgspec.json.decode(body)
        assert (code, status["name"]) == (200, "agent-io")
        assert status["readings"] > 90
        assert b"agent_readings_total" in get(port, "/metrics", token=TOKEN)[1]
        bus.clock.advance(10_000_000_000)
        assert get(port, "/ready")[0] == 503
    finally:
        service.server.close()


def test_agent_hears_its_own_domain_only() -> None:
    """And its own replicas and the plane; the execution agent listens to all heartbeats."""
    for name, prefixes in (
        ("agent-http", ("local/http/", "local/healing/agent-http", "local/healing/healing/")),
        ("agent-execution", ("local/execution/", "local/healing/")),
    ):
        assert subscriptions(AgentSettings(name=name, components=())) == prefixes
