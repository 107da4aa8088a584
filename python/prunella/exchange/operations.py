"""`/health`, `/ready`, `/metrics` and `/status`: for those who watch the exchange."""

import hmac
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from prunella.exchange.parts import Parts
from prunella.exchange.player import Paces

_encode = msgspec.json.Encoder().encode


ORDER_PATHS = frozenset(
    {
        "/api/v3/order",
        "/api/v3/openOrders",
        "/ws-api/v3 order.place",
        "/ws-api/v3 order.cancel",
        "/ws-api/v3 openOrders.cancelAll",
    }
)


class Operations:
    """The door for those who watch; it changes nothing."""

    def __init__(self, parts: Parts, paces: Paces) -> None:
        self._settings = parts.settings
        self._venue = parts.venue
        self._paces = paces
        self._path = parts.path
        self._sockets = parts.sockets
        self._requests = parts.requests

    def routes(self) -> list[Route]:
        """The door's routes."""
        return [
            Route("/health", self._health),
            Route("/ready", self._ready),
            Route("/metrics", self._metrics),
            Route("/status", self._status),
        ]

    async def _health(self, _request: Request) -> Response:
        return answer({"alive": True})

    async def _ready(self, _request: Request) -> Response:
        ready = self._venue.loaded
        return answer({"ready": ready}, 200 if ready else 503)

    async def _metrics(self, request: Request) -> Response:
        if not authorized(request, self._settings.read_token):
            return unauthorized()
        lines = [
            "# TYPE exchange_frames_total counter",
            f"exchange_frames_total {self._venue.frames}",
            "# TYPE exchange_requests_total counter",
            *(
                f'exchange_requests_total{{path="{path}",status="{status}"}} {count}'
                for (path, status), count in sorted(self._requests.items())
            ),
            "# TYPE exchange_orders_open gauge",
            f"exchange_orders_open {self._venue.orders_open}",
            "# TYPE exchange_market_speed gauge",
            f"exchange_market_speed {self._paces.speed}",
            "# TYPE exchange_clients gauge",
            f"exchange_clients {len(self._sockets)}",
            "# TYPE exchange_clients_dropped_total counter",
            f"exchange_clients_dropped_total {self._venue.hub.dropped}",
        ]
        return Response("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")

    async def _status(self, request: Request) -> Response:
        if not authorized(request, self._settings.read_token):
            return unauthorized()
        return answer(
            {
                "name": self._settings.name,
                "ready": self._venue.loaded,
                "frames": self._venue.frames,
                "markets": {
                    market.symbol.name: {
                        "plays": [str(path) for path in settings.recordings] or "synthetic",
                        "frames": market.frames,
                        "update_id": market.update_id,
                        "top": market.book_ticker(),
                    }
                    for settings, market in zip(
                        self._settings.markets, self._venue.markets.values(), strict=True
                    )
                },
                "orders_open": self._venue.orders_open,
                "last_order": self._venue.last_order,
                "order_requests_refused": self._order_requests_refused(),
                "order_answers": self._order_answers(),
                "clients": len(self._sockets),
                "clients_dropped": self._venue.hub.dropped,
                "speed": self._paces.speed,
                "behaviour": self._path.behaviour,
            }
        )

    def _order_answers(self) -> dict[int, int]:
        """Answers to order requests since the start, by HTTP status."""
        counts: dict[int, int] = {}
        for (path, status), count in self._requests.items():
            if path in ORDER_PATHS:
                counts[status] = counts.get(status, 0) + count
        return counts

    def _order_requests_refused(self) -> int:
        """Order requests that were answered 429 or 5xx since the start."""
        return sum(
            count
            for (path, status), count in self._requests.items()
            if path in ORDER_PATHS and (status == 429 or status >= 500)
        )


def authorized(request: Request, token: str) -> bool:
    """Whether the request carries this token."""
    sent = request.headers.get("authorization", "")
    return bool(token) and hmac.compare_digest(sent.encode(), f"Bearer {token}".encode())


def unauthorized() -> Response:
    """The answer to one that does not."""
    return answer({"error": "expected 'Authorization: Bearer <token>'"}, 401)


def answer(value: Any, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(_encode(value), status_code=status, media_type="application/json")
