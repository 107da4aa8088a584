"""`RunningStack`: a stack that is up, as injectors and scorers touch it from the outside."""

import contextlib
import http.client
import math
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from prunella.bridge import Supervisor
from prunella.control import Command
from prunella.control.client import SocketTarget
from prunella.control.tokens import load_token
from prunella.errors import TargetUnavailableError, UsageError
from prunella.evaluation.injector.proxy import PathProxy
from prunella.healing.loop import HealingClient, IncidentView
from prunella.telemetry.processes import Meter
from prunella.values import Clock, Home

_POLL_S = 0.01
_HTTP_TIMEOUT_S = 0.5
"""A frozen process must not hold up the ones that answer."""
PROBE_TIMEOUT_S = 1.5
DELAY_WINDOW_NS = 500_000_000
TRADES_WITHIN_S = 3.0
"""The strategies of a healthy stack send several orders a second in any market that moves."""


BESIDE_TRADING = (
    "healing",
    "agent-cpu",
    "agent-network",
    "agent-io",
    "agent-execution",
    "agent-http",
    "watch",
    "monitor",
    "bus",
)
"""Components without which a stack trades on."""


class WaitedInVainError(UsageError):
    """A condition did not come true in time; says which."""


class RunningStack:
    """Reads a running stack's processes and pages, and reaches its admin doors.

    Args:
        home: Its folder.
        ports: HTTP port of each component, by component name.
        market_speed: At which speed the exchanges play the market, 1 is as recorded.
        clock: The time.
    """

    def __init__(
        self, home: Home, *, ports: dict[str, int], market_speed: float, clock: Clock
    ) -> None:
        self.home = home
        self.ports = ports
        self.market_speed = market_speed
        self.clock = clock
        self.supervisor = Supervisor(home)
        self.healing = HealingClient(home)
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self.path: PathProxy | None = None
        self._meter = Meter(window_ns=DELAY_WINDOW_NS)
        self._grown: dict[str, tuple[int, int]] = {}

    def leave_trading_alone(self) -> None:
        """Stops everything but trading, so that a measurement is of trading."""
        for component in BESIDE_TRADING:
            self.supervisor.stop_process(component)

    def wait(self, condition: Callable[[], bool], what: str, *, timeout_s: float = 10.0) -> None:
        """Waits until the condition holds.

        Raises:
            WaitedInVainError: It did not within `timeout_s`; says what was waited for.
        """
        deadline_ns = self.clock.monotonic_ns() + int(timeout_s * 1e9)
        while not condition():
            if self.clock.monotonic_ns() > deadline_ns:
                raise WaitedInVainError(f"waited {timeout_s:g} s in vain for {what}")
            time.sleep(_POLL_S)

    def pause(self, seconds: float) -> None:
        """Lets real time pass."""
        time.sleep(seconds)

    def pid(self, component: str) -> int:
        """The process id of a running component.

        Raises:
            UsageError: It is not running.
        """
        for state in self.supervisor.states():
            if state.name == component and state.pid:
                return state.pid
        raise UsageError(f"{component} is not running; see `prunella status`")

    def process_state(self, pid: int) -> str:
        """The kernel's letter for the state of a process: R, S, T, Z …; empty when gone."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
        except OSError:
            return ""
        return stat.rpartition(")")[2].split()[0]

    def process_alive(self, pid: int) -> bool:
        """Whether the process exists and is no zombie."""
        return self.process_state(pid) not in {"", "Z", "X"}

    def ready(self, component: str) -> bool:
        """Whether the component says that it does its job."""
        return self._request("GET", self._http(component), "/ready", key="read.token") is not None

    def get(self, component: str, path: str) -> Any:
        """The JSON that a component serves at `path`, or None when it does not answer."""
        body = self._request("GET", self._http(component), path, key="read.token")
        return None if body is None else msgspec.json.decode(body)

    def healthy(self) -> bool:
        """Whether everything runs, trades at every venue, and no incident is open."""
        return not self.why_not_healthy()

    def why_not_healthy(self) -> str:
        """What is missing for that, in a few words; empty when nothing is."""
        states = self.supervisor.states()
        for component in self.ports:
            if not any(s.name == component and s.state == "RUNNING" for s in states):
                return f"{component} is not running"
        if why := self._why_not_trading():
            return why
        incidents = self.incidents()
        if incidents is None:
            return "the healing plane does not answer"
        for incident in incidents:
            if incident.state not in {"resolved", "suppressed"}:
                return f"{incident.id} is {incident.state}"
        return ""

    def _why_not_trading(self) -> str:
        engine = self.get("engine", "/status")
        if engine is None:
            return "the engine does not answer"
        if engine["trading_state"] != "active":
            return f"trading is {engine['trading_state']}"
        for name, venue in engine["venues"].items():
            if venue["state"] != "live" or not venue["reconciled"]:
                return f"{name} is {venue['state']}"
            if venue["orders_unknown"]:
                return f"{name} has orders of unknown fate"
        return ""

    def incidents(self) -> tuple[IncidentView, ...] | None:
        """What the healing plane remembers, or None when it does not answer."""
        try:
            return self.healing.incidents()
        except TargetUnavailableError:
            return None

    def frozen(self) -> bool:
        """Whether a person has stopped the healing plane from acting, as far as it answers."""
        try:
            return self.healing.status().frozen
        except TargetUnavailableError:
            return False

    def engine_core(self) -> int:
        """The core that the engine's hot thread is pinned to, or else the last one."""
        status = self.get("engine", "/status") or {}
        core = status.get("hot_thread_cpu")
        return int(core) if core is not None else max(os.sched_getaffinity(0))

    def exchange_refusals(self, venue: str) -> int:
        """How many order requests the venue has answered 429 or 5xx since it started."""
        status = self.get(f"exchange-{venue}", "/status") or {}
        return int(status.get("order_requests_refused", 0))

    def admin(self, venue: str, what: str, body: dict[str, Any]) -> None:
        """Sets a behaviour of a simulated exchange.

        Raises:
            UsageError: The exchange did not accept it.
        """
        answer = self._request(
            "POST",
            _UnixConnection(self.home.exchange_control(venue)),
            f"/admin/{what}",
            key="admin.token",
            body=msgspec.json.encode(body),
        )
        if answer is None:
            raise UsageError(f"exchange-{venue} did not accept {what} {body}")

    def tell_engine(self, command: Command, *, reason: str) -> None:
        """A person's command to the engine.

        Raises:
            TargetUnavailableError: It does not answer.
        """
        token = load_token(self.home.key("control.token"))
        target = SocketTarget(self.home.socket("engine"), token=token, name="engine")
        target.apply(command, actor="operator", reason=reason)

    def declare_maintenance(self, component: str, *, seconds: int, reason: str) -> None:
        """Tells the healing plane that somebody works on a component."""
        self.healing.maintenance(component, seconds=seconds, actor="operator", reason=reason)

    def misbehave(self, venue: str, **behaviour: Any) -> None:
        """Sets the whole behaviour of a simulated exchange; none: it behaves."""
        self.admin(venue, "behaviour", behaviour)

    def hot_delay_ratio(self) -> float:
        """For which share of the last half second the engine's hot thread waited for its core."""
        try:
            pid = self.pid("engine")
        except UsageError:
            return 0.0
        for task in Path(f"/proc/{pid}/task").glob("*"):
            with contextlib.suppress(OSError, ValueError, IndexError):
                if (task / "comm").read_text(encoding="ascii").startswith("hot"):
                    waited_ns = int((task / "schedstat").read_text(encoding="ascii").split()[1])
                    now_ns = self.clock.monotonic_ns()
                    return self._meter.ratio((pid, task.name), waited_ns, now_ns)
        return 0.0

    def grew(self, name: str, value: int, within_s: float, *, since: int) -> bool:
        """Whether a figure that was asked for under this name grew within the last seconds.

        Args:
            name: Of the figure.
            value: Now.
            within_s: How far back to look.
            since: The value that it started from; growth below it is forgotten.
        """
        now_ns = self.clock.monotonic_ns()
        last, at_ns = self._grown.get(name, (since, -(1 << 62)))
        if last < since:
            last, at_ns = since, -(1 << 62)
        if value > last:
            last, at_ns = value, now_ns
        self._grown[name] = (last, at_ns)
        return now_ns - at_ns <= within_s * 1e9

    def trades(self, within_s: float = TRADES_WITHIN_S) -> bool:
        """Whether a venue has taken an order of ours within the last seconds, as venues say."""
        primary = self.takes_orders("primary", within_s)
        return self.takes_orders("backup", within_s) or primary  # both are to be asked each time

    def takes_orders(self, venue: str, within_s: float = TRADES_WITHIN_S) -> bool:
        """The same of one venue; one that does not answer takes none."""
        status = self.get(f"exchange-{venue}", "/status") or {}
        taken = int(status.get("last_order", 0))
        key = f"orders at {venue}"
        return self.grew(key, taken, within_s, since=0 if key in self._grown else taken)

    def active_venue(self) -> str:
        """Where the engine sends orders to; empty when it does not answer."""
        return str((self.get("engine", "/status") or {}).get("active_venue", ""))

    def spawn(self, *command: str) -> int:
        """Starts a process of the injector in a session of its own and gives its pid."""
        process = subprocess.Popen(
            command,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
        self._children[process.pid] = process
        return process.pid

    def reap(self, pid: int) -> None:
        """Kills and collects a process of the injector; harmless when it is gone."""
        process = self._children.pop(pid, None)
        if process is not None:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)

    def round_trip_s(self, timeout_s: float = PROBE_TIMEOUT_S) -> float:
        """How long a small request takes to the primary venue and back, on the engine's own way.

        Infinite when there is no answer in time.
        """
        port = self.path.port if self.path else self.ports["exchange-primary"]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        began_ns = self.clock.monotonic_ns()
        try:
            connection.request("GET", "/api/v3/time")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return math.inf
        finally:
            connection.close()
        return (self.clock.monotonic_ns() - began_ns) / 1e9

    def venue_answers(self, venue: str, status: int) -> int:
        """How many order requests the venue has answered with this HTTP status so far."""
        answers = self.get(f"exchange-{venue}", "/status") or {}
        return int(answers.get("order_answers", {}).get(str(status), 0))

    def close(self) -> None:
        """Kills whatever the injector has started."""
        if self.path is not None:
            self.path.close()
            self.path = None
        for process in self._children.values():
            process.kill()
            process.wait(timeout=5)
        self._children.clear()

    def _http(self, component: str) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(
            "127.0.0.1", self.ports[component], timeout=_HTTP_TIMEOUT_S
        )

    def _request(
        self,
        method: str,
        connection: http.client.HTTPConnection,
        path: str,
        *,
        key: str,
        body: bytes | None = None,
    ) -> bytes | None:
        """One request on this machine; None when refused, late or not 200."""
        secret = self.home.key(key).read_text(encoding="ascii").strip()
        try:
            connection.request(
                method,
                path,
                body=body,
                headers={
                    "Authorization": f"Bearer {secret}",
                    "Content-Type": "application/json",
                },
            )
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return content if response.status == http.client.OK else None


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_HTTP_TIMEOUT_S)
        self._path = str(path)

    def connect(self) -> None:
        """Connects to the path instead of an address."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


__all__ = ["RunningStack", "WaitedInVainError"]
