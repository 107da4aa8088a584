"""`prunella detect`: labelled series in, how good the detector is out."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from prunella.cli.output import console, print_json
from prunella.evaluation.detection.evaluate import Evaluation, evaluate
from prunella.evaluation.detection.nab import NabScore

app = typer.Typer(help="Find what is unusual in any table of figures.", no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


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
    if json_output:
        print_json(found)
    else:
        _show(found)


def _show(found: Evaluation) -> None:
    table = Table()
    table.add_column("corpus")
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


def _nab(score: NabScore) -> str:
    return (
        f"{score.score:.1f} ({score.found} of {score.windows} windows, "
        f"{score.false_alarms} rows outside)"
    )
