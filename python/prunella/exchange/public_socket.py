"""`/ws` and `/stream`: subscriptions in, market streams out."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from prunella.exchange.settings import ExchangeSettings
from prunella.exchange.streams import Hub, Subscriber
from prunella.values import Clock

STREAMS_MAX = 1_024
# Messages from a client per second; one more is a disconnect, as on the real venue.
MESSAGES_PER_SECOND_MAX = 5
SECOND_NS = 1_000_000_000
METHODS = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
POLICY_VIOLATION = 1008

_encode = msgspec.json.Encoder().encode


class Sockets:
    """The connected clients, so that all can be dropped at once."""

    def __init__(self) -> None:
        self._open: dict[Subscriber, None] = {}
        self.refusing = False

    def __len__(self) -> int:
        return len(self._open)

    @contextlib.asynccontextmanager
    async def serving(self, socket: WebSocket, subscriber: Subscriber) -> AsyncIterator[None]:
        """Accepts the connection and remembers the client until it ends."""
        await socket.accept()
        self._open[subscriber] = None
        try:
            yield
        finally:
            self._open.pop(subscriber, None)

    def drop_all(self) -> None:
        """Ends every connection without a word, as a broken line would."""
        for subscriber in self._open:
            subscriber.ended.set()


class PublicSocket:
    """The door for market streams."""

    def __init__(
        self, hub: Hub, sockets: Sockets, settings: ExchangeSettings, clock: Clock
    ) -> None:
        self._hub = hub
        self._sockets = sockets
        self._settings = settings
        self._clock = clock

    async def __call__(self, socket: WebSocket) -> None:
        """Serves one connection until it ends."""
        if self._sockets.refusing:
            await socket.close(1013)
            return
        combined = socket.url.path.startswith("/stream")
        named = socket.path_params.get("streams", "").split("/")
        named += socket.query_params.get("streams", "").split("/")
        subscriber = Subscriber(combined=combined, queue_max=self._settings.client_queue_max)
        async with self._sockets.serving(socket, subscriber):
            for stream in filter(None, named[:STREAMS_MAX]):
                self._hub.subscribe(subscriber, stream)
            await pump(socket, subscriber, self._read, self._hub)

    async def _read(self, socket: WebSocket, subscriber: Subscriber) -> None:
        recent: deque[int] = deque(maxlen=MESSAGES_PER_SECOND_MAX)
        while True:
            text = await receive(socket)
            now_ns = self._clock.monotonic_ns()
            if len(recent) == MESSAGES_PER_SECOND_MAX and now_ns - recent[0] < SECOND_NS:
                await socket.close(POLICY_VIOLATION, "Too many requests")
                return
            recent.append(now_ns)
            subscriber.put(_encode(self._answer(text, subscriber)).decode())

    def _answer(self, text: str | bytes, subscriber: Subscriber) -> dict[str, Any]:
        try:
            request = msgspec.json.decode(text)
        except msgspec.MsgspecError as error:
            return {"code": 3, "msg": f"Invalid JSON: {error}"}
        if not isinstance(request, dict) or "method" not in request:
            return {"code": 2, "msg": "Invalid request: missing field `method`"}
        number = request.get("id")
        if not (number is None or isinstance(number, int) or _is_id(number)):
            return {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"}
        method, params = request["method"], request.get("params", [])
        if not isinstance(params, list):
            return {"code": 2, "msg": "Invalid request: params must be a list", "id": number}
        return self._perform(method, params, subscriber) | {"id": number}

    def _perform(self, method: Any, params: list[Any], subscriber: Subscriber) -> dict[str, Any]:
        streams = [stream for stream in params if isinstance(stream, str)]
        if method == "SUBSCRIBE":
            for stream in streams:
                if len(subscriber.streams) < STREAMS_MAX:
                    self._hub.subscribe(subscriber, stream)
        elif method == "UNSUBSCRIBE":
            for stream in streams:
                self._hub.unsubscribe(subscriber, stream)
        elif method == "LIST_SUBSCRIPTIONS":
            return {"result": list(subscriber.streams)}
        elif method in {"SET_PROPERTY", "GET_PROPERTY"}:
            return _property(method, params, subscriber)
        else:
            expected = f"expected one of {METHODS}"
            return {"code": 2, "msg": f"Invalid request: unknown variant `{method}`, {expected}"}
        return {"result": None}


def _property(method: str, params: list[Any], subscriber: Subscriber) -> dict[str, Any]:
    if not params or params[0] != "combined":
        return {"code": 0, "msg": "Unknown property"}
    if method == "GET_PROPERTY":
        return {"result": subscriber.combined}
    if len(params) != 2 or not isinstance(params[1], bool):
        return {"code": 1, "msg": "Invalid value type: expected Boolean"}
    subscriber.combined = params[1]
    return {"result": None}


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 36


async def receive(socket: WebSocket) -> str | bytes:
    """The next message of a client.

    Raises:
        WebSocketDisconnect: It has gone.
    """
    message = await socket.receive()
    if message["type"] != "websocket.receive":
        raise WebSocketDisconnect(message.get("code", 1005))
    text: str | bytes | None = message.get("text")
    return text if text is not None else bytes(message["bytes"])


async def pump(socket: WebSocket, subscriber: Subscriber, read: Any, hub: Hub) -> None:
    """Writes a subscriber's queue and reads its requests until one of them or the client ends.

    A client that does not read blocks its writer for good, so its end is waited for separately.
    """

    async def write() -> None:
        while True:
            await socket.send({"type": "websocket.send", "text": await subscriber.take()})

    async def reading() -> None:
        with contextlib.suppress(WebSocketDisconnect):
            await read(socket, subscriber)

    tasks = [asyncio.ensure_future(task) for task in (write(), reading(), subscriber.ended.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.forget(subscriber)
        for task in tasks:
            task.cancel()
        # A send to a client that has just gone fails: that is how connections end.
        await asyncio.gather(*tasks, return_exceptions=True)
