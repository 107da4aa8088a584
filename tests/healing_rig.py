"""The healing plane on a simulated stack: moves time, carries telemetry, kills and resumes it."""

from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prunella.healing.incident import Diagnosis, IncidentState
from prunella.healing.loop import Case, LoopSettings, Orchestrator, assemble, local_stack
from prunella.healing.loop.thought import Thinker
from prunella.healing.reason import ReasonSettings, Redactor
from prunella.healing.remediate import InlinePool
from stack import CrashError, MemoryLedger, Offender, Stack, advise, beat

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


class Rig:
    """One simulated run."""

    def __init__(
        self,
        *,
        settings: LoopSettings | None = None,
        seed: int = 1,
        persons: Mapping[str, str] | None = None,
        thinker: Thinker | None = None,
        reason: ReasonSettings | None = None,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self.secrets = secrets
        self.persons = persons or {}
        self.thinker = thinker
        self.reason = reason
        self.settings = settings or local_stack()
        self.stack = Stack(seed=seed)
        self.ledger = MemoryLedger()
        self.crashes = 0
        self.plane = self._assemble()

    def _assemble(self) -> Orchestrator:
        return assemble(
            settings=self.settings,
            ledger=self.ledger,
            earlier=list(self.ledger.read()),
            targets=self.stack.targets(),
            private_key=KEY,
            pool=InlinePool(),
            now_ns=self.stack.now_ns,
            persons=lambda: self.persons,
            thinker=self.thinker,
            reason=self.reason,
            redactor=Redactor(self.secrets),
        )

    def restart_plane(self) -> None:
        """The healing process is killed and started again."""
        self.crashes += 1
        self.plane = self._assemble()

    def guard(self, act: Callable[[], Any]) -> None:
        """Does it; if the healing process is killed in the middle, a new one resumes."""
        try:
            act()
        except CrashError:
            self.crashes += 1
            self.ledger.crash_after = 0
            self.plane = self._assemble()

    def run(self, seconds: float) -> None:
        """Lets time pass in rounds of 100 ms."""
        for _ in range(round(seconds * 10)):
            self.stack.advance()
            now_ns = self.stack.now_ns
            for reading in self.stack.readings():
                self.plane.hear_reading(reading, now_ns)
            for agent in self.stack.heartbeats():
                self.plane.hear_heartbeat(beat(agent, now_ns), now_ns)
            self.guard(lambda: self.plane.tick(self.stack.now_ns))

    def advise(self, **words: Any) -> Diagnosis:
        """An agent's advice reaches the plane."""
        diagnosis = advise(self.stack, **words)
        self.plane.hear_diagnosis(diagnosis, self.stack.now_ns)
        return diagnosis

    @property
    def cases(self) -> list[Case]:
        """All incidents."""
        return list(self.plane.book.cases.values())

    @property
    def case(self) -> Case:
        """The only incident."""
        assert len(self.cases) == 1, [each.incident for each in self.cases]
        return self.cases[0]

    def state(self) -> IncidentState:
        """Where the only incident stands."""
        return self.case.incident.state

    def acts(self) -> list[str]:
        """Commands that were carried out, by name."""
        return [type(command).__name__ for _, command in self.stack.commands]

    # The faults of the demo, with the advice that agents give for them ---------------------------

    def crash_engine(self, **words: Any) -> None:
        """Kills the engine in the middle of trading; `words` are what the advice says otherwise."""
        self.stack.kill("engine")
        self.run(0.2)
        usual = {
            "agent": "agent-cpu",
            "fault": "process.crashed",
            "culprit": "engine",
            "workflow": "restart-with-warm-up",
        }
        self.advise(**usual | words)

    def freeze_primary(self) -> None:
        """Freezes the primary venue."""
        self.stack.frozen.add("primary")
        self.run(0.4)
        self.advise(
            agent="agent-network",
            fault="venue.silent",
            culprit="exchange-primary",
            workflow="reroute-to-backup-venue",
            target="engine",
            evidence=("venue_feed_age_seconds@engine",),
            labels={"venue": "primary"},
        )

    def overload(self) -> None:
        """Overloads the primary venue's order path."""
        self.stack.capacity = 5
        self.run(1)
        self.advise(
            agent="agent-http",
            fault="order_path.overloaded",
            culprit="exchange-primary",
            workflow="back-off-and-shed",
            evidence=("order_requests_total@engine",),
            labels={"venue": "primary"},
        )

    def burn(self, stubborn: int = 0) -> None:
        """Starts a CPU hog."""
        self.stack.offender = Offender(pid=4242, start_ticks=777, cpu=0, stubborn=stubborn)
        self.run(1)
        self.advise(
            agent="agent-cpu",
            fault="cpu.contention",
            culprit="pid:4242",
            workflow="contain-cpu-offender",
            evidence=("process_run_delay_ratio@engine", "process_cpu_ratio@pid:4242"),
        )


def check(rig: Rig) -> None:
    """What must be so in every run: the ledger tells all, and nothing was done without it."""
    allowed: set[tuple[str, str]] = set()
    started: set[tuple[str, str]] = set()
    intents: dict[str, int] = {}
    ended: dict[tuple[str, str], str] = {}
    record: Any
    for seq, _, record in rig.ledger.read():
        match type(record).__name__:
            case "DecisionMade":
                if record.decision.outcome == "run":
                    action = record.decision.verdicts[-1].action
                    allowed.add((action.incident, action.workflow))
            case "RunStarted":
                key = (record.incident, record.workflow)
                assert key in allowed, f"{seq}: {key} without a decision"
                assert key not in started, f"{seq}: {key} twice"
                started.add(key)
            case "StepIntended":
                name = record.key
                assert name not in intents, f"{seq}: {name} twice"
                intents[name] = seq
            case "StepReplied":
                assert record.key in intents
            case "RunEnded":
                ended[record.incident, record.workflow] = record.outcome
            case _:
                pass
    assert set(rig.stack.replies) <= set(intents), "an act without an intent"
    _check_undone(rig, ended)


def _check_undone(rig: Rig, ended: dict[tuple[str, str], str]) -> None:
    """Every remediation that failed was undone wherever its steps have an inverse."""
    for (incident, workflow), outcome in ended.items():
        if outcome != "rolled_back":
            continue
        prefix = f"{incident}/{workflow}/"
        done = {
            k for k, reply in rig.stack.replies.items() if k.startswith(prefix + "do/") and reply.ok
        }
        undone = {k for k in rig.stack.replies if k.startswith(prefix + "undo/")}
        if workflow != "restart-with-warm-up":
            assert {k.replace("/do/", "/undo/") for k in done} <= undone
