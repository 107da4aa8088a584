"""A `BacktestResult` in; one HTML page that needs nothing else out."""

import html
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from prunella.trading.backtest.result import Array, BacktestResult

_ONE = 10**9
_POINTS_MAX = 20_000
"""A browser draws this many quickly; longer runs are thinned, fills never are."""
_STYLE = """body{font:15px system-ui;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .8rem;border-bottom:1px solid #ddd;
text-align:right}td:first-child,th:first-child{text-align:left}pre{background:#f6f6f6;padding:1rem;
overflow:auto;max-height:30rem}h2{margin-top:2rem}"""


def write_report(result: BacktestResult, path: Path, *, title: str) -> None:
    """Writes the report: equity, drawdown, inventory, fills on the price, tables, settings, hashes.

    Args:
        result: What to report.
        path: The HTML file; replaced when it is there.
        title: The heading, such as the strategy's name.
    """
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        f"<p>{_clock(result.span_ns[0])} to {_clock(result.span_ns[1])} UTC</p>",
        _statistics(result),
        _figure(result),
        "<h2>Days</h2>",
        _days(result),
        "<h2>Periods</h2>",
        _periods(result),
        "<h2>Counts</h2>",
        _pre(result.counts),
        "<h2>Settings and data</h2>",
        _pre(
            {
                "data": result.data,
                "data_sha256": result.data_hashes,
                "state_hash": result.state_hash,
                "behaviour": msgspec.to_builtins(result.behaviour),
                "config": msgspec.json.decode(result.config),
            }
        ),
    ]
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><body>{''.join(parts)}</body></html>"
    )
    path.write_text(page, encoding="utf-8")


def _statistics(result: BacktestResult) -> str:
    found = result.statistics()
    rows = []
    for name, value in msgspec.to_builtins(found).items():
        shown = "–" if value is None else f"{value:,.4f}" if isinstance(value, float) else value
        label = name.replace("_", " ")
        if name == "sharpe_per_period":
            label = f"Sharpe per {found.period_s} s, not annualised, of {found.periods} periods"
        elif name.startswith("adverse"):
            label = f"move against our fills within {name.removeprefix('adverse_')} (ppm)"
        rows.append(f"<tr><td>{html.escape(label)}</td><td>{shown}</td></tr>")
    return f"<table>{''.join(rows)}</table>"


def _days(result: BacktestResult) -> str:
    heads = ("day (UTC)", "instrument", "trades", "volume (base)", "turnover", "fees", "P&L")
    return _table(
        (*heads, "max drawdown", "position at the end"),
        (
            (
                each.day,
                each.instrument,
                f"{each.trades:,}",
                f"{each.volume:,.5f}",
                f"{each.turnover:,.2f}",
                f"{each.fees:,.4f}",
                f"{each.profit:,.4f}",
                f"{each.drawdown_max:,.4f}",
                f"{each.position:,.5f}",
            )
            for each in result.days()
        ),
    )


def _periods(result: BacktestResult) -> str:
    return _table(
        ("begins (UTC)", "profit", "fills", "turnover", "fees", "position at the end"),
        (
            (
                _clock(each.begin_ns),
                f"{each.profit:,.4f}",
                str(each.fills),
                f"{each.turnover:,.2f}",
                f"{each.fees:,.4f}",
                f"{each.position:,.5f}",
            )
            for each in result.periods()
        ),
    )


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    def row(tag: str, cells: Iterable[str]) -> str:
        shown = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
        return f"<tr>{shown}</tr>"

    return f"<table>{row('th', heads)}{''.join(row('td', cells) for cells in rows)}</table>"


def _figure(result: BacktestResult) -> str:
    """Price with fills per market, profit, drawdown, inventory; one under the other."""
    from plotly.graph_objects import Figure, Scattergl  # noqa: PLC0415  slow to import
    from plotly.subplots import make_subplots  # noqa: PLC0415

    symbols = result.symbols
    titles = [*symbols, "profit (quote units)", "drawdown (quote units)", "inventory (base units)"]
    figure: Figure = make_subplots(
        rows=len(titles), cols=1, shared_xaxes=True, vertical_spacing=1 / 30, subplot_titles=titles
    )
    for market, symbol in enumerate(symbols):
        samples = _thin(result.samples[result.samples["market"] == market])
        priced = samples[samples["mark"] > 0]
        figure.add_trace(
            Scattergl(x=_times(priced), y=priced["mark"] / _ONE, name=symbol), row=market + 1, col=1
        )
        figure.add_trace(
            Scattergl(x=_times(samples), y=samples["position"] / _ONE, name=f"inventory {symbol}"),
            row=len(titles),
            col=1,
        )
        for sells, name, mark in ((0, "bought", "triangle-up"), (1, "sold", "triangle-down")):
            mine = (result.fills["market"] == market) & (result.fills["sells"] == sells)
            fills = result.fills[mine]
            figure.add_trace(
                Scattergl(
                    x=_times(fills),
                    y=fills["price"] / _ONE,
                    mode="markers",
                    marker={"symbol": mark, "size": 8},
                    text=[f"{quantity / _ONE:g}" for quantity in fills["quantity"]],
                    name=f"{name} {symbol}",
                ),
                row=market + 1,
                col=1,
            )
    first = _thin(result.samples[result.samples["market"] == 0])
    profit = first["profit"] / _ONE
    fall = profit - np.maximum.accumulate(np.append(np.zeros(1), profit))[1:]
    for row, values in ((len(symbols) + 1, profit), (len(symbols) + 2, fall)):
        trace = Scattergl(x=_times(first), y=values, name=titles[row - 1])
        figure.add_trace(trace, row=row, col=1)
    figure.update_layout(height=280 * len(titles), margin={"t": 40}, template="plotly_white")
    text: str = figure.to_html(full_html=False, include_plotlyjs=True, div_id="figure")
    return text


def _thin(rows: Array) -> Array:
    step = max(1, len(rows) // _POINTS_MAX)
    return rows[::step]


def _times(rows: Array) -> Any:
    return rows["ts_ns"].astype("datetime64[ns]")


def _pre(value: Any) -> str:
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return f"<pre>{html.escape(text)}</pre>"


def _clock(ns: int) -> str:
    return str(np.datetime64(ns, "ns").astype("datetime64[s]")).replace("T", " ")
