"""`/ws-api/v3`: signed calls in; answers and the account's own events out."""

import asyncio
from typing import Any

import msgspec
from starlette.websockets import WebSocket

from prunella.exchange import refusals
from prunella.exchange.authentication import signed_values
from prunella.exchange.parameters import Parameters
from prunella.exchange.parts import Parts
from prunella.exchange.public_socket import pump, receive
from prunella.exchange.streams import Subscriber

_encode = msgspec.json.Encoder().encode


class _Request(msgspec.Struct, frozen=True):
    """A call over the WebSocket API."""

    method: str
    id: int | str | None = None
    params: dict[str, str | int | float | bool | None] = msgspec.field(default_factory=dict)


_decode = msgspec.json.Decoder(_Request).decode


class ApiSocket:
    """The door for signed calls over WebSocket."""

    def __init__(self, parts: Parts) -> None:
        calls = parts.calls
        self._hub = parts.venue.hub
        self._sockets = parts.sockets
        self._settings = parts.settings
        self._clock = parts.clock
        self._authenticator = parts.authenticator
        self._limits = parts.limits
        self._path = parts.path
        self._requests = parts.requests
        self._subscriptions = 0
        self._public = {
            "ping": (_ping, 1),
            "time": (calls.time, 1),
            "exchangeInfo": (calls.exchange_info, 20),
            "depth": (calls.depth, 5),
            "trades.recent": (calls.trades, 25),
            "ticker.book": (calls.book_ticker, 2),
        }
        self._signed = {
            "order.place": (calls.place, 1),
            "order.cancelReplace": (calls.replace, 1),
            "order.test": (calls.test, 1),
            "order.status": (calls.query, 4),
            "order.cancel": (calls.cancel, 1),
            "openOrders.status": (calls.open_orders, 6),
            "openOrders.cancelAll": (calls.cancel_all, 1),
            "allOrders": (calls.all_orders, 20),
            "account.status": (calls.account, 20),
            "myTrades": (calls.my_trades, 20),
        }

    async def __call__(self, socket: WebSocket) -> None:
        """Serves one connection until it ends."""
        if self._sockets.refusing:
            await socket.close(1013)
            return
        subscriber = Subscriber(combined=False, queue_max=self._settings.client_queue_max)
        async with self._sockets.serving(socket, subscriber):
            await pump(socket, subscriber, self._read, self._hub)

    async def _read(self, socket: WebSocket, subscriber: Subscriber) -> None:
        address = socket.client.host if socket.client else ""
        while True:
            text = await receive(socket)
            if delay_s := self._path.delay_s():
                await asyncio.sleep(delay_s)
            subscriber.put(self._answer(text, subscriber, address))

    def _answer(self, text: str | bytes, subscriber: Subscriber, address: str) -> str:
        number: int | str | None = None
        method = "unknown"
        try:
            request = _decode(text)
            number = request.id
            if request.method in self._known:
                method = request.method
            result = self._perform(request, subscriber, address)
            status, outcome = 200, f'"result":{result}'
        except msgspec.MsgspecError as error:
            status, outcome = 400, f'"error":{_error(-1135, f"Invalid JSON Request: {error}")}'
        except refusals.Refusal as refusal:
            status = refusal.status
            body = refusal.body() | {"code": refusal.code or -1007}
            outcome = f'"error":{_encode(body).decode()}'
        self._requests[f"/ws-api/v3 {method}", status] += 1
        used = self._limits.used(address, self._clock.now_ns())
        limit = {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": self._settings.weight_per_minute,
            "count": used,
        }
        return (
            f'{{"id":{_encode(number).decode()},"status":{status},{outcome},'
            f'"rateLimits":{_encode([limit]).decode()}}}'
        )

    @property
    def _known(self) -> set[str]:
        return (
            self._public.keys()
            | self._signed.keys()
            | {
                "userDataStream.subscribe.signature",
                "userDataStream.unsubscribe",
            }
        )

    def _perform(self, request: _Request, subscriber: Subscriber, address: str) -> str:
        """The result as JSON text."""
        values = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in request.params.items()
            if value is not None
        }
        parameters = Parameters(values)
        now_ns = self._clock.now_ns()
        if request.method in self._public:
            public, weight = self._public[request.method]
            self._limits.use(address, weight, now_ns)
            return _text(public(parameters))
        if request.method in self._signed:
            signed, weight = self._signed[request.method]
            self._limits.use(address, weight, now_ns)
            return _text(signed(self._account(values), parameters))
        self._limits.use(address, 2, now_ns)
        if request.method == "userDataStream.subscribe.signature":
            parameters.done()
            account = self._account(values)
            number, self._subscriptions = self._subscriptions, self._subscriptions + 1
            self._hub.subscribe_user(subscriber, account, number)
            return f'{{"subscriptionId":{number}}}'
        if request.method == "userDataStream.unsubscribe":
            self._hub.unsubscribe_user(subscriber, parameters.integer("subscriptionId"))
            return "{}"
        raise refusals.Refusal(400, -1020, "This operation is not supported.")

    def _account(self, values: dict[str, str]) -> int:
        return self._authenticator.verify(
            values.get("apiKey"),
            signed_values(values),
            values,
            self._clock.now_ns() // 1_000_000,
        )


def _ping(parameters: Parameters) -> dict[str, Any]:
    parameters.done()
    return {}


def _text(result: Any) -> str:
    return result if isinstance(result, str) else _encode(result).decode()


def _error(code: int, message: str) -> str:
    return _encode({"code": code, "msg": message}).decode()
