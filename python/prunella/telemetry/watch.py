"""The collectors together, ten rounds a second: a machine and its processes in, readings out."""

import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from prunella.telemetry.catalogue import domain_of
from prunella.telemetry.host import HostCollector
from prunella.telemetry.processes import ProcessCollector
from prunella.telemetry.reading import Domain, Reading, Readings
from prunella.telemetry.resources import ResourceCollector
from prunella.telemetry.scrape import ROUND_NS, Scraper, Target
from prunella.values import Clock

_HOST_EVERY = 2
"""The machine's own figures move slowly and cost most; every other round is enough."""
_RESOURCES_EVERY = 10
"""Once a second: it reads two files of every process of the machine."""
_ROUND_AGE_NS_MAX = 1_000_000_000
"""Ten rounds: whoever is this late is not watching."""


class WatchStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the collecting goes.

    Attributes:
        round_ms_max: Longest round so far.
        readings: Published so far.
    """

    rounds: int
    readings: int
    round_ms_max: float
    targets: dict[str, int]


class Watch:
    """Collects and publishes until told to stop.

    Args:
        processes: The collector of components and strangers.
        targets: Who is scraped.
        publish: Called with each `Readings`, from several threads.
        clock: The time.
        resources: The collector of open files and traffic to disks, if anybody wants these.
        folders: The file systems that hold them are watched.
    """

    def __init__(
        self,
        *,
        processes: ProcessCollector,
        targets: Sequence[Target],
        publish: Callable[[Readings], None],
        clock: Clock,
        resources: ResourceCollector | None = None,
        folders: Iterable[Path] = (Path("/"),),
    ) -> None:
        self._processes = processes
        self._resources = resources
        self._host = HostCollector(folders)
        self._publish = publish
        self._clock = clock
        self._scrapers = {t.name: Scraper(t, self._count, clock) for t in targets}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._rounds = 0
        self._readings = 0
        self._round_ns_max = 0
        self._round_end_ns = 0

    def stop(self) -> None:
        """Ends `run` soon; may be called from a signal handler."""
        self._stop.set()

    def run(self) -> None:
        """Collects until told to stop."""
        for scraper in self._scrapers.values():
            scraper.start()
        due_ns = self._clock.monotonic_ns()
        while not self._stop.wait(max(0, due_ns - self._clock.monotonic_ns()) / 1e9):
            self.look()
            due_ns = max(due_ns + ROUND_NS, self._clock.monotonic_ns())
        for scraper in self._scrapers.values():
            scraper.close()
        self._host.close()

    def look(self) -> None:
        """One round over the host and its processes."""
        began_ns, now_ns = self._clock.monotonic_ns(), self._clock.now_ns()

        def emit(metric: str, entity: str, value: float, **labels: str) -> Reading:
            return Reading(
                metric=metric,
                entity=entity,
                value=value,
                labels=labels,
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
            )

        readings = self._processes.collect(emit, now_ns)
        if self._rounds % _HOST_EVERY == 0:
            readings += self._host.collect(emit, now_ns, began_ns)
        if self._resources is not None and self._rounds % _RESOURCES_EVERY == 0:
            readings += self._resources.collect(emit, now_ns)
        by_domain: dict[Domain, list[Reading]] = {}
        for reading in readings:
            domain = domain_of(reading.metric, reading.labels)
            if domain is not None:
                by_domain.setdefault(domain, []).append(reading)
        for domain, items in by_domain.items():
            self._count(Readings(domain=domain, source="host", items=tuple(items)))
        self._rounds += 1
        self._round_end_ns = self._clock.monotonic_ns()
        self._round_ns_max = max(self._round_ns_max, self._round_end_ns - began_ns)

    def why_not_ready(self) -> str:
        """What keeps it from its job; empty when nothing does."""
        if not self._rounds:
            return "no round is done yet"
        if self._clock.monotonic_ns() - self._round_end_ns > _ROUND_AGE_NS_MAX:
            return "the rounds have stopped"
        ended = [name for name, scraper in self._scrapers.items() if not scraper.is_alive()]
        return f"nobody scrapes {', '.join(ended)} any more" if ended else ""

    def status(self) -> WatchStatus:
        """How the collecting goes."""
        return WatchStatus(
            rounds=self._rounds,
            readings=self._readings,
            round_ms_max=self._round_ns_max / 1e6,
            targets={name: scraper.rounds for name, scraper in self._scrapers.items()},
        )

    def metrics(self) -> bytes:
        """Prometheus text."""
        status = self.status()
        return (
            f"watch_rounds_total {status.rounds}\n"
            f"watch_readings_total {status.readings}\n"
            f"watch_round_seconds_max {status.round_ms_max / 1e3:.6f}\n"
        ).encode()

    def _count(self, readings: Readings) -> None:
        self._publish(readings)
        with self._lock:
            self._readings += len(readings.items)
