"""The host collector against this very machine: what is done to it is what is read of it."""

import itertools
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from prunella.cli.clock import SystemClock
from prunella.telemetry import Reading
from prunella.telemetry.host import SLOW_EVERY, HostCollector
from prunella.telemetry.host.clock import STEP_WINDOW_NS, ClockCollector
from prunella.telemetry.host.disks import DiskCollector
from prunella.telemetry.host.sockets import SocketCollector
from prunella.telemetry.processes import Components
from prunella.telemetry.resources import ResourceCollector

T = TypeVar("T")
CLOCK = SystemClock()
PATIENCE_S = 20.0
SERVER_PORTS = range(20_001, 20_400)
"""Below those that clients are given, as a server's are."""


def emit(metric: str, entity: str, value: float, **labels: str) -> Reading:
    """A reading of no particular time."""
    return Reading(
        metric=metric, entity=entity, value=value, labels=labels, ts_event_ns=0, ts_init_ns=0
    )


def until(look: Callable[[], T | None]) -> T:
    """Looks every twentieth of a second until there is something to see."""
    pause = threading.Event()
    for _ in range(int(PATIENCE_S * 20)):
        seen = look()
        if seen is not None:
            return seen
        pause.wait(0.05)
    pytest.fail("looked in vain")


def values(readings: list[Reading], metric: str, **labels: str) -> list[float]:
    """The values of that metric with these labels."""
    return [
        each.value
        for each in readings
        if each.metric == metric and labels.items() <= each.labels.items()
    ]


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """A listening socket on a server's port."""
    for port in SERVER_PORTS:
        listener = socket.socket()
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
            continue
        listener.listen()
        with listener:
            yield listener
        return
    pytest.skip("no free port")


def test_connection_is_told_with_round_trip_and_with_what_nobody_reads(
    server: socket.socket,
) -> None:
    """A peer appears with its round trip; what comes and is not read stands in the queue."""
    collector = SocketCollector()
    host, port = server.getsockname()
    peer = f"{host}:{port}"
    with socket.create_connection((host, port)) as client, server.accept()[0] as other:
        client.sendall(b"hello")
        assert other.recv(5) == b"hello"
        other.sendall(bytes(50_000))

        def waiting() -> list[Reading] | None:
            readings = list(collector.collect(emit))
            queued = values(readings, "host_tcp_receive_queue_bytes", peer=peer)
            return readings if queued and queued[0] > 10_000 else None

        readings = until(waiting)
        assert values(readings, "host_tcp_peer_connections", peer=peer) == [1.0]
        assert 0 < values(readings, "host_tcp_rtt_seconds", peer=peer)[0] < 1
        assert values(readings, "host_tcp_peer_retransmits_total", peer=peer) == [0.0]
    until(
        lambda: not values(list(collector.collect(emit)), "host_tcp_rtt_seconds", peer=peer) or None
    )


def test_write_to_disk_is_counted_with_its_latency(tmp_path: Path) -> None:
    """Bytes forced to a disk raise its counters, and the round tells what they took."""
    disks = DiskCollector()
    before = list(disks.collect(emit, CLOCK.now_ns()))
    if not before:
        pytest.skip("the kernel shows no disk in /sys/block and /proc/diskstats")
    if not os.access(tmp_path, os.W_OK):
        pytest.skip("nowhere to write")
    written = sum(values(before, "host_disk_written_bytes_total"))
    numbers = itertools.count()

    def look() -> list[Reading] | None:
        with (tmp_path / f"file-{next(numbers)}").open("wb") as file:
            file.write(os.urandom(1 << 20))
            file.flush()
            os.fsync(file.fileno())
        readings = list(disks.collect(emit, CLOCK.now_ns()))
        return readings if values(readings, "host_disk_write_await_seconds") else None

    readings = until(look)
    assert sum(values(readings, "host_disk_written_bytes_total")) > written
    assert all(0 <= each < 60 for each in values(readings, "host_disk_write_await_seconds"))


def test_each_group_of_the_host_is_told() -> None:
    """Of every part of the machine there is something, and slow groups come once in a while."""
    host = HostCollector()
    rounds = [host.collect(emit, CLOCK.now_ns(), CLOCK.monotonic_ns()) for _ in range(6)]
    fast, slow = rounds[1], rounds[SLOW_EVERY]
    assert len(slow) > len(fast)
    modes = {each.labels["mode"] for each in fast if each.metric == "host_cpu_mode_ratio"}
    assert {"user", "iowait", "irq", "softirq", "steal"} <= modes
    assert values(fast, "host_tcp_retransmit_ratio")[0] <= 1
    for metric in (
        "host_interrupts_total",
        "host_interrupts_per_second",
        "host_softirqs_total",
        "host_open_files_ratio",
        "host_filesystem_used_ratio",
        "host_clock_error_bound_seconds",
    ):
        assert values(slow, metric), metric
    ticks = values(slow, "host_interrupts_total", kind="processor")
    assert len(ticks) == os.cpu_count()
    assert all(each > 0 for each in ticks)
    host.close()


def test_wall_clock_that_is_set_shows_as_a_step_for_ten_seconds() -> None:
    """A jump is seen against the monotonic clock, slewing is not, and it is told for a while."""
    clock = ClockCollector(chronyc=("no-such-program",), pmc=("no-such-program",))

    def step(wall_ns: int, monotonic_ns: int) -> float:
        return next(iter(clock.collect(emit, wall_ns, monotonic_ns))).value

    second = 1_000_000_000
    assert step(100 * second, 0) == 0
    assert abs(step(101 * second + 500_000, second)) < 0.001
    assert step(131 * second, 2 * second) == pytest.approx(29, abs=0.01)
    assert step(136 * second, 7 * second) == pytest.approx(29, abs=0.01)
    late = 3 * second + STEP_WINDOW_NS
    assert step(129 * second + late, late) == pytest.approx(0, abs=0.001)


def test_clock_programs_that_hang_or_babble_cost_nothing(tmp_path: Path) -> None:
    """What hangs is ended, what babbles is not believed; the kernel's voice is heard."""
    hangs, babbles = tmp_path / "hangs", tmp_path / "babbles"
    hangs.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    babbles.write_text("#!/bin/sh\necho offsetFromMaster lots\n")
    for each in (hangs, babbles):
        each.chmod(0o755)
    clock = ClockCollector(chronyc=(str(hangs),), pmc=(str(babbles),))
    assert {each.labels["source"] for each in clock.collect_slow(emit)} == {"kernel"}
    pid_file = tmp_path / "pid"
    pid = int(until(lambda: (pid_file.exists() and pid_file.read_text().strip()) or None))
    began_ns = CLOCK.monotonic_ns()
    for _ in range(4):
        assert {each.labels["source"] for each in clock.collect_slow(emit)} == {"kernel"}
    assert CLOCK.monotonic_ns() - began_ns < 5_000_000_000
    assert not Path(f"/proc/{pid}").exists()
    clock.close()


def test_component_is_told_with_its_files_and_a_stranger_with_its_writing(tmp_path: Path) -> None:
    """Open files are counted per component; whoever writes much is named though nobody's."""
    busy = f"""
import os
files = [open(os.devnull) for _ in range(60)]
while True:
    with open({str(tmp_path / "big")!r}, "wb") as file:
        file.write(bytes(1 << 20)); file.flush(); os.fsync(file.fileno())
"""
    engine = subprocess.Popen(
        [sys.executable, "-c", "import os; f=[open(os.devnull) for _ in range(60)]; input()"],
        env={**os.environ, "SUPERVISOR_PROCESS_NAME": "engine"},
        stdin=subprocess.PIPE,
    )
    stranger = subprocess.Popen([sys.executable, "-c", busy])
    try:
        pid_file = tmp_path / "supervisord.pid"
        pid_file.write_text(str(os.getpid()))
        collector = ResourceCollector(Components(("engine",), pid_file))

        def look() -> list[Reading] | None:
            readings = collector.collect(emit, CLOCK.now_ns())
            files = values(
                [each for each in readings if each.entity == "engine"], "process_open_files"
            )
            return readings if files and files[0] >= 60 else None

        readings = until(look)
        shares = [each for each in readings if each.metric == "process_open_files_ratio"]
        assert [(each.entity, 0 < each.value < 1) for each in shares] == [("engine", True)]
        # Before this very process: `stranger` is its child, which the supervisor here would be.
        pid_file.write_text(str(engine.pid))
        collector = ResourceCollector(Components(("engine",), pid_file))

        def named() -> Reading | None:
            found = collector.collect(emit, CLOCK.now_ns())
            return next(
                (
                    each
                    for each in found
                    if each.entity == f"pid:{stranger.pid}"
                    and each.metric == "process_disk_written_bytes_per_second"
                    and each.value > 1 << 18
                ),
                None,
            )

        found = until(named)
        assert found.labels["command"].startswith("python")
        assert found.labels["start_ticks"].isdigit()
    finally:
        for each in (engine, stranger):
            each.kill()
            each.communicate()
