"""Telemetry from real processes: components, strangers, waiting threads and frozen targets."""

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from prunella.cli.clock import SystemClock
from prunella.telemetry import Reading, Readings
from prunella.telemetry.host import HostCollector
from prunella.telemetry.processes import Components, ProcessCollector, read_stat
from prunella.telemetry.scrape import ROUND_NS, Target
from prunella.telemetry.watch import Watch

T = TypeVar("T")
CLOCK = SystemClock()
PATIENCE_S = 20.0
BUSY = "while True: pass"
IDLE = "import time; time.sleep(600)"
HOT = """
import ctypes, os, sys, threading
def work():
    ctypes.CDLL(None).prctl(15, b"hot", 0, 0, 0)
    os.sched_setaffinity(0, {int(sys.argv[1])})
    while True: pass
threading.Thread(target=work).start()
"""
SERVE = """
import sys
from prunella.telemetry.serve import Pages, StatusServer
page = b'orders_open{venue="primary"} 3\\nsecret_thing 1\\n'
server = StatusServer(0, token="t", pages=Pages(ready=str, metrics=lambda: page, status=dict))
server.start()
print(server.port, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def spawn() -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Starts Python programs under a component's name, or none, and kills them at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(code: str, *arguments: str, name: str = "") -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, "SUPERVISOR_PROCESS_NAME": name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for each in started:
        each.kill()
        each.communicate()


def emit(metric: str, entity: str, value: float, **labels: str) -> Reading:
    """A reading of no particular time."""
    return Reading(
        metric=metric, entity=entity, value=value, labels=labels, ts_event_ns=0, ts_init_ns=0
    )


def until(look: Callable[[], T | None]) -> T:
    """Looks every tenth of a second until there is something to see."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_S * 10)):
        seen = look()
        if seen is not None:
            return seen
        pause.wait(0.1)
    pytest.fail("looked in vain")


class Looker:
    """Collects from /proc as if this test were the supervisor of its children."""

    def __init__(self, folder: Path, *names: str, supervisor: int | None = None) -> None:
        pid_file = folder / "supervisord.pid"
        pid_file.write_text(str(supervisor or os.getpid()))
        self._collector = ProcessCollector(
            Components(names, pid_file), hot_threads={"engine": ("hot", "hot")}
        )

    def find(
        self, metric: str, entity: str, good: Callable[[float], bool], **labels: str
    ) -> Callable[[], Reading | None]:
        """Looks once for such a reading."""

        def look() -> Reading | None:
            for each in self._collector.collect(emit, CLOCK.now_ns()):
                wanted = (each.metric, each.entity) == (metric, entity) and good(each.value)
                if wanted and labels.items() <= each.labels.items():
                    return each
            return None

        return look

    def metrics(self) -> set[tuple[str, str]]:
        """Which metrics of whom one round gives."""
        return {(r.metric, r.entity) for r in self._collector.collect(emit, CLOCK.now_ns())}


def test_component_is_up_stopped_and_gone(
    spawn: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    """What the kernel knows of a component's process is told within a round or two."""
    looker = Looker(tmp_path, "engine", "bus")
    process = spawn(IDLE, name="engine")
    up = until(looker.find("process_up", "engine", lambda v: v == 1.0))
    assert up.labels == {"process": "engine"}
    assert looker.find("process_up", "bus", lambda v: v == 0.0)() is not None
    process.send_signal(signal.SIGSTOP)
    until(looker.find("process_state_stopped", "engine", lambda v: v == 1.0))
    process.kill()
    until(looker.find("process_up", "engine", lambda v: v == 0.0))  # although a zombie is left


def test_without_a_supervisor_nobody_is_called_dead(tmp_path: Path) -> None:
    """A supervisor that is gone leaves nobody who knows; silence is not an accusation."""
    looker = Looker(tmp_path, "engine", supervisor=1 << 22)
    for _ in range(3):
        assert looker.metrics() == set()


def test_busy_stranger_is_named_and_its_calm_is_seen(
    spawn: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    """A hog of no component appears with what is needed to act on it, and its calm is told too."""
    supervisor = spawn(IDLE)
    looker = Looker(tmp_path, "engine", supervisor=supervisor.pid)
    hog = spawn(BUSY)
    busy = until(looker.find("process_cpu_ratio", f"pid:{hog.pid}", lambda v: v > 0.2))
    stat = read_stat(f"/proc/{hog.pid}/stat")
    assert stat is not None
    assert busy.labels["start_ticks"] == str(stat.start_ticks)
    assert busy.labels["last_cpu"].isdigit()
    assert busy.labels["command"].startswith("python")
    hog.send_signal(signal.SIGSTOP)
    until(looker.find("process_cpu_ratio", f"pid:{hog.pid}", lambda v: v == 0.0))


def test_sleeper_that_turns_busy_is_found(
    spawn: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    """Sleepers are looked at less often, but not so rarely that a hog among them hides."""
    supervisor = spawn(IDLE)
    looker = Looker(tmp_path, "engine", supervisor=supervisor.pid)
    sleeper = spawn("import sys; sys.stdin.readline()\n" + BUSY)
    for _ in range(3):
        looker.metrics()
        threading.Event().wait(0.2)
    assert sleeper.stdin is not None
    sleeper.stdin.write(b"\n")
    sleeper.stdin.flush()
    until(looker.find("process_cpu_ratio", f"pid:{sleeper.pid}", lambda v: v > 0.2))


def test_what_a_component_starts_is_no_stranger(
    spawn: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    """A component's own child is never offered as a culprit."""
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}], timeout=30)"
    looker = Looker(tmp_path, "engine")
    engine = spawn(code, name="engine")
    path = Path(f"/proc/{engine.pid}/task/{engine.pid}/children")
    child = int(until(lambda: path.read_text().split() or None)[0])
    try:
        for _ in range(10):
            assert ("process_cpu_ratio", f"pid:{child}") not in looker.metrics()
            threading.Event().wait(0.05)
    finally:
        os.kill(child, signal.SIGKILL)


def test_hot_thread_that_must_share_its_core_is_seen_waiting(
    spawn: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    """The engine's hot thread is found by name, and its wait for a core is measured."""
    core = min(os.sched_getaffinity(0))
    looker = Looker(tmp_path, "engine")
    engine = spawn(HOT, str(core), name="engine")
    rival = spawn(BUSY)
    os.sched_setaffinity(rival.pid, {core})
    del engine
    until(looker.find("process_run_delay_ratio", "engine", lambda v: v > 0.2, thread="hot"))
    until(looker.find("process_last_cpu", "engine", lambda v: v == core, thread="hot"))


def test_engine_without_its_hot_thread_says_nothing_of_it(
    spawn: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    """Another thread's figures are not passed off as the hot thread's."""
    looker = Looker(tmp_path, "engine")
    spawn(IDLE, name="engine")
    until(looker.find("process_up", "engine", lambda v: v == 1.0))
    assert ("process_run_delay_ratio", "engine") not in looker.metrics()


def test_host_figures_are_within_what_is_possible() -> None:
    """Each figure of this machine has a sane value, and ratios are shares."""
    host = HostCollector()
    host.collect(emit, CLOCK.now_ns(), CLOCK.monotonic_ns())
    threading.Event().wait(0.2)
    readings = host.collect(emit, CLOCK.now_ns(), CLOCK.monotonic_ns())
    cores = [r for r in readings if r.metric == "host_cpu_ratio"]
    assert len(cores) == os.cpu_count()
    assert all(-0.01 <= r.value <= 1.2 for r in readings if r.metric.endswith("_ratio"))
    memory = [r.value for r in readings if r.metric == "host_memory_available_bytes"]
    assert 1 << 20 < memory[0] < 1 << 50


class Inbox:
    """Keeps what is published, by target of the scrape."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[Readings] = []

    def publish(self, readings: Readings) -> None:
        """Takes one batch."""
        with self._lock:
            self._seen.append(readings)

    def read(self, metric: str, entity: str) -> list[Reading]:
        """All readings of that metric about that entity, oldest first."""
        with self._lock:
            items = [item for batch in self._seen for item in batch.items]
        return [r for r in items if (r.metric, r.entity) == (metric, entity)]

    def sources(self) -> set[tuple[str, str]]:
        """Which source spoke in which domain."""
        with self._lock:
            return {(batch.source, batch.domain) for batch in self._seen}


@contextlib.contextmanager
def watching(folder: Path, inbox: Inbox, *targets: Target) -> Iterator[Watch]:
    """A running watch over these targets."""
    watch = Watch(
        processes=ProcessCollector(Components((), folder / "none")),
        targets=targets,
        publish=inbox.publish,
        clock=CLOCK,
    )
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    yield watch
    watch.stop()
    thread.join(timeout=PATIENCE_S)
    assert not thread.is_alive()


def port_of(process: "subprocess.Popen[bytes]") -> int:
    """The port that a serving child has printed."""
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_frozen_target_costs_nobody_elses_rounds(
    spawn: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    """One target is stopped: it is told as silent for time, the other's rounds go on in step."""
    frozen, lively = spawn(SERVE), spawn(SERVE)
    targets = [Target("frozen", port_of(frozen), "t"), Target("lively", port_of(lively), "t")]
    inbox = Inbox()
    with watching(tmp_path, inbox, *targets) as watch:
        until(lambda: inbox.read("orders_open", "frozen") or None)
        frozen.send_signal(signal.SIGSTOP)
        until(lambda: [r for r in inbox.read("scrape_timeout", "frozen") if r.value] or None)
        before = len(inbox.read("orders_open", "lively"))
        silent = len([r for r in inbox.read("scrape_up", "frozen") if not r.value])
        began_ns = CLOCK.monotonic_ns()
        until(lambda: len(inbox.read("orders_open", "lively")) >= before + 15 or None)
        rounds = (CLOCK.monotonic_ns() - began_ns) / ROUND_NS
        assert rounds < 30  # 15 in step; twice that on a machine that is busy otherwise
        assert len([r for r in inbox.read("scrape_up", "frozen") if not r.value]) > silent
        assert watch.why_not_ready() == ""
        frozen.send_signal(signal.SIGCONT)
        until(lambda: inbox.read("scrape_up", "frozen")[-1].value or None)
    assert ("scrape:lively", "execution") in inbox.sources()
    assert inbox.read("orders_open", "lively")[0].labels == {"venue": "primary"}
    assert inbox.read("secret_thing", "lively") == []


def test_target_that_is_closed_or_refuses_us_is_down_without_a_timeout(
    spawn: Callable[..., "subprocess.Popen[bytes]"], tmp_path: Path
) -> None:
    """No listener and a wrong token are failures at once, not silence."""
    refusing, closed = spawn(SERVE), spawn(SERVE)
    targets = [Target("refusing", port_of(refusing), "x"), Target("closed", port_of(closed), "t")]
    closed.kill()
    inbox = Inbox()
    with watching(tmp_path, inbox, *targets):
        for name in ("refusing", "closed"):
            until(lambda name=name: inbox.read("scrape_up", name) or None)  # type: ignore[misc]
            assert {r.value for r in inbox.read("scrape_up", name)} == {0.0}
            assert {r.value for r in inbox.read("scrape_timeout", name)} == {0.0}
    assert {source for source, _ in inbox.sources()} == {"host"}


def test_collector_that_was_held_up_does_not_make_up_for_it(tmp_path: Path) -> None:
    """After a pause the rounds go on at their pace; a burst would only load a loaded machine."""
    inbox, held = Inbox(), threading.Event()
    times: list[int] = []

    def publish(readings: Readings) -> None:
        if readings.domain == "io":
            times.append(CLOCK.monotonic_ns())
            if len(times) == 3:
                held.wait(1.0)
        inbox.publish(readings)

    watch = Watch(
        processes=ProcessCollector(Components((), tmp_path / "none")),
        targets=(),
        publish=publish,
        clock=CLOCK,
    )
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    until(lambda: len(times) >= 8 or None)
    watch.stop()
    thread.join(timeout=PATIENCE_S)
    # The machine's own figures come every other round.
    assert min(b - a for a, b in itertools.pairwise(times[4:])) > ROUND_NS
