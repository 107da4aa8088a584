"""What can become of an order: the states that it goes through, and why we refuse to send one.

Both lists mirror the core's; a parity test compares them with `prunella._core`.
"""

from enum import StrEnum

from prunella._core import denial_reasons, order_states

__all__ = ["DenialReason", "OrderState", "denial_reasons", "order_states"]


class OrderState(StrEnum):
    """Where an order stands; `UNKNOWN` keeps its exposure reserved until evidence ends it."""

    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    REJECTED = "rejected"
    CANCELED = "canceled"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    NOT_RECEIVED = "not_received"


class DenialReason(StrEnum):
    """Why we refuse to send an order. Denied is by us; rejected is by the venue."""

    STATE_HALTED = "STATE_HALTED"
    STATE_REDUCING = "STATE_REDUCING"
    STATE_NOT_RECONCILED = "STATE_NOT_RECONCILED"
    MARKET_STALE = "MARKET_STALE"
    BREAKER_OPEN = "BREAKER_OPEN"
    CHANNEL_USER_DOWN = "CHANNEL_USER_DOWN"
    PRICE_COLLAR = "PRICE_COLLAR"
    PRICE_NO_REFERENCE = "PRICE_NO_REFERENCE"
    PRICE_TICK = "PRICE_TICK"
    QUANTITY_LIMIT = "QUANTITY_LIMIT"
    NOTIONAL_LIMIT = "NOTIONAL_LIMIT"
    POSITION_LIMIT = "POSITION_LIMIT"
    RATE_ORDERS = "RATE_ORDERS"
    ORDERS_OPEN_LIMIT = "ORDERS_OPEN_LIMIT"
    LOSS_LIMIT = "LOSS_LIMIT"
    DEPTH_INSUFFICIENT = "DEPTH_INSUFFICIENT"
    ROUTE_SWITCHED = "ROUTE_SWITCHED"
    ROUTE_OWN_ORDER = "ROUTE_OWN_ORDER"
    NOTHING_TO_REDUCE = "NOTHING_TO_REDUCE"
    STRATEGY_UNSOUND = "STRATEGY_UNSOUND"
