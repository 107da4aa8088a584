"""A venue and symbols in; every frame as received, in files that `market check` reads, out.

The session is the same for all venues: connect, subscribe, fetch the snapshots that the stream does
not bring, and write. A connection that is lost or silent is made anew after a pause that doubles,
with jitter. One that nears the end of the life that the venue grants is replaced before it ends:
the new one must deliver before the old one is closed. Every connection begins with a line of its
own, because the venue's numbers begin anew there.
"""

import asyncio
import contextlib
import random
import urllib.request
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from prunella.errors import UsageError, VenueUnavailableError
from prunella.trading.venue.base import Venue
from prunella.trading.venue.frame_file import FrameFile
from prunella.values import Clock

NS_PER_S = 1_000_000_000
OPEN_TIMEOUT_S = 10.0
REQUEST_TIMEOUT_S = 10.0
# A snapshot of 5,000 levels is 300 kB, Coinbase's of a whole book 5 MB.
FRAME_BYTES_MAX = 64 << 20
# Frames that wait to be written: a minute of the busiest recorded stream.
WAITING_MAX = 65_536
# A connection is replaced when this part of its life is over.
LIFE_PART = 0.95
BACKOFF_S = 0.5
BACKOFF_S_MAX = 30.0
# How long the first frame is awaited before a snapshot is asked for, and how long then every
# instrument may take: Bitstamp acknowledges first, Binance sends ten changes a second.
STREAM_BEGIN_S = 5.0
SETTLE_S = 0.3
# Snapshots refused or unanswered in a row before the connection is made anew.
SNAPSHOT_TRIES = 5


class Addresses(msgspec.Struct, frozen=True, kw_only=True):
    """Where to connect: WebSocket and requests, `SCHEME://HOST[:PORT]`."""

    stream_url: str
    rest_url: str


class Progress(msgspec.Struct, kw_only=True):
    """What was done so far; counts up."""

    frames: int = 0
    connections: int = 0
    reconnects: int = 0
    handovers: int = 0
    snapshots: int = 0
    last_problem: str = ""


def addresses(venue: Venue, url: str | None) -> Addresses:
    """The venue's own addresses, or those of another server that speaks its protocol.

    Raises:
        UsageError: The address is no `ws://` or `wss://` one. Trying again cannot help.

    Example:
        >>> from prunella.trading.venue.catalogue import venue_named
        >>> addresses(venue_named("binance"), "ws://127.0.0.1:9001").rest_url
        'http://127.0.0.1:9001'
    """
    if url is None:
        return Addresses(stream_url=venue.facts.stream_url, rest_url=venue.facts.rest_url)
    parts = urlsplit(url)
    if parts.scheme not in {"ws", "wss"} or not parts.netloc:
        raise UsageError(f"expected an address such as wss://HOST:PORT, found {url!r}")
    secure = "s" if parts.scheme == "wss" else ""
    return Addresses(
        stream_url=f"ws{secure}://{parts.netloc}", rest_url=f"http{secure}://{parts.netloc}"
    )


class _Link:
    """One connection: a task reads it and stamps each frame as it comes."""

    def __init__(self, socket: ClientConnection, clock: Clock) -> None:
        self.socket = socket
        self.born_ns = clock.monotonic_ns()
        self.frames: asyncio.Queue[tuple[int, str] | None] = asyncio.Queue(WAITING_MAX)
        self.has_data = asyncio.Event()
        self._clock = clock
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        with contextlib.suppress(WebSocketException, OSError):
            async for message in self.socket:
                text = message if isinstance(message, str) else message.decode()
                await self.frames.put((self._clock.now_ns(), text))
                self.has_data.set()
        await self.frames.put(None)

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self.socket.close()


class Recorder:
    """Records one venue until it is stopped.

    Args:
        life_s: Shortens the life of a connection; the venue's own when None.
    """

    def __init__(
        self,
        venue: Venue,
        symbols: Sequence[str],
        output: FrameFile,
        *,
        clock: Clock,
        at: Addresses,
        chance: random.Random,
        life_s: float | None = None,
    ) -> None:
        self._venue = venue
        self._symbols = list(symbols)
        self._output = output
        self._clock = clock
        self._at = at
        self._chance = chance
        self._life_s = venue.facts.life_s * LIFE_PART if life_s is None else life_s
        self._stop = asyncio.Event()
        self.progress = Progress()

    def stop(self) -> None:
        """Ends the recording after the frame being written."""
        self._stop.set()

    async def run(self) -> None:
        """Records until `stop`.

        Raises:
            UsageError: The venue refuses the subscription; trying again cannot help.
            OSError: The files cannot be written.
        """
        pause_s = BACKOFF_S
        try:
            while not self._stop.is_set():
                before = self.progress.frames
                try:
                    await self._session()
                except (VenueUnavailableError, WebSocketException, TimeoutError) as error:
                    self.progress.last_problem = str(error) or type(error).__name__
                except ConnectionError as error:
                    self.progress.last_problem = str(error)
                if self._stop.is_set():
                    break
                self.progress.reconnects += 1
                pause_s = BACKOFF_S if self.progress.frames > before else pause_s * 2
                pause_s = min(pause_s, BACKOFF_S_MAX)
                with contextlib.suppress(TimeoutError):
                    wait_s = pause_s * self._chance.uniform(0.5, 1.0)
                    await asyncio.wait_for(self._stop.wait(), wait_s)
        finally:
            self._output.close()

    async def _session(self) -> None:
        """One connection and its successors, each made before the one before it ends."""
        link = await self._open()
        extra = self._begin(link)
        try:
            while not self._stop.is_set():
                if self._is_old(link):
                    successor = await self._open()
                    await self._wait_for_data(successor)
                    await self._end(link, extra)
                    link, extra = successor, self._begin(successor)
                    self.progress.handovers += 1
                if not await self._write_one(link):
                    raise VenueUnavailableError("the venue closed the connection")
        finally:
            await self._end(link, extra)

    async def _open(self) -> _Link:
        path = self._venue.stream_path(self._symbols)
        url = self._at.stream_url.rstrip("/") + path
        try:
            socket = await connect(
                url, open_timeout=OPEN_TIMEOUT_S, max_size=FRAME_BYTES_MAX, max_queue=1_024
            )
        except OSError as error:
            raise VenueUnavailableError(f"{url}: {error}") from None
        link = _Link(socket, self._clock)
        for message in self._venue.subscriptions(self._symbols):
            await socket.send(message)
        return link

    def _begin(self, link: _Link) -> list[asyncio.Task[None]]:
        """Writes the connection's own line and starts what goes on beside it."""
        self.progress.connections += 1
        facts = self._venue.facts
        told = {
            "prunella": "connected",
            "venue": facts.name,
            "protocol": facts.protocol,
            "connection": self.progress.connections,
            "symbols": self._symbols,
        }
        self._output.write(self._clock.now_ns(), msgspec.json.encode(told).decode())
        tasks = [asyncio.create_task(self._fetch_snapshots(link))]
        if facts.ping is not None:
            tasks.append(asyncio.create_task(self._ping(link, facts.ping.text, facts.ping.every_s)))
        return tasks

    async def _end(self, link: _Link, tasks: Sequence[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await link.close()

    def _is_old(self, link: _Link) -> bool:
        age_s = (self._clock.monotonic_ns() - link.born_ns) / NS_PER_S
        return 0 < self._life_s <= age_s

    async def _wait_for_data(self, link: _Link) -> None:
        """Until the connection has delivered something; it stays in its queue."""
        await asyncio.wait_for(link.has_data.wait(), self._venue.facts.silence_s)

    async def _write_one(self, link: _Link) -> bool:
        """Writes the next frame; whether the connection still stands."""
        got = asyncio.create_task(link.frames.get())
        stopped = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait(
                (got, stopped),
                timeout=self._venue.facts.silence_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not got.done():
                if self._stop.is_set():
                    return True
                raise VenueUnavailableError("the connection is silent")
            found = got.result()
        finally:
            stopped.cancel()
            if not got.done():
                got.cancel()
        if found is None:
            return False
        self._take(*found)
        while not link.frames.empty():
            found = link.frames.get_nowait()
            if found is None:
                return False
            self._take(*found)
        return True

    def _take(self, ts_ns: int, frame: str) -> None:
        if self._venue.is_refusal(frame):
            raise UsageError(f"{self._venue.facts.name} refuses: {frame[:300]}")
        # A pong is a bare word; only JSON is a frame.
        if frame.startswith(("{", "[")):
            self._output.write(ts_ns, frame.replace("\n", " "))
            self.progress.frames += 1

    async def _ping(self, link: _Link, text: str, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            await link.socket.send(text)

    async def _fetch_snapshots(self, link: _Link) -> None:
        """The stream must have begun before a snapshot is taken, or they cannot be joined."""
        if self._venue.snapshot_path(self._symbols[0]) is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(link.has_data.wait(), STREAM_BEGIN_S)
        await asyncio.sleep(SETTLE_S)
        for symbol in self._symbols:
            try:
                answer = await self._snapshot(symbol)
            except VenueUnavailableError as error:
                self.progress.last_problem = str(error)
                await link.socket.close()
                return
            line = self._venue.snapshot_line(symbol, answer, alone=len(self._symbols) == 1)
            self._output.write(self._clock.now_ns(), line.replace("\n", " "))
            self.progress.snapshots += 1

    async def _snapshot(self, symbol: str) -> str:
        url = self._at.rest_url.rstrip("/") + (self._venue.snapshot_path(symbol) or "")
        for attempt in range(SNAPSHOT_TRIES):
            try:
                return await asyncio.to_thread(_get, url)
            except OSError as error:
                self.progress.last_problem = f"{url}: {error}"
            await asyncio.sleep(BACKOFF_S * 2**attempt * self._chance.uniform(0.5, 1.0))
        raise VenueUnavailableError(f"no snapshot: {self.progress.last_problem}")


def _get(url: str) -> str:
    """An answer's body; `addresses` lets only http and https through."""
    with urllib.request.urlopen(url, timeout=REQUEST_TIMEOUT_S) as answer:  # noqa: S310
        body: bytes = answer.read(FRAME_BYTES_MAX)
    return body.decode()


__all__ = ["Addresses", "Progress", "Recorder", "addresses"]
