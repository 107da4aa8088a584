"""Our orders as the venue remembers them, and their texts in Binance's words."""

import dataclasses
from typing import Any

from prunella.exchange.settings import SymbolSettings
from prunella.values import format_fixed

STP_MODE = "EXPIRE_MAKER"
OPEN = frozenset({"NEW", "PARTIALLY_FILLED"})


def decimal(raw: int) -> str:
    """Raw 1e-9 in, Binance's eight decimals out; a ninth digit is cut."""
    return format_fixed(raw - raw % 10, 8)


@dataclasses.dataclass(slots=True, kw_only=True)
class Order:
    """One order through its life; quantities and prices raw 1e-9, times in milliseconds."""

    id: int
    account: int
    client_order_id: str
    buy: bool
    type: str
    time_in_force: str
    price: int
    quantity: int
    quote_quantity: int
    created_ms: int
    updated_ms: int
    working_ms: int
    status: str = "NEW"
    executed: int = 0
    executed_quote: int = 0

    @property
    def side(self) -> str:
        """`BUY` or `SELL`."""
        return "BUY" if self.buy else "SELL"

    @property
    def is_open(self) -> bool:
        """Whether it rests in the book."""
        return self.status in OPEN


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One execution of one of our orders."""

    trade: int
    order: Order
    price: int
    quantity: int
    fee: int
    fee_asset: str
    is_maker: bool
    ts_ms: int

    @property
    def quote(self) -> int:
        """Price times quantity."""
        return self.price * self.quantity // 1_000_000_000


def _core(symbol: SymbolSettings, order: Order) -> dict[str, Any]:
    return {
        "symbol": symbol.name,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
    }


def _progress(order: Order) -> dict[str, Any]:
    return {
        "price": decimal(order.price),
        "origQty": decimal(order.quantity),
        "executedQty": decimal(order.executed),
        "origQuoteOrderQty": decimal(order.quote_quantity),
        "cummulativeQuoteQty": decimal(order.executed_quote),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
    }


def placed(
    symbol: SymbolSettings, order: Order, fills: list[Fill], response: str
) -> dict[str, Any]:
    """The answer to a new order: `ACK`, `RESULT` or `FULL`."""
    answer = _core(symbol, order) | {"transactTime": order.created_ms}
    if response == "ACK":
        return answer
    answer |= _progress(order) | {
        "workingTime": order.working_ms,
        "selfTradePreventionMode": STP_MODE,
    }
    if response == "FULL":
        answer["fills"] = [
            {
                "price": decimal(fill.price),
                "qty": decimal(fill.quantity),
                "commission": decimal(fill.fee),
                "commissionAsset": fill.fee_asset,
                "tradeId": fill.trade,
            }
            for fill in fills
        ]
    return answer


def queried(symbol: SymbolSettings, order: Order) -> dict[str, Any]:
    """The answer to a query, and an element of the open orders."""
    return (
        _core(symbol, order)
        | _progress(order)
        | {
            "stopPrice": decimal(0),
            "icebergQty": decimal(0),
            "time": order.created_ms,
            "updateTime": order.updated_ms,
            "isWorking": True,
            "workingTime": order.working_ms,
            "selfTradePreventionMode": STP_MODE,
        }
    )


def canceled(symbol: SymbolSettings, order: Order, cancel_id: str) -> dict[str, Any]:
    """The answer to a cancel."""
    return (
        {"symbol": symbol.name, "origClientOrderId": order.client_order_id}
        | {"orderId": order.id, "orderListId": -1, "clientOrderId": cancel_id}
        | {"transactTime": order.updated_ms}
        | _progress(order)
        | {"selfTradePreventionMode": STP_MODE}
    )


def own_trade(symbol: SymbolSettings, fill: Fill) -> dict[str, Any]:
    """An element of `myTrades`."""
    return {
        "symbol": symbol.name,
        "id": fill.trade,
        "orderId": fill.order.id,
        "orderListId": -1,
        "price": decimal(fill.price),
        "qty": decimal(fill.quantity),
        "quoteQty": decimal(fill.quote),
        "commission": decimal(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.ts_ms,
        "isBuyer": fill.order.buy,
        "isMaker": fill.is_maker,
        "isBestMatch": True,
    }


def report(
    symbol: SymbolSettings,
    order: Order,
    execution: str,
    *,
    execution_id: int,
    ts_ms: int,
    fill: Fill | None = None,
    cancel_id: str = "",
) -> dict[str, Any]:
    """An `executionReport` of the user data stream."""
    event: dict[str, Any] = {
        "e": "executionReport",
        "E": ts_ms,
        "s": symbol.name,
        "c": cancel_id or order.client_order_id,
        "S": order.side,
        "o": order.type,
        "f": order.time_in_force,
        "q": decimal(order.quantity),
        "p": decimal(order.price),
        "P": decimal(0),
        "F": decimal(0),
        "g": -1,
        "C": order.client_order_id if cancel_id else "",
        "x": execution,
        "X": order.status,
        "r": "NONE",
        "i": order.id,
        "l": decimal(fill.quantity) if fill else decimal(0),
        "z": decimal(order.executed),
        "L": decimal(fill.price) if fill else decimal(0),
        "n": decimal(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": ts_ms,
        "t": fill.trade if fill else -1,
        "I": execution_id,
        "w": order.is_open,
        "m": fill.is_maker if fill else False,
        "M": fill is not None,
        "O": order.created_ms,
        "Z": decimal(order.executed_quote),
        "Y": decimal(fill.quote) if fill else decimal(0),
        "Q": decimal(order.quote_quantity),
        "W": order.working_ms,
        "V": STP_MODE,
    }
    return event
