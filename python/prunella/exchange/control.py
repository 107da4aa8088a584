"""`/admin` on a Unix socket of its own: told to misbehave in, the behaviour before and now out.

Whoever trades here or watches the trading is never told where this socket is: a healing plane that
could read or undo an injected fault would be judged by its own answer.
"""

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import Any

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from prunella.errors import UsageError
from prunella.exchange.behaviour import SECOND_NS, Behaviour, OrderPath
from prunella.exchange.operations import answer, authorized, unauthorized
from prunella.exchange.parts import Parts
from prunella.exchange.player import Paces
from prunella.exchange.public_socket import Sockets
from prunella.values import Clock

_log = structlog.get_logger()
# How late a regular disconnect may be.
TICK_S = 0.02


class MarketPace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `POST /admin/market` takes: the speed of every market, 1 is as recorded."""

    speed: float


class Transfer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `POST /admin/transfer` takes: paid in or, negative, out (raw 1e-9)."""

    account: int = 0
    asset: str
    amount: int


class Control:
    """The door for injectors."""

    def __init__(self, parts: Parts, paces: Paces) -> None:
        self._parts = parts
        self._paces = paces

    def routes(self) -> list[Route]:
        """The door's routes."""
        return [
            Route("/admin/behaviour", self._behaviour, methods=["GET", "POST"]),
            Route("/admin/market", self._market, methods=["GET", "POST"]),
            Route("/admin/transfer", self._transfer, methods=["POST"]),
        ]

    async def _behaviour(self, request: Request) -> Response:
        if not self._allows(request):
            return unauthorized()
        parts = self._parts
        if request.method == "GET":
            return answer(parts.path.behaviour)
        try:
            behaviour = msgspec.json.decode(await request.body(), type=Behaviour)
        except msgspec.MsgspecError as error:
            return answer({"error": str(error)}, 400)
        before = parts.path.set(behaviour)
        parts.clock.offset_ns = behaviour.clock_offset_ms * 1_000_000
        parts.venue.hub.market_path.faults = behaviour.market
        parts.venue.hub.user_path.faults = behaviour.user
        parts.sockets.refusing = behaviour.disconnect
        _log.warning("behaviour_set", before=_plain(before), now=_plain(behaviour))
        if behaviour.disconnect:
            parts.sockets.drop_all()
        return answer({"before": before, "now": behaviour})

    async def _market(self, request: Request) -> Response:
        if not self._allows(request):
            return unauthorized()
        before = self._paces.speed
        if request.method == "POST":
            try:
                speed = msgspec.json.decode(await request.body(), type=MarketPace).speed
                before = self._paces.set_speed(speed)
            except (msgspec.MsgspecError, ValueError) as error:
                return answer({"error": str(error)}, 400)
            _log.warning("market_speed_set", before=before, now=speed)
        return answer({"before": {"speed": before}, "now": {"speed": self._paces.speed}})

    async def _transfer(self, request: Request) -> Response:
        if not self._allows(request):
            return unauthorized()
        try:
            wanted = msgspec.json.decode(await request.body(), type=Transfer)
            self._parts.venue.transfer(wanted.account, wanted.asset, wanted.amount)
        except (msgspec.MsgspecError, ValueError) as error:
            return answer({"error": str(error)}, 400)
        _log.warning("transferred", **_plain(wanted))
        return answer({"balances": self._parts.venue.balances(wanted.account)})

    def _allows(self, request: Request) -> bool:
        return authorized(request, self._parts.settings.admin_token)


def listen(path: Path) -> socket.socket:
    """A socket at `path` that only this user can open; one left by an earlier life is replaced.

    Raises:
        UsageError: It cannot be made there.
    """
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise UsageError(f"{path}: cannot listen there: {error.strerror or error}") from None
    finally:
        os.umask(before)
    return listener


async def disconnect_regularly(path: OrderPath, sockets: Sockets, clock: Clock) -> None:
    """Ends all sockets every `disconnect_every_s`, as long as that is set."""
    since_ns = clock.monotonic_ns()
    while True:
        await asyncio.sleep(TICK_S)
        now_ns = clock.monotonic_ns()
        every_s = path.behaviour.disconnect_every_s
        if every_s and now_ns - since_ns < every_s * SECOND_NS:
            continue
        since_ns = now_ns
        if every_s:
            sockets.drop_all()


def _plain(record: msgspec.Struct) -> Any:
    return msgspec.to_builtins(record)
