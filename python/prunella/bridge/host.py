"""`HostTarget`: priority, affinity and SIGSTOP for foreign processes, each with its way back.

A pid may be reused between evidence and act, so every command carries the start time that the
evidence saw; another start time is another process, and is refused. Our own components and the
kernel's threads are never touched, whoever asks.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import msgspec

from prunella.bridge.deeds import Deeds
from prunella.bridge.keyed import KeyedTarget, RefusedError
from prunella.bridge.supervisor import STACK_VARIABLE
from prunella.control import Command, DropCaches, Pin, Renice, Reply, Stop
from prunella.errors import CommandUnsupportedError
from prunella.values import Clock

STACK_MARK = f"{STACK_VARIABLE}=".encode()
_STAT_STATE, _STAT_PARENT, _STAT_START = 0, 1, 19
_KTHREADD = 2
_DROP_CACHES = Path("/proc/sys/vm/drop_caches")
_SIGNAL_S, _POLL_S = 1.0, 0.002


class HostTarget(KeyedTarget):
    """Carries out `Renice`, `Pin`, `Stop` (by pid) and `DropCaches` on this host.

    Args:
        own_pids: Gives the pids of the stack's own processes, which are never touched.
        clock: The time.
        deeds: Remembers what was done under which key, over crashes where it has a file.
    """

    name = "host"
    commands: ClassVar = (Renice, Pin, Stop, DropCaches)
    expects: ClassVar = {Renice: "nice", Pin: "cpus"}

    def __init__(
        self, own_pids: Callable[[], set[int]], clock: Clock, deeds: Deeds | None = None
    ) -> None:
        super().__init__(clock, deeds)
        self._own_pids = own_pids

    def why_not(self, command: type[msgspec.Struct]) -> str:
        """Why this host cannot do it."""
        if command is DropCaches and not os.access(_DROP_CACHES, os.W_OK):
            return f"{_DROP_CACHES} cannot be written; it needs root"
        return ""

    def apply(self, command: Command, *, actor: str, reason: str, key: str = "") -> Reply:
        """Carries out one command; the reply holds what it replaced.

        Raises:
            CommandUnsupportedError: Another command, or a process given by name.
        """
        if isinstance(command, Renice | Pin | Stop) and not command.pid:
            raise CommandUnsupportedError(f"the host cannot {type(command).__name__} by name")
        return super().apply(command, actor=actor, reason=reason, key=key)

    def look(self, command: Command) -> dict[str, str]:
        """The state that the command would replace."""
        if isinstance(command, DropCaches):
            return {"cached_kb": str(_cached_kb())}
        if not isinstance(command, Renice | Pin | Stop):
            raise CommandUnsupportedError(f"the host cannot {type(command).__name__}")
        self._check(command.pid, command.start_ticks)
        before = _state(command)
        if isinstance(command, Stop) and command.undo and before["state"] not in "Tt":
            raise RefusedError("STATE_CHANGED", f"pid {command.pid} is not stopped any more")
        return before

    def act(self, command: Command, before: dict[str, str]) -> None:
        """Does it."""
        del before
        if isinstance(command, DropCaches):
            os.sync()
            _DROP_CACHES.write_text("1", encoding="ascii")
        elif isinstance(command, Renice | Pin | Stop):
            self._check(command.pid, command.start_ticks)
            _act(command)

    def _check(self, pid: int, start_ticks: int) -> None:
        """Refuses whatever is not exactly the foreign process that was meant."""
        if pid <= _KTHREADD or pid == os.getpid() or pid in self._own_pids():
            raise RefusedError("PROCESS_PROTECTED", f"pid {pid} is ours or the system's")
        fields = _stat(pid)
        if int(fields[_STAT_PARENT]) == _KTHREADD:
            raise RefusedError("PROCESS_PROTECTED", f"pid {pid} is a thread of the kernel")
        if _of_a_stack(pid):
            raise RefusedError("PROCESS_PROTECTED", f"pid {pid} belongs to a stack of Prunella")
        if int(fields[_STAT_START]) != start_ticks:
            raise RefusedError(
                "PROCESS_CHANGED",
                f"pid {pid} started at tick {fields[_STAT_START]}, the evidence says {start_ticks}",
            )


def _state(command: Renice | Pin | Stop) -> dict[str, str]:
    """What the command is about, as it is now; text for each value."""
    pid = command.pid
    match command:
        case Renice():
            group = _autogroup(pid)
            nice = str(os.getpriority(os.PRIO_PROCESS, pid))
            return {"nice": nice} | ({"autogroup_nice": group} if group else {})
        case Pin():
            return {"cpus": ",".join(map(str, sorted(os.sched_getaffinity(pid))))}
        case Stop():
            return {"state": _stat(pid)[_STAT_STATE]}


def _cached_kb() -> int:
    """Kilobytes of file pages that the kernel keeps."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("Cached:"):
            return int(line.split()[1])
    return 0


def _act(command: Renice | Pin | Stop) -> None:
    match command:
        case Renice(pid=pid, nice=nice):
            for thread in _threads(pid):
                os.setpriority(os.PRIO_PROCESS, thread, nice)
            if _autogroup(pid):
                Path(f"/proc/{pid}/autogroup").write_text(str(nice), encoding="ascii")
        case Pin(pid=pid, cpus=cpus):
            for thread in _threads(pid):
                os.sched_setaffinity(thread, set(cpus))
        case Stop(pid=pid, undo=undo):
            os.kill(pid, signal.SIGCONT if undo else signal.SIGSTOP)
            _await_stopped(pid, stopped=not undo)


def _await_stopped(pid: int, *, stopped: bool) -> None:
    """Waits until the signal has been taken: a process of lowest priority takes its time.

    Answering before would let whoever looks next think that somebody else has let it go.
    """
    deadline = time.monotonic() + _SIGNAL_S
    while (_stat(pid)[_STAT_STATE] in "Tt") is not stopped and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _of_a_stack(pid: int) -> bool:
    """Whether the process was started by a stack's supervisor, or by one of its processes.

    Asked of the kernel, so that ours stay protected while the supervisor cannot say who they are.
    """
    try:
        return STACK_MARK in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False  # another user's, or gone


def _threads(pid: int) -> list[int]:
    """Every thread: priority and affinity are theirs, not the process's."""
    return [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]


def _autogroup(pid: int) -> str:
    """The priority of the process's scheduling group; empty where it is not to be changed.

    With autogroups, the kernel shares a core between sessions first and between processes second,
    so that a nice value alone does nothing to a process of another session.
    """
    path = Path(f"/proc/{pid}/autogroup")
    try:
        group, _, nice = path.read_text(encoding="ascii").strip().rpartition(" nice ")
        if Path("/proc/self/autogroup").read_text(encoding="ascii").startswith(f"{group} "):
            return ""  # our own group: slowing it down would slow the engine down
    except OSError:
        return ""  # a kernel without autogroups
    return nice


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    return text.rpartition(")")[2].split()
