"""`prunella bench`: benchmarks in; tables of figures, with the machine they are true for, out."""

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from prunella.cli.clock import SystemClock
from prunella.cli.output import print_json
from prunella.evaluation import benches
from prunella.evaluation.bench import Latency, measure
from prunella.evaluation.benches import Bench, Change, Figure, Measured
from prunella.exchange.session import write_session

SESSION_S = 300.0
QUICK_SESSION_S = 20.0
SEED = 7
FOLDER = Path("bench")
REPORTS = Path(".prunella", "bench")
COLOURS = {"better": "green", "worse": "red", "noise": "dim", "new": "cyan"}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked to be measured, how often, and against what."""

    recordings: tuple[str, ...]
    only: tuple[str, ...]
    rounds: int
    quick: bool
    file: Path | None
    base: Path | None


def run_benchmarks(asked: Asked, *, console: Console, json_output: bool) -> None:
    """Measures, prints and writes the report.

    Raises:
        UsageError: No such benchmark, or the report to compare with cannot be read.
    """
    base = benches.read(asked.base) if asked.base else None
    found = {"core": _core(asked.recordings)}
    if FOLDER.is_dir():
        found |= benches.find(FOLDER)
    chosen = benches.choose(found, asked.only)
    progress = Console(stderr=True, quiet=json_output)

    def tell(line: str) -> None:
        progress.print(line, style="dim")

    report = benches.run(chosen, rounds=asked.rounds, quick=asked.quick, tell=tell)
    file = asked.file or REPORTS / f"{SystemClock().now_ns()}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    if json_output:
        print_json(benches.compare(base, report) if base else report)
        return
    console.print(f"{report.machine}, commit {report.commit or 'unknown'}")
    for measured in report.benches:
        _show(measured, console)
    if base:
        _show_changes(benches.compare(base, report), console)
    console.print(f"written to {file}")


def _core(recordings: tuple[str, ...]) -> Bench:
    """The core's own benchmark, on a recording or on a synthetic session made for it."""

    def figures(*, quick: bool) -> Iterable[Figure]:
        with tempfile.TemporaryDirectory(prefix="prunella-session-") as folder:
            seconds = QUICK_SESSION_S if quick else SESSION_S
            recorded = recordings or (() if quick else _recorded())
            played = recorded or _synthetic(Path(folder, "session"), seconds)
            found = measure(played, SystemClock())
        return (*found.latencies, *found.rates)

    return figures


def _recorded() -> tuple[str, ...]:
    """The recorded BTCUSDT spot session, where `$PRUNELLA_DATA` has it."""
    folder = Path(os.environ.get("PRUNELLA_DATA", "../shared/data")) / "market"
    files = sorted(folder.glob("binance_spot_btcusdt_*.gz"))
    return tuple(str(file) for file in files)


def _synthetic(path: Path, seconds: float) -> tuple[str, ...]:
    write_session(path, seed=SEED, seconds=seconds)
    return (str(path),)


def _middle(measured: Measured) -> Sequence[Figure]:
    """Of each figure the round in the middle."""
    columns = zip(*measured.rounds, strict=True)
    return [sorted(column, key=_size)[len(column) // 2] for column in columns]


def _size(figure: Figure) -> float:
    return figure.p50_us if isinstance(figure, Latency) else figure.per_second


def _show(measured: Measured, console: Console) -> None:
    table = Table(title=measured.bench, title_justify="left")
    for heading in ("figure", "system", "p50", "p99", "p99.9", "max", "of", "goal"):
        left = heading in {"figure", "system", "goal"}
        table.add_column(heading, justify="left" if left else "right")
    for figure in _middle(measured):
        if isinstance(figure, Latency):
            numbers = (figure.p50_us, figure.p99_us, figure.p999_us, figure.max_us)
            cells = (*(_microseconds(value) for value in numbers), f"{figure.count:,}")
        else:
            cells = (f"{figure.per_second:,.0f}/s", "", "", "", "")
        table.add_row(figure.name, figure.system, *cells, figure.goal)
    console.print(table)


def _microseconds(value: float) -> str:
    return f"{value:.3f} µs" if value < 1 else f"{value:,.2f} µs"


def _show_changes(changes: Iterable[Change], console: Console) -> None:
    table = Table(title="compared", title_justify="left")
    for heading in ("figure", "system", "number", "before", "now", "change", "verdict"):
        left = heading in {"figure", "system", "verdict"}
        table.add_column(heading, justify="left" if left else "right")
    for change in changes:
        now, before = change.now, change.before
        table.add_row(
            f"{now.bench}: {now.name}",
            now.system,
            now.number,
            f"{before.value:,.3f} ({before.least:,.3f}–{before.most:,.3f})" if before else "",
            f"{now.value:,.3f} ({now.least:,.3f}–{now.most:,.3f})",
            f"{change.ratio - 1:+.1%}" if before else "",
            f"[{COLOURS[change.verdict]}]{change.verdict}[/]",
        )
    console.print(table)
