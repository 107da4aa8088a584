"""Seed and faults in, the readings of a small stack out; a model of processes, not of detectors.

Faults change the modelled world (a process is gone, a venue is frozen, a stranger takes half a
processor); the readings follow from that world with jitter, lost scrapes and noise. Nothing here
knows a threshold, and the readings carry no trace of the fault that was set.
"""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from prunella.healing.incident import Component, Topology
from prunella.telemetry import DOMAINS, Domain, Reading, Readings

SECOND_NS = 1_000_000_000
START_NS = 1_700_000_000 * SECOND_NS
VENUES = ("primary", "backup")
AGENTS = tuple(f"agent-{each}" for each in DOMAINS)
PROCESSES = ("bus", "exchange-primary", "exchange-backup", "engine", "watch", "healing", *AGENTS)


def topology() -> Topology:
    """The stack that the model is of."""
    return Topology(
        [
            Component(name="host", kind="host"),
            *(Component(name=f"exchange-{each}", kind="venue") for each in VENUES),
            Component(
                name="engine",
                kind="process",
                depends_on=("host", "exchange-primary", "exchange-backup"),
            ),
            *(
                Component(name=each, kind="process", depends_on=("host",))
                for each in PROCESSES
                if each != "engine" and not each.startswith("exchange-")
            ),
        ]
    )


@dataclass
class Venue:
    """A venue as the engine sees it."""

    name: str
    frozen_s: float | None = None
    thawed_s: float = -100.0
    last_frame_s: float = 0.0
    frames: float = 0.0
    requests: dict[str, float] = field(default_factory=lambda: {"ok": 0.0, "refused": 0.0})
    pending: list[float] = field(default_factory=list)
    good_s: list[float] = field(default_factory=list)
    errors_in_row: int = 0
    closed_until_s: float = 0.0


@dataclass
class Stranger:
    """A process of no component."""

    pid: int
    cpu: float
    core: int
    until_s: float = 1e9


class Stack:
    """The modelled world; call the fault methods between rounds."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now_s = 0.0
        self.up = dict.fromkeys(PROCESSES, False)
        self.started_s = dict.fromkeys(PROCESSES, 0.0)
        self.ticks = dict.fromkeys(PROCESSES, 1000)
        self.speed = 1.0
        self.capacity: float | None = None
        self.strangers: list[Stranger] = []
        self.venues = {each: Venue(each) for each in VENUES}
        self.engine_core = 0
        self.active = "primary"
        self._windows: dict[tuple[str, int], deque[float]] = {}
        self._flip = 0

    @property
    def now_ns(self) -> int:
        """Now, nanoseconds UTC."""
        return START_NS + round(self.now_s * 1e9)

    def start(self, name: str) -> None:
        """Starts a process; it listens a little later."""
        self.up[name] = True
        self.started_s[name] = self.now_s
        self.ticks[name] += 137
        if name == "engine":
            for venue in self.venues.values():
                venue.last_frame_s = self.now_s
                venue.frames = 0.0
                venue.requests = {"ok": 0.0}

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self.up[name] = False

    def freeze(self, name: str) -> None:
        """SIGSTOP of a venue."""
        self.venues[name].frozen_s = self.now_s

    def thaw(self, name: str) -> None:
        """SIGCONT of a venue."""
        self.venues[name].frozen_s = None
        self.venues[name].thawed_s = self.now_s

    def rounds(self, duration_s: float) -> Iterator[list[Readings]]:
        """One list of readings per round, for so long."""
        until_s = self.now_s + duration_s
        while self.now_s < until_s:
            step_s = 0.1 + self.random.uniform(-0.01, 0.01)
            if self.random.random() < 0.002:
                step_s += self.random.uniform(0.1, 0.3)  # the whole machine pauses
            self.now_s += step_s
            self._advance(step_s)
            yield self._read()

    def _alive_s(self, name: str) -> float:
        return self.now_s - self.started_s[name] if self.up[name] else -1.0

    def _listens(self, name: str) -> bool:
        return self._alive_s(name) > (0.6 if name == "engine" else 0.3)

    def _advance(self, step_s: float) -> None:
        self.strangers = [each for each in self.strangers if each.until_s > self.now_s]
        for venue in self.venues.values():
            connecting = self._alive_s("engine") < 1.2 or self.now_s - venue.thawed_s < 0.6
            if venue.frozen_s is None and not connecting and self.up[f"exchange-{venue.name}"]:
                venue.frames += max(0.0, self.random.gauss(40 * self.speed * step_s, 1.0))
                venue.last_frame_s = self.now_s - self.random.uniform(0.0, 0.06)
                if self.random.random() < 0.001:
                    venue.last_frame_s -= 0.25  # a pause of the venue's own
            if self.up["engine"] and self._alive_s("engine") > 2.0:
                self._trade(venue, step_s)

    def _trade(self, venue: Venue, step_s: float) -> None:
        for sent_s in [each for each in venue.pending if self.now_s - each > 1.0]:
            venue.pending.remove(sent_s)
            self._count(venue, "timeout")
        stale = self.now_s - venue.last_frame_s > 0.25
        rate = (12.0 if venue.name == self.active else 3.0) * min(self.speed, 1.6)
        expected = rate * step_s
        count = int(expected) + (self.random.random() < expected % 1)
        if venue.frozen_s is not None:
            if not stale or self.random.random() < 0.1:  # questions about fates go on
                venue.pending.extend([self.now_s] * max(count, int(stale)))
            return
        if stale or self.now_s < venue.closed_until_s:
            return
        for _ in range(count):
            self._count(venue, self._outcome(venue))

    def _outcome(self, venue: Venue) -> str:
        venue.good_s = [each for each in venue.good_s if self.now_s - each < 1.0]
        limited = self.capacity is not None and venue.name == "primary"
        if limited and len(venue.good_s) >= (self.capacity or 0):
            self._flip += 1
            venue.errors_in_row += 1
            if venue.errors_in_row >= 5:
                venue.closed_until_s = self.now_s + 1.0
                venue.errors_in_row = 0
            return "throttled" if (self._flip // 3) % 2 else "server_error"
        venue.good_s.append(self.now_s)
        venue.errors_in_row = 0
        return "refused" if self.random.random() < 0.01 else "ok"

    @staticmethod
    def _count(venue: Venue, outcome: str) -> None:
        venue.requests[outcome] = venue.requests.get(outcome, 0.0) + 1

    def _read(self) -> list[Readings]:
        self._items: dict[tuple[Domain, str], list[Reading]] = {}
        self._read_host()
        for name in PROCESSES:
            if name in {"bus", "watch"}:
                continue
            frozen = name.startswith("exchange-") and self.venues[name[9:]].frozen_s is not None
            good = self._listens(name) and not frozen and self.random.random() > 0.001
            if frozen and self.random.random() < 0.66:
                continue  # the scrape is still waiting for its time limit
            for metric, value in (("scrape_up", float(good)), ("scrape_timeout", float(frozen))):
                self._put("network", "host", metric, name, value, target=name)
            if good and name == "engine":
                self._read_engine()
            elif good and name.startswith("exchange-"):
                self._put(
                    "http",
                    f"scrape:{name}",
                    "exchange_requests_total",
                    name,
                    self.now_s * 9,
                    path="/api/v3/order",
                    status="200",
                )
        return [
            Readings(domain=domain, source=source, items=tuple(items))
            for (domain, source), items in self._items.items()
        ]

    def _put(
        self, domain: Domain, source: str, metric: str, entity: str, value: float, **labels: str
    ) -> None:
        self._items.setdefault((domain, source), []).append(
            Reading(
                metric=metric,
                entity=entity,
                value=value,
                labels=labels,
                ts_event_ns=self.now_ns,
                ts_init_ns=self.now_ns,
            )
        )

    def _read_host(self) -> None:
        for name in PROCESSES:
            self._put("cpu", "host", "process_up", name, float(self.up[name]), process=name)
            if not self.up[name]:
                continue
            frozen = name.startswith("exchange-") and self.venues[name[9:]].frozen_s is not None
            self._put("cpu", "host", "process_state_stopped", name, float(frozen))
            self._put("cpu", "host", "process_start_ticks", name, float(self.ticks[name]))
            busy = 0.0 if frozen else self.random.uniform(0.02, 0.15) * self.speed**0.7
            self._put(
                "cpu",
                "host",
                "process_cpu_ratio",
                name,
                busy,
                start_ticks=str(self.ticks[name]),
                last_cpu="1",
            )
        if self.up["engine"]:
            self._put(
                "cpu", "host", "process_last_cpu", "engine", float(self.engine_core), thread="hot"
            )
            self._put(
                "cpu",
                "host",
                "process_run_delay_ratio",
                "engine",
                self._mean("delay", self.ticks["engine"], self._run_delay()),
                thread="hot",
            )
        for each in self.strangers:
            noisy = max(0.0, each.cpu + self.random.choice((-0.1, 0.0, 0.0, 0.1)))
            self._put(
                "cpu",
                "host",
                "process_cpu_ratio",
                f"pid:{each.pid}",
                self._mean("cpu", each.pid, noisy),
                command="stranger",
                start_ticks=str(each.pid * 7),
                last_cpu=str(each.core),
            )
        self._put(
            "io", "host", "host_disk_busy_ratio", "host", self.random.uniform(0, 0.4), device="vda"
        )

    def _mean(self, metric: str, pid: int, value: float) -> float:
        """What a collector shows that averages over half a second."""
        window = self._windows.setdefault((metric, pid), deque(maxlen=5))
        window.append(value)
        return sum(window) / len(window)

    def _run_delay(self) -> float:
        base = self.random.uniform(0.005, 0.03) * float(self.speed**0.8)
        if self._alive_s("engine") < 1.0:
            base += self.random.uniform(0.0, 0.5)
        if self.random.random() < 0.004:
            base += 0.3
        pressing = sum(each.cpu for each in self.strangers if each.core == self.engine_core)
        if self.engine_core >= 0 and pressing > 0.4:
            base += max(0.0, self.random.gauss(0.3, 0.08))
        return base

    def _read_engine(self) -> None:
        source = "scrape:engine"
        for venue in self.venues.values():
            name = venue.name
            age_s = max(0.0, self.now_s - venue.last_frame_s)
            self._put("network", source, "venue_feed_age_seconds", "engine", age_s, venue=name)
            self._put(
                "network", source, "venue_frames_total", "engine", int(venue.frames), venue=name
            )
            for outcome, count in venue.requests.items():
                self._put(
                    "http",
                    source,
                    "order_requests_total",
                    "engine",
                    count,
                    venue=name,
                    outcome=outcome,
                )
        lag_s = self.random.uniform(0.0, 0.004) * self.speed
        self._put("execution", source, "hot_loop_lag_seconds", "engine", lag_s)
        self._put(
            "execution",
            source,
            "orders_submitted_total",
            "engine",
            sum(sum(each.requests.values()) for each in self.venues.values()),
        )
