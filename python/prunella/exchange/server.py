"""Settings and a clock in; a listening exchange out, until it is told to stop."""

import asyncio
import contextlib
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute

from prunella.errors import UsageError
from prunella.exchange.api_socket import ApiSocket
from prunella.exchange.authentication import Authenticator
from prunella.exchange.behaviour import OrderPath
from prunella.exchange.calls import Calls
from prunella.exchange.keeper import Keeper
from prunella.exchange.limits import Limits
from prunella.exchange.memory import Memory, check, load
from prunella.exchange.operations import Operations
from prunella.exchange.parts import Parts
from prunella.exchange.player import Pace, play, publish_depth
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
    venue = Venue(settings, clock, Hub(), memory)
    keeper = Keeper(venue, settings.state_file) if settings.state_file else None
    if keeper:
        # Before anything is numbered: the next life must know where this one began.
        keeper.save()
    pace = Pace(clock, settings.speed)
    server = _Server(_configure(settings, _app(settings, clock, venue, pace)))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if settings.market:
        source: Recording | SyntheticMarket = Recording(settings.market)
    else:
        source = SyntheticMarket(settings.symbol, seed=settings.seed)
    _log.info("exchange_starts", name=settings.name, port=listener.getsockname()[1])
    player = asyncio.create_task(play(venue, source, pace, clock, repeat=settings.repeat))
    publisher = asyncio.create_task(publish_depth(venue))
    stopping = asyncio.Event()
    tasks = [player, publisher]
    if keeper:
        tasks.append(asyncio.create_task(keeper.keep(stopping)))
    for task in tasks:
        task.add_done_callback(lambda task: _stop_on_error(task, stop))
    try:
        await server.serve(sockets=[listener])
    finally:
        player.cancel()
        publisher.cancel()
        stopping.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        _log.info("exchange_stopped", name=settings.name, frames=venue.frames)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


def _memory(settings: ExchangeSettings) -> Memory | None:
    memory = load(settings.state_file)
    if memory and settings.state_file:
        api_keys = {account.key.api_key for account in settings.accounts}
        check(memory, settings.state_file, symbol=settings.symbol.name, api_keys=api_keys)
    return memory


def _stop_on_error(task: asyncio.Task[None], stop: Callable[[], None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        stop()


def _app(settings: ExchangeSettings, clock: Clock, venue: Venue, pace: Pace) -> Starlette:
    limits = Limits(settings)
    path = OrderPath(seed=settings.seed)
    parts = Parts(
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
    public = PublicSocket(venue.hub, parts.sockets, settings, clock)
    return Starlette(
        routes=[
            *Rest(parts).routes(),
            *Operations(parts, pace).routes(),
            WebSocketRoute("/ws-api/v3", ApiSocket(parts).__call__),
            *(
                WebSocketRoute(place, public.__call__)
                for place in ("/ws", "/ws/{streams:path}", "/stream", "/stream/{streams:path}")
            ),
        ]
    )


def _configure(settings: ExchangeSettings, app: Starlette) -> uvicorn.Config:
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
