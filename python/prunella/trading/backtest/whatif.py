"""Two runs in; where and how their orders begin to differ, in words, out."""

from typing import Any

import msgspec
import numpy as np

from prunella.trading.backtest.result import BacktestResult

_KEY = ["market", "strategy", "sells", "price", "quantity"]
_ONE = 10**9


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How the orders of two runs compare.

    Attributes:
        is_equal: Whether all orders are the same, at the same times.
        orders: Orders of the first and of the second run.
        same: Orders with which both begin.
        text: What the first different one is.
    """

    is_equal: bool
    orders: tuple[int, int]
    same: int
    text: str


def compare(one: BacktestResult, other: BacktestResult) -> Difference:
    """Compares the orders of two runs, in order."""
    least = min(len(one.orders), len(other.orders))
    columns = [*_KEY, "ts_ns"]
    equal = np.all(
        [one.orders[name][:least] == other.orders[name][:least] for name in columns], axis=0
    )
    same = int(np.argmin(equal)) if least and not equal.all() else least
    count = (len(one.orders), len(other.orders))
    if same == count[0] == count[1]:
        return Difference(is_equal=True, orders=count, same=same, text="every order is the same")
    text = f"order {same + 1}: {_tell(other, same)} instead of {_tell(one, same)}"
    return Difference(is_equal=False, orders=count, same=same, text=text)


def _tell(result: BacktestResult, index: int) -> str:
    if index >= len(result.orders):
        return "no order"
    order: Any = result.orders[index]
    side = "sell" if order["sells"] else "buy"
    after = (int(order["ts_ns"]) - result.span_ns[0]) / _ONE
    return (
        f"{side} {int(order['quantity']) / _ONE:g} at {int(order['price']) / _ONE:g} "
        f"after {after:.3f} s in {result.symbols[int(order['market'])]}"
    )
