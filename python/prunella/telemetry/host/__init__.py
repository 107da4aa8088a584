"""The host's own figures, from the kernel's files and sockets, in; readings about `host` out.

What moves within milliseconds (processors, pressure, disks, network) is read whenever asked; what
costs more and moves slowly (interrupts, sockets, file systems, clocks) every `SLOW_EVERY`th time.
"""

from collections.abc import Iterable
from pathlib import Path

from prunella.telemetry.host.clock import ClockCollector
from prunella.telemetry.host.disks import DiskCollector, file_systems
from prunella.telemetry.host.memory import memory, open_files
from prunella.telemetry.host.network import NetworkCollector
from prunella.telemetry.host.processors import ProcessorCollector
from prunella.telemetry.host.sockets import SocketCollector
from prunella.telemetry.processes import Emit
from prunella.telemetry.reading import Reading

SLOW_EVERY = 5
"""At five rounds a second: once a second. A symptom lapses when nothing is read for 1.5 s."""

__all__ = ["SLOW_EVERY", "HostCollector"]


class HostCollector:
    """Readings about the machine; each file that the kernel does not have is left out.

    Args:
        folders: The file systems that hold them are reported.
    """

    def __init__(self, folders: Iterable[Path] = (Path("/"),)) -> None:
        self._folders = tuple(folders)
        self._processors = ProcessorCollector()
        self._disks = DiskCollector()
        self._network = NetworkCollector()
        self._sockets = SocketCollector()
        self._clock = ClockCollector()
        self._round = 0

    def collect(self, emit: Emit, now_ns: int, monotonic_ns: int) -> list[Reading]:
        """One round."""
        readings = [
            *self._processors.collect(emit, now_ns),
            *self._disks.collect(emit, now_ns),
            *self._network.collect(emit, now_ns),
            *memory(emit),
            *self._clock.collect(emit, now_ns, monotonic_ns),
        ]
        if self._round % SLOW_EVERY == 0:
            readings += [
                *self._processors.collect_slow(emit, now_ns),
                *self._network.collect_slow(emit),
                *self._sockets.collect(emit),
                *open_files(emit),
                *file_systems(emit, self._folders),
                *self._clock.collect_slow(emit),
            ]
        self._round += 1
        return readings

    def close(self) -> None:
        """Ends programs that are still asked."""
        self._clock.close()
