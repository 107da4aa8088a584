"""Settings and a clock in; a listening exchange out, until it is told to stop."""

import asyncio
import contextlib
import signal
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from prunella.errors import UsageError
from prunella.exchange.api_socket import ApiSocket
from prunella.exchange.authentication import Authenticator
from prunella.exchange.behaviour import OrderPath
from prunella.exchange.calls import Calls
from prunella.exchange.clock import VenueClock
from prunella.exchange.control import Control, disconnect_regularly, listen
from prunella.exchange.frames import Source
from prunella.exchange.keeper import Keeper
from prunella.exchange.limits import Limits
from prunella.exchange.memory import Memory, check, load
from prunella.exchange.operations import Operations
from prunella.exchange.parts import Parts
from prunella.exchange.player import Paces, play, publish_depth
from prunella.exchange.public_socket import PublicSocket, Sockets
from prunella.exchange.recording import Recording
from prunella.exchange.rest import Rest
from prunella.exchange.settings import ExchangeSettings
from prunella.exchange.streams import Hub
from prunella.exchange.synthetic import SyntheticMarket
from prunella.exchange.venue import Venue
from prunella.values import Clock

_log = structlog.get_logger()

# Longest message from a client: a call has some hundred bytes.
MESSAGE_BYTES_MAX = 65_536
GRACE_S = 1
BACKLOG = 128
# A client keeps its connection for orders; a quiet minute must not cost it a new handshake.
KEEP_ALIVE_S = 120


class _Server(uvicorn.Server):
    """A server that is stopped by its owner instead of taking the process's signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes none."""
        yield


def run(settings: ExchangeSettings, clock: Clock) -> None:
    """Serves until SIGTERM or SIGINT.

    Raises:
        UsageError: The port is in use.
        RecordingError: The recording is bad; the message names file and line.
        ConfigError: The `state_file` is damaged, of other accounts, or cannot be written.
    """
    asyncio.run(serve(settings, clock))


async def serve(settings: ExchangeSettings, clock: Clock) -> None:
    """Serves on the running loop until SIGTERM or SIGINT; raises like `run`."""
    memory = _memory(settings)
    listener = _listen(settings)
    paces = Paces(clock, settings.speed)
    parts = _parts(settings, VenueClock(clock), memory)
    keeper = Keeper(parts.venue, settings.state_file) if settings.state_file else None
    if keeper:
        # Before anything is numbered: the next life must know where this one began.
        keeper.save()
    servers = [(_Server(_configure(settings, _app(parts, paces))), listener)]
    if settings.control_socket:
        control = Starlette(routes=Control(parts, paces).routes())
        door = listen(settings.control_socket)
        servers.append((_Server(_configure(settings, control, is_public=False)), door))

    def stop() -> None:
        for server, _ in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    _log.info("exchange_starts", name=settings.name, port=listener.getsockname()[1])
    stopping = asyncio.Event()
    endless = [asyncio.create_task(work) for work in _background(parts, paces)]
    keeping = [asyncio.create_task(keeper.keep(stopping))] if keeper else []
    for task in (*endless, *keeping):
        task.add_done_callback(lambda task: _stop_on_error(task, stop))
    try:
        await asyncio.gather(*(server.serve(sockets=[at]) for server, at in servers))
    finally:
        for task in endless:
            task.cancel()
        stopping.set()
        outcomes = await asyncio.gather(*endless, *keeping, return_exceptions=True)
        _log.info("exchange_stopped", name=settings.name, frames=parts.venue.frames)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


def _background(parts: Parts, paces: Paces) -> Iterator[Coroutine[Any, Any, None]]:
    """What goes on beside the doors."""
    settings = parts.settings
    for number, market in enumerate(settings.markets):
        # Markets of one seed must not move alike.
        seed = settings.seed + number * 1_000
        source: Source = (
            Recording(market.recordings)
            if market.recordings
            else SyntheticMarket(market.symbol, seed=seed)
        )
        played = parts.venue.markets[market.symbol.name]
        yield play(played, source, paces.add(), parts.clock, repeat=settings.repeat)
    yield publish_depth(parts.venue)
    yield disconnect_regularly(parts.path, parts.sockets, parts.clock)


def _memory(settings: ExchangeSettings) -> Memory | None:
    memory = load(settings.state_file)
    if memory and settings.state_file:
        api_keys = {account.key.api_key for account in settings.accounts}
        symbols = {market.symbol.name for market in settings.markets}
        check(memory, settings.state_file, symbols=symbols, api_keys=api_keys)
    return memory


def _stop_on_error(task: asyncio.Task[None], stop: Callable[[], None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        stop()


def _parts(settings: ExchangeSettings, clock: VenueClock, memory: Memory | None) -> Parts:
    venue = Venue(settings, clock, Hub(seed=settings.seed), memory)
    limits = Limits(settings)
    path = OrderPath(seed=settings.seed)
    return Parts(
        settings=settings,
        clock=clock,
        venue=venue,
        calls=Calls(venue, clock, limits, path),
        authenticator=Authenticator(settings.accounts),
        limits=limits,
        path=path,
        sockets=Sockets(),
        requests=Counter(),
    )


def _app(parts: Parts, paces: Paces) -> Starlette:
    public = PublicSocket(parts.venue.hub, parts.sockets, parts.settings, parts.clock)
    return Starlette(
        routes=[
            *Rest(parts).routes(),
            *Operations(parts, paces).routes(),
            WebSocketRoute("/ws-api/v3", ApiSocket(parts).__call__),
            *(
                WebSocketRoute(place, public.__call__)
                for place in ("/ws", "/ws/{streams:path}", "/stream", "/stream/{streams:path}")
            ),
        ]
    )


def _configure(
    settings: ExchangeSettings, app: Starlette, *, is_public: bool = True
) -> uvicorn.Config:
    # The control socket is a file of this host: who may open it needs no certificate.
    return uvicorn.Config(
        app,
        http="httptools",
        ws="websockets-sansio",
        ws_ping_interval=settings.ping_interval_s,
        ws_ping_timeout=settings.ping_timeout_s,
        ws_max_size=MESSAGE_BYTES_MAX,
        # Compressing each frame for each client would cost more than sending it on loopback.
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="warning",
        date_header=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=settings.certificate if is_public else None,
        ssl_keyfile=settings.certificate_key if is_public else None,
    )


def _listen(settings: ExchangeSettings) -> socket.socket:
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it. Without it an answer's second packet waits 40 ms for the client's
        # acknowledgement of the first.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"exchange {settings.name}: cannot listen on {settings.host}:{settings.port}: "
            f"{error.strerror}; stop what listens there or choose another port"
        ) from None
    return listener
