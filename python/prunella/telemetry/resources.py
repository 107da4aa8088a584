"""Who holds files open and who moves bytes to and from disks, from /proc, out.

Components are always reported; of the others those with most traffic to disks, so that whoever
keeps a disk busy can be named.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

from prunella.telemetry.host.files import entries, lines
from prunella.telemetry.processes import Components, Emit, Meter, plain, read_stat
from prunella.telemetry.reading import Reading

STRANGERS = 3
"""The busiest processes of no component that are reported."""
WINDOW_NS = 2_000_000_000
_FIELDS = {"read_bytes": "read", "write_bytes": "written"}


class _Io(NamedTuple):
    """Bytes per second."""

    read: float
    written: float


class ResourceCollector:
    """Readings about open files and disk traffic.

    Args:
        components: Who is who.
    """

    def __init__(self, components: Components) -> None:
        self._components = components
        self._meter = Meter(window_ns=WINDOW_NS)

    def collect(self, emit: Emit, now_ns: int) -> list[Reading]:
        """One round."""
        known = self._components.pids()
        names = {pid: name for name, pid in (known or {}).items()}
        readings: list[Reading] = []
        traffic: list[tuple[float, int, _Io]] = []
        for pid in sorted(int(entry) for entry in entries("/proc") if entry.isdigit()):
            moved = self._traffic(pid, now_ns)
            if moved is None:
                continue
            if pid in names:
                readings += _traffic_readings(emit, names[pid], moved)
                readings += _files(emit, names[pid], pid)
            elif sum(moved) > 0 and pid != os.getpid():
                traffic.append((sum(moved), pid, moved))
        if known is not None:  # or one of our own would be taken for a stranger
            for _, pid, moved in sorted(traffic, reverse=True)[:STRANGERS]:
                readings += self._stranger(emit, pid, moved)
        self._meter.forget(now_ns - 2 * WINDOW_NS)
        return readings

    def _traffic(self, pid: int, now_ns: int) -> _Io | None:
        """Bytes per second of one process; None when it is gone or may not be asked."""
        found: dict[str, float] = {}
        for line in lines(f"/proc/{pid}/io"):
            name, _, value = line.partition(": ")
            if name in _FIELDS:
                # A pid that is reused begins anew, which the meter takes for a fresh counter.
                ratio = self._meter.ratio((pid, name), int(value), now_ns)
                found[_FIELDS[name]] = ratio * 1e9
        return _Io(**found) if len(found) == len(_FIELDS) else None

    def _stranger(self, emit: Emit, pid: int, moved: _Io) -> Iterator[Reading]:
        stat = read_stat(f"/proc/{pid}/stat")
        if stat is None or stat.parent == self._components.supervisor:
            return
        labels = {"command": plain(stat.command), "start_ticks": str(stat.start_ticks)}
        yield from _traffic_readings(emit, f"pid:{pid}", moved, **labels)


def _traffic_readings(emit: Emit, entity: str, moved: _Io, **labels: str) -> Iterator[Reading]:
    yield emit("process_disk_read_bytes_per_second", entity, moved.read, **labels)
    yield emit("process_disk_written_bytes_per_second", entity, moved.written, **labels)


def _files(emit: Emit, name: str, pid: int) -> Iterator[Reading]:
    """How many files a component holds open, and the share of what it may."""
    used = len(entries(f"/proc/{pid}/fd"))
    yield emit("process_open_files", name, float(used))
    for line in lines(f"/proc/{pid}/limits"):
        if line.startswith("Max open files"):
            soft = line.split()[3]
            if soft.isdigit() and soft != "0":
                yield emit("process_open_files_ratio", name, used / int(soft))
