"""`prunella evaluate`: faults, arms and repeats in; a score that can be checked out."""

from pathlib import Path
from typing import Annotated

import typer

from prunella.cli.output import console

DEFAULT_OUT = Path("evaluation")


def evaluate(  # noqa: PLR0917 - typer wants them so
    quick: Annotated[
        bool, typer.Option("--quick", help="At most four minutes: a fault of each domain.")
    ] = False,
    arm: Annotated[
        list[str] | None, typer.Option(help="Only this arm; can be given again. Default: all.")
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(help="Only this fault; can be given again. Default: all.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Of each fault and severity.")] = 5,
    severity: Annotated[
        list[int] | None, typer.Option(min=1, max=3, help="Only this severity. Default: all.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the order, the markets and all that is drawn.")] = 1,
    budget: Annotated[
        float, typer.Option(min=1, help="Seconds that a fault may take to be cured.")
    ] = 30.0,
    hold: Annotated[
        float, typer.Option(min=0.5, help="Seconds that its harm must then stay away.")
    ] = 10.0,
    held_out: Annotated[
        list[str] | None,
        typer.Option(help="Score this fault class apart: it was not looked at while tuning."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the records and the report.")] = DEFAULT_OUT,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the trial in the folder.")
    ] = False,
    compare: Annotated[
        Path | None, typer.Option(help="Folder (or report.json) of an earlier trial.")
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Break a stack in many ways, let every arm heal it, and score what is seen from outside.

    Exit status 0 only when the trial is valid and no policy, order or ledger was broken.
    """
    from prunella.cli.trial import Asked, run_trial  # noqa: PLC0415 - heavy to import

    asked = Asked(
        quick=quick,
        arms=tuple(arm or ()),
        faults=tuple(fault or ()),
        repeats=repeats,
        severities=tuple(severity or ()),
        seed=seed,
        budget=budget,
        hold=hold,
        held_out=tuple(held_out or ()),
    )
    good = run_trial(
        asked, out, resume=resume, earlier=compare, console=console, json_output=json_output
    )
    raise typer.Exit(0 if good else 1)
