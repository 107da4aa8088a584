"""Memory and file descriptors of the machine: /proc/meminfo, vmstat, file-nr in; readings out."""

from collections.abc import Iterator

from prunella.telemetry.host.files import lines
from prunella.telemetry.processes import Emit
from prunella.telemetry.reading import Reading

_MEMINFO = {
    "MemTotal:": "host_memory_total_bytes",
    "MemAvailable:": "host_memory_available_bytes",
    "Dirty:": "host_memory_dirty_bytes",
    "Writeback:": "host_memory_writeback_bytes",
    "SwapFree:": "host_swap_free_bytes",
}
_VMSTAT = {
    "pgmajfault": "host_page_faults_major_total",
    "pswpin": "host_swapped_in_pages_total",
    "pswpout": "host_swapped_out_pages_total",
    "oom_kill": "host_oom_kills_total",
}


def memory(emit: Emit) -> Iterator[Reading]:
    """How much is left, how much waits to be written, and signs of want."""
    for line in lines("/proc/meminfo"):
        name, value, *_ = line.split()
        if name in _MEMINFO:
            yield emit(_MEMINFO[name], "host", float(value) * 1024)
    for line in lines("/proc/vmstat"):
        name, value = line.split()
        if name in _VMSTAT:
            yield emit(_VMSTAT[name], "host", float(value))


def open_files(emit: Emit) -> Iterator[Reading]:
    """Open files of the whole machine, and the share of its limit."""
    for line in lines("/proc/sys/fs/file-nr"):
        used, _, limit = (int(each) for each in line.split())
        yield emit("host_open_files", "host", float(used))
        yield emit("host_open_files_ratio", "host", used / limit if limit else 0.0)
