"""One domain's readings in, diagnoses out: detectors and judgement of one agent, without a socket.

The same code runs in the agent's process, in tests and in a replay: time comes from outside.
"""

from collections.abc import Callable, Iterable

from prunella.healing.detect import Bank, cleaned
from prunella.healing.diagnose import AgentSpec, Diagnostician, Means, SourceAges
from prunella.healing.incident import Diagnosis, Symptom, SymptomShare, Topology
from prunella.healing.loop.shared import Shared
from prunella.healing.reason import Expert, Reasoner, load_knowledge
from prunella.telemetry import Reading, Readings

COLLECTOR = "watch"
"""Who collects, and so falls silent when readings about the host itself stop coming."""


class Agent:
    """Detects and diagnoses in one domain.

    Attributes:
        readings: How many readings it has seen.
        raised: How many symptoms it has raised.
        looks: Whether it looks at an entity's series; others do at the rest.
    """

    def __init__(
        self, spec: AgentSpec, topology: Topology, reasoner: Reasoner | None = None
    ) -> None:
        """Builds detectors; the expert reasons unless somebody else is given.

        Raises:
            ConfigError: A watch or a rule cannot work; the message names it.
        """
        knowledge = load_knowledge(spec.domain)
        self._bank = Bank(spec.domain, spec.watches)
        self._means = Means(spec.means)
        self._telemetry = SourceAges("telemetry_age_seconds")
        self._heartbeats = SourceAges("heartbeat_age_seconds")
        self.spec = spec
        self.diagnostician = Diagnostician(
            spec, reasoner or Expert(knowledge), topology, knowledge.metrics
        )
        self._shared = Shared(self.diagnostician.key)
        self.looks: Callable[[str], bool] = lambda _entity: True
        self.readings = 0
        self.raised = 0

    @property
    def series(self) -> int:
        """How many series its detectors look at."""
        return self._bank.series

    def observe(self, batch: Readings, now_ns: int) -> None:
        """Takes what one source saw in one round; an empty round is no sign of life."""
        if not batch.items:
            return
        source, _, target = batch.source.partition(":")
        if source in {"host", "scrape"}:  # foreign sources speak when they like
            self._telemetry.hear(target or COLLECTOR, now_ns)
        self.readings += len(batch.items)
        readings = [cleaned(each) for each in batch.items]
        self._look([*readings, *self._means.update(readings)], now_ns, first_hand=True)

    def hear(self, name: str, now_ns: int) -> None:
        """Takes a heartbeat of another service of the healing plane."""
        self._heartbeats.hear(name, now_ns)

    def forget(self, name: str) -> None:
        """Takes the word of another service that it stops: its silence is no symptom."""
        self._heartbeats.forget(name)

    @property
    def seen(self) -> tuple[Symptom, ...]:
        """What its own detectors see now, for its other replicas."""
        return self._shared.own

    def share(self, told: SymptomShare, now_ns: int) -> None:
        """Takes all that another replica of this agent sees now."""
        self.diagnostician.take(self._shared.hear(told, now_ns))

    def leave_to_others(self, now_ns: int) -> None:
        """Forgets series that it no longer `looks` at; their symptoms are the others' to tell."""
        self._bank.drop(self.looks)
        self._shared.keep(self.looks, now_ns)

    def _look(self, readings: Iterable[Reading], now_ns: int, *, first_hand: bool) -> None:
        mine = [each for each in readings if self.looks(each.entity)]
        symptoms = self._bank.update(mine, now_ns)
        self.raised += sum(each.active for each in symptoms)
        self.diagnostician.take(self._shared.see(symptoms))
        self.diagnostician.observe(readings, now_ns, first_hand=first_hand)

    def tick(self, now_ns: int) -> list[Diagnosis]:
        """To be called at least ten times a second, after the waiting messages were taken."""
        ages = [*self._telemetry.read(now_ns), *self._heartbeats.read(now_ns)]
        self._look(ages, now_ns, first_hand=False)
        self.diagnostician.take(self._shared.see(self._bank.lapse(now_ns)))
        self.diagnostician.take(self._shared.forget(now_ns))
        return self.diagnostician.conclude(now_ns)
