"""What watching costs: `python bench/telemetry.py [SECONDS]` prints CPU shares and latencies.

Everything runs as it does in a stack: pages served by another process, the collectors publishing
over the router's unix sockets, a subscriber that reads the clock on arrival.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
from prunella.bus import Topic
from prunella.bus.router import Router
from prunella.bus.zeromq import ZeroMqBus, role_password
from prunella.cli.clock import SystemClock
from prunella.evaluation.bench import Latency, latency
from prunella.telemetry import Readings
from prunella.telemetry.processes import Components, ProcessCollector
from prunella.telemetry.scrape import Target
from prunella.telemetry.serve import Pages, StatusServer
from prunella.telemetry.watch import Watch

TARGETS = 11
SERIES = 60
"""About as many as the engine's page has, besides the buckets of its histograms."""
BUCKETS = 40
CORE_SHARE_MAX = 0.08
SECRET = "bench"  # noqa: S105  of nothing
MESSAGES = 20_000


def main() -> None:
    """Runs all three measurements."""
    if sys.argv[1:2] == ["--serve"]:
        serve()
        return
    if sys.argv[1:2] == ["--route"]:
        Router(Path(sys.argv[2]), Path(sys.argv[3]), secret=SECRET).run()
        return
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    imports()
    with tempfile.TemporaryDirectory() as folder:
        sockets = (Path(folder) / "in.sock", Path(folder) / "out.sock")
        command = [sys.executable, __file__, "--route", *map(str, sockets)]
        with subprocess.Popen(command) as router:
            print(latency("bus, 2 kB, publish to receive", carrying(*sockets)))
            watching(sockets, seconds)
            router.terminate()


def imports() -> None:
    """CPU time of a fresh interpreter that imports a status server and nothing else."""
    for title, code in (
        ("nothing", "pass"),
        ("msgspec (every service has it)", "import msgspec"),
        ("prunella.telemetry.serve", "import prunella.telemetry.serve"),
        ("msgspec + http.server", "import msgspec, http.server"),
        ("msgspec + uvicorn + starlette", "import msgspec, uvicorn, starlette.applications"),
    ):
        script = f"import time\n{code}\nprint(time.process_time())"
        times = sorted(
            float(subprocess.check_output([sys.executable, "-c", script])) for _ in range(7)
        )
        print(f"import {title:34} {times[3] * 1e3:7.1f} ms of CPU")


def figures(*, quick: bool) -> Iterable[Latency]:
    """The bus, for `prunella bench`; the other measurements are printed by this file alone."""
    with tempfile.TemporaryDirectory() as folder:
        sockets = (Path(folder) / "in.sock", Path(folder) / "out.sock")
        command = [sys.executable, __file__, "--route", *map(str, sockets)]
        with subprocess.Popen(command) as router:
            taken = carrying(*sockets, MESSAGES // 20 if quick else MESSAGES)
            router.terminate()
    yield latency("bus, 2 kB, publish to receive", taken)


def carrying(inlet: Path, outlet: Path, messages: int = MESSAGES) -> list[int]:
    """Nanoseconds from `publish` to `receive` through the router, one message at a time."""
    watch = bus_of("watch", inlet, outlet)
    agent = bus_of("agent-cpu", inlet, outlet)
    inbox, topic = agent.subscribe("local/cpu/"), str(Topic(domain="cpu", source="host"))
    payload = bytes(2000)
    while inbox.receive(0.02) is None:
        watch.publish(topic, payload, kind="readings", now_ns=1)
    while inbox.receive(0.2) is not None:
        pass
    taken: list[int] = []
    for _ in range(messages):
        began_ns = time.perf_counter_ns()
        watch.publish(topic, payload, kind="readings", now_ns=1)
        if inbox.receive(1.0) is not None:
            taken.append(time.perf_counter_ns() - began_ns)
    lost = inbox.lost
    watch.close()
    agent.close()
    if lost:
        print(f"bus: lost {lost} of {messages}")
    return taken


def watching(sockets: tuple[Path, Path], seconds: float) -> None:
    """CPU share of the process `watch`: this one, without the router and the targets."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as targets:
        assert targets.stdout is not None  # noqa: S101  for the type checker
        ports = [int(port) for port in targets.stdout.readline().split()]
        bus, encoder, clock = bus_of("watch", *sockets), msgspec.msgpack.Encoder(), SystemClock()

        def publish(readings: Readings) -> None:
            topic = str(Topic(domain=readings.domain, source=readings.source))
            bus.publish(topic, encoder.encode(readings), kind="readings", now_ns=clock.now_ns())

        watch = Watch(
            processes=ProcessCollector(Components((), Path("/nonexistent"))),
            targets=[Target(f"target-{port}", port, SECRET) for port in ports],
            publish=publish,
            clock=clock,
        )
        threading.Timer(seconds, watch.stop).start()
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        watch.run()
        share = (time.process_time() - began_cpu_s) / (time.perf_counter() - began_s)
        status = watch.status()
        dropped = bus.dropped
        bus.close()
        targets.communicate()
    print(
        f"watch: {share:.1%} of a core (goal {CORE_SHARE_MAX:.0%}) for {TARGETS} targets with "
        f"{SERIES} series each and {len(list(Path('/proc').glob('[0-9]*')))} processes; "
        f"{status.rounds / seconds:.1f} rounds/s, {status.readings / seconds:.0f} readings/s, "
        f"longest round {status.round_ms_max:.1f} ms, {dropped} messages dropped"
    )


def serve() -> None:
    """Serves the targets' pages until standard input ends."""
    page = "".join(f'venue_frames_total{{venue="v{i}"}} {i}\n' for i in range(SERIES))
    page += "".join(f'tick_to_order_microseconds_bucket{{le="{i}"}} {i}\n' for i in range(BUCKETS))
    pages = Pages(ready=str, metrics=page.encode, status=dict)
    servers = [StatusServer(0, token=SECRET, pages=pages) for _ in range(TARGETS)]
    for server in servers:
        server.start()
    print(*(server.port for server in servers), flush=True)
    sys.stdin.read()


def bus_of(role: str, inlet: Path, outlet: Path) -> ZeroMqBus:
    """A bus under that role."""
    return ZeroMqBus(inlet, outlet, role=role, password=role_password(SECRET, role))


if __name__ == "__main__":
    main()
