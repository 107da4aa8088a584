"""Bus messages in, diagnoses and heartbeats on the bus out: one domain agent as a process.

One thread owns the agent: it drains what came over the bus and ticks twenty times a second. It
keeps nothing on disk: a new process life reads the same telemetry and comes to the same advice.
"""

import signal
import threading

import msgspec

from prunella.healing.diagnose import AGENTS
from prunella.healing.incident import (
    Component,
    Diagnosis,
    Heartbeat,
    Roster,
    Symptom,
    SymptomShare,
    Topology,
    Unexplained,
    replicated,
)
from prunella.healing.incident.records import Record
from prunella.healing.loop.agent import Agent
from prunella.healing.loop.inlet import Inlet, Message, Outlet
from prunella.healing.loop.team import Team, health
from prunella.telemetry import Readings
from prunella.telemetry.serve import Pages, StatusServer
from prunella.values import Clock

TICK_NS = 50_000_000
"""Between ticks: half a round of telemetry, so that a symptom waits for no longer than that."""
HEARTBEAT_NS = 500_000_000
DRAIN_MAX = 500
"""Messages taken between two ticks: a flood must not keep the agent from its heartbeat."""
PUZZLE_NS = 5_000_000_000
"""Unexplained symptoms are repeated so often, for whoever was not there the last time."""
DEAF_NS = 3_000_000_000
"""Without a reading for so long, the agent says that it does not do its job."""


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an agent's process is told at start.

    Attributes:
        name: Which agent of the catalogue, such as `agent-cpu`, or a further replica of it, such as
            `agent-cpu.2`.
        components: The topology.
        tenant: First part of every topic.
        port: Of the HTTP pages; 0 takes a free one.
        unexplained_ns: Symptoms that no rule explains for so long are told, for a model to look
            at; 0: there is none to look.
    """

    name: str
    components: tuple[Component, ...]
    tenant: str = "local"
    port: int = 0
    unexplained_ns: int = 0


class AgentStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What /status shows; counts are of this process life."""

    name: str
    started_ns: int
    readings: int
    series: int
    share: float
    health: float
    replicas: tuple[str, ...]
    symptoms_raised: int
    diagnoses: int
    told: int
    malformed: int
    open_symptoms: tuple[str, ...]
    open_diagnoses: tuple[str, ...]
    tick_seconds_max: float


def subscriptions(settings: AgentSettings) -> tuple[str, ...]:
    """The topic prefixes that an agent's replica listens to.

    Its domain, its other replicas, the plane, and everybody's heartbeats if it wants them.

    Example:
        >>> subscriptions(AgentSettings(name="agent-cpu.2", components=()))[:2]
        ('local/cpu/', 'local/healing/agent-cpu')
    """
    spec = AGENTS[replicated(settings.name)]
    healing = f"{settings.tenant}/healing/"
    domain = f"{settings.tenant}/{spec.domain}/"
    if spec.hears_heartbeats:
        return (domain, healing)
    return (domain, f"{healing}{spec.name}", f"{healing}healing/")


class AgentLoop:
    """Drains the bus and ticks one agent until told to stop.

    Args:
        settings: Which agent, of which stack.
        inlet: A subscription to `subscriptions(settings)`.
        outlet: Where advice and heartbeats go.
        clock: The time.
        agent: Who judges; the agent of the catalogue when not given.

    Raises:
        ConfigError: A watch, a rule or the topology cannot work; the message names it.
    """

    def __init__(
        self,
        settings: AgentSettings,
        *,
        inlet: Inlet,
        outlet: Outlet,
        clock: Clock,
        agent: Agent | None = None,
    ) -> None:
        self._inlet = inlet
        self._outlet = outlet
        self._clock = clock
        self._topic = f"{settings.tenant}/healing/{settings.name}"
        spec = AGENTS[replicated(settings.name)]
        self._agent = agent or Agent(spec, Topology(settings.components))
        self._readings = msgspec.msgpack.Decoder(Readings)
        self._heartbeats = msgspec.msgpack.Decoder(Heartbeat)
        self._shares = msgspec.msgpack.Decoder(SymptomShare)
        self._rosters = msgspec.msgpack.Decoder(Roster)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._started_ns = clock.now_ns()
        self._team = Team(settings.name, self._started_ns)
        self._agent.looks = self._team.looks
        self._shared: tuple[Symptom, ...] = ()
        self._told = 0
        self._turned_ns = clock.monotonic_ns()
        self._late_ns = 0
        self._heard_ns = 0
        self._beat_ns: int | None = None
        self._unexplained_ns = settings.unexplained_ns
        self._puzzled_ns = 0
        self._malformed = 0
        self._tick_ns_max = 0

    def stop(self) -> None:
        """Ends `run` after the present turn; may be called from a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Runs until `stop`; its last word is that it leaves, so that nobody waits for it."""
        due_ns = self._clock.monotonic_ns()
        while not self._stop.is_set():
            self.drain(max(0, due_ns - self._clock.monotonic_ns()) / 1e9)
            if self._clock.monotonic_ns() >= due_ns:
                self.turn()
                due_ns = self._clock.monotonic_ns() + TICK_NS
        with self._lock:
            self._beat(self._clock.now_ns(), leaving=True)

    def drain(self, timeout_s: float) -> None:
        """Takes the waiting messages; waits for a first one for at most so long."""
        message = self._inlet.receive(timeout_s)
        with self._lock:
            taken = 0
            while message is not None:
                self._take(message)
                taken += 1
                message = self._inlet.receive(0.0) if taken < DRAIN_MAX else None

    def turn(self) -> None:
        """One tick: tells what is to be told, and that it is alive."""
        with self._lock:
            self._turn()

    def _turn(self) -> None:
        began_ns, now_ns = self._clock.monotonic_ns(), self._clock.now_ns()
        self._late_ns = max(self._late_ns, began_ns - self._turned_ns - TICK_NS)
        self._turned_ns = began_ns
        for diagnosis in self._reassign(now_ns):
            self._tell(diagnosis, now_ns)
        for diagnosis in self._agent.tick(now_ns):
            if self._team.tells(diagnosis.hypotheses[0].culprit):
                self._tell(diagnosis, now_ns)
        due = self._beat_ns is None or began_ns - self._beat_ns >= HEARTBEAT_NS
        self._share(now_ns, due=due)
        if self._unexplained_ns and now_ns - self._puzzled_ns >= PUZZLE_NS:
            self._tell_unexplained(now_ns)
        took_ns = self._clock.monotonic_ns() - began_ns
        self._late_ns = max(self._late_ns, took_ns)
        self._tick_ns_max = max(self._tick_ns_max, took_ns)
        if due:
            self._beat_ns = began_ns
            self._beat(now_ns, leaving=False)
            self._late_ns = 0

    def _reassign(self, now_ns: int) -> list[Diagnosis]:
        """Follows who is alive; what is open and falls to this replica now is to be told."""
        faults = self._agent.diagnostician.open
        before = [self._team.tells(each.hypotheses[0].culprit) for each in faults]
        if not self._team.refresh(now_ns):
            return []
        self._agent.leave_to_others(now_ns)
        return [
            fault
            for fault, told in zip(faults, before, strict=True)
            if not told and self._team.tells(fault.hypotheses[0].culprit)
        ]

    def _tell(self, diagnosis: Diagnosis, now_ns: int) -> None:
        self._told += 1
        self._publish(diagnosis, "diagnosis", "urgent", now_ns)

    def _share(self, now_ns: int, *, due: bool) -> None:
        """Tells the other replicas what this one sees: at once when it changes, and regularly."""
        seen = self._agent.seen
        if self._team.alone or (seen == self._shared and not due):
            return
        self._shared = seen
        share = SymptomShare(source=self._team.me, symptoms=seen)
        self._publish(share, "symptoms", "urgent", now_ns)

    def _beat(self, now_ns: int, *, leaving: bool) -> None:
        beat = Heartbeat(
            source=self._team.me,
            started_ns=self._started_ns,
            readings=self._agent.readings,
            at_ns=now_ns,
            health=self._health(),
            series=self._agent.series,
            share=self._part(),
            told=self._told,
            leaving=leaving,
        )
        self._publish(beat, "heartbeat", "normal", now_ns)

    def _health(self) -> float:
        return health(deaf=bool(self.why_not_ready()), late_ns=self._late_ns)

    def _part(self) -> float:
        """Which part of the components and processes it tells about."""
        return self._team.share(self._agent.diagnostician.entities)

    def _tell_unexplained(self, now_ns: int) -> None:
        symptoms = tuple(
            each
            for each in self._agent.diagnostician.unexplained(now_ns, self._unexplained_ns)
            if self._team.tells(each.entity)
        )
        if symptoms:
            self._puzzled_ns = now_ns
            spec = self._agent.spec
            record = Unexplained(
                agent=spec.name, domain=spec.domain, symptoms=symptoms, made_ns=now_ns
            )
            self._publish(record, "unexplained", "normal", now_ns)

    def _publish(self, record: Record, kind: str, urgency: str, now_ns: int) -> None:
        topic = f"{self._topic}/{urgency}"
        self._outlet.publish(topic, msgspec.msgpack.encode(record), kind=kind, now_ns=now_ns)

    def _take(self, message: Message) -> None:
        """Hands one message to the agent; what cannot be read is counted and dropped."""
        now_ns = self._clock.now_ns()
        try:
            if message.kind == "readings":
                batch = self._readings.decode(message.payload)
                if batch.domain == self._agent.spec.domain:
                    self._heard_ns = now_ns
                    self._agent.observe(batch, now_ns)
            elif message.kind == "heartbeat":
                self._hear(self._heartbeats.decode(message.payload), now_ns)
            elif message.kind == "symptoms":
                share = self._shares.decode(message.payload)
                same = replicated(share.source) == self._agent.spec.name
                if same and share.source != self._team.me:
                    self._agent.share(share, now_ns)
            elif message.kind == "roster":
                self._team.disable(self._rosters.decode(message.payload).disabled)
        except msgspec.MsgspecError:
            self._malformed += 1

    def _hear(self, beat: Heartbeat, now_ns: int) -> None:
        self._team.hear(beat, now_ns)
        if not self._agent.spec.hears_heartbeats:
            return
        if beat.leaving and replicated(beat.source) != beat.source:
            self._agent.forget(beat.source)  # only the first replica is always expected
        else:
            self._agent.hear(beat.source, now_ns)

    def why_not_ready(self) -> str:
        """Why it does not do its job; empty when it does."""
        silent_ns = self._clock.now_ns() - max(self._heard_ns, self._started_ns)
        return f"no readings for {silent_ns / 1e9:.1f} s" if silent_ns > DEAF_NS else ""

    def status(self) -> AgentStatus:
        """What it has seen and told."""
        with self._lock:
            agent = self._agent
            return AgentStatus(
                name=self._team.me,
                started_ns=self._started_ns,
                readings=agent.readings,
                series=agent.series,
                share=self._part(),
                health=self._health(),
                replicas=self._team.members,
                symptoms_raised=agent.raised,
                diagnoses=agent.diagnostician.diagnoses,
                told=self._told,
                malformed=self._malformed,
                open_symptoms=tuple(
                    f"{each.kind}: {each.metric}@{each.entity}"
                    for each in agent.diagnostician.symptoms
                ),
                open_diagnoses=tuple(
                    f"{each.hypotheses[0].fault_class} of {each.hypotheses[0].culprit}"
                    for each in agent.diagnostician.open
                ),
                tick_seconds_max=self._tick_ns_max / 1e9,
            )

    def metrics(self) -> bytes:
        """Prometheus text."""
        status = self.status()
        lines = (
            f"agent_readings_total {status.readings}",
            f"agent_series {status.series}",
            f"agent_symptoms_total {status.symptoms_raised}",
            f"agent_diagnoses_total {status.diagnoses}",
            f"agent_told_total {status.told}",
            f"agent_share_ratio {status.share:.4f}",
            f"agent_health_ratio {status.health:.4f}",
            f"agent_malformed_total {status.malformed}",
            f"agent_open_symptoms {len(status.open_symptoms)}",
            f"agent_tick_seconds_max {status.tick_seconds_max:.6f}",
        )
        return ("\n".join(lines) + "\n").encode()


class AgentService:
    """One agent's process: its loop and its pages.

    Args:
        settings: Which agent, of which stack.
        inlet: A subscription to `subscriptions(settings)`.
        outlet: Where advice and heartbeats go.
        clock: The time.
        read_token: What /metrics and /status want to see.
        agent: Who judges; the agent of the catalogue when not given.

    Raises:
        ConfigError: A watch, a rule or the topology cannot work; the message names it.
        UsageError: The port is in use.
    """

    def __init__(
        self,
        settings: AgentSettings,
        *,
        inlet: Inlet,
        outlet: Outlet,
        clock: Clock,
        read_token: str,
        agent: Agent | None = None,
    ) -> None:
        self.loop = AgentLoop(settings, inlet=inlet, outlet=outlet, clock=clock, agent=agent)
        self.server = StatusServer(
            settings.port,
            token=read_token,
            pages=Pages(
                ready=self.loop.why_not_ready,
                metrics=self.loop.metrics,
                status=self.loop.status,
            ),
        )

    def run(self) -> None:
        """Runs until SIGTERM or SIGINT."""
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: self.loop.stop())
        self.server.start()
        try:
            self.loop.run()
        finally:
            self.server.close()
