"""A real engine process for tests: started over real exchanges, commanded, killed, read."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import exchange_process
import msgspec
from exchange_process import API_KEY, SECRET, Exchange, free_port
from prunella.control import Kill
from prunella.control.client import SocketTarget
from prunella.control.tokens import ensure_token, load_token
from prunella.errors import TargetUnavailableError
from prunella.trading.execution import VenueLimits
from prunella.trading.runtime import STAGES, LoopSettings, StageName, TradingSettings
from prunella.trading.strategy import MarketMaker, Momentum
from prunella.values import Home, parse_fixed

WAIT_S_MAX = 20.0
SYMBOL = "BTCUSDT"
EAGER = TradingSettings(
    venues={"primary": VenueLimits(order_rate_per_second=9, receive_window_ms=1000)},
    strategies={
        "maker": MarketMaker(quantity="0.01", half_spread_ppm=1, skew_ppm=5, requote_ppm=1),
        "momentum": Momentum(
            quantity="0.01", fast_updates=2, slow_updates=8, trigger_ppm=1, cooldown_ms=200
        ),
    },
    loop=LoopSettings(snapshot_every_s=0.5),
)
"""Trades as often as the venue takes orders."""
FINAL = {"FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"}


def wait_until(condition: Callable[[], bool], what: str, *, timeout_s: float = WAIT_S_MAX) -> None:
    """Waits for a condition of another process, which gives nothing else to wait on."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s:g} s in vain for {what}"
        time.sleep(0.005)


class Engine:
    """An engine over running exchanges, in a home folder of its own."""

    def __init__(
        self, folder: Path, exchanges: Mapping[str, Exchange], settings: TradingSettings
    ) -> None:
        self.home = Home(folder / "h").create()
        ensure_token(self.home.key("control.token"))
        ensure_token(self.home.key("read.token"))
        key = {"api_key": API_KEY, "secret": SECRET}
        self.home.key("venue.key").write_text(json.dumps(key))
        self.port = free_port()
        self._settings = settings
        self._ports = {name: exchange.port for name, exchange in exchanges.items()}
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running engine."""
        assert self.process is not None
        return self.process.pid

    def start(self) -> "Engine":
        """Starts it without waiting."""
        settings = self.home.root / "trading.json"
        settings.write_bytes(msgspec.json.encode(self._settings))
        command = [sys.executable, __file__, str(self.home.root), str(self.port)]
        command += [json.dumps(self._ports)]
        with self.home.log("engine").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        return self

    def log(self) -> str:
        """What it has written."""
        return self.home.log("engine").read_text()

    def get(self, path: str) -> tuple[int, bytes]:
        """One HTTP request; status 0 when it does not answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        token = load_token(self.home.key("read.token"))
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            return response.status, response.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def status(self) -> dict[str, Any]:
        """Its `/status`; empty venues when it does not answer."""
        code, body = self.get("/status")
        return json.loads(body) if code == 200 else {"venues": {}}

    def venue(self, name: str = "primary") -> dict[str, Any]:
        """What it says of a venue."""
        found: dict[str, Any] = self.status()["venues"].get(name, {})
        return found

    def is_ready(self) -> bool:
        """Whether it can trade."""
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        return self.get("/ready")[0] == 200

    def wait_ready(self) -> None:
        """Waits until it can trade."""
        wait_until(self.is_ready, "the engine to be ready")

    def wait_trading(self, *, fills: int = 1, venue: str = "primary") -> None:
        """Waits for this many more fills."""
        wait_until(lambda: bool(self.venue(venue)), "a first status")
        before = self.venue(venue)["fills"]
        wait_until(
            lambda: self.venue(venue).get("fills", 0) >= before + fills,
            f"{fills} fills at {venue}",
        )

    def target(self) -> SocketTarget:
        """Its control socket."""
        token = load_token(self.home.key("control.token"))
        return SocketTarget(self.home.socket("engine"), token=token, name="engine")

    def settle(self) -> None:
        """Halts, cancels, and waits until the fate of every order is known."""
        wait_until(self._is_killed, "the engine to take commands")

        def is_settled() -> bool:
            # The status is shown from time to time: one from before the kill says nothing.
            status = self.status()
            venues = status["venues"].values()
            return status.get("trading_state") == "halted" and not any(
                venue["orders_open"] or venue["orders_unknown"] for venue in venues
            )

        wait_until(is_settled, "all orders to be settled")

    def _is_killed(self) -> bool:
        """Whether it took the kill; a process that is just starting does not yet."""
        try:
            return self.target().apply(Kill(), actor="test", reason="settle").ok
        except TargetUnavailableError:
            return False

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)


def assert_books_agree(engine: Engine, exchange: Exchange) -> None:
    """Our fills and position are the venue's, no order doubled, none left open."""
    ours = engine.venue()
    trades = exchange.signed("GET", "myTrades", symbol=SYMBOL, limit=1000).body
    orders = exchange.signed("GET", "allOrders", symbol=SYMBOL, limit=1000).body
    assert ours["fills"] == len(trades)
    signed = (parse_fixed(t["qty"]) * (1 if t["isBuyer"] else -1) for t in trades)
    assert parse_fixed(ours["position"]) == sum(signed)
    assert Counter(order["clientOrderId"] for order in orders).most_common(1)[0][1] == 1
    assert all(order["status"] in FINAL for order in orders)
    assert ours["breaks"] == 0


class SplitEngine(Engine):
    """The same as five processes; `market` is the one that `Engine` knows."""

    def __init__(
        self, folder: Path, exchanges: Mapping[str, Exchange], settings: TradingSettings
    ) -> None:
        super().__init__(folder, exchanges, settings)
        self.stages: dict[str, subprocess.Popen[bytes]] = {}
        self.stage_ports: dict[str, int] = {str(name): free_port() for name in STAGES} | {
            "market": self.port
        }

    def start(self) -> "SplitEngine":
        """Starts all five without waiting."""
        settings = self.home.root / "trading.json"
        settings.write_bytes(msgspec.json.encode(self._settings))
        for name in STAGES:
            self.start_stage(name)
        return self

    def start_stage(self, name: str) -> None:
        """Starts one of the five."""
        command = [sys.executable, __file__, str(self.home.root), str(self.stage_ports[name])]
        command += [json.dumps(self._ports), name]
        with self.home.log("engine").open("ab") as log:
            self.stages[name] = subprocess.Popen(command, stdout=log, stderr=log)
        self.process = self.stages["market"]

    def kill_stage(self, name: str) -> None:
        """SIGKILL to one of the five."""
        self.stages[name].kill()
        self.stages[name].wait()

    def is_ready(self) -> bool:
        """Whether all five can do their part."""
        return super().is_ready() and all(self.is_stage_ready(name) for name in STAGES)

    def is_stage_ready(self, name: str) -> bool:
        """Whether one of the five says so."""
        assert self.stages[name].poll() is None, self.log()
        return self.get_stage(name, "/ready")[0] == 200

    def get_stage(self, name: str, path: str) -> tuple[int, bytes]:
        """One HTTP request to one of the five."""
        market, self.port = self.port, self.stage_ports[name]
        try:
            return self.get(path)
        finally:
            self.port = market

    def stage_status(self, name: str) -> dict[str, Any]:
        """Its `/status`; empty when it does not answer."""
        code, body = self.get_stage(name, "/status")
        return json.loads(body) if code == 200 else {}

    def kill(self) -> None:
        """SIGKILL to all that still run."""
        for name, process in self.stages.items():
            if process.poll() is None:
                self.kill_stage(name)

    def stop(self) -> int:
        """SIGTERM to all, the sequencer first; 0 when each ended well."""
        found = super().stop()
        for process in self.stages.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            found = process.wait(timeout=10) or found
        return found


@contextlib.contextmanager
def running_split(
    folder: Path, exchanges: Mapping[str, Exchange], settings: TradingSettings
) -> Iterator[SplitEngine]:
    """Five ready processes, killed at the end of the block if they still run."""
    engine = SplitEngine(folder, exchanges, settings).start()
    try:
        engine.wait_ready()
        yield engine
    finally:
        engine.kill()


@contextlib.contextmanager
def running(
    folder: Path, exchanges: Mapping[str, Exchange], settings: TradingSettings
) -> Iterator[Engine]:
    """A ready engine, killed at the end of the block if it still runs."""
    engine = Engine(folder, exchanges, settings).start()
    try:
        engine.wait_ready()
        yield engine
    finally:
        if engine.process is not None and engine.process.poll() is None:
            engine.kill()


@contextlib.contextmanager
def running_on_two(folder: Path, settings: TradingSettings) -> Iterator[Engine]:
    """A ready engine over two exchanges, `primary` and `backup`."""
    with contextlib.ExitStack() as stack:
        exchanges = {}
        for name in ("primary", "backup"):
            (folder / name).mkdir()
            exchanges[name] = stack.enter_context(
                exchange_process.running(folder / name, "--speed", "3", "--orders-per-10s", "1000")
            )
        yield stack.enter_context(running(folder, exchanges, settings))


class _SystemClock:
    """The operating system's clock: this file is a command line of its own."""

    def now_ns(self) -> int:
        return time.time_ns()  # noqa: TID251 - the one real clock of this process

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


def _main() -> None:
    from prunella.trading.runtime import EngineService  # noqa: PLC0415 - the child's alone
    from prunella.trading.venue import local_endpoint  # noqa: PLC0415 - the child's alone

    root, port, ports, *rest = sys.argv[1:]
    stage = msgspec.convert(rest[0], StageName) if rest else None
    home = Home(Path(root))
    settings = msgspec.json.decode((home.root / "trading.json").read_bytes(), type=TradingSettings)
    endpoints = {name: local_endpoint(number) for name, number in json.loads(ports).items()}
    endpoints |= settings.endpoints
    if stage is None or stage == "market" or stage == "execution":  # noqa: PLR1714 - mypy narrows
        EngineService(
            settings,
            endpoints=endpoints,
            home=home,
            port=int(port),
            clock=_SystemClock(),
            stage=stage,
        ).run()
        return
    from prunella.trading.runtime.stage_service import StageService  # noqa: PLC0415 - as above

    StageService(stage, home=home, port=int(port)).run()


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))  # noqa: PTH120 - no import is made for it
    _main()
