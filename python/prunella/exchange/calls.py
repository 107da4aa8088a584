"""The venue's calls, the same for REST and the WebSocket API: parameters in, answers out."""

from typing import Any, NamedTuple, TypeVar

import msgspec

from prunella.exchange import refusals
from prunella.exchange.behaviour import OrderPath, Verdict
from prunella.exchange.instruments import exchange_info
from prunella.exchange.limits import Limits
from prunella.exchange.market import Market
from prunella.exchange.order_request import read_order
from prunella.exchange.orders import canceled, decimal, own_trade, placed, queried
from prunella.exchange.parameters import Parameters
from prunella.exchange.replacement import Replacement
from prunella.exchange.venue import Venue
from prunella.values import Clock

DEPTH_LIMIT_MAX = 5_000
ROWS_MAX = 1_000
Row = TypeVar("Row")


class Calls:
    """Every call of the venue."""

    def __init__(self, venue: Venue, clock: Clock, limits: Limits, path: OrderPath) -> None:
        self._venue = venue
        self._clock = clock
        self._limits = limits
        self._path = path
        self._issued = 0

    # Public.

    def time(self, parameters: Parameters) -> dict[str, Any]:
        """The venue's time."""
        parameters.done()
        return {"serverTime": self._venue.now_ms()}

    def exchange_info(self, parameters: Parameters) -> dict[str, Any]:
        """Limits, and the symbols (all, `symbol` or `symbols`) with their filters."""
        for name in ("permissions", "showPermissionSets", "symbolStatus"):
            parameters.text(name)
        wanted = parameters.optional_symbol()
        several = parameters.text("symbols")
        parameters.done()
        names = _names(several) if several else [wanted] if wanted else list(self._venue.markets)
        symbols = [self._venue.market(name).symbol for name in names]
        return exchange_info(self._venue.settings, symbols, self._venue.now_ms())

    def depth(self, parameters: Parameters) -> str:
        """A depth snapshot, as JSON text."""
        limit = parameters.integer("limit")
        market = self._market(parameters)
        parameters.done()
        return market.depth(min(limit or 100, DEPTH_LIMIT_MAX))

    def trades(self, parameters: Parameters) -> list[dict[str, Any]]:
        """The newest public trades, oldest first."""
        limit = parameters.integer("limit")
        market = self._market(parameters)
        parameters.done()
        return list(market.trades)[-min(limit or 500, ROWS_MAX) :]

    def book_ticker(self, parameters: Parameters) -> Any:
        """The best bid and offer; without a symbol, of all."""
        symbol = parameters.optional_symbol()
        parameters.done()
        if symbol:
            return self._venue.market(symbol).book_ticker()
        return [market.book_ticker() for market in self._venue.markets.values()]

    # Signed.

    def place(self, account: int, parameters: Parameters) -> dict[str, Any]:
        """A new order."""
        market = self._market(parameters)
        order, kind, response = read_order(
            market, account, parameters, issued_id=self._issue("web")
        )
        verdict = self._judge()
        self._limits.order(account, self._clock.now_ns())
        if verdict is Verdict.REJECTED:
            raise refusals.order_rejected("This action is disabled on this account.")
        if verdict is Verdict.EXECUTED_UNANSWERED:
            self._unanswered(lambda: market.place(order, kind))
        return placed(market.symbol, order, market.place(order, kind), response)

    def test(self, account: int, parameters: Parameters) -> dict[str, Any]:
        """Checks a new order and forgets it."""
        parameters.text("computeCommissionRates")
        market = self._market(parameters)
        read_order(market, account, parameters, issued_id=self._issue("web"))
        return {}

    def cancel(self, account: int, parameters: Parameters) -> dict[str, Any]:
        """Takes an open order out."""
        market = self._market(parameters)
        order_id, client_id = _which(parameters)
        cancel_id = parameters.client_id("newClientOrderId") or self._issue("cancel")
        parameters.done()
        verdict = self._judge()
        order = market.find(account, order_id, client_id)
        if order is None or not order.is_open or verdict is Verdict.REJECTED:
            raise refusals.cancel_rejected()
        if verdict is Verdict.EXECUTED_UNANSWERED:
            self._unanswered(lambda: market.cancel(order, cancel_id))
        market.cancel(order, cancel_id)
        return canceled(market.symbol, order, cancel_id)

    def cancel_all(self, account: int, parameters: Parameters) -> list[dict[str, Any]]:
        """Takes all open orders of a market out."""
        market = self._market(parameters)
        parameters.done()
        verdict = self._judge()
        orders = market.open_orders(account)
        if not orders or verdict is Verdict.REJECTED:
            raise refusals.cancel_rejected()
        answers = []
        for order in orders:
            cancel_id = self._issue("cancel")
            market.cancel(order, cancel_id)
            answers.append(canceled(market.symbol, order, cancel_id))
        if verdict is Verdict.EXECUTED_UNANSWERED:
            raise refusals.fate_unknown()
        return answers

    def replace(self, account: int, parameters: Parameters) -> dict[str, Any]:
        """Takes one order out and places another; each half tells its own outcome."""
        market = self._market(parameters)
        stops = _stops_on_failure(parameters)
        order_id = parameters.integer("cancelOrderId")
        client_id = parameters.client_id("cancelOrigClientOrderId")
        if order_id is None and client_id is None:
            raise refusals.either_missing("cancelOrigClientOrderId", "cancelOrderId")
        cancel_id = parameters.client_id("cancelNewClientOrderId") or self._issue("cancel")
        new = read_order(market, account, parameters, issued_id=self._issue("web"))
        verdict = self._judge()
        self._limits.order(account, self._clock.now_ns())
        if verdict is Verdict.REJECTED:
            raise refusals.order_rejected("This action is disabled on this account.")

        def cancel() -> dict[str, Any]:
            order = market.find(account, order_id, client_id)
            if order is None or not order.is_open:
                raise refusals.cancel_rejected()
            market.cancel(order, cancel_id)
            return canceled(market.symbol, order, cancel_id)

        def place() -> dict[str, Any]:
            fills = market.place(new.order, new.kind)
            return placed(market.symbol, new.order, fills, new.response)

        both = Replacement.of(cancel, place, stops_on_failure=stops)
        if verdict is Verdict.EXECUTED_UNANSWERED:
            raise self._lost()
        return both.answer()

    def query(self, account: int, parameters: Parameters) -> dict[str, Any]:
        """One order."""
        market = self._market(parameters)
        order_id, client_id = _which(parameters)
        parameters.done()
        order = market.find(account, order_id, client_id)
        if order is None:
            raise refusals.no_such_order()
        return queried(market.symbol, order)

    def open_orders(self, account: int, parameters: Parameters) -> list[dict[str, Any]]:
        """All open orders, of one symbol or of all."""
        symbol = parameters.optional_symbol()
        parameters.done()
        markets = [self._venue.market(symbol)] if symbol else self._venue.markets.values()
        return [
            queried(market.symbol, order)
            for market in markets
            for order in market.open_orders(account)
        ]

    def all_orders(self, account: int, parameters: Parameters) -> list[dict[str, Any]]:
        """The account's orders: from an order id or a time on, or the newest."""
        market = self._market(parameters)
        order_id = parameters.integer("orderId")
        page = _Page.read(parameters)
        parameters.done()
        orders = [
            order
            for order in market.all_orders(account)
            if (order_id is None or order.id >= order_id) and page.holds(order.created_ms)
        ]
        rows = page.cut(orders, newest=order_id is None)
        return [queried(market.symbol, order) for order in rows]

    def account(self, account: int, parameters: Parameters) -> dict[str, Any]:
        """Balances and fees."""
        omit_zero = parameters.text("omitZeroBalances") == "true"
        parameters.done()
        settings = self._venue.settings
        rates = {
            "maker": decimal(settings.maker_fee_ppm * 1_000),
            "taker": decimal(settings.taker_fee_ppm * 1_000),
            "buyer": decimal(0),
            "seller": decimal(0),
        }
        return {
            "makerCommission": settings.maker_fee_ppm // 100,
            "takerCommission": settings.taker_fee_ppm // 100,
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": rates,
            "canTrade": True,
            "canWithdraw": False,
            "canDeposit": False,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": self._venue.now_ms(),
            "accountType": "SPOT",
            "balances": [
                {"asset": asset, "free": decimal(free), "locked": decimal(locked)}
                for asset, free, locked in self._venue.balances(account)
                if free or locked or not omit_zero
            ],
            "permissions": ["SPOT"],
            "uid": account + 1,
        }

    def my_trades(self, account: int, parameters: Parameters) -> list[dict[str, Any]]:
        """The account's own trades: from a trade id or a time on, of an order, or the newest."""
        market = self._market(parameters)
        order_id = parameters.integer("orderId")
        from_id = parameters.integer("fromId")
        page = _Page.read(parameters)
        parameters.done()
        fills = [
            fill
            for fill in market.fills(account)
            if (order_id is None or fill.order.id == order_id)
            and (from_id is None or fill.trade >= from_id)
            and page.holds(fill.ts_ms)
        ]
        return [own_trade(market.symbol, fill) for fill in page.cut(fills, newest=from_id is None)]

    # What they share.

    def _judge(self) -> Verdict:
        verdict = self._path.judge(self._clock.monotonic_ns())
        if verdict is Verdict.THROTTLED:
            raise refusals.throttled()
        if verdict is Verdict.LOST:
            raise self._lost()
        return verdict

    def _lost(self) -> refusals.Refusal:
        refusal = refusals.fate_unknown()
        if not self._path.has_body():
            refusal.code = 0
        return refusal

    def _unanswered(self, act: Any) -> None:
        """Does it, and leaves the client in the dark."""
        try:
            act()
        except refusals.Refusal:
            raise self._lost() from None
        raise self._lost()

    def _issue(self, prefix: str) -> str:
        self._issued += 1
        return f"{prefix}-{self._issued:012d}"

    def _market(self, parameters: Parameters) -> Market:
        return self._venue.market(parameters.symbol())


class _Page(NamedTuple):
    """Which rows of a history are wanted."""

    start_ms: int | None
    end_ms: int | None
    limit: int

    @classmethod
    def read(cls, parameters: Parameters) -> "_Page":
        return cls(
            start_ms=parameters.integer("startTime"),
            end_ms=parameters.integer("endTime"),
            limit=min(parameters.integer("limit") or 500, ROWS_MAX),
        )

    def holds(self, ts_ms: int) -> bool:
        after = self.start_ms is None or ts_ms >= self.start_ms
        return after and (self.end_ms is None or ts_ms <= self.end_ms)

    def cut(self, rows: list[Row], *, newest: bool) -> list[Row]:
        """The newest rows, or the first after a start that was given."""
        is_newest = newest and self.start_ms is None
        return rows[-self.limit :] if is_newest else rows[: self.limit]


def _stops_on_failure(parameters: Parameters) -> bool:
    mode = parameters.required("cancelReplaceMode")
    if mode not in {"STOP_ON_FAILURE", "ALLOW_FAILURE"}:
        raise refusals.data_invalid("cancelReplaceMode")
    return mode == "STOP_ON_FAILURE"


def _which(parameters: Parameters) -> tuple[int | None, str | None]:
    order_id = parameters.integer("orderId")
    client_id = parameters.client_id("origClientOrderId")
    if order_id is None and client_id is None:
        raise refusals.either_missing("origClientOrderId", "orderId")
    return order_id, client_id


def _names(text: str) -> list[str]:
    """`["BTCUSDT","ETHUSDT"]`, as `exchangeInfo` takes it."""
    try:
        return msgspec.json.decode(text, type=list[str])
    except msgspec.MsgspecError:
        legal = r'^\\[("[A-Z0-9-_.]{1,20}"(,"[A-Z0-9-_.]{1,20}"){0,}){0,1}\\]$'
        raise refusals.illegal_characters("symbols", legal) from None
