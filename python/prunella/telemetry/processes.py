"""A list of components in; how each process and the busiest strangers do, from /proc, out."""

import contextlib
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from prunella.telemetry.reading import Reading

Emit = Callable[..., Reading]

STRANGERS = 5
"""The busiest processes of no component that are reported; a culprit is among them or is none."""
WINDOW_NS = 500_000_000
"""Over which CPU time is averaged: the kernel counts it in hundredths of a second."""
KTHREADD = 2
_ASLEEP_EVERY = 5
_CALM_ROUNDS = 30
"""Who was among the busiest is reported for so many rounds more, so that its calm is seen too."""
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
"""A process chooses its own name; what is not plain in it goes no further."""
_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Stat(NamedTuple):
    """What /proc/PID/stat says that we want; times in nanoseconds and ticks."""

    command: str
    state: str
    parent: int
    cpu_ns: int
    threads: int
    start_ticks: int
    rss_bytes: int
    last_cpu: int


def read_stat(path: str) -> Stat | None:
    """One process or thread, or None when it is gone."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123  half the time
            head, _, tail = file.read().rpartition(")")
    except OSError:
        return None
    fields = tail.split()
    return Stat(
        command=head.partition("(")[2],
        state=fields[0],
        parent=int(fields[1]),
        cpu_ns=(int(fields[11]) + int(fields[12])) * _TICK_NS,
        threads=int(fields[17]),
        start_ticks=int(fields[19]),
        rss_bytes=int(fields[21]) * _PAGE_BYTES,
        last_cpu=int(fields[36]),
    )


def plain(command: str) -> str:
    """A process's own name for itself, as it may be carried on.

    Example:
        >>> plain("python3: x")
        'python3__x'
    """
    return _UNSAFE.sub("_", command)


class Components:
    """Which pid is which component: the children of the supervisor, by the name it gave them.

    Args:
        names: The components that should run.
        supervisor_pid_file: Where supervisord keeps its pid.
        further: Gives those that were added meanwhile and should run too.
    """

    def __init__(
        self,
        names: Iterable[str],
        supervisor_pid_file: Path,
        further: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._always = tuple(names)
        self._further = further
        self.names = self._always
        self._pid_file = supervisor_pid_file
        self._known: dict[int, str] = {}
        self.supervisor = 0

    def pids(self) -> dict[str, int] | None:
        """Component to pid, of those that have a process.

        None when there is no supervisor to ask: then nobody knows who is who, so nobody is called
        dead and nobody a stranger.
        """
        try:
            self.supervisor = int(self._pid_file.read_text(encoding="ascii"))
            path = Path(f"/proc/{self.supervisor}/task/{self.supervisor}/children")
            children = [int(pid) for pid in path.read_text(encoding="ascii").split()]
        except (OSError, ValueError):
            return None
        self.names = tuple(dict.fromkeys((*self._always, *self._further())))
        self._known = {pid: self._known.get(pid) or _name(pid) for pid in children}
        return {name: pid for pid, name in self._known.items() if name in self.names}


def _name(pid: int) -> str:
    """The name under which supervisord started a process; empty when it cannot be told."""
    with contextlib.suppress(OSError):
        for part in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            if part.startswith(b"SUPERVISOR_PROCESS_NAME="):
                return part.partition(b"=")[2].decode("ascii", "replace")
    return ""


class Meter:
    """Growth of counters per second, over a window.

    Example:
        >>> meter = Meter(window_ns=100)
        >>> [meter.ratio("a", value, now) for value, now in ((0, 0), (30, 50), (80, 100))]
        [0.0, 0.6, 0.8]
    """

    def __init__(self, *, window_ns: int) -> None:
        self._window_ns = window_ns
        self._seen: dict[object, list[tuple[int, int]]] = {}

    def ratio(self, key: object, value: int, now_ns: int) -> float:
        """Growth of `value` per nanosecond since the start of the window."""
        seen = self._seen.setdefault(key, [])
        if seen and value < seen[-1][1]:
            seen.clear()
        seen.append((now_ns, value))
        while len(seen) > 2 and now_ns - seen[1][0] >= self._window_ns:
            seen.pop(0)
        elapsed_ns = now_ns - seen[0][0]
        return (value - seen[0][1]) / elapsed_ns if elapsed_ns > 0 else 0.0

    def rounds(self, key: object) -> int:
        """How many values of the window are kept."""
        return len(self._seen.get(key, ()))

    def forget(self, before_ns: int) -> None:
        """Forgets what was not asked for since `before_ns`."""
        self._seen = {key: seen for key, seen in self._seen.items() if seen[-1][0] >= before_ns}


class ProcessCollector:
    """Readings about components, their waiting for a core, and busy strangers.

    Args:
        components: Who is who.
        hot_threads: Threads that are reported on their own, by component: the beginning of their
            name and the label they get, such as `{"engine": ("prunella-hot", "hot")}`.
    """

    def __init__(
        self, components: Components, hot_threads: dict[str, tuple[str, str]] | None = None
    ) -> None:
        self._components = components
        self._hot_threads = hot_threads or {}
        self._cpu = Meter(window_ns=WINDOW_NS)
        self._delay = Meter(window_ns=WINDOW_NS)
        self._kernel: set[int] = set()
        self._asleep: set[int] = set()
        self._suspects: dict[int, int] = {}
        self._round = 0
        self._hot_tids: dict[int, int] = {}

    def collect(self, emit: Emit, now_ns: int) -> list[Reading]:
        """One round."""
        known = self._components.pids()
        pids = known or {}
        readings: list[Reading] = []
        for name in self._components.names if known is not None else ():
            pid = pids.get(name, 0)
            stat = read_stat(f"/proc/{pid}/stat") if pid else None
            up = stat is not None and stat.state not in {"Z", "X"}
            readings.append(emit("process_up", name, float(up), process=name))
            if stat is not None and up:
                readings += self._component(emit, name, pid, stat, now_ns)
        self._hot_tids = {
            pid: self._hot_tids[pid] for pid in pids.values() if pid in self._hot_tids
        }
        if known is not None:  # or one of our own would be taken for a stranger
            own = {*pids.values(), self._components.supervisor} - {0}
            readings += self._strangers(emit, own, now_ns)
        self._cpu.forget(now_ns - 10 * WINDOW_NS)
        self._delay.forget(now_ns - 10 * WINDOW_NS)
        return readings

    def _component(
        self, emit: Emit, name: str, pid: int, stat: Stat, now_ns: int
    ) -> Iterable[Reading]:
        ticks = str(stat.start_ticks)
        cpu = self._cpu.ratio((pid, stat.start_ticks), stat.cpu_ns, now_ns)
        labels = {"start_ticks": ticks, "last_cpu": str(stat.last_cpu)}
        yield emit("process_state_stopped", name, float(stat.state in {"T", "t"}))
        yield emit("process_cpu_ratio", name, cpu, **labels)
        yield emit("process_rss_bytes", name, float(stat.rss_bytes))
        yield emit("process_threads", name, float(stat.threads))
        yield emit("process_start_ticks", name, float(stat.start_ticks))
        thread, label = pid, ""
        if name in self._hot_threads:
            prefix, label = self._hot_threads[name]
            thread = self._hot_thread(pid, prefix)
        hot = read_stat(f"/proc/{pid}/task/{thread}/stat") if label else stat
        if hot is None:  # not there yet, or gone while we look
            return
        extra = {"thread": label} if label else {}
        waited_ns = _run_delay_ns(pid, thread)
        delay = self._delay.ratio((pid, thread, stat.start_ticks), waited_ns, now_ns)
        yield emit("process_run_delay_ratio", name, delay, **extra)
        yield emit("process_last_cpu", name, float(hot.last_cpu), **extra)

    def _hot_thread(self, pid: int, prefix: str) -> int:
        """The thread's id; 0 while there is no such thread yet."""
        known = self._hot_tids.get(pid)
        if known is not None:
            return known
        for entry in _listing(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                comm = Path(f"/proc/{pid}/task/{entry}/comm").read_text(encoding="ascii")
                if comm.startswith(prefix):
                    self._hot_tids[pid] = int(entry)
                    return int(entry)
        return 0

    def _strangers(self, emit: Emit, own: set[int], now_ns: int) -> list[Reading]:
        """The busiest processes of no component.

        What a component has started belongs to it. Who used no time at the last look is looked at
        every few rounds only: most processes of a machine sleep most of the time.
        """
        self._round += 1
        listed = sorted(int(entry) for entry in _listing("/proc"))
        self._kernel.intersection_update(listed)  # or a reused pid would never be seen
        self._asleep.intersection_update(listed)
        self._suspects = {
            pid: seen for pid, seen in self._suspects.items() if self._round - seen < _CALM_ROUNDS
        }
        busy: list[tuple[float, int, Stat]] = []
        for pid in listed:
            if pid in own or pid in self._kernel or pid == os.getpid():
                continue
            if pid in self._asleep and (pid + self._round) % _ASLEEP_EVERY:
                continue
            stat = read_stat(f"/proc/{pid}/stat")
            if stat is None or stat.state in {"Z", "X"}:
                continue
            if KTHREADD in {pid, stat.parent}:
                self._kernel.add(pid)
                continue
            if stat.parent in own:
                own.add(pid)  # parents come first, but for the rare wrap of the pid counter
                continue
            ratio = self._cpu.ratio((pid, stat.start_ticks), stat.cpu_ns, now_ns)
            if ratio > 0 or pid in self._suspects:
                self._asleep.discard(pid)
                busy.append((ratio, pid, stat))
            elif self._cpu.rounds((pid, stat.start_ticks)) > 1:
                self._asleep.add(pid)
        busy.sort(key=lambda each: each[:2], reverse=True)
        calmed = [each for each in busy[STRANGERS:] if each[1] in self._suspects][:STRANGERS]
        self._suspects.update((pid, self._round) for ratio, pid, _ in busy[:STRANGERS] if ratio > 0)
        return [
            emit(
                "process_cpu_ratio",
                f"pid:{pid}",
                ratio,
                command=plain(stat.command),
                start_ticks=str(stat.start_ticks),
                last_cpu=str(stat.last_cpu),
            )
            for ratio, pid, stat in busy[:STRANGERS] + calmed
        ]


def _run_delay_ns(pid: int, thread: int) -> int:
    """How long a thread has waited for a core while it could run, so far."""
    try:
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:  # noqa: PTH123
            return int(file.read().split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _listing(folder: str) -> list[str]:
    """Numeric names in a folder; none when it is gone."""
    try:
        return [name for name in os.listdir(folder) if name.isdigit()]  # noqa: PTH208
    except OSError:
        return []
