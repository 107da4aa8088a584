"""A real WebSocket server that plays a recording to whoever subscribes rightly, for tests.

It keeps books of its own, plainly, so that it can answer when one is asked for anew: as a snapshot
in the stream, or to a request.
"""

import contextlib
import json
import re
import shutil
import socket as socketlib
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from http import HTTPStatus

import pytest
from exchange_process import DATA
from prunella.trading.venue.base import Venue
from prunella.values.recording import Recording
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve

PATIENCE_S = 20.0
ZEROS = re.compile(r'"sequence_num":\d+')


def recorded(name: str) -> list[str]:
    """The frames of a recording, in order; skips the test where they cannot be had."""
    path = DATA / "market" / name
    if not path.exists():
        pytest.skip(f"{path} is not there; PRUNELLA_DATA names the folder of recordings")
    if name.endswith(".gz"):
        return [frame.decode() for _, frame in Recording([str(path)])]
    unpack = shutil.which("zstd")
    if unpack is None:
        pytest.skip("the program zstd is not there, which unpacks the recording")
    text = subprocess.run([unpack, "-dc", str(path)], capture_output=True, check=True).stdout
    lines = [json.loads(line) for line in text.splitlines()]
    wanted = [each for each in lines if each["t"] == "recv" or "order_book/" in each.get("url", "")]
    wanted.sort(key=lambda each: each["ts"])
    return [_frame(each) for each in wanted]


def _frame(line: dict[str, str]) -> str:
    if line["t"] == "recv":
        return line["data"]
    symbol = line["url"].rstrip("/").rsplit("/", 1)[1]
    channel = f"order_book_snapshot_{symbol}"
    return f'{{"event":"snapshot","channel":"{channel}","data":{line["data"]}}}'


class PlainBook:
    """Levels as texts by price; what a snapshot would say."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[Decimal, list[str]]] = {"bids": {}, "asks": {}}
        self.stamp = ""

    def begin(self) -> None:
        """A snapshot comes."""
        self.sides = {"bids": {}, "asks": {}}

    def set(self, side: str, level: list[str]) -> None:
        """One level, absolute; quantity zero removes."""
        price = Decimal(level[0])
        if Decimal(level[1]) == 0:
            self.sides[side].pop(price, None)
        else:
            self.sides[side][price] = level

    def truncate(self, depth: int) -> None:
        """What falls out of the subscribed depth is gone."""
        for side, levels in self.sides.items():
            for price in sorted(levels, reverse=side == "bids")[depth:]:
                del levels[price]

    def levels(self, side: str) -> list[list[str]]:
        """Best first."""
        levels = self.sides[side]
        return [levels[price] for price in sorted(levels, reverse=side == "bids")]


class Script:
    """What one venue's frames say, as far as its server has to know.

    `read` takes a frame in and names its instrument, if it is about a book; `snapshot` makes the
    whole book as the venue would send it.
    """

    def __init__(self, protocol: str) -> None:
        self.books: dict[str, PlainBook] = {}
        self._protocol = protocol

    def read(self, text: str) -> str:
        """Takes a frame in; the symbol of the book that it is about, or nothing."""
        told = json.loads(text)
        match self._protocol:
            case "kraken":
                return self._kraken(told)
            case "okx":
                return self._okx(told)
            case "coinbase":
                return self._coinbase(told)
            case "bitstamp":
                return self._bitstamp(told)
        return self._binance(told)

    def snapshot(self, symbol: str) -> str:
        """The whole book of an instrument."""
        book = self.books[symbol]
        bids, asks = book.levels("bids"), book.levels("asks")
        match self._protocol:
            case "kraken":
                return json.dumps([1, {"as": asks, "bs": bids}, "book-1000", symbol])
            case "okx":
                data = {"asks": asks, "bids": bids, "ts": book.stamp, "checksum": 0}
                numbers = {"seqId": 7, "prevSeqId": -1}
                arg = {"channel": "books", "instId": symbol}
                return json.dumps({"arg": arg, "action": "snapshot", "data": [data | numbers]})
            case "coinbase":
                updates = [
                    {"side": side, "price_level": price, "new_quantity": quantity}
                    for side, levels in (("bid", bids), ("offer", asks))
                    for price, quantity in levels
                ]
                event = {"type": "snapshot", "product_id": symbol, "updates": updates}
                head = {"channel": "l2_data", "timestamp": book.stamp, "sequence_num": 0}
                return json.dumps(head | {"events": [event]}, separators=(",", ":"))
            case "bitstamp":
                return json.dumps({"microtimestamp": book.stamp, "bids": bids, "asks": asks})
        raise AssertionError(f"{self._protocol} answers with the recorded snapshot")

    def _book(self, symbol: str) -> PlainBook:
        return self.books.setdefault(symbol, PlainBook())

    def _kraken(self, told: object) -> str:
        if not isinstance(told, list) or not str(told[-2]).startswith("book-"):
            return ""
        symbol = str(told[-1])
        book = self._book(symbol)
        for part in told[1:-2]:
            if "as" in part:
                book.begin()
            for key, side in (("as", "asks"), ("bs", "bids"), ("a", "asks"), ("b", "bids")):
                for level in part.get(key, ()):
                    book.set(side, level[:3])
        book.truncate(1_000)
        return symbol

    def _okx(self, told: dict[str, object]) -> str:
        arg = told.get("arg")
        if not isinstance(arg, dict) or arg["channel"] != "books" or "data" not in told:
            return ""
        book = self._book(arg["instId"])
        if told["action"] == "snapshot":
            book.begin()
        for data in told["data"]:  # type: ignore[attr-defined]
            book.stamp = data["ts"]
            for side in ("asks", "bids"):
                for level in data[side]:
                    book.set(side, level)
        return str(arg["instId"])

    def _coinbase(self, told: dict[str, object]) -> str:
        if told.get("channel") != "l2_data":
            return ""
        symbol = ""
        for event in told["events"]:  # type: ignore[attr-defined]
            symbol = event["product_id"]
            book = self._book(symbol)
            book.stamp = str(told["timestamp"])
            if event["type"] == "snapshot":
                book.begin()
            for level in event["updates"]:
                side = "bids" if level["side"] == "bid" else "asks"
                book.set(side, [level["price_level"], level["new_quantity"]])
        return symbol

    def _bitstamp(self, told: dict[str, object]) -> str:
        channel, data = str(told.get("channel", "")), told.get("data")
        if "order_book" not in channel or not data:
            return ""
        symbol = channel.rsplit("_", 1)[1]
        book = self._book(symbol)
        if told["event"] == "snapshot":
            book.begin()
        book.stamp = data["microtimestamp"]  # type: ignore[index]
        for side in ("asks", "bids"):
            for level in data[side]:  # type: ignore[index]
                book.set(side, level)
        return symbol

    def _binance(self, told: dict[str, object]) -> str:
        data = told.get("data", told)
        kind = data.get("e") if isinstance(data, dict) else ""
        return str(data["s"]) if kind == "depthUpdate" else ""  # type: ignore[index]


class LiveServer:
    """Plays frames to each connection that subscribes as the venue wants it.

    Args:
        venue: Whose protocol is spoken.
        symbols: What has to be subscribed to.
        frames: What is said, in order.
        lost: The numbers of frames that get lost on the way. The rest waits until the books that
            this voids have been asked for anew, `renewals` of them.
        refusal: Said after the subscription, before everything else.
    """

    def __init__(
        self,
        venue: Venue,
        symbols: list[str],
        frames: list[str],
        *,
        lost: frozenset[int] = frozenset(),
        renewals: int = 1,
        refusal: str = "",
    ) -> None:
        self.connections = 0
        self.renewed: list[str] = []
        self.fetched: list[str] = []
        self.pings = 0
        self.wrong: list[str] = []
        self.path = ""
        self.is_played = threading.Event()
        self._venue, self._symbols, self._frames = venue, symbols, frames
        self._lost, self._renewals, self._refusal = lost, renewals, refusal
        self._lock = threading.Lock()
        self._script = Script(venue.facts.protocol)
        self._number = 0
        self._whole = next((each for each in frames if each.startswith('{"lastUpdateId"')), "")
        self._server: Server | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.socket.getsockname()[1])

    @contextlib.contextmanager
    def running(self) -> Iterator["LiveServer"]:
        """Serves until left."""
        server = serve(self._serve, "127.0.0.1", 0, process_request=self._request, compression=None)
        with server:
            self._server = server
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    def _request(self, _socket: ServerConnection, request: Request) -> Response | None:
        for symbol in self._symbols:
            if request.path == self._venue.snapshot_path(symbol):
                with self._lock:
                    body = (self._whole or self._script.snapshot(symbol)).encode()
                    self.fetched.append(symbol)
                headers = Headers({"Content-Length": str(len(body))})
                return Response(HTTPStatus.OK, "OK", headers, body)
        self.path = request.path
        return None

    def _serve(self, socket: ServerConnection) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionClosed):
            for wanted in self._venue.subscriptions(self._symbols):
                found = socket.recv(timeout=PATIENCE_S)
                if found != wanted:
                    self.wrong.append(f"expected {wanted}, found {found!r}")
            if self._refusal:
                socket.send(self._refusal)
            self._play(socket)
            self.is_played.set()
            while True:
                self._hear(socket, None)

    def _play(self, socket: ServerConnection) -> None:
        waits_for = 0
        self._number, begun = 0, set()
        for number, frame in enumerate(self._frames):
            with self._lock:
                symbol = self._script.read(frame)
            if "lastUpdateId" in frame or frame.startswith('{"event":"snapshot"'):
                continue
            if number in self._lost:
                self._number += 1
                waits_for = len(self.renewed) + self._renewals
                continue
            self._send(socket, frame)
            self._hear(socket, 0)
            if waits_for and symbol:
                enough = waits_for
                self._until(socket, lambda: len(self.renewed) >= enough, 0.05)  # noqa: B023
            is_first = symbol in self._symbols and symbol not in begun
            if is_first and self._venue.snapshot_path(symbol) is not None:
                begun.add(symbol)
                self._until(socket, lambda: symbol in self.fetched, PATIENCE_S)  # noqa: B023
        missing = waits_for - len(self.renewed)
        if missing > 0:
            self.wrong.append(f"{missing} books were never asked for anew")

    def _until(self, socket: ServerConnection, done: Callable[[], bool], patience_s: float) -> None:
        end = time.monotonic() + patience_s
        while not done() and time.monotonic() < end:
            self._hear(socket, 0.005)

    def _send(self, socket: ServerConnection, frame: str) -> None:
        if self._venue.facts.protocol == "coinbase":
            frame = ZEROS.sub(f'"sequence_num":{self._number}', frame, count=1)
            self._number += 1
        socket.send(frame)

    def _hear(self, socket: ServerConnection, timeout_s: float | None) -> None:
        """Takes in what the client says, and answers the wish for a book."""
        try:
            said = socket.recv(timeout=timeout_s)
        except TimeoutError:
            return
        ping = self._venue.facts.ping
        if ping is not None and said == ping.text:
            self.pings += 1
            return
        for symbol in self._symbols:
            leave, join = self._venue.book_renewal(symbol) or ("", "")
            if said == join:
                with self._lock:
                    self.renewed.append(symbol)
                    snapshot = self._script.snapshot(symbol)
                self._send(socket, snapshot)
            if said in {leave, join}:
                return
        self.wrong.append(f"unexpected: {said!r}")


class Relay:
    """Hands bytes on in both directions; once frozen, nothing comes and nothing ends."""

    def __init__(self, port: int) -> None:
        self.frozen = threading.Event()
        self._target = port
        self._listener = socketlib.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    @contextlib.contextmanager
    def running(self) -> Iterator["Relay"]:
        """Relays until left."""
        self._listener.settimeout(0.05)
        self._threads[0].start()
        try:
            yield self
        finally:
            self._is_over.set()
            for thread in self._threads:
                thread.join()
            self._listener.close()

    def _accept(self) -> None:
        while not self._is_over.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            server = socketlib.create_connection(("127.0.0.1", self._target))
            for pair in ((client, server), (server, client)):
                thread = threading.Thread(target=self._pump, args=pair)
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socketlib.socket, target: socketlib.socket) -> None:
        source.settimeout(0.05)
        with contextlib.suppress(OSError):
            while not self._is_over.is_set():
                try:
                    data = source.recv(65_536)
                except TimeoutError:
                    continue
                if not data:
                    break
                while self.frozen.is_set() and not self._is_over.is_set():
                    self._is_over.wait(0.05)
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socketlib.SHUT_RDWR)
