"""A small honest stack for simulations: two venues, an engine, a host, agents, and their faults.

It tells only readings and obeys only commands, like the real one. Faults are set from outside and
change how it behaves; nothing here knows what a remedy is, so a wrong one does not help.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from prunella.control import (
    Command,
    Pin,
    ReleaseLease,
    Renice,
    Reply,
    Restart,
    SetOrderRate,
    Stop,
    SwitchVenue,
)
from prunella.errors import CommandUnsupportedError, JournalError, TargetUnavailableError
from prunella.healing.incident import (
    Diagnosis,
    Heartbeat,
    Hypothesis,
    Proposal,
    Severity,
    Symptom,
)
from prunella.healing.incident.trail import Trail
from prunella.telemetry import Reading

SECOND = 1_000_000_000
ROUND_NS = SECOND // 10
VENUES = ("primary", "backup")


class CrashError(Exception):
    """The healing process is killed here."""


class MemoryLedger:
    """Keeps encoded records in memory; can be told to crash or fail at a given entry."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, int, str, bytes]] = []
        self.crash_after = 0
        self.broken = False

    def append(self, kind: str, record: msgspec.Struct, now_ns: int) -> int:
        """Writes one record, then perhaps dies, as a process killed right after the write."""
        if self.broken:
            raise JournalError("the disk is gone")
        seq = len(self.entries) + 1
        self.entries.append((seq, now_ns, kind, msgspec.msgpack.encode(record)))
        if self.crash_after and seq == self.crash_after:
            raise CrashError(f"killed after entry {seq}")
        return seq

    def read(self) -> Iterator[tuple[int, int, Trail]]:
        """All records, decoded."""
        for seq, at_ns, kind, payload in self.entries:
            record = msgspec.msgpack.decode(payload, type=Trail)
            assert type(record).__struct_config__.tag == kind
            yield seq, at_ns, record

    def records(self, kind: str = "") -> list[Any]:
        """Decoded records of a kind."""
        return [
            record
            for (_, _, name, _), (_, _, record) in zip(self.entries, self.read(), strict=True)
            if name.startswith(kind)
        ]


@dataclass
class Process:
    """A process of the stack."""

    name: str
    up: bool = True
    ready_ns: int = 0
    start_ticks: int = 100
    starts: int = 0


@dataclass
class Offender:
    """A foreign process that burns a processor."""

    pid: int
    start_ticks: int
    cpu: int
    nice: int = 0
    stopped: bool = False
    stubborn: int = 0
    """How many of renice, pin, stop it withstands."""


@dataclass
class Stack:
    """Everything that runs, and its faults."""

    now_ns: int = 1_000 * SECOND
    seed: int = 1
    active: str = "primary"
    processes: dict[str, Process] = field(default_factory=dict)
    frozen: set[str] = field(default_factory=set)
    capacity: int = 0
    rate: int = 20
    rate_configured: int = 20
    lease: str = ""
    lease_until_ns: int = 0
    trading_state: int = 0
    offender: Offender | None = None
    counters: dict[tuple[str, str, str], float] = field(default_factory=dict)
    commands: list[tuple[str, Command]] = field(default_factory=list)
    replies: dict[str, Reply] = field(default_factory=dict)
    silent: dict[str, int] = field(default_factory=dict)
    complaint: str = "no answer"
    refuse: set[str] = field(default_factory=set)
    cursed: set[str] = field(default_factory=set)
    market_speed: int = 1

    def __post_init__(self) -> None:
        """Starts everything."""
        self.random = random.Random(self.seed)
        for name in ("engine", "agent-cpu", "agent-network", "agent-io", "agent-execution"):
            self.processes[name] = Process(name)
        self.processes["agent-http"] = Process("agent-http")

    # Time ------------------------------------------------------------------------------------

    def advance(self) -> None:
        """One round of 100 ms: orders flow, or do not."""
        self.now_ns += ROUND_NS
        engine = self.processes["engine"]
        if self.lease and self.now_ns >= self.lease_until_ns:
            self.lease, self.rate = "", self.rate_configured
        if not engine.up or self.now_ns < engine.ready_ns or self.trading_state:
            return
        for venue in VENUES:
            rate = self.rate if venue == self.active else self.rate_configured // 4
            if venue not in self.frozen:
                self._orders(venue, rate)

    def _orders(self, venue: str, rate: int) -> None:
        sent = rate / 10
        ok = sent
        if venue == "primary" and self.capacity and rate > self.capacity:
            ok = self.capacity / 10
        self._count("orders_submitted_total", venue, "", sent)
        self._count("orders_acknowledged_total", venue, "", ok)
        self._count("order_requests_total", venue, "ok", ok)
        self._count("order_requests_total", venue, "server_error", (sent - ok) / 2)
        self._count("order_requests_total", venue, "throttled", (sent - ok) / 2)

    def _count(self, metric: str, venue: str, outcome: str, more: float) -> None:
        key = (metric, venue, outcome)
        self.counters[key] = self.counters.get(key, 0.0) + more

    # Telemetry -------------------------------------------------------------------------------

    def readings(self) -> list[Reading]:
        """One round of telemetry."""
        out: list[Reading] = []

        def tell(metric: str, entity: str, value: float, **labels: str) -> None:
            out.append(
                Reading(
                    metric=metric,
                    entity=entity,
                    value=float(value),
                    labels=labels,
                    ts_event_ns=self.now_ns,
                    ts_init_ns=self.now_ns,
                )
            )

        for process in self.processes.values():
            tell("process_up", process.name, process.up, process=process.name)
            if process.up:
                tell("process_start_ticks", process.name, process.start_ticks)
        for cpu in range(2):
            tell("host_cpu_ratio", "host", 0.5, cpu=str(cpu))
        self._tell_offender(tell)
        engine = self.processes["engine"]
        tell("scrape_up", "watch", engine.up, target="engine")
        if engine.up:
            self._tell_engine(tell, ready=self.now_ns >= engine.ready_ns)
        return out

    def _tell_offender(self, tell: Any) -> None:
        tell("process_last_cpu", "engine", 0)
        hog = self.offender
        delay = 0.02
        if hog is not None:
            running = not hog.stopped
            tell(
                "process_cpu_ratio",
                f"pid:{hog.pid}",
                0.95 if running else 0.0,
                command="hog",
                start_ticks=str(hog.start_ticks),
            )
            tamed = (hog.nice >= 10 and hog.stubborn < 1) or (hog.cpu != 0 and hog.stubborn < 2)
            if running and not tamed:
                delay = 0.6
        tell("process_run_delay_ratio", "engine", delay, thread="hot")

    def _tell_engine(self, tell: Any, *, ready: bool) -> None:
        tell("engine_ready", "engine", ready)
        tell("trading_state", "engine", self.trading_state)
        for venue in VENUES:
            alive = venue not in self.frozen
            tell("venue_reconciled", "engine", ready and alive, venue=venue)
            tell("venue_state", "engine", (2 if ready else 1) if alive else 3, venue=venue)
            tell("engine_active_venue", "engine", venue == self.active, venue=venue)
        for (metric, venue, outcome), value in self.counters.items():
            labels = {"venue": venue} | ({"outcome": outcome} if outcome else {})
            tell(metric, "engine", int(value), **labels)

    def heartbeats(self) -> Iterable[str]:
        """Agents that live."""
        return [n for n, p in self.processes.items() if n.startswith("agent-") and p.up]

    # Faults ----------------------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """`kill -9`."""
        self.processes[name].up = False

    # Commands --------------------------------------------------------------------------------

    def targets(self) -> "dict[str, StackTarget]":
        """Who obeys, by name."""
        return {name: StackTarget(name, self) for name in ("engine", "supervisor", "host")}

    def apply(self, target: str, command: Command, key: str) -> Reply:
        """Obeys once per key."""
        if self.silent.get(target, 0) > 0:
            self.silent[target] -= 1
            # Whether it was done is unknown to the caller: sometimes it was.
            if self.random.random() < 0.5 and key not in self.replies:
                self.replies[key] = self._obey(target, command)
            raise TargetUnavailableError(self.complaint)
        if key not in self.replies:
            self.replies[key] = self._obey(target, command)
        return self.replies[key]

    def _obey(self, target: str, command: Command) -> Reply:
        self.commands.append((target, command))
        if type(command).__name__ in self.refuse:
            return Reply(ok=False, code="REFUSED")
        replaced = self._carry_out(command)
        return Reply(ok=True, replaced=replaced, at_ns=self.now_ns)

    def _carry_out(self, command: Command) -> dict[str, str]:
        match command:
            case Restart():
                process = self.processes[command.process]
                process.starts += 1
                process.start_ticks += 50
                process.up = command.process not in self.cursed
                process.ready_ns = self.now_ns + SECOND
                return {"pid": "1"}
            case SwitchVenue():
                before, self.active = self.active, command.venue
                return {"venue": before}
            case SetOrderRate():
                replaced = {"per_second": str(self.rate)}
                self.rate, self.lease = command.per_second, command.lease_id
                self.lease_until_ns = self.now_ns + command.lease_ns
                return replaced
            case ReleaseLease():
                self.lease, self.rate = "", self.rate_configured
                return {"lease_id": command.lease_id}
            case Renice() | Pin() | Stop():
                return self._constrain(command)
            case _:
                raise CommandUnsupportedError(str(command))

    def _constrain(self, command: Renice | Pin | Stop) -> dict[str, str]:
        hog = self.offender
        if hog is None or (hog.pid, hog.start_ticks) != (command.pid, command.start_ticks):
            raise CommandUnsupportedError("another process")
        if isinstance(command, Renice):
            before, hog.nice = hog.nice, command.nice
            return {"nice": str(before)}
        if isinstance(command, Pin):
            was, hog.cpu = hog.cpu, command.cpus[0]
            return {"cpus": str(was)}
        hog.stopped = not command.undo
        return {"state": "R"}


class StackTarget:
    """One face of the stack."""

    def __init__(self, name: str, stack: Stack) -> None:
        self.name = name
        self._stack = stack

    def apply(self, command: Command, *, actor: str, reason: str, key: str = "") -> Reply:
        """Obeys."""
        assert actor.startswith("healing:inc-")
        assert reason
        assert key
        return self._stack.apply(self.name, command, key)


def beat(agent: str, now_ns: int) -> Heartbeat:
    """A sign of life."""
    return Heartbeat(source=agent, started_ns=0, at_ns=now_ns)


def advise(
    stack: Stack,
    *,
    agent: str,
    fault: str,
    culprit: str,
    workflow: str = "",
    target: str = "",
    evidence: tuple[str, ...] = (),
    confidence: float = 0.9,
    onset_ns: int = 0,
    parameters: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    severity: Severity = "high",
) -> Diagnosis:
    """A diagnosis as an agent would publish it now."""
    onset_ns = onset_ns or stack.now_ns - SECOND // 5
    seen = evidence or (f"process_up@{culprit}",)
    proposals = (
        Proposal(
            workflow=workflow,
            target=target or culprit,
            confidence=confidence,
            parameters=parameters or {},
        ),
    )
    metric, _, entity = seen[0].partition("@")
    return Diagnosis(
        agent=agent,
        domain="cpu",
        severity=severity,
        hypotheses=(
            Hypothesis(
                fault_class=fault, culprit=culprit, confidence=confidence, evidence=seen, rule="r"
            ),
        ),
        proposals=proposals if workflow else (),
        symptoms=(
            Symptom(
                domain="cpu",
                detector="d",
                metric=metric,
                entity=entity,
                kind="absence",
                score=2.0,
                value=0.0,
                expected=1.0,
                onset_ns=onset_ns,
                detected_ns=stack.now_ns,
                labels=labels or {},
            ),
        ),
        reasoner="expert@1",
        made_ns=stack.now_ns,
    )
