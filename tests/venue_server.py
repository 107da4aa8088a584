"""A real WebSocket server that speaks each venue's handshake and sends small books, for tests."""

import asyncio
import contextlib
import json
import zlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from http import HTTPStatus

from prunella.cli.clock import SystemClock
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

PAUSE_S = 0.005
T_MS = SystemClock().now_ns() // 1_000_000
T_TEXT = datetime.fromtimestamp(T_MS / 1_000, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Speaker:
    """One venue: its handshake and an endless run of frames with every proof right."""

    def __init__(self, venue: str, number: int) -> None:
        self.venue = venue
        self.number = number

    def acknowledgement(self, message: str) -> list[str]:
        """What the venue answers to a subscription; fails when it is not one of its own."""
        told = json.loads(message)
        match self.venue:
            case "coinbase":
                assert told["type"] == "subscribe"
                return []
            case "kraken":
                assert told["method"] == "subscribe"
                params = told["params"]
                result = {**params, "symbol": params["symbol"][0]}
                return [json.dumps({"method": "subscribe", "result": result, "success": True})]
            case "okx":
                assert told["op"] == "subscribe"
                return [json.dumps({"event": "subscribe", "arg": arg}) for arg in told["args"]]
            case "bitstamp" | "bitstamp-orders":
                assert told["event"] == "bts:subscribe"
                channel = told["data"]["channel"]
                succeeded = "bts:subscription_succeeded"
                return [json.dumps({"event": succeeded, "channel": channel, "data": {}})]
        raise AssertionError(f"{self.venue} subscribes in its address")

    @property
    def subscriptions(self) -> int:
        """How many messages subscribe to one instrument."""
        counts = {"coinbase": 3, "kraken": 2, "okx": 1, "bitstamp": 2, "bitstamp-orders": 2}
        return counts.get(self.venue, 0)

    def frames(self) -> Iterator[str]:
        """The frames of one connection, without end."""
        make = getattr(self, f"_{self.venue.replace('-', '_')}")
        sent = 0
        while True:
            self.number += 1
            for frame in make(sent):
                yield json.dumps(frame, separators=(",", ":")) if frame != "" else ""
            sent += 1

    def snapshot(self) -> str:
        """The whole book, in answer to a request."""
        book = {"bids": [["100.5", str(self.number)]], "asks": [["101.5", "2"]]}
        if self.venue == "bitstamp":
            micros = T_MS * 1_000 + self.number
            return json.dumps({"timestamp": "1", "microtimestamp": str(micros), **book})
        return json.dumps({"lastUpdateId": self.number, **book})

    def _binance(self, _sent: int) -> list[dict[str, object]]:
        return [self._binance_diff({})]

    def _binance_usdm(self, _sent: int) -> list[dict[str, object]]:
        return [self._binance_diff({"pu": self.number - 1})]

    _binance_coinm = _binance_usdm

    def _binance_diff(self, more: dict[str, object]) -> dict[str, object]:
        n = self.number
        data = {"e": "depthUpdate", "E": T_MS + n, "s": "BTCUSDT", "U": n, "u": n, **more}
        return {
            "stream": "btcusdt@depth@100ms",
            "data": {**data, "b": [["100.5", str(n)]], "a": [["101.5", "2"]]},
        }

    def _coinbase(self, sent: int) -> list[dict[str, object]]:
        kind = "update" if sent else "snapshot"
        levels = [("bid", "100.5", str(self.number)), ("offer", "101.5", "2")]
        updates = [
            {"side": side, "price_level": price, "new_quantity": size}
            for side, price, size in levels
        ]
        book = {"type": kind, "product_id": "BTC-USD", "updates": updates}
        heartbeat = {"heartbeat_counter": str(self.number)}
        return [
            {
                "channel": channel,
                "timestamp": T_TEXT,
                "sequence_num": sent * 2 + at,
                "events": [event],
            }
            for at, (channel, event) in enumerate([("l2_data", book), ("heartbeats", heartbeat)])
        ]

    def _kraken(self, sent: int) -> list[dict[str, object]]:
        text = f"10152000000001005{self.number}00000000"
        checksum = zlib.crc32(text.encode())
        bid = {"price": 100.5, "qty": "Q"}
        data = {
            "symbol": "BTC/USD",
            "bids": [bid],
            "asks": [] if sent else [{"price": 101.5, "qty": "A"}],
            "checksum": checksum,
            "timestamp": T_TEXT,
        }
        kind = "update" if sent else "snapshot"
        return [{"channel": "book", "type": kind, "data": [data]}, {"channel": "heartbeat"}]

    def _okx(self, sent: int) -> list[dict[str, object]]:
        text = f"100.5:{self.number}:101.5:2"
        checksum = zlib.crc32(text.encode())
        data = {
            "bids": [["100.5", str(self.number), "0", "1"]],
            "asks": [] if sent else [["101.5", "2", "0", "1"]],
            "ts": str(T_MS),
            "checksum": checksum - (1 << 32 if checksum >= 1 << 31 else 0),
            "seqId": self.number,
            "prevSeqId": self.number - 1 if sent else -1,
        }
        arg = {"channel": "books", "instId": "BTC-USDT"}
        return [{"arg": arg, "action": "update" if sent else "snapshot", "data": [data]}]

    def _bitstamp(self, _sent: int) -> list[dict[str, object]]:
        data = {
            "timestamp": "1",
            "microtimestamp": str(T_MS * 1_000 + self.number),
            "bids": [["100.5", str(self.number)]],
            "asks": [["101.5", "2"]],
        }
        return [{"event": "data", "channel": "diff_order_book_btcusd", "data": data}]

    def _bitstamp_orders(self, _sent: int) -> list[dict[str, object]]:
        data = {
            "id": self.number,
            "price": 100.5,
            "amount": 1.5,
            "order_type": 0,
            "microtimestamp": str(T_MS * 1_000 + self.number),
        }
        return [{"event": "order_created", "channel": "live_orders_btcusd", "data": data}]


class VenueServer:
    """Serves one venue; its newest connection may be cut, its first snapshots refused."""

    def __init__(self, venue: str, *, refuses_first: bool = False) -> None:
        self.speaker = Speaker(venue, 0)
        """Of the newest connection; each later one is further on in the venue's numbers."""
        self.connections = 0
        self.paths: list[str] = []
        self._venue = venue
        self._refuses_first = refuses_first
        self._newest: ServerConnection | None = None
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}"

    def acknowledge(self, speaker: Speaker, message: str) -> list[str]:
        """What is answered to a subscription; a test may put a refusal here."""
        return speaker.acknowledgement(message)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["VenueServer"]:
        """Serves until left."""
        async with serve(
            self._serve, "127.0.0.1", 0, process_request=self._request, close_timeout=1
        ) as server:
            self._server = server
            yield self

    def _request(self, _socket: ServerConnection, request: Request) -> Response | None:
        if "order_book" in request.path or "/depth?" in request.path:
            self.paths.append(request.path)
            if self._refuses_first and self.connections == 1:
                return Response(HTTPStatus.SERVICE_UNAVAILABLE, "no", Headers(), b"")
            body = self.speaker.snapshot().encode()
            headers = Headers({"Content-Length": str(len(body)), "Connection": "close"})
            return Response(HTTPStatus.OK, "OK", headers, body)
        return None

    async def _serve(self, socket: ServerConnection) -> None:
        self.connections += 1
        self._newest = socket
        speaker = self.speaker = Speaker(self._venue, self.connections * 100_000)
        assert socket.request is not None
        self.paths.append(socket.request.path)
        for _ in range(speaker.subscriptions):
            message = await socket.recv()
            assert isinstance(message, str)
            for answer in self.acknowledge(speaker, message):
                await socket.send(answer)
        with contextlib.suppress(ConnectionClosed):
            await self._speak(socket, speaker)

    def cut(self) -> None:
        """Ends the newest connection without a word."""
        assert self._newest is not None
        self._newest.transport.abort()

    async def _speak(self, socket: ServerConnection, speaker: Speaker) -> None:
        for frame in speaker.frames():
            # Kraken writes every decimal of a quantity, which a JSON library does not.
            text = frame.replace('"Q"', f"{speaker.number}.00000000")
            await socket.send(text.replace('"A"', "2.00000000"))
            await asyncio.sleep(PAUSE_S)
