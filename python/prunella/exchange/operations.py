"""`/health`, `/ready`, `/metrics`, `/status` and `/admin`: for those who run the exchange."""

import hmac
from typing import Any

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from prunella.exchange.behaviour import Behaviour
from prunella.exchange.parts import Parts
from prunella.exchange.player import Pace

_log = structlog.get_logger()
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


class MarketPace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `POST /admin/market` takes."""

    speed: float


class Operations:
    """The door for operators and injectors."""

    def __init__(self, parts: Parts, pace: Pace) -> None:
        self._settings = parts.settings
        self._venue = parts.venue
        self._pace = pace
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
            Route("/admin/behaviour", self._behaviour, methods=["GET", "POST"]),
            Route("/admin/market", self._market, methods=["GET", "POST"]),
        ]

    async def _health(self, _request: Request) -> Response:
        return _json({"alive": True})

    async def _ready(self, _request: Request) -> Response:
        ready = self._venue.loaded
        return _json({"ready": ready}, 200 if ready else 503)

    async def _metrics(self, request: Request) -> Response:
        if not _authorized(request, self._settings.read_token):
            return _refused()
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
            f"exchange_market_speed {self._pace.speed}",
            "# TYPE exchange_clients gauge",
            f"exchange_clients {len(self._sockets)}",
            "# TYPE exchange_clients_dropped_total counter",
            f"exchange_clients_dropped_total {self._venue.hub.dropped}",
        ]
        return Response("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")

    async def _status(self, request: Request) -> Response:
        if not _authorized(request, self._settings.read_token):
            return _refused()
        return _json(
            {
                "name": self._settings.name,
                "symbol": self._venue.symbol.name,
                "ready": self._venue.loaded,
                "frames": self._venue.frames,
                "update_id": self._venue.update_id,
                "top": self._venue.book_ticker(),
                "orders_open": self._venue.orders_open,
                "order_requests_refused": self._order_requests_refused(),
                "clients": len(self._sockets),
                "clients_dropped": self._venue.hub.dropped,
                "market": [str(path) for path in self._settings.market] or "synthetic",
                "speed": self._pace.speed,
                "behaviour": self._path.behaviour,
            }
        )

    def _order_requests_refused(self) -> int:
        """Order requests that were answered 429 or 5xx since the start."""
        return sum(
            count
            for (path, status), count in self._requests.items()
            if path in ORDER_PATHS and (status == 429 or status >= 500)
        )

    async def _behaviour(self, request: Request) -> Response:
        if not _authorized(request, self._settings.admin_token):
            return _refused()
        if request.method == "GET":
            return _json(self._path.behaviour)
        try:
            behaviour = msgspec.json.decode(await request.body(), type=Behaviour)
        except msgspec.MsgspecError as error:
            return _json({"error": str(error)}, 400)
        before = self._path.set(behaviour)
        self._sockets.refusing = behaviour.disconnect
        _log.warning("behaviour_set", before=_plain(before), now=_plain(behaviour))
        if behaviour.disconnect:
            self._sockets.drop_all()
        return _json({"before": before, "now": behaviour})

    async def _market(self, request: Request) -> Response:
        if not _authorized(request, self._settings.admin_token):
            return _refused()
        before = self._pace.speed
        if request.method == "POST":
            try:
                speed = msgspec.json.decode(await request.body(), type=MarketPace).speed
                before = self._pace.set_speed(speed)
            except (msgspec.MsgspecError, ValueError) as error:
                return _json({"error": str(error)}, 400)
            _log.warning("market_speed_set", before=before, now=speed)
        return _json({"before": {"speed": before}, "now": {"speed": self._pace.speed}})


def _plain(behaviour: Behaviour) -> Any:
    return msgspec.to_builtins(behaviour)


def _authorized(request: Request, token: str) -> bool:
    sent = request.headers.get("authorization", "")
    return bool(token) and hmac.compare_digest(sent.encode(), f"Bearer {token}".encode())


def _refused() -> Response:
    return _json({"error": "expected 'Authorization: Bearer <token>'"}, 401)


def _json(value: Any, status: int = 200) -> Response:
    return Response(_encode(value), status_code=status, media_type="application/json")
