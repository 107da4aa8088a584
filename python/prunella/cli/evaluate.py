"""`prunella evaluate`: faults, arms and repeats in; a score that can be checked out."""

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from prunella.cli.clock import SystemClock
from prunella.cli.output import console, print_json
from prunella.errors import UsageError

if TYPE_CHECKING:
    from prunella.evaluation.trial.plan import Plan

DEFAULT_OUT = Path("evaluation")
_PLAN = "plan.json"


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
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Break a stack in many ways, let every arm heal it, and score what is seen from outside.

    Exit status 0 only when the trial is valid and no policy, order or ledger was broken.
    """
    from prunella.evaluation.trial.plan import (  # noqa: PLC0415 - heavy to import
        QUICK,
        QUICK_ARMS,
        QUICK_FAULTS,
        Pace,
        make_plan,
    )

    if resume:
        plan = _kept(out)
    else:
        plan = make_plan(
            arms=arm or (QUICK_ARMS if quick else ()),
            faults=fault or (QUICK_FAULTS if quick else ()),
            repeats=1 if quick else repeats,
            severities=(2,) if quick else (1, 2, 3),
            seed=seed,
            pace=QUICK if quick else Pace(budget=budget, hold=hold),
            held_out=held_out or (),
            quick=quick,
        )
        _keep(plan, out)
    raise typer.Exit(0 if _run(plan, out, json_output=json_output) else 1)


def _run(plan: "Plan", out: Path, *, json_output: bool) -> bool:
    """Runs what is not done yet and writes the report; whether all is well."""
    from prunella.cli.stack import terminated_like_interrupted  # noqa: PLC0415
    from prunella.cli.trial_stack import trial_stack  # noqa: PLC0415
    from prunella.evaluation.trial.records import Store  # noqa: PLC0415
    from prunella.evaluation.trial.report import make_report, render  # noqa: PLC0415
    from prunella.evaluation.trial.session import run_session  # noqa: PLC0415

    store, clock = Store(out), SystemClock()
    began_ns = clock.monotonic_ns()
    todo = [each for each in plan.sessions if not store.has(each.arm, each.number)]
    with terminated_like_interrupted():
        for place, planned in enumerate(todo, 1):

            def tell(line: str, place: int = place, arm: str = planned.arm) -> None:
                elapsed_s = (clock.monotonic_ns() - began_ns) / 1e9
                if not json_output:
                    console.print(f"{elapsed_s:7.1f} s  [{place}/{len(todo)} {arm}] {line}")

            tell("starting a stack")
            store.put(run_session(planned, plan.pace, trial_stack, store, tell))
    report = make_report(plan, list(store.sessions()), machine=_machine())
    (out / "report.json").write_bytes(report.to_json())
    if json_output:
        print_json(report)
    else:
        console.print(render(report))
        console.print(f"records, ledgers and report.json are in {out}")
    return report.gates.good


def _keep(plan: "Plan", out: Path) -> None:
    """Writes the plan into a folder that holds no other trial.

    Raises:
        UsageError: It does, or cannot be written to.
    """
    if (out / _PLAN).exists():
        raise UsageError(
            f"{out} holds a trial already: go on with it by --resume, or name another --out"
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / _PLAN).write_bytes(msgspec.json.encode(plan))
    except OSError as error:
        raise UsageError(f"{out}: cannot be written to: {error.strerror}") from None


def _kept(out: Path) -> "Plan":
    """The plan of the trial in the folder.

    Raises:
        UsageError: There is none.
    """
    from prunella.evaluation.trial.plan import Plan  # noqa: PLC0415

    try:
        return msgspec.json.decode((out / _PLAN).read_bytes(), type=Plan)
    except FileNotFoundError:
        raise UsageError(f"{out} holds no trial to go on with") from None
    except msgspec.DecodeError as error:
        raise UsageError(f"{out / _PLAN}: {error}") from None


def _machine() -> str:
    """What it ran on, for whoever compares."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.release()} {platform.machine()}"
