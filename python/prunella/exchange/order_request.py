"""Parameters of a new order in; a checked order with its kind out, refused in the venue's words."""

from typing import NamedTuple

from prunella.exchange import refusals
from prunella.exchange.instruments import ORDER_TYPES
from prunella.exchange.market import Market
from prunella.exchange.orders import STP_MODE, Order
from prunella.exchange.parameters import Parameters
from prunella.exchange.settings import SymbolSettings
from prunella.values import SCALE

TIMES_IN_FORCE = frozenset({"GTC", "IOC", "FOK"})
RESPONSES = frozenset({"ACK", "RESULT", "FULL"})


class OrderRequest(NamedTuple):
    """A checked order; `kind` is the matching engine's word, `response` how much is answered."""

    order: Order
    kind: str
    response: str


def read_order(
    market: Market, account: int, parameters: Parameters, *, issued_id: str
) -> OrderRequest:
    """Reads and checks a new order; `issued_id` is its client id when the client gave none.

    Raises:
        Refusal: A parameter is missing, malformed, unknown, or outside the instrument's filters.
    """
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
    _filter(market.symbol, price, quantity, amount, market.best_ask())
    now_ms = market.now_ms()
    order = Order(
        id=0,
        account=account,
        client_order_id=client_id or issued_id,
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
    return OrderRequest(order, time_in_force if kind == "LIMIT" else kind, response)


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
