"""Bringing a stack up and down: settings and a home folder in, running processes out."""

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prunella.bridge import Program, Supervisor
from prunella.cli.clock import SystemClock
from prunella.config import COMPONENTS, Settings, load
from prunella.control.tokens import ensure_token
from prunella.errors import UsageError
from prunella.evaluation.stack import RunningStack
from prunella.exchange import ensure_venue_key
from prunella.journal import ensure_key_pair
from prunella.values import Home

READY_TIMEOUT_S = 30.0


def home_at(path: Path | None) -> Home:
    """The home folder: as given, else `$PRUNELLA_HOME`, else `./.prunella`."""
    try:
        chosen = path or Path(os.environ.get("PRUNELLA_HOME", ".prunella"))
        return Home(chosen).create()
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from None


def prepare(home: Home) -> None:
    """Makes the keys and tokens that are missing; never replaces one."""
    for name in ("control.token", "read.token", "admin.token", "bus.token"):
        ensure_token(home.key(name))
    for name in ("ledger", "decider"):
        ensure_key_pair(home.key(f"{name}.key"))
    ensure_venue_key(home.key("venue.key"))


def programs(home: Home) -> list[Program]:
    """Every process of a stack. None restarts by itself: that is the healing plane's decision."""
    return [
        Program(
            name=name,
            command=(sys.executable, "-m", "prunella.cli.service", name, str(home.root)),
            log=home.log(name),
        )
        for name in COMPONENTS
    ]


def check_ports(settings: Settings) -> None:
    """Refuses to start where somebody else listens.

    Raises:
        UsageError: Names the ports in use and the remedy.
    """
    taken = []
    for component, port in settings.ports().items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                taken.append(f"{port} ({component})")
    if taken:
        raise UsageError(
            f"in use on 127.0.0.1: port {', '.join(taken)}. Stop what listens there, or set "
            "another `port_base` under [stack] in settings.toml."
        )


def start(home: Home, settings: Settings, tell: Callable[[str, str], None]) -> RunningStack:
    """Starts every process and waits until each is ready.

    Args:
        home: Its folder; keys are made when missing.
        settings: Must be what `settings.toml` in the home folder says.
        tell: Called with (component, state) whenever one changes.

    Raises:
        UsageError: It is up already, a port is taken, or a process did not become ready; the
            message ends with the last lines of its log.
    """
    supervisor = Supervisor(home)
    if supervisor.is_running():
        raise UsageError(
            f"a stack is already up in {home.root}; see `prunella status`, or `prunella down`"
        )
    check_ports(settings)
    prepare(home)
    supervisor.start(programs(home))
    stack = attach(home, settings)
    pending = list(COMPONENTS)

    def all_ready() -> bool:
        for component in list(pending):
            if stack.ready(component):
                pending.remove(component)
                tell(component, "ready")
        return not pending

    try:
        stack.wait(all_ready, "every process to be ready", timeout_s=READY_TIMEOUT_S)
    except UsageError as error:
        culprit = pending[0]
        tail = "\n".join(last_lines(home.log(culprit)))
        supervisor.stop()
        raise UsageError(f"{error}: {culprit} is not ready. Its log ends:\n{tail}") from None
    except BaseException:
        supervisor.stop()
        raise
    return stack


def attach(home: Home, settings: Settings) -> RunningStack:
    """A handle on a stack that is (or is coming) up."""
    return RunningStack(
        home,
        ports=settings.ports(),
        market_speed=settings.market.speed,
        clock=SystemClock(),
    )


@contextmanager
def running(home: Home) -> Iterator[RunningStack]:
    """A handle on the stack that is up in this home folder.

    Raises:
        UsageError: None is.
    """
    if not Supervisor(home).is_running():
        raise UsageError(f"no stack is up in {home.root}; start one with `prunella up`")
    stack = attach(home, load(home.settings))
    try:
        yield stack
    finally:
        stack.close()


def last_lines(path: Path, count: int = 12) -> list[str]:
    """The last lines of a log file; none when there is no file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]
    except OSError:
        return []
