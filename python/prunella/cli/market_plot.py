"""A market report in, one HTML file that needs no network out: prices, spread, rate, faults."""

from datetime import UTC, datetime
from pathlib import Path

from plotly.subplots import make_subplots

from prunella.trading.market.check import MarketReport

NS_PER_S = 1_000_000_000
PPM = 1_000_000


def _time(ts_ns: int) -> datetime:
    return datetime.fromtimestamp(ts_ns / NS_PER_S, tz=UTC)


def write_plot(report: MarketReport, path: Path) -> None:
    """Writes mid price and spread of each instrument, the frame rate, and where faults were.

    Raises:
        OSError: The file cannot be written; trying again may help once the folder can be.
    """
    figure = make_subplots(
        rows=3,
        cols=1,
        shared_xaxes=True,
        row_heights=[0.45, 0.25, 0.3],
        subplot_titles=("mid price", "spread (ppm of the price)", "frames a second"),
    )
    for one in report.instruments:
        times = [_time(ts_ns) for ts_ns, _, _ in one.tops]
        mids = [(bid + ask) / 2 for _, bid, ask in one.tops]
        spreads = [
            (ask - bid) / mid * PPM for (_, bid, ask), mid in zip(one.tops, mids, strict=True)
        ]
        figure.add_scatter(x=times, y=mids, name=one.symbol, row=1, col=1)
        figure.add_scatter(x=times, y=spreads, name=f"{one.symbol} spread", row=2, col=1)
    series = report.series
    if series.step_ns:
        times = [_time(series.start_ns + at * series.step_ns) for at in range(len(series.frames))]
        rates = [count * NS_PER_S / series.step_ns for count in series.frames]
        figure.add_scatter(x=times, y=rates, name="frames/s", line={"shape": "hv"}, row=3, col=1)
    for begin_ns, length_ns in report.silence_list:
        figure.add_vrect(
            x0=_time(begin_ns),
            x1=_time(begin_ns + length_ns),
            fillcolor="orange",
            opacity=0.25,
            line_width=0,
        )
    if series.marks:
        figure.add_scatter(
            x=[_time(mark.ts_ns) for mark in series.marks],
            y=[0] * len(series.marks),
            mode="markers",
            marker={"color": "red", "size": 9, "symbol": "x"},
            text=[f"{mark.symbol} {mark.what}".strip() for mark in series.marks],
            name="faults",
            row=3,
            col=1,
        )
    verdict = f"{len(report.findings)} findings" if report.findings else "clean"
    figure.update_layout(title=f"{report.protocol}: {verdict}", height=900)
    figure.write_html(path, include_plotlyjs=True)


__all__ = ["write_plot"]
