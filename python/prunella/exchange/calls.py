"""The venue's calls, the same for REST and the WebSocket API: parameters in, answers out."""

from typing import Any

from prunella.exchange import refusals
from prunella.exchange.behaviour import OrderPath, Verdict
from prunella.exchange.limits import Limits
from prunella.exchange.orders import (
    STP_MODE,
    Order,
    canceled,
    decimal,
    own_trade,
    placed,
    queried,
)
from prunella.exchange.parameters import Parameters
from prunella.exchange.settings import SymbolSettings
from prunella.exchange.venue import Venue
from prunella.values import SCALE, Clock

DEPTH_LIMIT_MAX = 5_000
ROWS_MAX = 1_000
ORDER_TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET")
TIMES_IN_FORCE = frozenset({"GTC", "IOC", "FOK"})
RESPONSES = frozenset({"ACK", "RESULT", "FULL"})


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
        """Limits and the symbol with its filters."""
        for name in ("symbols", "permissions", "showPermissionSets", "symbolStatus"):
            parameters.text(name)
        parameters.symbol(self._venue.symbol.name, optional=True)
        parameters.done()
        settings = self._venue.settings
        return {
            "timezone": "UTC",
            "serverTime": self._venue.now_ms(),
            "rateLimits": [
                _limit("REQUEST_WEIGHT", "MINUTE", 1, settings.weight_per_minute),
                _limit("ORDERS", "SECOND", 10, settings.orders_per_10s),
                _limit("ORDERS", "DAY", 1, settings.orders_per_day),
            ],
            "exchangeFilters": [],
            "symbols": [_symbol_info(settings.symbol)],
        }

    def depth(self, parameters: Parameters) -> str:
        """A depth snapshot, as JSON text."""
        limit = parameters.integer("limit")
        parameters.symbol(self._venue.symbol.name)
        parameters.done()
        return self._venue.depth(min(limit or 100, DEPTH_LIMIT_MAX))

    def trades(self, parameters: Parameters) -> list[dict[str, Any]]:
        """The newest public trades, oldest first."""
        limit = parameters.integer("limit")
        parameters.symbol(self._venue.symbol.name)
        parameters.done()
        return list(self._venue.trades)[-min(limit or 500, ROWS_MAX) :]

    def book_ticker(self, parameters: Parameters) -> Any:
        """The best bid and offer; without a symbol, of all (one) symbols."""
        named = parameters.symbol(self._venue.symbol.name, optional=True)
        parameters.done()
        ticker = self._venue.book_ticker()
        return ticker if named else [ticker]

    # Signed.

    def place(self, account: int, parameters: Parameters) -> dict[str, Any]:
        """A new order."""
        order, kind, response = self._order(account, parameters)
        verdict = self._judge()
        self._limits.order(account, self._clock.now_ns())
        if verdict is Verdict.REJECTED:
            raise refusals.order_rejected("This action is disabled on this account.")
        if verdict is Verdict.EXECUTED_UNANSWERED:
            self._unanswered(lambda: self._venue.place(order, kind))
        return placed(self._venue.symbol, order, self._venue.place(order, kind), response)

    def test(self, account: int, parameters: Parameters) -> dict[str, Any]:
        """Checks a new order and forgets it."""
        parameters.text("computeCommissionRates")
        self._order(account, parameters)
        return {}

    def cancel(self, account: int, parameters: Parameters) -> dict[str, Any]:
        """Takes an open order out."""
        order_id, client_id = self._which(parameters)
        cancel_id = parameters.client_id("newClientOrderId") or self._issue("cancel")
        parameters.done()
        verdict = self._judge()
        order = self._venue.find(account, order_id, client_id)
        if order is None or not order.is_open or verdict is Verdict.REJECTED:
            raise refusals.cancel_rejected()
        if verdict is Verdict.EXECUTED_UNANSWERED:
            self._unanswered(lambda: self._venue.cancel(order, cancel_id))
        self._venue.cancel(order, cancel_id)
        return canceled(self._venue.symbol, order, cancel_id)

    def cancel_all(self, account: int, parameters: Parameters) -> list[dict[str, Any]]:
        """Takes all open orders out."""
        parameters.symbol(self._venue.symbol.name)
        parameters.done()
        verdict = self._judge()
        orders = self._venue.open_orders(account)
        if not orders or verdict is Verdict.REJECTED:
            raise refusals.cancel_rejected()
        answers = []
        for order in orders:
            cancel_id = self._issue("cancel")
            self._venue.cancel(order, cancel_id)
            answers.append(canceled(self._venue.symbol, order, cancel_id))
        if verdict is Verdict.EXECUTED_UNANSWERED:
            raise refusals.fate_unknown()
        return answers

    def query(self, account: int, parameters: Parameters) -> dict[str, Any]:
        """One order."""
        order_id, client_id = self._which(parameters)
        parameters.done()
        order = self._venue.find(account, order_id, client_id)
        if order is None:
            raise refusals.no_such_order()
        return queried(self._venue.symbol, order)

    def open_orders(self, account: int, parameters: Parameters) -> list[dict[str, Any]]:
        """All open orders."""
        parameters.symbol(self._venue.symbol.name, optional=True)
        parameters.done()
        return [queried(self._venue.symbol, order) for order in self._venue.open_orders(account)]

    def all_orders(self, account: int, parameters: Parameters) -> list[dict[str, Any]]:
        """The account's orders: from an order id or a time on, or the newest."""
        parameters.symbol(self._venue.symbol.name)
        order_id = parameters.integer("orderId")
        start_ms = parameters.integer("startTime")
        end_ms = parameters.integer("endTime")
        limit = min(parameters.integer("limit") or 500, ROWS_MAX)
        parameters.done()
        orders = [
            order
            for order in self._venue.all_orders(account)
            if (order_id is None or order.id >= order_id)
            and (start_ms is None or order.created_ms >= start_ms)
            and (end_ms is None or order.created_ms <= end_ms)
        ]
        newest = order_id is None and start_ms is None
        page = orders[-limit:] if newest else orders[:limit]
        return [queried(self._venue.symbol, order) for order in page]

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
        parameters.symbol(self._venue.symbol.name)
        order_id = parameters.integer("orderId")
        from_id = parameters.integer("fromId")
        start_ms = parameters.integer("startTime")
        end_ms = parameters.integer("endTime")
        limit = min(parameters.integer("limit") or 500, ROWS_MAX)
        parameters.done()
        rows = [
            own_trade(self._venue.symbol, fill)
            for fill in self._venue.fills(account)
            if (order_id is None or fill.order.id == order_id)
            and (from_id is None or fill.trade >= from_id)
            and (start_ms is None or fill.ts_ms >= start_ms)
            and (end_ms is None or fill.ts_ms <= end_ms)
        ]
        return rows[-limit:] if from_id is None and start_ms is None else rows[:limit]

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

    def _which(self, parameters: Parameters) -> tuple[int | None, str | None]:
        parameters.symbol(self._venue.symbol.name)
        order_id = parameters.integer("orderId")
        client_id = parameters.client_id("origClientOrderId")
        if order_id is None and client_id is None:
            raise refusals.either_missing("origClientOrderId", "orderId")
        return order_id, client_id

    def _order(self, account: int, parameters: Parameters) -> tuple[Order, str, str]:
        """A checked order, its kind and the wanted response."""
        symbol = self._venue.symbol
        parameters.symbol(symbol.name)
        side = parameters.required("side")
        if side not in {"BUY", "SELL"}:
            raise refusals.invalid(-1117, "side")
        kind = parameters.required("type")
        if kind not in ORDER_TYPES:
            raise refusals.invalid(-1116, "orderType")
        client_id = parameters.client_id("newClientOrderId")
        response = parameters.text("newOrderRespType")
        if response is None:
            response = "ACK" if kind == "LIMIT_MAKER" else "FULL"
        if response not in RESPONSES:
            raise refusals.data_invalid("newOrderRespType")
        if parameters.text("selfTradePreventionMode") not in {None, STP_MODE}:
            raise refusals.data_invalid("selfTradePreventionMode")
        price, quantity, amount, time_in_force = _sizes(kind, parameters)
        parameters.done()
        _filter(symbol, price, quantity, amount, self._venue.best_ask())
        now_ms = self._venue.now_ms()
        order = Order(
            id=0,
            account=account,
            client_order_id=client_id or self._issue("web"),
            buy=side == "BUY",
            type=kind,
            time_in_force=time_in_force,
            price=price or 0,
            quantity=quantity,
            quote_quantity=amount,
            created_ms=now_ms,
            updated_ms=now_ms,
            working_ms=now_ms,
        )
        return order, time_in_force if kind == "LIMIT" else kind, response


def _sizes(kind: str, parameters: Parameters) -> tuple[int | None, int, int, str]:
    """Price, quantity, quote amount and time in force; which of them belong to the kind."""
    price = parameters.decimal("price")
    quantity = parameters.decimal("quantity")
    amount = parameters.decimal("quoteOrderQty")
    time_in_force = parameters.text("timeInForce")
    if kind == "MARKET":
        _check_market(price, quantity, amount, time_in_force)
        return None, quantity or 0, amount or 0, "GTC"
    if amount is not None:
        raise refusals.not_required("quoteOrderQty")
    if quantity is None:
        raise refusals.missing("quantity")
    if price is None:
        raise refusals.missing("price")
    if kind == "LIMIT_MAKER":
        if time_in_force is not None:
            raise refusals.not_required("timeInForce")
        return price, quantity, 0, "GTC"
    if time_in_force is None:
        raise refusals.missing("timeInForce")
    if time_in_force not in TIMES_IN_FORCE:
        raise refusals.invalid(-1115, "timeInForce")
    return price, quantity, 0, time_in_force


def _check_market(
    price: int | None, quantity: int | None, amount: int | None, time_in_force: str | None
) -> None:
    for name, value in (("price", price), ("timeInForce", time_in_force)):
        if value is not None:
            raise refusals.not_required(name)
    if quantity is None and amount is None:
        raise refusals.either_missing("quantity", "quoteOrderQty")
    if quantity is not None and amount is not None:
        raise refusals.not_required("quoteOrderQty")


def _filter(
    symbol: SymbolSettings, price: int | None, quantity: int, amount: int, best_ask: int
) -> None:
    """Refuses what is outside the symbol's filters; a market order has no price."""
    if price is not None and (not symbol.tick <= price <= symbol.price_max or price % symbol.tick):
        raise refusals.filter_failed("PRICE_FILTER")
    if not amount:
        within = symbol.quantity_min <= quantity <= symbol.quantity_max
        if not within or (quantity - symbol.quantity_min) % symbol.lot:
            raise refusals.filter_failed("LOT_SIZE")
    notional = amount or (best_ask if price is None else price) * quantity // SCALE
    if notional < symbol.notional_min or (price is not None and notional > symbol.notional_max):
        raise refusals.filter_failed("NOTIONAL")


def _limit(kind: str, interval: str, number: int, limit: int) -> dict[str, Any]:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}


def _symbol_info(symbol: SymbolSettings) -> dict[str, Any]:
    return {
        "symbol": symbol.name,
        "status": "TRADING",
        "baseAsset": symbol.base,
        "baseAssetPrecision": 8,
        "quoteAsset": symbol.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(ORDER_TYPES),
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": decimal(symbol.tick),
                "maxPrice": decimal(symbol.price_max),
                "tickSize": decimal(symbol.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": decimal(symbol.quantity_min),
                "maxQty": decimal(symbol.quantity_max),
                "stepSize": decimal(symbol.lot),
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": decimal(symbol.notional_min),
                "applyMinToMarket": True,
                "maxNotional": decimal(symbol.notional_max),
                "applyMaxToMarket": False,
                "avgPriceMins": 0,
            },
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": STP_MODE,
        "allowedSelfTradePreventionModes": [STP_MODE],
    }
