"""A modelled stack that obeys, five agents and the healing plane: a fault in, its cure out."""

from healing_rig import KEY
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
from prunella.errors import CommandUnsupportedError
from prunella.healing.diagnose import AGENTS
from prunella.healing.incident import IncidentState
from prunella.healing.loop import Case, assemble, local_stack
from prunella.healing.loop.agent import Agent
from prunella.healing.remediate import InlinePool
from stack import MemoryLedger, beat
from stack_readings import Stack, Venue, topology


class World(Stack):
    """The modelled stack, which also obeys."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.commands: list[Command] = []
        self.nice: dict[int, int] = {}
        self.lease: tuple[str, int] | None = None
        self.sent_s: list[float] = []

    def apply(self, command: Command) -> dict[str, str]:
        """Obeys; gives what was replaced."""
        self.commands.append(command)
        match command:
            case Restart(process=process):
                self.start(process)
                return {}
            case SwitchVenue(venue=venue):
                before, self.active = self.active, venue
                return {"venue": before}
            case SetOrderRate(lease_id=lease, per_second=rate):
                self.lease = (lease, rate)
                return {}
            case ReleaseLease():
                self.lease = None
                return {}
            case Renice(pid=pid, nice=nice):
                before_nice, self.nice[pid] = self.nice.get(pid, 0), nice
                return {"nice": str(before_nice)}
            case Pin() | Stop():
                return {"cpus": "0,1"}
            case _:
                raise CommandUnsupportedError(str(command))

    def _trade(self, venue: Venue, step_s: float) -> None:
        before = sum(venue.requests.values())
        self.sent_s = [each for each in self.sent_s if self.now_s - each < 1.0]
        limited = venue.name == "primary" and self.lease is not None
        if limited and self.lease:
            # So short a step sends one order at the most, so that none goes beyond the lease.
            step_s = min(step_s, 0.05) if len(self.sent_s) < self.lease[1] else 0.0
        super()._trade(venue, step_s)
        if venue.name == "primary":
            self.sent_s += [self.now_s] * round(sum(venue.requests.values()) - before)

    def _run_delay(self) -> float:
        tame = [each for each in self.strangers if self.nice.get(each.pid, 0) < 10]
        everybody, self.strangers = self.strangers, tame
        delay = super()._run_delay()
        self.strangers = everybody
        return delay

    def _read_host(self) -> None:
        super()._read_host()
        for cpu in ("0", "1"):
            self._put("cpu", "host", "host_cpu_ratio", "host", 0.5, cpu=cpu)

    def _read_engine(self) -> None:
        super()._read_engine()
        alive_s = self._alive_s("engine")
        ready = alive_s > 1.5

        def tell(metric: str, value: float, **labels: str) -> None:
            self._put("execution", "scrape:engine", metric, "engine", value, **labels)

        tell("engine_ready", float(ready))
        tell("trading_state", 0.0)
        for venue in self.venues.values():
            live = ready and self.now_s - venue.last_frame_s < 0.25
            name = venue.name
            tell("venue_state", 2.0 if live else 3.0, venue=name)
            tell("venue_reconciled", float(live), venue=name)
            tell("engine_active_venue", float(name == self.active), venue=name)
            # The model's timeouts are questions about fates, which are no orders.
            sent = sum(n for outcome, n in venue.requests.items() if outcome != "timeout")
            tell("orders_submitted_total", sent, venue=name)
            tell("orders_acknowledged_total", venue.requests.get("ok", 0.0), venue=name)


class Obedient:
    """One face of the world."""

    def __init__(self, name: str, world: World) -> None:
        self.name = name
        self._world = world
        self._replies: dict[str, Reply] = {}

    def apply(self, command: Command, *, actor: str, reason: str, key: str = "") -> Reply:
        """Obeys once per key."""
        del actor, reason
        if key not in self._replies:
            self._replies[key] = Reply(ok=True, replaced=self._world.apply(command))
        return self._replies[key]


class Whole:
    """World, agents and plane together."""

    def __init__(self, seed: int) -> None:
        print(f"seed {seed}: pytest tests/simulation/test_closed_loop.py -k seed{seed}")  # noqa: T201
        self.world = World(seed)
        self.agents = {name: Agent(spec, topology()) for name, spec in AGENTS.items()}
        self.ledger = MemoryLedger()
        self.plane = assemble(
            settings=local_stack(),
            ledger=self.ledger,
            earlier=[],
            targets={n: Obedient(n, self.world) for n in ("engine", "supervisor", "host")},
            private_key=KEY,
            pool=InlinePool(),
            now_ns=self.world.now_ns,
        )

    def run(self, duration_s: float) -> None:
        """Lets time pass."""
        world, plane = self.world, self.plane
        for batches in world.rounds(duration_s):
            for batch in batches:
                for reading in batch.items:
                    plane.hear_reading(reading, world.now_ns)
                for name, agent in self.agents.items():
                    if world.up[name] and batch.domain == agent.spec.domain:
                        agent.observe(batch, world.now_ns)
            for beating in (name for name in self.agents if world.up[name]):
                plane.hear_heartbeat(beat(beating, world.now_ns), world.now_ns)
                self.agents["agent-execution"].hear(beating, world.now_ns)
            for name, agent in self.agents.items():
                for diagnosis in agent.tick(world.now_ns) if world.up[name] else ():
                    plane.hear_diagnosis(diagnosis, world.now_ns)
            plane.tick(world.now_ns)

    @property
    def case(self) -> Case:
        """The only incident."""
        cases = list(self.plane.book.cases.values())
        assert len(cases) == 1, [
            (each.incident.culprit, each.incident.fault_class) for each in cases
        ]
        return cases[0]

    def story(self) -> tuple[str, str, IncidentState, list[str]]:
        """Class, culprit, state of the only incident, and what was done."""
        incident = self.case.incident
        acts = [type(each).__name__ for each in self.world.commands]
        return incident.fault_class, incident.culprit, incident.state, acts
