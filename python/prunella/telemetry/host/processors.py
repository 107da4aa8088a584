"""Processors: /proc/stat, pressure, interrupts and softirqs in; shares of time and counts out."""

from collections.abc import Iterator

from prunella.telemetry.host.files import lines
from prunella.telemetry.processes import WINDOW_NS, Emit, Meter
from prunella.telemetry.reading import Reading

_TICK_NS = 10_000_000
_US = 1_000
_MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
"""Order of /proc/stat; guest time, which follows, is contained in the first two."""
_IDLE = {"idle", "iowait"}
_COUNTS = {
    "procs_running": "host_load_runnable",
    "procs_blocked": "host_load_blocked",
    "ctxt": "host_context_switches_total",
    "processes": "host_forks_total",
}
_VERSION_WITH_DELAY = 15
"""Of /proc/schedstat; the waiting time has stood in the same place since."""


class ProcessorCollector:
    """Readings per core, and of waiting for the three resources that the kernel accounts for."""

    def __init__(self) -> None:
        self._meter = Meter(window_ns=WINDOW_NS)
        self._slow = Meter(window_ns=2 * WINDOW_NS)

    def collect(self, emit: Emit, now_ns: int) -> Iterator[Reading]:
        """What moves within milliseconds."""
        yield from self._times(emit, now_ns)
        yield from self._pressure(emit, now_ns)

    def collect_slow(self, emit: Emit, now_ns: int) -> Iterator[Reading]:
        """What costs more to read."""
        yield from self._run_queue(emit, now_ns)
        for core, kind, count in _interrupts():
            labels = {"cpu": core, "kind": kind}
            rate = self._slow.ratio(("interrupts", core, kind), count, now_ns) * 1e9
            yield emit("host_interrupts_total", "host", float(count), **labels)
            yield emit("host_interrupts_per_second", "host", rate, **labels)
        yield from _softirqs(emit)
        for number, line in enumerate(lines("/proc/net/softnet_stat")):
            _, dropped, squeezed, *_ = (int(each, 16) for each in line.split())
            yield emit("host_softnet_dropped_total", "host", float(dropped), cpu=str(number))
            yield emit("host_softnet_squeezed_total", "host", float(squeezed), cpu=str(number))

    def _times(self, emit: Emit, now_ns: int) -> Iterator[Reading]:
        for line in lines("/proc/stat"):
            name, *values = line.split()
            if name in _COUNTS:
                yield emit(_COUNTS[name], "host", float(values[0]))
            elif name.startswith("cpu") and name != "cpu":
                core, busy = name[3:], 0.0
                for mode, ticks in zip(_MODES, values, strict=False):
                    if mode == "idle":
                        continue
                    ratio = self._meter.ratio((core, mode), int(ticks) * _TICK_NS, now_ns)
                    busy += 0.0 if mode in _IDLE else ratio
                    yield emit("host_cpu_mode_ratio", "host", ratio, cpu=core, mode=mode)
                yield emit("host_cpu_ratio", "host", busy, cpu=core)

    def _pressure(self, emit: Emit, now_ns: int) -> Iterator[Reading]:
        for resource in ("cpu", "io", "memory"):
            for line in lines(f"/proc/pressure/{resource}"):
                share, _, rest = line.partition(" ")
                if share == "full" and resource == "cpu":
                    continue  # means nothing for the whole machine, where it is always 0
                waited_ns = int(rest.rpartition("total=")[2]) * _US
                ratio = self._meter.ratio((share, resource), waited_ns, now_ns)
                yield emit(f"host_pressure_{share}_ratio", "host", ratio, resource=resource)

    def _run_queue(self, emit: Emit, now_ns: int) -> Iterator[Reading]:
        """Mean number of tasks that waited for the core, from the sum of their waiting times."""
        version, *rest = lines("/proc/schedstat") or ["version 0"]
        if int(version.split()[1]) < _VERSION_WITH_DELAY:
            return
        for line in rest:
            name, *values = line.split()
            if name.startswith("cpu"):
                waiting = self._slow.ratio(name, int(values[7]), now_ns)
                yield emit("host_run_queue_waiting", "host", waiting, cpu=name[3:])


def _interrupts() -> Iterator[tuple[str, str, int]]:
    """Interrupts each core has served, from devices and from the processors themselves."""
    header, *rest = lines("/proc/interrupts") or [""]
    cores = [name.removeprefix("CPU") for name in header.split()]
    devices, own = [0] * len(cores), [0] * len(cores)
    for line in rest:
        name, *values = line.split()
        counts = values[: len(cores)]
        if len(counts) < len(cores) or not all(each.isdigit() for each in counts):
            continue  # ERR and MIS are not per core
        sums = devices if name[0].isdigit() else own
        for place, count in enumerate(counts):
            sums[place] += int(count)
    for kind, sums in (("device", devices), ("processor", own)):
        for core, total in zip(cores, sums, strict=True):
            yield core, kind, total


def _softirqs(emit: Emit) -> Iterator[Reading]:
    header, *rest = lines("/proc/softirqs") or [""]
    cores = [name.removeprefix("CPU") for name in header.split()]
    for line in rest:
        kind, *counts = line.split()
        for core, count in zip(cores, counts, strict=False):
            if count != "0":  # most kinds never happen on most cores
                labels = {"cpu": core, "kind": kind.rstrip(":").lower()}
                yield emit("host_softirqs_total", "host", float(count), **labels)
