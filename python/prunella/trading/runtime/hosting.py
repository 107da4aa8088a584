"""`StrategyHost`: a person's strategy in a process of its own; its intents to the engine out.

The process follows the engine's journal and so costs the engine nothing. What the strategy wants
goes over a unix socket into the engine's hot loop, which journals it before anything else. One that
loops, crashes, is late or floods is seen by the engine's `StrategyBreaker`, which cancels its
orders. Here, one that raises ends the process, one that hangs is ended, and both say where in its
file.
"""

import contextlib
import faulthandler
import signal
import socket
import struct
import sys
import threading
import time
import types
from collections.abc import Iterator
from typing import NamedTuple, NoReturn

import msgspec

from prunella._core import StrategyFeed
from prunella.control.tokens import load_token
from prunella.errors import TargetUnavailableError
from prunella.telemetry.serve import Pages, StatusServer
from prunella.trading.strategy import PythonStrategy
from prunella.trading.strategy.loading import load_strategy, place_of
from prunella.values import Clock, Home

_DOWN = struct.pack("<q", 2)
_ALIVE = struct.pack("<q", 3)
_INTENTS = 4
_WORDS_BYTES_MAX = 2_000
_POLL_S = 0.000_2
"""How often the journal is looked at: 0.2 ms of delay for a few percent of one processor."""
_RETRY_S = 0.1
"""How often an engine that is not there is tried again."""
_SEND_TIMEOUT_S = 1.0
"""An engine that takes nothing for so long is not there any more."""
_BEATS_PER_HEARTBEAT = 4
_HANGS_AFTER_HEARTBEATS = 2
"""The engine opens the breaker after one; a process that is silent for two is beyond help."""


class Counts(msgspec.Struct):
    """What the process has done since it began."""

    told: int = 0
    answers: int = 0
    held_back: int = 0
    handle_ns_max: int = 0


class _Link(NamedTuple):
    """What connects us with the engine: its journal, and the socket into its hot loop."""

    feed: StrategyFeed
    socket: socket.socket

    def send(self, message: bytes) -> None:
        """Sends one message.

        Raises:
            TargetUnavailableError: The engine has gone, or has shown us out.
        """
        try:
            self.socket.sendall(struct.pack("<I", len(message)) + message)
        except OSError as error:
            raise TargetUnavailableError(f"the engine takes nothing: {error}") from None


class StrategyHost:
    """The process of one strategy.

    Args:
        name: The strategy's name in the settings.
        settings: What the settings say of it.
        home: The engine's journal and the sockets are in it.
        port: HTTP port of /health, /ready, /metrics and /status.
        clock: The time.

    Raises:
        ConfigError: The strategy's file, class or parameters are wrong.
    """

    def __init__(
        self, name: str, settings: PythonStrategy, *, home: Home, port: int, clock: Clock
    ) -> None:
        self._name = name
        self._settings = settings
        self._file = settings.path.rpartition(":")[0]
        self._journal = home.engine_journal
        self._socket = home.socket(f"strategy-{name}")
        self._clock = clock
        self._strategy = load_strategy(settings.path, settings.parameters)
        self._stopping = threading.Event()
        self._counts = Counts()
        self._feed: StrategyFeed | None = None
        self._gate = "not connected"
        self._beat_ns = 0
        self._server = StatusServer(
            port,
            token=load_token(home.key("read.token")),
            pages=Pages(ready=self._why_not_ready, metrics=self._metrics, status=self._status),
        )

    def run(self) -> None:
        """Trades until SIGTERM or SIGINT; an engine that restarts is waited for.

        Raises:
            SystemExit: Status 1: the strategy raised, and the log says where. Whoever supervises
                starts it again; the engine lets it wait longer each time.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._server.start()
        try:
            self._call_start()
            while not self._stopping.is_set():
                try:
                    with self._connect() as link:
                        _say(self._name, "connected to the engine")
                        self._trade(link)
                except TargetUnavailableError as error:
                    if self._gate != "not connected":
                        _say(self._name, str(error))
                    self._gate = "not connected"
                    faulthandler.cancel_dump_traceback_later()
                    self._stopping.wait(_RETRY_S)
        finally:
            faulthandler.cancel_dump_traceback_later()
            self._server.close()
        _say(self._name, "stopped cleanly")

    def _on_signal(self, _number: int, _frame: types.FrameType | None) -> None:
        self._stopping.set()

    def _call_start(self) -> None:
        try:
            self._strategy.on_start()
        except Exception as error:  # noqa: BLE001  a person's own code may raise anything
            self._fail(error, None)

    def _connect(self) -> "contextlib.AbstractContextManager[_Link]":
        """The way to the engine.

        Raises:
            TargetUnavailableError: It is not there.
            ConfigError: Its journal knows no such strategy.
        """
        engine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            engine.settimeout(_SEND_TIMEOUT_S)
            engine.connect(str(self._socket))
            if self._feed is None:
                self._feed = StrategyFeed(self._journal, self._name)
            self._feed.reconnected()
        except OSError as error:
            engine.close()
            raise TargetUnavailableError(f"the engine is not there: {error}") from None
        except BaseException:
            engine.close()
            raise
        return _closing(_Link(self._feed, engine))

    def _trade(self, link: _Link) -> None:
        """Tells the strategy what happens and the engine what it wants.

        Raises:
            TargetUnavailableError: The engine has gone, or has shown us out.
        """
        feed, counts, handle = link.feed, self._counts, self._strategy.handle
        monotonic_ns = self._clock.monotonic_ns
        while not self._stopping.is_set():
            messages = feed.look()
            self._gate = feed.gate
            for message in messages:
                begun_ns = monotonic_ns()
                try:
                    answer = handle(message)
                except Exception as error:  # noqa: BLE001  a person's own code may raise anything
                    self._fail(error, link)
                ended_ns = monotonic_ns()
                counts.handle_ns_max = max(counts.handle_ns_max, ended_ns - begun_ns)
                self._answer(link, answer)
                self._beat(link, ended_ns)
            counts.told += len(messages)
            if not messages:
                self._beat(link, monotonic_ns())
                time.sleep(_POLL_S)

    def _answer(self, link: _Link, answer: bytes) -> None:
        if self._gate == "half_open" and not answer:
            # One answer in time is what closes the breaker, also when nothing is wanted.
            answer = struct.pack("<2q", _INTENTS, link.feed.now_ns)
        if not answer:
            return
        if self._gate in {"closed", "half_open"}:
            self._counts.answers += 1
            link.send(answer)
            link.feed.answered()
        else:
            self._counts.held_back += 1

    def _beat(self, link: _Link, now_ns: int) -> None:
        """Says that we live, and winds up the clock that ends us when we hang."""
        heartbeat_ns = self._settings.heartbeat_ms * 1_000_000
        if now_ns - self._beat_ns < heartbeat_ns // _BEATS_PER_HEARTBEAT:
            return
        self._beat_ns = now_ns
        link.send(_ALIVE)
        # A thread of the interpreter's own, which needs no lock that a loop may hold.
        faulthandler.dump_traceback_later(_HANGS_AFTER_HEARTBEATS * heartbeat_ns / 1e9, exit=True)

    def _fail(self, error: Exception, link: _Link | None) -> NoReturn:
        """Says where the strategy raised, here and in the engine's status, and ends."""
        words = place_of(error, self._file)
        _say(self._name, words)
        if link is not None:
            text = words.encode()[:_WORDS_BYTES_MAX]
            with contextlib.suppress(TargetUnavailableError):
                link.send(_DOWN + text.ljust(-(-len(text) // 8) * 8))
        sys.exit(1)

    def _why_not_ready(self) -> str:
        if self._gate in {"closed", "half_open"}:
            return ""
        return f"the engine's breaker of this strategy is: {self._gate}"

    def _status(self) -> dict[str, object]:
        left_out = 0 if self._feed is None else self._feed.trades_left_out
        return {
            "strategy": self._name,
            "path": self._settings.path,
            "gate": self._gate,
            "trades_left_out": left_out,
            **msgspec.to_builtins(self._counts),
        }

    def _metrics(self) -> bytes:
        name, counts = self._name, self._counts
        return (
            f'strategy_messages_total{{strategy="{name}"}} {counts.told}\n'
            f'strategy_answers_total{{strategy="{name}"}} {counts.answers}\n'
            f'strategy_answers_held_back_total{{strategy="{name}"}} {counts.held_back}\n'
            f'strategy_handle_seconds_max{{strategy="{name}"}} {counts.handle_ns_max / 1e9}\n'
        ).encode()


@contextlib.contextmanager
def _closing(link: _Link) -> Iterator[_Link]:
    try:
        yield link
    finally:
        link.socket.close()


def _say(name: str, line: str) -> None:
    """One line into the process's log."""
    sys.stderr.write(f"strategy {name}: {line}\n")
    sys.stderr.flush()
