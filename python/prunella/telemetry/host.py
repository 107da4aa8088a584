"""The host's own figures, from /proc and /sys: processors, memory, pressure, disks, network."""

from collections.abc import Iterator
from pathlib import Path

from prunella.telemetry.processes import Emit, Meter
from prunella.telemetry.reading import Reading

WINDOW_NS = 500_000_000
_TICK_S = 0.01
_US, _MS, _S = 1_000, 1_000_000, 1_000_000_000


class HostCollector:
    """Readings about the machine; each file that the kernel does not have is left out."""

    def __init__(self) -> None:
        self._meter = Meter(window_ns=WINDOW_NS)
        self._disks = [
            entry.name
            for entry in _entries("/sys/block")
            if not entry.name.startswith(("loop", "ram", "zram"))
        ]
        self._waits: dict[str, tuple[int, int]] = {}

    def collect(self, emit: Emit, now_ns: int) -> list[Reading]:
        """One round."""
        return [
            *self._processors(emit, now_ns),
            *_memory(emit),
            *self._pressure(emit, now_ns),
            *self._disk(emit, now_ns),
            *_network(emit),
        ]

    def _processors(self, emit: Emit, now_ns: int) -> Iterator[Reading]:
        for line in _lines("/proc/stat"):
            name, *values = line.split()
            if name == "procs_running":
                yield emit("host_load_runnable", "host", float(values[0]))
            elif name.startswith("cpu") and name != "cpu":
                ticks = [int(value) for value in values]
                busy_ns = int((sum(ticks[:8]) - ticks[3] - ticks[4]) * _TICK_S * _S)
                ratio = self._meter.ratio(name, busy_ns, now_ns)
                yield emit("host_cpu_ratio", "host", ratio, cpu=name[3:])

    def _pressure(self, emit: Emit, now_ns: int) -> Iterator[Reading]:
        for resource in ("cpu", "io", "memory"):
            for line in _lines(f"/proc/pressure/{resource}"):
                if line.startswith("some"):
                    waited_ns = int(line.rpartition("total=")[2]) * _US
                    ratio = self._meter.ratio(("pressure", resource), waited_ns, now_ns)
                    yield emit("host_pressure_some_ratio", "host", ratio, resource=resource)

    def _disk(self, emit: Emit, now_ns: int) -> Iterator[Reading]:
        for line in _lines("/proc/diskstats"):
            fields = line.split()
            device = fields[2]
            if device not in self._disks:
                continue
            count, waited_ms = int(fields[3]) + int(fields[7]), int(fields[6]) + int(fields[10])
            busy = self._meter.ratio(("disk", device), int(fields[12]) * _MS, now_ns)
            yield emit("host_disk_busy_ratio", "host", busy, device=device)
            before = self._waits.get(device, (count, waited_ms))
            if count > before[0]:
                seconds = (waited_ms - before[1]) / 1000 / (count - before[0])
                yield emit("host_disk_await_seconds", "host", seconds, device=device)
            self._waits[device] = (count, waited_ms)


def _memory(emit: Emit) -> Iterator[Reading]:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield emit("host_memory_available_bytes", "host", float(line.split()[1]) * 1024)


def _network(emit: Emit) -> Iterator[Reading]:
    for line in _lines("/proc/net/dev")[2:]:
        name, _, rest = line.partition(":")
        values = [int(value) for value in rest.split()]
        errors = sum(values[i] for i in (2, 3, 10, 11))
        yield emit("host_net_errors_total", "host", float(errors), interface=name.strip())
    tcp = [line.split() for line in _lines("/proc/net/snmp") if line.startswith("Tcp:")]
    if len(tcp) == 2 and "RetransSegs" in tcp[0]:
        sent_again = float(tcp[1][tcp[0].index("RetransSegs")])
        yield emit("host_tcp_retransmits_total", "host", sent_again)


def _lines(path: str) -> list[str]:
    """A small file's lines; none where the kernel does not have it."""
    try:
        return Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []


def _entries(path: str) -> list[Path]:
    try:
        return list(Path(path).iterdir())
    except OSError:
        return []
