"""OTLP in over gRPC: `python bench/otlp.py [SECONDS]` prints points per second of receiver's CPU.

A sender of its own process repeats one request of 1000 points with four attributes each, as an SDK
writes it; the receiver is this process, with the very door that a stack opens, and the changed
series are taken out five times a second as there.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import grpc
from prunella.cli.clock import SystemClock
from prunella.evaluation.bench import Rate
from prunella.telemetry.otlp import OtlpReceiver, RpcDoor
from prunella.telemetry.settings import OtlpSettings

POINTS = 1000
GOAL_PER_CORE = 1_000_000
EXPORT = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
IN_FLIGHT = 4


def main() -> None:
    """Measures."""
    if sys.argv[1:2] == ["--send"]:
        send(int(sys.argv[2]), float(sys.argv[3]))
        return
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    receiver = OtlpReceiver(OtlpSettings(), reserved=(), token="bench", clock=SystemClock())  # noqa: S106
    print(f"the walk alone: {walking(receiver, seconds / 2) / 1e6:.2f} M points per CPU second")
    taken = receiver.taken
    door = RpcDoor(receiver, 0)
    door.start()
    command = [sys.executable, __file__, "--send", str(door.port), str(seconds)]
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    with subprocess.Popen(command) as sender:
        pause = threading.Event()
        while sender.poll() is None:
            pause.wait(0.2)
            receiver.readings()
    elapsed_s, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    door.close()
    points = receiver.taken - taken
    print(
        f"OTLP over gRPC, {POINTS} points of {len(request()) // POINTS} bytes a request: "
        f"{points / cpu_s / 1e6:.2f} M points per CPU second of the receiver "
        f"(goal {GOAL_PER_CORE / 1e6:.0f} M), {points / elapsed_s / 1e6:.2f} M points/s "
        f"from one sender"
    )


def figures(*, quick: bool) -> Iterator[Rate]:
    """The walk, for `prunella bench`; this file alone measures the whole way."""
    receiver = OtlpReceiver(OtlpSettings(), reserved=(), token="bench", clock=SystemClock())  # noqa: S106
    rate = walking(receiver, 0.2 if quick else 2.0)
    yield Rate(name="OTLP points, walk", goal="1 M/s", per_second=rate)


def walking(receiver: OtlpReceiver, seconds: float) -> float:
    """Points per CPU second of the walk alone."""
    body, points = request(), 0
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    while time.perf_counter() - began_s < seconds:
        receiver.take("metrics", body)
        points += POINTS
    return points / (time.process_time() - began_cpu_s)


def send(port: int, seconds: float) -> None:
    """Sends the request again and again, a few at a time."""
    body, metadata = request(), [("authorization", "Bearer bench")]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        export = channel.unary_unary(EXPORT)
        under_way = [export.future(body, metadata=metadata) for _ in range(IN_FLIGHT)]
        ends_s = time.perf_counter() + seconds
        while time.perf_counter() < ends_s:
            under_way.pop(0).result()
            under_way.append(export.future(body, metadata=metadata))
        for each in under_way:
            each.result()


def request() -> bytes:
    """An ExportMetricsServiceRequest of one gauge with `POINTS` points."""
    resource = field(1, field(1, attribute("service.name", "bench")))
    points = b"".join(field(1, each) for each in point_bodies())
    metric = field(1, b"queue.depth") + field(3, b"1") + field(5, points)
    return field(1, resource + field(2, field(2, metric)))


def point_bodies() -> Iterator[bytes]:
    """Points whose four attributes tell them apart."""
    when = (1_790_000_000_000_000_000).to_bytes(8, "little")
    for number in range(POINTS):
        attributes = {
            "instrument": f"SYM{number % 100}",
            "venue": f"venue-{number // 100}",
            "side": "buy",
            "host.name": "trading-01",
        }
        yield (
            b"\x19"
            + when
            + b"\x21"
            + number.to_bytes(8, "little")
            + b"".join(field(7, attribute(*each)) for each in attributes.items())
        )


def attribute(key: str, value: str) -> bytes:
    """A KeyValue of text."""
    return field(1, key.encode()) + field(2, field(1, value.encode()))


def field(number: int, content: bytes) -> bytes:
    """A field of bytes."""
    length, size = len(content), bytearray()
    while length >= 0x80:
        size.append(length & 0x7F | 0x80)
        length >>= 7
    size.append(length)
    return bytes((number << 3 | 2,)) + bytes(size) + content


if __name__ == "__main__":
    main()
