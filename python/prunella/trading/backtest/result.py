"""Columns of a run in; arrays, tables and statistics out.

Raw integers are of 1e-9; the floats of this page are for statistics and pictures alone.
"""

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from prunella.trading.backtest.behaviour import VenueBehaviour
from prunella.trading.backtest.days import Day, days_of

if TYPE_CHECKING:
    import polars as pl

_ONE = 10**9
_SECOND_NS = 10**9


def _row(*names: str) -> np.dtype[np.void]:
    return np.dtype([(name, "<i8") for name in names])


ORDER = _row("ts_ns", "number", "market", "strategy", "sells", "life", "price", "quantity")
"""An order that was sent: `sells` 0 or 1; `life` as in `Strategy.buy`, in its order, from 0 on."""
FILL = _row(
    *("ts_ns", "number", "market", "strategy", "sells", "is_maker"),
    *("price", "quantity", "fee", "mark", "position"),
)
"""An execution when we learnt of it, with the microprice then and the position afterwards."""
SAMPLE = _row("ts_ns", "market", "mark", "position", "profit")
"""One market at a sampled moment; `profit` is of all markets, fees taken off, since the start."""

Array = npt.NDArray[np.void]
Floats = npt.NDArray[np.float64]


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a run comes to. Money in quote units.

    Attributes:
        profit: At the end, open positions at the microprice, fees taken off.
        fees: Paid; negative is received.
        turnover: Price times quantity of all fills.
        orders: Sent.
        fills: Executions.
        fill_ratio: Orders with at least one execution, of all.
        maker_share: Quantity that we filled while resting, of all.
        drawdown_max: Largest fall of the profit from its best before.
        inventory_max: Largest position, long or short, of one market, base units.
        sharpe_per_period: Mean over standard deviation of the profit of equal periods; **not**
            annualised, of `periods` values of `period_s` seconds. None with less than three.
        period_s: Length of such a period.
        periods: How many there were.
        adverse_1s: Mean move of the microprice against our fills within a second, parts per
            million of the price: positive is bad for us. None where no fill is old enough.
        adverse_10s: The same within ten seconds.
    """

    profit: float
    fees: float
    turnover: float
    orders: int
    fills: int
    fill_ratio: float
    maker_share: float
    drawdown_max: float
    inventory_max: float
    sharpe_per_period: float | None
    period_s: int
    periods: int
    adverse_1s: float | None
    adverse_10s: float | None


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """One day, or one hour or minute of short data.

    Attributes:
        begin_ns: When it begins, UTC.
        profit: Made in it, quote units.
        fills: Executions in it.
        turnover: Price times quantity of them.
        fees: Paid.
        position: At its end, of all markets together, base units.
    """

    begin_ns: int
    profit: float
    fills: int
    turnover: float
    fees: float
    position: float


class BacktestResult:
    """What a run has traded and what came of it.

    Attributes:
        orders: Structured array of `ORDER`.
        fills: Structured array of `FILL`.
        samples: Structured array of `SAMPLE`, all markets at each sampled moment.
        accept_ns: Time from each order to its acceptance, nanoseconds of this machine, if measured.
        counts: Frames, rows, cancels, refusals, reflexes.
        state_hash: SHA-256 of the core's state at the end: equal runs have equal ones.
        span_ns: First and last time.
        data: The files, by venue.
        data_hashes: SHA-256 of each venue's files.
        config: The core's configuration, JSON.
        behaviour: How the venues were simulated; None for the replay of a live session.
        run_s: Wall time of the run itself.
        load_s: Wall time of reading or decoding the data.
    """

    def __init__(
        self,
        found: dict[str, Any],
        *,
        config: bytes,
        behaviour: VenueBehaviour | None,
        data: list[list[str]],
    ) -> None:
        self.orders: Array = np.frombuffer(found["orders"], ORDER)
        self.fills: Array = np.frombuffer(found["fills"], FILL)
        self.samples: Array = np.frombuffer(found["samples"], SAMPLE)
        self.accept_ns: npt.NDArray[np.int64] = np.frombuffer(found["accept_ns"], "<i8")
        self.counts: dict[str, Any] = msgspec.json.decode(found["counts"])
        self.state_hash: str = found["state_hash"]
        self.span_ns: tuple[int, int] = found["span_ns"]
        self.data = data
        self.data_hashes: list[str] = found.get("data_hashes", [])
        self.config = config
        self.behaviour = behaviour
        self.run_s: float = found.get("run_s", 0)
        self.load_s: float = found.get("load_s", 0)

    @property
    def symbols(self) -> list[str]:
        """`SYMBOL@venue` of each market, by number."""
        config = msgspec.json.decode(self.config)
        venues = [venue["name"] for venue in config["venues"]]
        return [f"{each['symbol']}@{venues[each['venue']]}" for each in config["markets"]]

    @property
    def times_ns(self) -> npt.NDArray[np.int64]:
        """When the samples were taken."""
        times: npt.NDArray[np.int64] = self._of(self.samples, 0)["ts_ns"]
        return times

    @property
    def equity(self) -> Floats:
        """Profit since the start at `times_ns`, quote units."""
        equity: Floats = self._of(self.samples, 0)["profit"] / _ONE
        return equity

    @staticmethod
    def _of(rows: Array, market: int) -> Array:
        mine: Array = rows[rows["market"] == market]
        return mine

    def to_polars(self) -> dict[str, "pl.DataFrame"]:
        """`orders`, `fills` and `samples` as data frames; needs the extra `polars`."""
        import polars as pl  # noqa: PLC0415  an extra

        tables = {"orders": self.orders, "fills": self.fills, "samples": self.samples}
        return {
            name: pl.DataFrame({column: rows[column] for column in rows.dtype.names or ()})
            for name, rows in tables.items()
        }

    def statistics(self) -> Statistics:
        """The run in a few numbers."""
        values = self._values()
        quantity = int(self.fills["quantity"].sum())
        resting = int(self.fills["quantity"][self.fills["is_maker"] == 1].sum())
        equity = self.equity
        best = np.maximum.accumulate(np.append(np.zeros(1), equity))[1:]
        period_s = _period_s(self.span_ns[1] - self.span_ns[0])
        gains = self._gains(period_s)
        spread = float(gains.std(ddof=1)) if len(gains) > 2 else 0
        positions = self.samples["position"]
        filled = len(np.unique(self.fills["number"]))
        return Statistics(
            profit=float(equity[-1]) if len(equity) else 0,
            fees=float(self.fills["fee"].sum() / _ONE),
            turnover=float(values.sum()),
            orders=len(self.orders),
            fills=len(self.fills),
            fill_ratio=filled / len(self.orders) if len(self.orders) else 0,
            maker_share=resting / quantity if quantity else 0,
            drawdown_max=float((best - equity).max()) if len(equity) else 0,
            inventory_max=float(np.abs(positions).max() / _ONE) if len(positions) else 0,
            sharpe_per_period=float(gains.mean()) / spread if spread > 0 else None,
            period_s=period_s,
            periods=len(gains),
            adverse_1s=self._adverse(1),
            adverse_10s=self._adverse(10),
        )

    def periods(self) -> list[Period]:
        """Days; hours below two days of data, minutes below two hours."""
        begin_ns, end_ns = self.span_ns
        span_s = (end_ns - begin_ns) / _SECOND_NS
        step_s = 86_400 if span_s > 172_800 else 3_600 if span_s > 7_200 else 60
        step_ns = step_s * _SECOND_NS
        edges = np.arange(begin_ns - begin_ns % step_ns, end_ns + step_ns, step_ns)
        times, equity = self.times_ns, self.equity
        at = np.searchsorted(times, edges, side="right") - 1
        values = self._values()
        found = []
        for index in range(len(edges) - 1):
            if at[index + 1] < 0:
                continue
            before = equity[at[index]] if at[index] >= 0 else 0
            mine = (self.fills["ts_ns"] > edges[index]) & (self.fills["ts_ns"] <= edges[index + 1])
            found.append(
                Period(
                    begin_ns=int(edges[index]),
                    profit=float(equity[at[index + 1]] - before),
                    fills=int(mine.sum()),
                    turnover=float(values[mine].sum()),
                    fees=float(self.fills["fee"][mine].sum() / _ONE),
                    position=self._held(int(times[at[index + 1]])),
                )
            )
        return found

    def days(self) -> list[Day]:
        """Each instrument on each UTC day."""
        return days_of(self.fills, self.samples, msgspec.json.decode(self.config))

    def summary(self) -> dict[str, Any]:
        """Everything of the report as plain values, for JSON; equal runs give equal ones."""
        return {
            "statistics": msgspec.to_builtins(self.statistics()),
            "periods": msgspec.to_builtins(self.periods()),
            "days": msgspec.to_builtins(self.days()),
            "counts": self.counts,
            "state_hash": self.state_hash,
            "span_ns": [str(each) for each in self.span_ns],
            "data": self.data,
            "data_hashes": self.data_hashes,
            "behaviour": msgspec.to_builtins(self.behaviour),
            "config": msgspec.json.decode(self.config),
        }

    def _values(self) -> Floats:
        """Price times quantity of each fill, quote units."""
        values: Floats = (self.fills["price"] / _ONE) * (self.fills["quantity"] / _ONE)
        return values

    def _held(self, ts_ns: int) -> float:
        now = self.samples["ts_ns"] == ts_ns
        return float(self.samples["position"][now].sum() / _ONE)

    def _gains(self, period_s: int) -> Floats:
        """Profit of each whole period."""
        begin_ns, end_ns = self.span_ns
        edges = np.arange(begin_ns, end_ns + 1, period_s * _SECOND_NS)
        if len(edges) < 2 or not len(self.samples):
            return np.zeros(0)
        at = np.searchsorted(self.times_ns, edges, side="right") - 1
        gains: Floats = np.diff(self.equity[np.maximum(at, 0)])
        return gains

    def _adverse(self, after_s: int) -> float | None:
        """Mean move against our fills, parts per million."""
        moves = []
        for market in np.unique(self.fills["market"]):
            fills, samples = self._of(self.fills, market), self._of(self.samples, market)
            samples = samples[samples["mark"] > 0]
            at = np.searchsorted(samples["ts_ns"], fills["ts_ns"] + after_s * _SECOND_NS)
            old = at < len(samples)
            fills, later = fills[old], samples["mark"][at[old]]
            sign = np.where(fills["sells"] == 1, 1, -1)
            moves.append(sign * (later - fills["mark"]) / fills["mark"] * 10**6)
        joined = np.concatenate(moves) if moves else np.zeros(0)
        return float(joined.mean()) if len(joined) else None


def _period_s(span_ns: int) -> int:
    """The longest of day, hour, minute and second of which the data has thirty."""
    span_s = span_ns // _SECOND_NS
    return next((each for each in (86_400, 3_600, 60) if span_s >= 30 * each), 1)
