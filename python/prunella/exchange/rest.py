"""`/api/v3`: HTTP requests in, the venue's answers with their rate-limit headers out."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from prunella.exchange import refusals
from prunella.exchange.authentication import signed_form
from prunella.exchange.parameters import Parameters, parse_form
from prunella.exchange.parts import Parts

PREFIX = "/api/v3"
# A signed request has some hundred bytes; more is not for this venue.
BODY_BYTES_MAX = 65_536

_encode = msgspec.json.Encoder().encode
Handler = Callable[[Request], Awaitable[Response]]
Public = Callable[[Parameters], Any]
Signed = Callable[[int, Parameters], Any]


class Rest:
    """The REST door."""

    def __init__(self, parts: Parts) -> None:
        self._calls = parts.calls
        self._clock = parts.clock
        self._authenticator = parts.authenticator
        self._limits = parts.limits
        self._path = parts.path
        self._requests = parts.requests

    def routes(self) -> list[Route]:
        """The door's routes."""
        calls = self._calls

        def route(method: str, path: str, handler: Handler) -> Route:
            made = Route(PREFIX + path, handler, methods=[method])
            if method == "GET" and made.methods is not None:
                made.methods.discard("HEAD")
            return made

        return [
            route("GET", "/ping", self._public(_ping, 1)),
            route("GET", "/time", self._public(calls.time, 1)),
            route("GET", "/exchangeInfo", self._public(calls.exchange_info, 20)),
            route("GET", "/depth", self._public(calls.depth, _depth_weight)),
            route("GET", "/trades", self._public(calls.trades, 25)),
            route("GET", "/ticker/bookTicker", self._public(calls.book_ticker, 2)),
            route("POST", "/order", self._signed(calls.place, 1)),
            route("GET", "/order", self._signed(calls.query, 4)),
            route("DELETE", "/order", self._signed(calls.cancel, 1)),
            route("POST", "/order/cancelReplace", self._signed(calls.replace, 1)),
            route("POST", "/order/test", self._signed(calls.test, 1)),
            route("GET", "/openOrders", self._signed(calls.open_orders, 6)),
            route("DELETE", "/openOrders", self._signed(calls.cancel_all, 1)),
            route("GET", "/allOrders", self._signed(calls.all_orders, 20)),
            route("GET", "/account", self._signed(calls.account, 20)),
            route("GET", "/myTrades", self._signed(calls.my_trades, 20)),
        ]

    def _public(self, call: Public, weight: int | Callable[[dict[str, str]], int]) -> Handler:
        async def handle(request: Request) -> Response:
            def answer(values: dict[str, str], _query: str, _body: str) -> Any:
                return call(Parameters(values))

            return await self._serve(request, answer, weight)

        return handle

    def _signed(self, call: Signed, weight: int) -> Handler:
        async def handle(request: Request) -> Response:
            def answer(values: dict[str, str], query: str, body: str) -> Any:
                account = self._authenticator.verify(
                    request.headers.get("x-mbx-apikey"),
                    signed_form(query, body),
                    values,
                    self._clock.now_ns() // 1_000_000,
                )
                result = call(account, Parameters(values))
                if call in {self._calls.place, self._calls.replace}:
                    short, day = self._limits.orders(account, self._clock.now_ns())
                    request.state.order_counts = (short, day)
                return result

            return await self._serve(request, answer, weight)

        return handle

    async def _serve(
        self,
        request: Request,
        answer: Callable[[dict[str, str], str, str], Any],
        weight: int | Callable[[dict[str, str]], int],
    ) -> Response:
        body = await _body(request)
        if delay_s := self._path.delay_s():
            await asyncio.sleep(delay_s)
        address = request.client.host if request.client else ""
        headers = {}
        try:
            query = request.url.query
            values = parse_form(query, body)
            used = self._limits.use(
                address, weight if isinstance(weight, int) else weight(values), self._clock.now_ns()
            )
            headers["x-mbx-used-weight"] = headers["x-mbx-used-weight-1m"] = str(used)
            result = answer(values, query, body)
            content = result.encode() if isinstance(result, str) else _encode(result)
            status = 200
        except refusals.Refusal as refusal:
            status = refusal.status
            content = refusal_body(refusal)
            if refusal.retry_after_s is not None:
                headers["retry-after"] = str(refusal.retry_after_s)
        counts = getattr(request.state, "order_counts", None)
        if counts is not None:
            headers["x-mbx-order-count-10s"], headers["x-mbx-order-count-1d"] = map(str, counts)
        self._requests[request.url.path, status] += 1
        media_type = "application/json;charset=UTF-8" if content else "text/html"
        return Response(content, status_code=status, headers=headers, media_type=media_type)


def refusal_body(refusal: refusals.Refusal) -> bytes:
    """The error text; empty for a 503 from a proxy."""
    if refusal.code == 0:
        return b""
    return _encode(refusal.body())


def _ping(parameters: Parameters) -> dict[str, Any]:
    parameters.done()
    return {}


def _depth_weight(values: dict[str, str]) -> int:
    limit = int(values["limit"]) if values.get("limit", "").isdigit() else 100
    return next((w for most, w in ((100, 5), (500, 25), (1_000, 50)) if limit <= most), 250)


async def _body(request: Request) -> str:
    """The form body, at most `BODY_BYTES_MAX`; a longer one is cut and fails its signature."""
    body = b""
    async for chunk in request.stream():
        body = (body + chunk)[:BODY_BYTES_MAX]
    return body.decode(errors="replace")
