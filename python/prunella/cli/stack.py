"""Bringing a stack up and down: settings and a home folder in, running processes out."""

import os
import signal
import socket
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prunella.bridge import Program, Supervisor
from prunella.cli.clock import SystemClock
from prunella.config import COMPONENTS, STAGE_COMPONENTS, STRATEGY_PREFIX, Settings, load
from prunella.control.curve import ensure_curve_pair
from prunella.control.tokens import ensure_token
from prunella.errors import UsageError
from prunella.evaluation.stack import RunningStack, WaitedInVainError
from prunella.exchange import ensure_venue_key
from prunella.journal import ensure_key_pair
from prunella.values import Home

UNHEALED = {"bus", "monitor", "watch", "otlp", "healing"}
READY_TIMEOUT_S = 30.0
_FIRST_PORT, _LAST_PORT = 20_000, 32_000
"""Below the kernel's ephemeral range, so that no outgoing connection takes one meanwhile."""
_ENDED = {"EXITED", "FATAL", "BACKOFF"}
"""What supervisord calls a process that is gone although nobody stopped it."""


def home_at(path: Path | None) -> Home:
    """The home folder: as given, else `$PRUNELLA_HOME`, else `./.prunella`; makes nothing."""
    return Home(path or Path(os.environ.get("PRUNELLA_HOME", ".prunella")))


def new_home(path: Path | None) -> Home:
    """The same, with its folders made where they are missing.

    Raises:
        UsageError: It cannot be made there.
    """
    home = home_at(path)
    try:
        return home.create()
    except ValueError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"cannot make the home folder {home.root}: {error.strerror}") from None


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM and SIGHUP stop everything just as Ctrl-C does, also where a shell ignores that."""

    def interrupt(_signal: int, _frame: types.FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {
        s: signal.signal(s, interrupt) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Ctrl-C and termination are ignored meanwhile: cleaning up must not be cut short."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def prepare(home: Home) -> None:
    """Makes the keys and tokens that are missing; never replaces one."""
    for name in ("control.token", "read.token", "admin.token", "bus.token", "otlp.token"):
        ensure_token(home.key(name))
    for name in ("ledger", "decider"):
        ensure_key_pair(home.key(f"{name}.key"))
    for name in ("engine", "operator"):
        ensure_curve_pair(home.key(f"{name}.curve"))
    ensure_venue_key(home.key("venue.key"))


def service_command(home: Home, name: str) -> tuple[str, ...]:
    """How a component's process is started."""
    return (sys.executable, "-m", "prunella.cli.service", name, str(home.root))


def programs(
    home: Home,
    components: Iterable[str],
    command: Callable[[Home, str], tuple[str, ...]] = service_command,
) -> list[Program]:
    """Every process of a stack.

    None restarts by itself, for that is the healing plane's decision; but for the plane and what it
    hears through, which it cannot heal, and a person's strategies, which the engine guards itself
    from.
    """
    return [
        Program(
            name=name,
            command=command(home, name),
            log=home.log(name),
            restarts=name in UNHEALED or name.startswith(STRATEGY_PREFIX),
        )
        for name in components
    ]


def free_port_base() -> int:
    """The first of as many neighbouring free ports as there are components.

    Raises:
        UsageError: There are none.
    """
    size = len(COMPONENTS) + len(STAGE_COMPONENTS)
    count = (_LAST_PORT - _FIRST_PORT) // size
    for step in range(count):
        # Two that look at the same moment begin at different places.
        base = _FIRST_PORT + (os.getpid() + step) % count * size
        if all(_is_free(base + i) for i in range(size)):
            return base
    raise UsageError(f"no free ports on 127.0.0.1 between {_FIRST_PORT} and {_LAST_PORT}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def check_ports(settings: Settings) -> None:
    """Refuses to start where somebody else listens.

    Raises:
        UsageError: Names the ports in use and the remedy.
    """
    ports = settings.ports().items()
    taken = [f"{port} ({component})" for component, port in ports if not _is_free(port)]
    if taken:
        raise UsageError(
            f"in use on 127.0.0.1: port {', '.join(taken)}. Stop what listens there, or set "
            "another `port_base` under [stack] in settings.toml."
        )


def refuse_second(home: Home) -> None:
    """Refuses to start where a stack is up.

    Raises:
        UsageError: One is.
    """
    if Supervisor(home).is_running():
        raise UsageError(
            f"a stack is already up in {home.root}; see `prunella status`, or `prunella down`"
        )


def start(
    home: Home,
    settings: Settings,
    tell: Callable[[str, str], None],
    command: Callable[[Home, str], tuple[str, ...]] = service_command,
) -> RunningStack:
    """Starts every process and waits until each is ready.

    Args:
        home: Its folder; keys are made when missing.
        settings: Must be what `settings.toml` in the home folder says.
        tell: Called with (component, state) whenever one changes.
        command: How a component's process is started.

    Raises:
        UsageError: It is up already, a port is taken, or a process did not become ready; the
            message ends with the last lines of its log.
    """
    refuse_second(home)
    supervisor = Supervisor(home)
    check_ports(settings)
    prepare(home)
    stack = attach(home, settings)
    pending = list(settings.components())

    def all_ready() -> bool:
        for component in list(pending):
            if stack.ready(component):
                pending.remove(component)
                tell(component, "ready")
        for state in supervisor.states():
            if state.state in _ENDED:
                raise UsageError(_log_of(home, f"{state.name} ended at once", state.name))
        return not pending

    try:
        supervisor.start(programs(home, settings.components(), command))
        try:
            stack.wait(all_ready, "every process to be ready", timeout_s=READY_TIMEOUT_S)
        except WaitedInVainError as error:
            raise UsageError(_log_of(home, f"{error}: {pending[0]} is not", pending[0])) from None
    except BaseException:
        with undisturbed():
            supervisor.stop()
        raise
    return stack


def _log_of(home: Home, what: str, component: str) -> str:
    """The sentence, and how the component's log ends."""
    return "\n".join([f"{what}. Its log ends:", *last_lines(home.log(component))])


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
