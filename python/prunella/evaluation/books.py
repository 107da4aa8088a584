"""Do the books agree? The engine's account of itself against the exchanges' own, order by order."""

import hashlib
import hmac
import http.client
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import msgspec

from prunella.errors import VenueUnavailableError
from prunella.evaluation.stack import RunningStack
from prunella.values import format_fixed, parse_fixed

_PAGE = 1000
_FINAL = {"FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"}


class VenueBooks(msgspec.Struct, frozen=True, kw_only=True):
    """One venue's books beside ours; quantities are decimal text in the base currency.

    Attributes:
        orders_sent: Orders that our engine has sent.
        orders_received: Orders that the venue has booked.
        orders_refused: Orders that the venue refused, or that surely never reached it.
        fills_venue: Executions that the venue has booked for us.
        fills_engine: Executions that our engine has booked.
        position_venue: Bought minus sold, from the venue's trades.
        position_engine: Our engine's position.
        duplicates: Client order ids that the venue has seen more than once.
        lost: Executions that only one side knows, orders open at one side only, and orders sent
            that are neither booked nor refused.
    """

    venue: str
    orders_sent: int
    orders_received: int
    orders_refused: int
    acknowledged: int
    fills_venue: int
    fills_engine: int
    position_venue: str
    position_engine: str
    duplicates: int
    lost: int

    @property
    def agree(self) -> bool:
        """Whether both sides tell the same story."""
        return (
            self.duplicates == 0
            and self.lost == 0
            and self.position_venue == self.position_engine
            and self.fills_venue == self.fills_engine
        )


class VenueAccount:
    """Reads our account at a venue over its public, signed REST protocol."""

    def __init__(self, stack: RunningStack, venue: str, *, symbol: str) -> None:
        self._stack = stack
        self._port = stack.ports[f"exchange-{venue}"]
        self._symbol = symbol
        key = msgspec.json.decode(stack.home.key("venue.key").read_bytes())
        self._api_key, self._secret = key["api_key"], key["secret"].encode()

    def orders(self) -> list[dict[str, Any]]:
        """Every order of ours that the venue knows, oldest first."""
        return self._pages("/api/v3/allOrders", id_parameter="orderId", id_field="orderId")

    def trades(self) -> list[dict[str, Any]]:
        """Every execution of ours, oldest first."""
        return self._pages("/api/v3/myTrades", id_parameter="fromId", id_field="id")

    def _pages(self, path: str, *, id_parameter: str, id_field: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            after = rows[-1][id_field] + 1 if rows else 0
            page = self._get(path, {id_parameter: after, "limit": _PAGE})
            rows.extend(page)
            if len(page) < _PAGE:
                return rows

    def _get(self, path: str, parameters: dict[str, Any]) -> Any:
        timestamp = self._stack.clock.now_ns() // 1_000_000
        query = urlencode(
            {"symbol": self._symbol, **parameters, "timestamp": timestamp, "recvWindow": 5000}
        )
        signature = hmac.new(self._secret, query.encode(), hashlib.sha256).hexdigest()
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request(
                "GET",
                f"{path}?{query}&signature={signature}",
                headers={"X-MBX-APIKEY": self._api_key},
            )
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise VenueUnavailableError(f"{path}: {error}") from None
        finally:
            connection.close()
        if response.status != http.client.OK:
            raise VenueUnavailableError(f"{path}: HTTP {response.status}: {body[:200]!r}")
        return msgspec.json.decode(body)


def compare(stack: RunningStack, venue: str, *, symbol: str) -> VenueBooks:
    """Both sides' books of one venue, side by side.

    Raises:
        VenueUnavailableError: The venue does not answer; waiting can help.
    """
    account = VenueAccount(stack, venue, symbol=symbol)
    orders, trades = account.orders(), account.trades()
    ours = (stack.get("engine", "/status") or {})["venues"][venue]
    seen = Counter(order["clientOrderId"] for order in orders)
    open_there = {o["clientOrderId"] for o in orders if o["status"] not in _FINAL}
    position = sum(
        parse_fixed(t["qty"]) if t["isBuyer"] else -parse_fixed(t["qty"]) for t in trades
    )
    fills_engine = int(ours["fills"])
    sent, acknowledged = int(ours["orders_submitted"]), int(ours["orders_acknowledged"])
    refused = int(ours["orders_rejected"]) + int(ours["orders_not_received"])
    return VenueBooks(
        venue=venue,
        orders_sent=sent,
        orders_received=len(orders),
        orders_refused=refused,
        acknowledged=acknowledged,
        fills_venue=len(trades),
        fills_engine=fills_engine,
        position_venue=format_fixed(position),
        position_engine=str(ours["position"]),
        duplicates=sum(count - 1 for count in seen.values() if count > 1),
        lost=abs(len(trades) - fills_engine)
        + abs(len(open_there) - int(ours["orders_open"]) - int(ours["orders_unknown"]))
        + abs(sent - len(orders) - refused),
    )
