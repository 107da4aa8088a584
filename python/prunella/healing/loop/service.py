"""Bus messages and people's asks in, ticks out: the healing plane as a process.

One thread owns the orchestrator: it drains what came over the bus, then ticks, fifty times a
second. People ask over a socket from other threads; a lock keeps them apart. Whatever hangs
(a target, a person's connection) hangs elsewhere.
"""

import signal
import threading
from collections.abc import Callable, Iterable, Mapping

import msgspec

from prunella.control import Target
from prunella.control.acts import read_persons
from prunella.control.tokens import load_token
from prunella.healing.decide import Policy
from prunella.healing.incident import Diagnosis, Heartbeat, Roster, ThoughtAnswered, Unexplained
from prunella.healing.incident.trail import Trail
from prunella.healing.loop.assembly import assemble
from prunella.healing.loop.commands import Answer, Ask, Status, answer
from prunella.healing.loop.door import Door
from prunella.healing.loop.inlet import Inlet, Message, Outlet
from prunella.healing.loop.orchestrator import Ledger, Orchestrator
from prunella.healing.loop.settings import LoopSettings
from prunella.healing.loop.thought import ThreadThinker
from prunella.healing.reason import ReasonSettings, Redactor
from prunella.healing.remediate import ThreadPool, Workflow
from prunella.journal.keys import ensure_key_pair
from prunella.telemetry import Readings
from prunella.telemetry.serve import Pages, StatusServer
from prunella.values import Clock, Home

TICK_NS = 20_000_000
"""Between ticks; well below every hold time, and cheap enough to leave the processor alone."""
ROSTER_NS = 500_000_000
DRAIN_MAX = 500
"""Messages taken between two ticks, so that a flood cannot keep the plane from acting."""


class PlaneLoop:
    """Drains the bus and ticks the orchestrator until told to stop."""

    def __init__(
        self,
        plane: Orchestrator,
        inlet: Inlet,
        clock: Clock,
        housekeeping: Callable[[int], None] = lambda _now_ns: None,
        outlet: Outlet | None = None,
    ) -> None:
        self._housekeeping = housekeeping
        self._outlet = outlet
        self._called_ns = 0
        self._plane = plane
        self._inlet = inlet
        self._clock = clock
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._readings = msgspec.msgpack.Decoder(Readings)
        self._diagnoses = msgspec.msgpack.Decoder(Diagnosis)
        self._heartbeats = msgspec.msgpack.Decoder(Heartbeat)
        self._unexplained = msgspec.msgpack.Decoder(Unexplained)
        self.malformed = 0
        self.tick_ns_max = 0

    def stop(self) -> None:
        """Ends `run` after the present tick; may be called from a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Runs until `stop`."""
        due_ns = self._clock.monotonic_ns()
        while not self._stop.is_set():
            wait_ns = max(0, due_ns - self._clock.monotonic_ns())
            message = self._inlet.receive(wait_ns / 1e9)
            taken = 0
            while message is not None and taken < DRAIN_MAX:
                self._take(message)
                taken += 1
                message = self._inlet.receive(0.0)
            if message is not None:
                self._take(message)
            if self._clock.monotonic_ns() >= due_ns:
                self._tick()
                due_ns = self._clock.monotonic_ns() + TICK_NS

    def ask(self, ask: Ask) -> Answer:
        """Answers a person, between two ticks."""
        with self._lock:
            return answer(self._plane, ask, self._clock.now_ns())

    def why_not_ready(self) -> str:
        """Why it does not do its job; empty when it does."""
        return f"the ledger failed: {self._plane.failed}" if self._plane.failed else ""

    def metrics(self) -> bytes:
        """Prometheus text."""
        with self._lock:
            plane, now_ns = self._plane, self._clock.now_ns()
            states: dict[str, int] = {}
            for case in plane.book.cases.values():
                state = str(case.incident.state)
                states[state] = states.get(state, 0) + 1
            lines = [f'healing_incidents{{state="{name}"}} {n}' for name, n in states.items()]
            lines += [f"healing_{name}_total {n}" for name, n in plane.counters.items()]
            lines.append(f"healing_actions_last_hour {plane.book.actions_last_hour(now_ns)}")
            asked = plane.thought_counters
            lines += [f"healing_thoughts_{name}_total {n}" for name, n in asked.items()]
        lines.append(f"healing_malformed_total {self.malformed}")
        lines.append(f"healing_tick_seconds_max {self.tick_ns_max / 1e9:.6f}")
        return ("\n".join(lines) + "\n").encode()

    def _tick(self) -> None:
        began_ns = self._clock.monotonic_ns()
        with self._lock:
            self._plane.tick(self._clock.now_ns())
            self._housekeeping(self._clock.now_ns())
            self._call_roster(self._clock.now_ns())
        self.tick_ns_max = max(self.tick_ns_max, self._clock.monotonic_ns() - began_ns)

    def _call_roster(self, now_ns: int) -> None:
        """Tells the agents, twice a second, who of them is not listened to."""
        if self._outlet is None or now_ns - self._called_ns < ROSTER_NS:
            return
        self._called_ns = now_ns
        roster = Roster(disabled=tuple(self._plane.book.disabled))
        self._outlet.publish(
            "local/healing/healing/normal",
            msgspec.msgpack.encode(roster),
            kind="roster",
            now_ns=now_ns,
        )

    def _take(self, message: Message) -> None:
        """Hands one message to the plane; what cannot be read is counted and dropped."""
        now_ns = self._clock.now_ns()
        try:
            with self._lock:
                if message.kind == "readings":
                    for reading in self._readings.decode(message.payload).items:
                        self._plane.hear_reading(reading, now_ns)
                elif message.kind == "diagnosis":
                    self._plane.hear_diagnosis(
                        self._diagnoses.decode(message.payload), now_ns, message.source
                    )
                elif message.kind == "unexplained":
                    self._plane.hear_unexplained(self._unexplained.decode(message.payload), now_ns)
                elif message.kind == "heartbeat":
                    self._plane.hear_heartbeat(self._heartbeats.decode(message.payload), now_ns)
        except msgspec.MsgspecError:
            self.malformed += 1
            if message.kind == "diagnosis":
                with self._lock:
                    self._plane.hear_nonsense(message.source, now_ns)


class HealingService:
    """The healing plane as a process: resumes what an earlier life left, then runs until told.

    Args:
        home: Keys, tokens and sockets.
        settings: The stack and its limits.
        clock: The time.
        inlet: A subscription to all domains and to the agents' advice.
        ledger: Where every record goes.
        earlier: What the ledger already holds: sequence number, time, record.
        targets: `engine`, `supervisor` and `host`.
        port: Of the HTTP pages; 0 takes a free one.
        housekeeping: Called after each tick with the time, such as to sign a checkpoint.
        catalogue: The workflows; the project's own when not given.
        thinker: Who asks a model; nobody when not given.
        reason: When and how patiently a model is asked.
        redactor: Takes secrets out of what goes into the ledger.
        outlet: Where it is told who is not listened to; without one only the plane knows.
    """

    def __init__(
        self,
        *,
        home: Home,
        settings: LoopSettings,
        clock: Clock,
        inlet: Inlet,
        ledger: Ledger,
        earlier: Iterable[tuple[int, int, Trail]],
        targets: Mapping[str, Target],
        port: int,
        housekeeping: Callable[[int], None] = lambda _now_ns: None,
        catalogue: Mapping[str, Workflow] | None = None,
        thinker: ThreadThinker | None = None,
        reason: ReasonSettings | None = None,
        redactor: Redactor | None = None,
        outlet: Outlet | None = None,
    ) -> None:
        self._pool = ThreadPool()
        self._thinker = thinker
        earlier = list(earlier)
        for _, at_ns, record in earlier:
            if thinker is not None and isinstance(record, ThoughtAnswered):
                thinker.fold(record, at_ns)
        plane = assemble(
            settings=settings,
            ledger=ledger,
            earlier=earlier,
            targets=targets,
            private_key=ensure_key_pair(home.key("decider.key")),
            pool=self._pool,
            now_ns=clock.now_ns(),
            policy=Policy.load(local=home.policies),
            persons=lambda: read_persons(home.key("persons.toml")),
            catalogue=catalogue,
            thinker=thinker,
            reason=reason,
            redactor=redactor,
        )
        self.loop = PlaneLoop(plane, inlet, clock, housekeeping, outlet)
        token = load_token(home.key("control.token"))
        self._door = Door(home.socket("healing"), token, self.loop.ask)
        self.pages = StatusServer(
            port,
            token=load_token(home.key("read.token")),
            pages=Pages(
                ready=self.loop.why_not_ready,
                metrics=self.loop.metrics,
                status=lambda: self.loop.ask(Status()).status,
            ),
        )

    def run(self) -> None:
        """Runs until SIGTERM or SIGINT; what is under way goes on in the next life."""
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: self.loop.stop())
        self._door.open()
        self.pages.start()
        try:
            self.loop.run()
        finally:
            self._door.close()
            self.pages.close()
            self._pool.close()
            if self._thinker is not None:
                self._thinker.close()
