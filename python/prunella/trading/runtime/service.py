"""`EngineService`: settings and a home folder in; a trading process until it is told to stop.

The hot loop trades on a thread of its own without the GIL. This file starts it, takes commands for
it on a unix socket, shows its state over HTTP, and ends it cleanly; if everything here hangs, it
trades on, and its reflexes keep the book safe.
"""

import signal
import sys
import threading
import types
from collections.abc import Mapping
from typing import Literal

import msgspec

from prunella._core import HotLoop
from prunella.control import (
    AcceptBreak,
    AmendOrder,
    CancelAll,
    CancelOrder,
    Command,
    Halt,
    Kill,
    PauseOrder,
    PromoteModel,
    Rearm,
    Reduce,
    ReleaseLease,
    Reply,
    Request,
    Resume,
    ResumeOrder,
    SetLimit,
    SetOrderRate,
    SetParameters,
    SubmitOrder,
    SwitchVenue,
)
from prunella.control.acts import read_persons, why_not_allowed
from prunella.control.answers import Answers
from prunella.control.curve import ensure_curve_pair
from prunella.control.server import ControlServer
from prunella.control.tokens import load_token
from prunella.control.zeromq import CommandDoor
from prunella.errors import (
    CommandUnsupportedError,
    ConfigError,
    TargetUnavailableError,
    UsageError,
)
from prunella.telemetry.serve import Pages, StatusServer
from prunella.trading.model import Registry, runtime_library
from prunella.trading.risk import config_limits
from prunella.trading.runtime.pages import Status, metrics_page, status_page, why_not_ready
from prunella.trading.runtime.settings import StageName, TradingSettings
from prunella.trading.runtime.stages import stage_ends
from prunella.trading.strategy import PythonStrategy
from prunella.trading.venue import VenueEndpoint, read_venue_key
from prunella.values import Clock, Home

_COMMANDS = (
    Kill
    | Halt
    | Reduce
    | Resume
    | CancelAll
    | SwitchVenue
    | SetOrderRate
    | ReleaseLease
    | SubmitOrder
    | AmendOrder
    | CancelOrder
    | PauseOrder
    | ResumeOrder
    | PromoteModel
    | SetLimit
    | Rearm
    | AcceptBreak
    | SetParameters
)
_PERSONS_ONLY = (
    (PromoteModel, "PROMOTE_NEEDS_PERSON", "only a named person may promote a model"),
    (SetParameters, "PARAMETERS_NEED_PERSON", "only a named person may set parameters"),
    (Resume | Rearm, "RESUME_NEEDS_PERSON", "only a named person may resume trading"),
    (AcceptBreak, "PERSON_NEEDED", "only a named person may accept a difference"),
    (
        SubmitOrder | AmendOrder | ResumeOrder,
        "ORDER_NEEDS_PERSON",
        "only a named person may trade by hand",
    ),
)
"""Which commands the healing plane may not give, and what it is told."""
_COMMAND_TIMEOUT_S = 2.0
"""The hot thread answers within milliseconds; silent for this long, it hangs."""
_LOOK_S = 0.1
"""How soon the end of the hot loop is seen: a dead engine must not look alive."""
_RATE_WINDOW_NS = 1_000_000_000
_FIRST_STATUS_NS = 5_000_000_000
"""The hot thread shows its state within a tenth of a second; later, promotions have to wait."""
_FIRST_LOOK_S = 0.01
_NOT_PERSONS = ("healing:", "agent")


class EngineService:
    """The engine process.

    Args:
        settings: What is traded and how.
        endpoints: Addresses by venue name, one for each venue of the settings.
        home: Keys, tokens, the journal and the control socket are in it.
        port: HTTP port of /health, /ready, /metrics and /status.
        clock: The time.
        stage: Which of five processes this is; without it, it is all of them. `execution` takes no
            commands: `market` journals them.

    Raises:
        ConfigError: Settings that do not fit together, or a key that cannot be read.
    """

    def __init__(
        self,
        settings: TradingSettings,
        *,
        endpoints: Mapping[str, VenueEndpoint],
        home: Home,
        port: int,
        clock: Clock,
        stage: Literal["market", "execution"] | None = None,
    ) -> None:
        self._clock = clock
        self._stopping = threading.Event()
        self._rates: dict[str, float] = {}
        self._counted: dict[str, int] = {}
        self._counted_ns = 0
        self._persons = home.key("persons.toml")
        self._settings = settings
        self._loop = _hot_loop(settings, endpoints, home, stage)
        self._registry = Registry(home.models)
        self._takes_commands = stage != "execution"
        answers = Answers(load_token(home.key("control.token")), self._handle)
        self._control = ControlServer(home.socket("engine"), answers=answers)
        self._door = CommandDoor(
            home.socket("commands"),
            server=ensure_curve_pair(home.key("engine.curve")),
            clients=frozenset({ensure_curve_pair(home.key("operator.curve")).public}),
            answers=answers,
        )
        self._server = StatusServer(
            port,
            token=load_token(home.key("read.token")),
            pages=Pages(ready=self._why_not_ready, metrics=self._metrics, status=self._status),
        )

    def run(self) -> None:
        """Trades until SIGTERM or SIGINT, then cancels all orders and stops cleanly.

        Raises:
            JournalError: The journal is damaged or cannot be written; trading has stopped.
            InvariantError: A replay differs from what was recorded.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        self._server.start()
        self._loop.start()
        if self._takes_commands:
            # The doors first: a kill must not wait for models.
            self._control.start()
            self._door.start()
            self._promote_current()
        _say("trading thread started")
        if self._takes_commands:
            self._compare_limits()
        try:
            while not self._stopping.wait(_LOOK_S) and self._loop.is_running:
                self._look()
        finally:
            if self._takes_commands:
                self._door.close()
                self._control.close()
            try:
                self._loop.stop()
            finally:
                self._server.close()
        _say("stopped cleanly")

    def _on_signal(self, _number: int, _frame: types.FrameType | None) -> None:
        self._stopping.set()

    def _look(self) -> None:
        """Hands on what the hot loop noted, and measures the frame rates once a second."""
        for line in self._loop.take_notes():
            _say(line)
        now_ns = self._clock.monotonic_ns()
        elapsed_ns = now_ns - self._counted_ns
        if elapsed_ns < _RATE_WINDOW_NS:
            return
        frames = {venue["name"]: venue["frames"] for venue in self._raw().get("venues", ())}
        self._rates = {
            name: (count - self._counted.get(name, count)) * 1e9 / elapsed_ns
            for name, count in frames.items()
        }
        self._counted, self._counted_ns = frames, now_ns

    def _raw(self) -> Status:
        text = self._loop.status()
        raw: Status = msgspec.json.decode(text) if text else {}
        return raw

    def _compare_limits(self) -> None:
        """After a restart with other limits in the settings: tighter ones hold, looser ones do not.

        The limits in force are part of the journaled state; a file must not loosen them.
        """
        wanted: dict[str, str | None] = msgspec.json.decode(config_limits(self._settings.core()))
        for name, value in wanted.items():
            if value is None:
                continue
            command = SetLimit(name=name, value=value)
            try:
                reply = self._order(command, actor="settings", reason="the settings")
            except TargetUnavailableError:
                _say("the limits of the settings were not compared: the hot loop does not answer")
                return
            if not reply.ok:
                _say(f"limit kept: {reply.message}")

    def _why_not_ready(self) -> str:
        return why_not_ready(
            self._raw(), is_running=self._loop.is_running, now_ns=self._clock.now_ns()
        )

    def _metrics(self) -> bytes:
        ready = not self._why_not_ready()
        return metrics_page(self._raw(), now_ns=self._clock.now_ns(), ready=ready)

    def _status(self) -> Status:
        return status_page(self._raw(), frame_rates=self._rates)

    def _handle(self, request: Request) -> Reply:
        """Carries out an authenticated command; loosening needs a person and a reason.

        Raises:
            CommandUnsupportedError: The engine does not know it.
            TargetUnavailableError: The hot loop does not answer; ask again with the same key.
        """
        command = request.command
        if not isinstance(command, _COMMANDS):
            name = type(command).__name__
            raise CommandUnsupportedError(f"the engine does not know {name}; ask the supervisor")
        if not _is_person(request.actor):
            for kinds, code, why in _PERSONS_ONLY:
                if isinstance(command, kinds):
                    return _refused(code, why)
        if isinstance(command, SetLimit) and command.signed is not None:
            persons = read_persons(self._persons)
            why = why_not_allowed(command, persons, now_ns=self._clock.now_ns())
            if why:
                return _refused("SIGNATURE_INVALID", why)
        if isinstance(command, Resume | Rearm) and not request.reason.strip():
            return _refused("RESUME_NEEDS_REASON", "resuming needs a reason, for the journal")
        return self._order(command, actor=request.actor, reason=request.reason)

    def _order(self, command: Command, *, actor: str, reason: str) -> Reply:
        """Has the hot loop carry out a command; a promotion takes the model's bytes along.

        Raises:
            TargetUnavailableError: The hot loop does not answer; ask again with the same key.
        """
        order = {"actor": actor, "reason": reason, "command": msgspec.to_builtins(command)}
        model = b""
        if isinstance(command, PromoteModel):
            try:
                model = self._registry.read(command.model)
            except UsageError as error:
                return _refused("MODEL_UNKNOWN", str(error))
        text = self._loop.command(
            msgspec.json.encode(order).decode(), _COMMAND_TIMEOUT_S, model=model
        )
        if text is None:
            raise TargetUnavailableError("the hot loop does not answer")
        return msgspec.json.decode(text, type=Reply)

    def _promote_current(self) -> None:
        """Brings strategies to the models that were promoted while no engine ran."""
        deadline_ns = self._clock.monotonic_ns() + _FIRST_STATUS_NS
        while not self._raw() and self._loop.is_running:
            if self._clock.monotonic_ns() > deadline_ns or self._stopping.wait(_FIRST_LOOK_S):
                return
        for running in self._raw().get("models", ()):
            wanted = self._registry.current(running["strategy"])
            if wanted is None or wanted.sha256 == running["sha256"]:
                continue
            command = PromoteModel(
                strategy=wanted.strategy, model=wanted.model, sha256=wanted.sha256
            )
            reply = self._order(command, actor=wanted.actor, reason=wanted.reason)
            _say(f"model {wanted.model} for {wanted.strategy}: {reply.code} {reply.message}")


def _is_person(actor: str) -> bool:
    name = actor.strip().lower()
    return bool(name) and not name.startswith(_NOT_PERSONS)


def _refused(code: str, message: str) -> Reply:
    return Reply(ok=False, code=code, message=message)


def _hot_loop(
    settings: TradingSettings,
    endpoints: Mapping[str, VenueEndpoint],
    home: Home,
    stage: StageName | None,
) -> HotLoop:
    """The hot loop of these settings, not started.

    Raises:
        ConfigError: The settings do not fit together, or a key or address cannot be used.
    """
    try:
        config = settings.core()
    except ValueError as error:
        raise ConfigError(str(error)) from None
    key = msgspec.to_builtins(read_venue_key(home.key("venue.key")))
    venues = []
    for name in settings.venues:
        if name not in endpoints:
            raise ConfigError(f"venue {name}: expected an endpoint, found none")
        markets = [each for each in settings.markets() if each.venue == name]
        raw = endpoints[name].raw([each.instrument.symbol for each in markets])
        # The key is for nobody whose market data is public.
        venues.append(raw if "talk" in raw else raw | key)
    doors = [
        (index, str(home.socket(f"strategy-{name}")))
        for index, (name, strategy) in enumerate(settings.strategies.items())
        if isinstance(strategy, PythonStrategy)
    ]
    return HotLoop(
        config=config,
        venues=msgspec.json.encode(venues),
        journal_dir=home.engine_journal,
        options=msgspec.json.encode(
            settings.loop.raw() | {"strategy_sockets": doors, "onnxruntime": _runtime()}
        ),
        stage=stage_ends(stage, home) if stage else None,
    )


def _runtime() -> str | None:
    library = runtime_library()
    return None if library is None else str(library)


def _say(line: str) -> None:
    """One line into the process's log."""
    sys.stderr.write(f"engine: {line}\n")
    sys.stderr.flush()
