"""`prunella market check`: recorded market data in; its integrity as table, JSON or plot out."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from prunella.cli.output import print_json
from prunella.trading.market.check import InstrumentReport, MarketReport, check_market

CLEAN, FINDINGS = 0, 1
NS_PER_MS = 1_000_000

market_app = typer.Typer(help="Recorded market data: check its integrity.", no_args_is_help=True)


@market_app.callback()
def market() -> None:
    """Recorded market data: check its integrity."""


@market_app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Recordings, in the order of time.")],
    protocol: Annotated[
        str | None,
        typer.Option(help="Whose frames, such as `kraken`; told by the frames when left out."),
    ] = None,
    silence_ms: Annotated[
        int | None,
        typer.Option(min=1, help="Longest pause that is no finding (default: the venue's)."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Also write spread, rates and faults to this HTML file.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Check recordings: gaps, checksums, crossings, bursts, silences, clocks, sequence numbers.

    Reads `RECEIVE_TIME JSON` lines of Binance, Coinbase, Kraken, OKX and Bitstamp, cryptofeed's
    recordings, logs of Bitstamp's orders and LOBSTER samples; plain, .gz, .zst or .xz.

    Exit status 0: clean. 1: findings. 2: unreadable.
    """
    silence_ns = None if silence_ms is None else silence_ms * NS_PER_MS
    names = [str(file) for file in files]
    report = check_market(names, protocol=protocol, silence_ns=silence_ns)
    if plot is not None:
        from prunella.cli.market_plot import write_plot  # noqa: PLC0415  plotly is heavy

        write_plot(report, plot)
    if json_output:
        print_json(_without_series(report))
    else:
        _print(report, Console())
        if plot is not None:
            typer.echo(f"plot: {plot}")
    raise typer.Exit(FINDINGS if report.findings else CLEAN)


def _without_series(report: MarketReport) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(report)
    del told["series"]
    for instrument in told["instruments"]:
        del instrument["tops"]
    return told


def _print(report: MarketReport, console: Console) -> None:
    seconds = (report.last_ns - report.first_ns) / 1e9
    console.print(
        f"{report.protocol}: {report.frames:,} frames in {seconds:,.1f} s, at most "
        f"{report.burst_frames_max:,} in 100 ms, longest pause "
        f"{report.silence_ns_max / NS_PER_MS:,.0f} ms"
    )
    if report.sequence.seen:
        console.print(
            f"message numbers: {report.sequence.seen:,} seen, {report.sequence.gaps} gaps; "
            f"heartbeats: {report.heartbeats.seen:,} seen, {report.heartbeats.gaps} gaps"
        )
    table = Table(box=None, pad_edge=False)
    for name in ("instrument", "book", "changes", "gaps", "crossed", "checksums", "ticker"):
        table.add_column(name)
    for name in ("clock p50/p99 ms", "bid", "ask", "digest"):
        table.add_column(name)
    for instrument in report.instruments:
        table.add_row(*_row(instrument))
    console.print(table)
    if report.malformed_first is not None:
        console.print(f"first malformed frame: {report.malformed_first}", markup=False)
    for note in report.notes:
        console.print(f"note: {note}", markup=False)
    for finding in report.findings:
        console.print(f"[red]finding[/red]: {finding}")
    if not report.findings:
        console.print("[green]clean[/green]")


def _row(one: InstrumentReport) -> list[str]:
    counters, clock = one.counters, one.clock
    summed = counters["checksums_right"] + counters["checksums_wrong"]
    compared = one.ticker_equal + one.ticker_differs
    top = one.top or (("-", ""), ("-", ""))
    return [
        one.symbol,
        f"{one.status.lower()} {one.levels[0]}+{one.levels[1]}",
        f"{counters['diffs']:,}",
        str(counters["gaps"]),
        str(counters["crossed"]),
        f"{counters['checksums_right']:,}/{summed:,}" if summed else "-",
        f"{one.ticker_equal:,}/{compared:,}" if compared else "-",
        f"{clock.p50_ns / NS_PER_MS:,.1f}/{clock.p99_ns / NS_PER_MS:,.1f}" if clock else "-",
        top[0][0],
        top[1][0],
        one.digest[:12],
    ]
