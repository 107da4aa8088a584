"""Fills and samples of a run in; a row for each UTC day and instrument out."""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

_ONE = 10**9
_DAY_NS = 86_400 * 10**9

_Array = npt.NDArray[np.void]
_Floats = npt.NDArray[np.float64]


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument on one UTC day, over all venues. Money in its quote units.

    Attributes:
        day: The date, `YYYY-MM-DD`.
        instrument: Its name.
        trades: Executions.
        volume: Quantity of them, base units.
        turnover: Price times quantity of them.
        fees: Paid; negative is received.
        profit: Made that day, the position at the microprice, fees taken off.
        drawdown_max: Largest fall of that profit from its best on that day, where the start of the
            day counts; as seen at the samples.
        position: At the end of the day, base units.
    """

    day: str
    instrument: str
    trades: int
    volume: float
    turnover: float
    fees: float
    profit: float
    drawdown_max: float
    position: float


def days_of(fills: _Array, samples: _Array, config: dict[str, Any]) -> list[Day]:
    """Every day that has a sample, and on it every instrument.

    Args:
        fills: Rows of `FILL`, in order.
        samples: Rows of `SAMPLE`, in order: each market at each sampled time.
        config: The core's configuration, decoded.
    """
    times = samples["ts_ns"][samples["market"] == 0] if len(samples) else np.zeros(0, "<i8")
    dates = times // _DAY_NS
    traded = fills["ts_ns"] // _DAY_NS
    found = []
    names = _instruments(config)
    curves = {name: _curve(fills, samples, markets) for name, markets in names.items()}
    for date in np.unique(dates):
        first, end = np.searchsorted(dates, [date, date + 1])
        for name, markets in names.items():
            mine = fills[(traded == date) & np.isin(fills["market"], markets)]
            profit, held = curves[name]
            begin = profit[first - 1] if first else 0
            course = np.append(begin, profit[first:end])
            quantity = mine["quantity"] / _ONE
            found.append(
                Day(
                    day=str(np.datetime64(int(date), "D")),
                    instrument=name,
                    trades=len(mine),
                    volume=float(quantity.sum()),
                    turnover=float((mine["price"] / _ONE * quantity).sum()),
                    fees=float(mine["fee"].sum() / _ONE),
                    profit=float(course[-1] - begin),
                    drawdown_max=float((np.maximum.accumulate(course) - course).max()),
                    position=float(held[end - 1]),
                )
            )
    return found


def _instruments(config: dict[str, Any]) -> dict[str, list[int]]:
    """The markets of each instrument; without names, those of its first market's symbol."""
    names: dict[int, str] = {}
    markets: dict[str, list[int]] = {}
    for index, market in enumerate(config["markets"]):
        number = market.get("instrument", 0)
        given = config.get("instruments") or ()
        name = names.setdefault(number, given[number] if given else market["symbol"])
        markets.setdefault(name, []).append(index)
    return markets


def _curve(fills: _Array, samples: _Array, markets: list[int]) -> tuple[_Floats, _Floats]:
    """Profit and position at each sampled time."""
    profit: _Floats = np.zeros(0)
    held: _Floats = np.zeros(0)
    for market in markets:
        seen, mine = samples[samples["market"] == market], fills[fills["market"] == market]
        sign = np.where(mine["sells"] == 1, 1, -1)
        paid = sign * (mine["price"] / _ONE) * (mine["quantity"] / _ONE) - mine["fee"] / _ONE
        cash = np.append(0, np.cumsum(paid))
        position = seen["position"] / _ONE
        at = np.searchsorted(mine["ts_ns"], seen["ts_ns"], side="right")
        own = cash[at] + position * (seen["mark"] / _ONE)
        profit = profit + own if len(profit) else own
        held = held + position if len(held) else position
    return profit, held
