"""Disks and file systems: /proc/diskstats and statvfs in; latencies, queues and room left out.

Fields of /proc/diskstats: https://docs.kernel.org/admin-guide/iostats.html.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from prunella.telemetry.host.files import entries, lines
from prunella.telemetry.processes import WINDOW_NS, Emit, Meter
from prunella.telemetry.reading import Reading

_MS = 1_000_000
_SECTOR_BYTES = 512
"""What the kernel counts in, whatever the disk's own sectors are."""
_NOT_DISKS = ("loop", "ram", "zram")


class _Waits(NamedTuple):
    """Requests done and what they waited together, by kind."""

    done: int
    waited_ms: int


class DiskCollector:
    """Readings per disk; a latency only for rounds in which a request was done."""

    def __init__(self) -> None:
        self._meter = Meter(window_ns=WINDOW_NS)
        self._disks = {name for name in entries("/sys/block") if not name.startswith(_NOT_DISKS)}
        self._before: dict[tuple[str, str], _Waits] = {}

    def collect(self, emit: Emit, now_ns: int) -> Iterator[Reading]:
        """One round."""
        for line in lines("/proc/diskstats"):
            _, _, device, *rest = line.split()
            if device not in self._disks:
                continue
            fields = [int(each) for each in rest]
            busy = self._meter.ratio(("busy", device), fields[9] * _MS, now_ns)
            queue = self._meter.ratio(("queue", device), fields[10] * _MS, now_ns)
            for metric, value in (
                ("host_disk_busy_ratio", busy),
                ("host_disk_queue_length", queue),
                ("host_disk_in_flight", fields[8]),
                ("host_disk_reads_total", fields[0]),
                ("host_disk_writes_total", fields[4]),
                ("host_disk_read_bytes_total", fields[2] * _SECTOR_BYTES),
                ("host_disk_written_bytes_total", fields[6] * _SECTOR_BYTES),
            ):
                yield emit(metric, "host", float(value), device=device)
            read, write = _Waits(fields[0], fields[3]), _Waits(fields[4], fields[7])
            both = _Waits(read.done + write.done, read.waited_ms + write.waited_ms)
            kinds = {"": both, "read_": read, "write_": write}
            if len(fields) >= 17:  # since Linux 5.5
                kinds["flush_"] = _Waits(fields[15], fields[16])
            for kind, waits in kinds.items():
                yield from self._await(emit, device, kind, waits)

    def _await(self, emit: Emit, device: str, kind: str, now: _Waits) -> Iterator[Reading]:
        """The mean time of the requests since the last round."""
        before = self._before.get((device, kind), now)
        self._before[device, kind] = now
        if now.done > before.done:
            seconds = (now.waited_ms - before.waited_ms) / 1000 / (now.done - before.done)
            yield emit(f"host_disk_{kind}await_seconds", "host", seconds, device=device)


def file_systems(emit: Emit, folders: Iterable[Path]) -> Iterator[Reading]:
    """Room and use of the file systems that hold the folders."""
    for mount in sorted({mount_point(folder) for folder in folders}):
        try:
            found = os.statvfs(mount)
        except OSError:
            continue
        labels = {"mountpoint": mount}
        available, usable = found.f_bavail, found.f_blocks - found.f_bfree + found.f_bavail
        yield emit(
            "host_filesystem_available_bytes", "host", float(available * found.f_frsize), **labels
        )
        read_only = float(bool(found.f_flag & os.ST_RDONLY))
        yield emit("host_filesystem_read_only", "host", read_only, **labels)
        if usable:
            used = 1 - available / usable
            yield emit("host_filesystem_used_ratio", "host", used, **labels)
        if found.f_files:
            used = 1 - found.f_favail / found.f_files
            yield emit("host_filesystem_inodes_used_ratio", "host", used, **labels)


def mount_point(folder: Path) -> str:
    """Where the file system that holds the folder is mounted.

    Example:
        >>> mount_point(Path("/proc/self"))
        '/proc'
    """
    folder = folder.absolute()
    while not os.path.ismount(folder) and folder != folder.parent:
        folder = folder.parent
    return str(folder)
