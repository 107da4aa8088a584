"""`Supervisor`: a list of programs in; running processes under supervisord out, none left behind.

supervisord keeps the processes; who restarts what, and when, is decided elsewhere, so a program
restarts by itself only where it says so. Every child asks the kernel to be killed when supervisord
dies (see `guard`).
"""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import xmlrpc.client
from pathlib import Path
from typing import Any

import msgspec

from prunella.bridge import guard
from prunella.errors import TargetUnavailableError, UsageError
from prunella.values import Home

_START_TIMEOUT_S = 10.0
_STOP_TIMEOUT_S = 12.0
_POLL_S = 0.02
_RPC_TIMEOUT_S = 20.0
_LOG_BYTES_MAX = 20_000_000

_STAYS_DOWN = ("autorestart=false", "startsecs=0")
_RESTARTS = ("autorestart=unexpected", "exitcodes=0,2", "startsecs=1", "startretries=3")
"""Status 2 says that starting again cannot help; dying at once three times says so too."""

_PROGRAM = "[program:"
_ADDED_PRIORITY = 900
"""A program that joins later stops before those that it works for."""
_ALREADY_STARTED = 60
_NOT_RUNNING = 70
STACK_VARIABLE = "PRUNELLA_STACK"
"""Set in every process of a stack to the path of its home folder, and so in what they start."""


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """One process to keep.

    Attributes:
        name: Component name.
        command: Program and arguments.
        log: Where its output goes; rotated at 20 MB, two old ones are kept.
        stop_s: How long it may take to stop before it is killed.
        restarts: Whether supervisord itself starts it again when it dies (a few times): for what
            the healing plane cannot heal, because it is part of it.
    """

    name: str
    command: tuple[str, ...]
    log: Path
    stop_s: int = 5
    restarts: bool = False


class ProcessState(msgspec.Struct, frozen=True, kw_only=True):
    """What supervisord says of one process.

    Attributes:
        state: `RUNNING`, `STARTING`, `STOPPED`, `EXITED`, `FATAL` …
        pid: 0 when there is none.
        started_ns: When it was last started, nanoseconds UTC (to the second).
        description: supervisord's own words.
    """

    name: str
    state: str
    pid: int
    started_ns: int
    description: str


class Supervisor:
    """The supervisord of one home folder."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._socket = home.socket("supervisor")
        self._configuration = home.root / "supervisord.conf"
        self._pid_file = home.root / "supervisord.pid"

    def is_running(self) -> bool:
        """Whether a supervisord answers here."""
        try:
            self._call("getState")
        except TargetUnavailableError:
            return False
        return True

    def start(self, programs: list[Program]) -> None:
        """Starts supervisord and, through it, all programs in order; they stop in reverse.

        Raises:
            UsageError: One runs here already but does not answer, or it did not start; the message
                says what can be done.
        """
        stale = self.pid()
        if stale:
            raise UsageError(
                f"supervisord (pid {stale}) runs in {self._home.root} but does not answer; "
                f"`prunella down --home {self._home.root}` clears it away"
            )
        self._socket.unlink(missing_ok=True)
        self._configure(self._render(programs))
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "supervisor.supervisord",
            "--nodaemon",
            "-c",
            str(self._configuration),
        ]
        with self._home.log("supervisord").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                close_fds=True,
                env=os.environ | {STACK_VARIABLE: str(self._home.root)},
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self.is_running():
            if process.poll() is not None or time.monotonic() > deadline:
                raise UsageError(f"supervisord did not start; see {self._home.log('supervisord')}")
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """Stops every process and supervisord itself; kills what does not stop in time."""
        pid = self.pid()
        for state in self._try_states():
            # A frozen process cannot answer SIGTERM; waiting for it would only cost time.
            if state.pid and _letter(state.pid) == "T":
                _signal(state.pid, signal.SIGKILL)
        try:
            self._call("shutdown")
        except TargetUnavailableError:
            if pid:  # it runs but does not answer
                _signal(pid, signal.SIGTERM)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while pid and _alive(pid) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        for left in {*self._leftovers(), self.pid()} - {0}:
            _signal(left, signal.SIGKILL)
        self._socket.unlink(missing_ok=True)
        self._pid_file.unlink(missing_ok=True)

    def states(self) -> list[ProcessState]:
        """What runs and what does not; empty when supervisord does not answer."""
        return self._try_states()

    def state(self, name: str) -> ProcessState:
        """One process.

        Raises:
            UsageError: No such process.
            TargetUnavailableError: supervisord does not answer.
        """
        try:
            return _state(self._call("getProcessInfo", name))
        except xmlrpc.client.Fault as fault:
            raise UsageError(f"{name}: {fault.faultString}") from None

    def start_process(self, name: str) -> None:
        """Starts one process that is not running and waits until it runs; harmless if it does."""
        self._process_call("startProcess", name, harmless=_ALREADY_STARTED)

    def stop_process(self, name: str) -> None:
        """Stops one process and waits until it is gone; harmless if it is."""
        for state in self._try_states():
            # A frozen process cannot answer SIGTERM; waiting for it would only cost time.
            if state.name == name and state.pid and _letter(state.pid) == "T":
                _signal(state.pid, signal.SIGKILL)
        self._process_call("stopProcess", name, harmless=_NOT_RUNNING)

    def programs(self) -> tuple[str, ...]:
        """The programs that it is to keep, as its configuration has them; none without one."""
        try:
            lines = self._configuration.read_text(encoding="utf-8").splitlines()
        except OSError:
            return ()
        return tuple(line[len(_PROGRAM) : -1] for line in lines if line.startswith(_PROGRAM))

    def version(self) -> int:
        """Another number when the configuration is another; 0 without one."""
        try:
            return self._configuration.stat().st_mtime_ns
        except OSError:
            return 0

    def add(self, program: Program) -> None:
        """Takes in one more program and starts it, until `remove` or `stop`.

        Raises:
            UsageError: There is one of that name, or supervisord does not take it.
            TargetUnavailableError: supervisord does not answer.
        """
        if program.name in self.programs():
            raise UsageError(f"there is a process {program.name} already")
        before = self._configuration.read_text(encoding="utf-8")
        self._configure(before + "\n".join(_section(program, _ADDED_PRIORITY)) + "\n")
        try:
            self._call("reloadConfig")
            self._call("addProcessGroup", program.name)
        except xmlrpc.client.Fault as fault:
            self._configure(before)
            raise UsageError(f"{program.name}: {fault.faultString}") from None

    def remove(self, name: str) -> None:
        """Stops a program that was added and forgets it; no longer expected before it stops.

        Raises:
            UsageError: There is none of that name, or it does not stop.
            TargetUnavailableError: supervisord does not answer.
        """
        if name not in self.programs():
            raise UsageError(f"there is no process {name}")
        lines = self._configuration.read_text(encoding="utf-8").splitlines(keepends=True)
        start = next(i for i, line in enumerate(lines) if line.strip() == f"{_PROGRAM}{name}]")
        end = next((i for i in range(start + 1, len(lines)) if lines[i][0] == "["), len(lines))
        self._configure("".join(lines[:start] + lines[end:]))
        self.stop_process(name)
        try:
            self._call("removeProcessGroup", name)
            self._call("reloadConfig")
        except xmlrpc.client.Fault as fault:
            raise UsageError(f"{name}: {fault.faultString}") from None

    def _configure(self, text: str) -> None:
        """Writes the configuration, whole or not at all."""
        fresh = self._configuration.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.chmod(0o600)
        fresh.replace(self._configuration)

    def pid(self) -> int:
        """The process id of supervisord itself; 0 when it does not run."""
        try:
            pid = int(self._pid_file.read_text(encoding="ascii"))
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return 0
        return pid if str(self._configuration).encode() in command else 0

    def _process_call(self, method: str, name: str, *, harmless: int) -> None:
        try:
            self._call(method, name, True)  # noqa: FBT003  XML-RPC knows positions only
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != harmless:
                raise UsageError(f"{name}: {fault.faultString}") from None

    def _try_states(self) -> list[ProcessState]:
        try:
            return [_state(info) for info in self._call("getAllProcessInfo")]
        except TargetUnavailableError:
            return []

    def _call(self, method: str, *arguments: object) -> Any:
        """One call of supervisord's XML-RPC interface.

        Raises:
            TargetUnavailableError: It does not answer.
            xmlrpc.client.Fault: It says no.
        """
        server = xmlrpc.client.ServerProxy(
            "http://supervisor/RPC2", transport=_UnixTransport(self._socket)
        )
        try:
            return getattr(server.supervisor, method)(*arguments)
        except (OSError, http.client.HTTPException) as error:
            raise TargetUnavailableError(
                f"supervisord does not answer on {self._socket}: {error}",
                retry_after_ns=100_000_000,
            ) from None

    def _leftovers(self) -> list[int]:
        """Processes of this home that are still there: each has its path in the environment."""
        mark = f"{STACK_VARIABLE}={self._home.root}\0".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if mark in (entry / "environ").read_bytes():
                        found.append(int(entry.name))
        return found

    def _render(self, programs: list[Program]) -> str:
        """The text of the configuration file."""
        home = _escape(str(self._home.root))
        sections = [
            "[supervisord]",
            f"pidfile={_escape(str(self._pid_file))}",
            f"logfile={_escape(str(self._home.log('supervisord')))}",
            f"directory={home}",
            "logfile_maxbytes=5MB",
            "loglevel=warn",
            "nodaemon=true",
            "silent=true",
            *(["user=root"] if os.geteuid() == 0 else []),
            f'environment={STACK_VARIABLE}="{home}"',
            "[unix_http_server]",
            f"file={_escape(str(self._socket))}",
            "chmod=0600",
            "[supervisorctl]",  # so that a person can use it with this file, as runbooks say
            f"serverurl=unix://{_escape(str(self._socket))}",
            "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        ]
        for priority, program in enumerate(programs, 1):
            sections += _section(program, priority)
        return "\n".join(sections) + "\n"


def _section(program: Program, priority: int) -> list[str]:
    """One program's lines of the configuration file."""
    command = (sys.executable, "-I", "-S", guard.__file__, *program.command)
    return [
        f"{_PROGRAM}{program.name}]",
        "command=" + " ".join(_quote(_escape(part)) for part in command),
        f"priority={priority}",
        "autostart=true",
        *(_RESTARTS if program.restarts else _STAYS_DOWN),
        "stopsignal=TERM",
        f"stopwaitsecs={program.stop_s}",
        "stopasgroup=true",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile={_escape(str(program.log))}",
        f"stdout_logfile_maxbytes={_LOG_BYTES_MAX}",
        "stdout_logfile_backups=2",
    ]


class _UnixTransport(xmlrpc.client.Transport):
    """XML-RPC over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def make_connection(self, host: Any) -> http.client.HTTPConnection:  # noqa: ARG002  a socket has no host
        return _UnixConnection(self._path)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("supervisor", timeout=_RPC_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _state(info: dict[str, Any]) -> ProcessState:
    return ProcessState(
        name=info["name"],
        state=info["statename"],
        pid=info["pid"],
        started_ns=info["start"] * 1_000_000_000,
        description=info["description"],
    )


def _escape(text: str) -> str:
    """Doubles `%`, which supervisord would expand."""
    return text.replace("%", "%%")


def _quote(text: str) -> str:
    return f'"{text}"' if " " in text else text


def _letter(pid: int) -> str:
    """The kernel's state letter; empty when there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[0]


def _alive(pid: int) -> bool:
    return _letter(pid) not in {"", "Z", "X"}


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
