"""`prunella bench`: recordings in; a table of figures, with the machine they are true for, out."""

import os
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from prunella.cli.clock import SystemClock
from prunella.cli.output import print_json
from prunella.evaluation.bench import Figures, measure
from prunella.exchange.session import write_session

SESSION_S = 300.0
SEED = 7


def run_benchmarks(recordings: tuple[str, ...], *, console: Console, json_output: bool) -> None:
    """Measures and prints; without recordings, on a synthetic session made for it."""
    with tempfile.TemporaryDirectory(prefix="prunella-session-") as folder:
        played = recordings or _recorded() or _synthetic(Path(folder, "session"))
        if not json_output:
            console.print(f"playing {', '.join(Path(each).name for each in played)}")
        figures = measure(played, SystemClock())
    if json_output:
        print_json(figures)
    else:
        _show(figures, console)


def _recorded() -> tuple[str, ...]:
    """The recorded BTCUSDT spot session, where `$PRUNELLA_DATA` has it."""
    folder = Path(os.environ.get("PRUNELLA_DATA", "../shared/data")) / "market"
    files = sorted(folder.glob("binance_spot_btcusdt_*.gz"))
    return tuple(str(file) for file in files)


def _synthetic(path: Path) -> tuple[str, ...]:
    write_session(path, seed=SEED, seconds=SESSION_S)
    return (str(path),)


def _show(figures: Figures, console: Console) -> None:
    table = Table(title=figures.machine, title_justify="left")
    for heading in ("figure", "p50", "p99", "p99.9", "max", "of", "goal"):
        table.add_column(heading, justify="left" if heading in {"figure", "goal"} else "right")
    for each in figures.latencies:
        table.add_row(
            each.name,
            *(f"{value:.2f} µs" for value in (each.p50_us, each.p99_us, each.p999_us)),
            f"{each.max_us:,.0f} µs",
            f"{each.count:,}",
            each.goal,
        )
    for rate in figures.rates:
        table.add_row(rate.name, f"{rate.per_second:,.0f}/s", "", "", "", "", rate.goal)
    console.print(table)
