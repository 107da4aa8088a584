"""`HostTarget`: priority, affinity and SIGSTOP for foreign processes, each with its way back.

A pid may be reused between evidence and act, so every command carries the start time that the
evidence saw; another start time is another process, and is refused. Our own components and the
kernel's threads are never touched, whoever asks.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

from prunella.bridge.supervisor import STACK_VARIABLE
from prunella.control import Command, Pin, Renice, Reply, Stop
from prunella.control.replies import Replies
from prunella.errors import CommandUnsupportedError
from prunella.values import Clock

STACK_MARK = f"{STACK_VARIABLE}=".encode()
_STAT_STATE, _STAT_PARENT, _STAT_START = 0, 1, 19
_KTHREADD = 2


class _RefusedError(Exception):
    """The command may not be carried out on this process."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class HostTarget:
    """Carries out `Renice`, `Pin` and `Stop` (by pid) on this host.

    Args:
        own_pids: Gives the pids of the stack's own processes, which are never touched.
        clock: The time.
    """

    name = "host"

    def __init__(self, own_pids: Callable[[], set[int]], clock: Clock) -> None:
        self._own_pids = own_pids
        self._clock = clock
        self._replies = Replies()

    def apply(self, command: Command, *, actor: str, reason: str, key: str = "") -> Reply:  # noqa: ARG002  the kernel keeps no reasons
        """Carries out one command; the reply holds what it replaced.

        Raises:
            CommandUnsupportedError: Another command, or a process given by name.
        """
        return self._replies.once(key, lambda: self._apply(command))

    def _apply(self, command: Command) -> Reply:
        if not isinstance(command, Renice | Pin | Stop) or not command.pid:
            raise CommandUnsupportedError(f"the host cannot {type(command).__name__}")
        try:
            self._check(command.pid, command.start_ticks)
            replaced = _act(command)
        except _RefusedError as refusal:
            return Reply(ok=False, code=refusal.code, message=str(refusal))
        except (ProcessLookupError, FileNotFoundError):
            return Reply(ok=False, code="PROCESS_GONE", message=f"pid {command.pid} is gone")
        except OSError as error:
            return Reply(ok=False, code="HOST_REFUSED", message=str(error))
        return Reply(ok=True, replaced=replaced, at_ns=self._clock.now_ns())

    def _check(self, pid: int, start_ticks: int) -> None:
        """Refuses whatever is not exactly the foreign process that was meant."""
        if pid <= _KTHREADD or pid == os.getpid() or pid in self._own_pids():
            raise _RefusedError("PROCESS_PROTECTED", f"pid {pid} is ours or the system's")
        fields = _stat(pid)
        if int(fields[_STAT_PARENT]) == _KTHREADD:
            raise _RefusedError("PROCESS_PROTECTED", f"pid {pid} is a thread of the kernel")
        if _of_a_stack(pid):
            raise _RefusedError("PROCESS_PROTECTED", f"pid {pid} belongs to a stack of Prunella")
        if int(fields[_STAT_START]) != start_ticks:
            raise _RefusedError(
                "PROCESS_CHANGED",
                f"pid {pid} started at tick {fields[_STAT_START]}, the evidence says {start_ticks}",
            )


def _act(command: Renice | Pin | Stop) -> dict[str, str]:
    """Does it and hands back what it replaced."""
    match command:
        case Renice(pid=pid, nice=nice):
            before = os.getpriority(os.PRIO_PROCESS, pid)
            for thread in _threads(pid):
                os.setpriority(os.PRIO_PROCESS, thread, nice)
            group = _set_autogroup(pid, nice)
            return {"nice": str(before)} | ({"autogroup_nice": group} if group else {})
        case Pin(pid=pid, cpus=cpus):
            affinity = sorted(os.sched_getaffinity(pid))
            for thread in _threads(pid):
                os.sched_setaffinity(thread, set(cpus))
            return {"cpus": ",".join(map(str, affinity))}
        case Stop(pid=pid, undo=undo):
            state = _stat(pid)[_STAT_STATE]
            os.kill(pid, signal.SIGCONT if undo else signal.SIGSTOP)
            return {"state": state}


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


def _set_autogroup(pid: int, nice: int) -> str:
    """Sets the priority of the process's scheduling group and hands back the former one.

    With autogroups, the kernel shares a core between sessions first and between processes second,
    so that a nice value alone does nothing to a process of another session.
    """
    path = Path(f"/proc/{pid}/autogroup")
    try:
        group, _, before = path.read_text(encoding="ascii").strip().rpartition(" nice ")
        if Path("/proc/self/autogroup").read_text(encoding="ascii").startswith(f"{group} "):
            return ""  # our own group: slowing it down would slow the engine down
        path.write_text(str(nice), encoding="ascii")
    except OSError:
        return ""  # a kernel without autogroups
    return before


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    return text.rpartition(")")[2].split()
