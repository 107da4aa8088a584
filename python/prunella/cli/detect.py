"""`prunella detect`: a table in, what is unusual in it out; or labelled series in, scores out."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer
from rich.table import Table as Grid
from typer.core import TyperGroup

from prunella.cli.output import console, print_json
from prunella.detect import Detector, Symptom
from prunella.detect.table import Table, read_table
from prunella.evaluation.detection.evaluate import Evaluation, evaluate
from prunella.evaluation.detection.leaks import LeakScore, evaluate_leaks
from prunella.evaluation.detection.nab import NabScore


class FileOrCommand(TyperGroup):
    """`prunella detect x.csv` is `prunella detect file x.csv`: what is no command is a file."""

    default = "file"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts the command before a first word that is none."""
        if args and args[0] not in self.commands and args[0] not in {"--help", "-h"}:
            args = [self.default, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=FileOrCommand,
    help="Find what is unusual in any table of figures: prunella detect FILE.csv",
    no_args_is_help=True,
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """One alarm: its row (the first below the names is 0), its time, and what it is about."""

    row: int
    t: float
    time: str
    symptom: Symptom


@app.command("file")
def detect_file(
    file: Annotated[Path, typer.Argument(help="Comma-separated figures; first line: names.")],
    period: Annotated[
        float | None, typer.Option(help="Seconds between rows. Default: as the times say.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a picture to this HTML file.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Tell what is unusual in a table, row by row, as if each had just come in."""
    table = read_table(file, period_s=period)
    detector = Detector(len(table.metrics), table.period_s, table.metrics)
    scores = np.empty(len(table.t))
    alarms: list[Alarm] = []
    for row, t in enumerate(table.t):
        scores[row], alarm = detector.update(float(t), table.rows[row])
        if alarm:
            alarms.append(_alarm(table, row, detector.explain()))
    if plot is not None:
        from prunella.cli.detect_plot import write_plot  # noqa: PLC0415  slow to import

        write_plot(table, scores, [(one.row, one.symptom) for one in alarms], plot)
    if json_output:
        print_json({"rows": len(table.t), "metrics": table.metrics, "alarms": alarms})
        return
    grid = Grid("row", "time", "kind", "metric", "value", "expected", "score")
    for one in alarms:
        first = one.symptom.contributions[0]
        grid.add_row(
            str(one.row),
            one.time,
            first.kind,
            first.metric,
            f"{first.value:.6g}",
            f"{first.expected:.6g}",
            f"{one.symptom.score:.3f}",
        )
    if alarms:
        console.print(grid)
    console.print(f"{len(alarms)} alarms in {len(table.t)} rows of {len(table.metrics)} metrics")
    if plot is not None:
        console.print(f"picture: {plot}")


def _alarm(table: Table, row: int, symptom: Symptom) -> Alarm:
    t = float(table.t[row])
    time = f"{datetime.fromtimestamp(t, tz=UTC):%Y-%m-%d %H:%M:%S}" if table.dated else f"{t:g} s"
    return Alarm(row=row, t=t, time=time, symptom=symptom)


@app.command("evaluate")
def evaluate_folder(
    folder: Annotated[
        Path, typer.Argument(help="Labelled series: manifest.json and the .npz files it names.")
    ],
    json_output: JsonOption = False,
) -> None:
    """Score the detector on labelled series: same defaults everywhere, no look ahead."""
    with console.status("") as status:
        found = evaluate(folder, tell=status.update)
        leaks = evaluate_leaks(folder, tell=status.update)
    if json_output:
        print_json({**msgspec.to_builtins(found), "leaks": leaks})
    else:
        _show(found, leaks)


def _show(found: Evaluation, leaks: LeakScore) -> None:
    table = Grid("corpus")
    for name in ("series", "events", "found", "pages", "precision", "recall", "F1", "pages/day"):
        table.add_column(name, justify="right")
    for one in found.corpora:
        table.add_row(
            one.corpus + ("" if one.natural else " (planted)"),
            str(one.series),
            str(one.counts.events),
            str(one.counts.found),
            str(one.counts.pages),
            f"{one.precision:.2f}",
            f"{one.recall:.2f}",
            f"{one.f1:.3f}",
            f"{one.pages_per_day:.3f}",
        )
    console.print(table)
    console.print(f"mean F1 over the corpora with natural rates of events: {found.f1_mean:.3f}")
    if found.nab and found.nab_own_alarms:
        console.print(f"NAB, standard profile, best threshold: {_nab(found.nab)}")
        console.print(f"NAB, standard profile, own alarms: {_nab(found.nab_own_alarms)}")
    console.print(
        f"planted leaks: {leaks.foretold} of {leaks.leaks} foretold, F1 {leaks.f1:.2f}, "
        f"median lead {leaks.lead_samples:.0f} samples, {leaks.pages} false pages "
        f"({leaks.pages_per_day:.3f} a day and series)"
    )


def _nab(score: NabScore) -> str:
    return (
        f"{score.score:.1f} ({score.found} of {score.windows} windows, "
        f"{score.false_alarms} rows outside)"
    )
