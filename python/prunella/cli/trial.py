"""What was asked of an evaluation in; a trial run and reported out, or gone on with."""

import os
import platform
from pathlib import Path

import msgspec
from rich.console import Console

from prunella.cli.clock import SystemClock
from prunella.cli.output import print_json
from prunella.cli.stack import terminated_like_interrupted
from prunella.cli.trial_stack import trial_stack
from prunella.errors import UsageError
from prunella.evaluation.trial.compare import differences, read_report, render_differences
from prunella.evaluation.trial.page import make_page
from prunella.evaluation.trial.plan import QUICK, QUICK_ARMS, QUICK_FAULTS, Pace, Plan, make_plan
from prunella.evaluation.trial.records import Store
from prunella.evaluation.trial.report import make_report, render
from prunella.evaluation.trial.session import run_session

_PLAN = "plan.json"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for; empty: all there is."""

    quick: bool
    arms: tuple[str, ...]
    faults: tuple[str, ...]
    repeats: int
    severities: tuple[int, ...]
    seed: int
    budget: float
    hold: float
    held_out: tuple[str, ...]

    def plan(self) -> Plan:
        """The trial that it comes to.

        Raises:
            UsageError: A name that is not there.
        """
        quick = self.quick
        return make_plan(
            arms=self.arms or (QUICK_ARMS if quick else ()),
            faults=self.faults or (QUICK_FAULTS if quick else ()),
            repeats=1 if quick else self.repeats,
            severities=self.severities or ((2,) if quick else (1, 2, 3)),
            seed=self.seed,
            pace=QUICK if quick else Pace(budget=self.budget, hold=self.hold),
            held_out=self.held_out,
            quick=quick,
        )


def run_trial(
    asked: Asked,
    out: Path,
    *,
    resume: bool,
    earlier: Path | None,
    console: Console,
    json_output: bool,
) -> bool:
    """Runs a trial, or the rest of one, and reports it; whether it is valid and nothing broke."""
    before = None if earlier is None else read_report(earlier)
    if resume:
        plan = _kept(out)
    else:
        plan = asked.plan()
        _keep(plan, out)
    store = Store(out)
    _run(plan, store, None if json_output else console)
    report = make_report(plan, list(store.sessions()), machine=_machine())
    text = report.to_json()
    changes = differences(before, msgspec.json.decode(text)) if before else []
    (out / "report.json").write_bytes(text)
    (out / "report.html").write_text(make_page(report, changes), encoding="utf-8")
    if json_output:
        print_json(msgspec.Raw(text))
        return report.gates.good
    console.print(render(report))
    if changes:
        console.print(render_differences(changes, str(earlier)))
    console.print(f"records, ledgers, report.json and report.html are in {out}")
    return report.gates.good


def _run(plan: Plan, store: Store, console: Console | None) -> None:
    """Runs the sessions that are not done yet, telling what it does."""
    clock = SystemClock()
    began_ns = clock.monotonic_ns()
    todo = [each for each in plan.sessions if not store.has(each.arm, each.number)]
    with terminated_like_interrupted():
        for place, planned in enumerate(todo, 1):

            def tell(line: str, place: int = place, arm: str = planned.arm) -> None:
                elapsed_s = (clock.monotonic_ns() - began_ns) / 1e9
                if console is not None:
                    console.print(f"{elapsed_s:7.1f} s  [{place}/{len(todo)} {arm}] {line}")

            tell("starting a stack")
            store.put(run_session(planned, plan.pace, trial_stack, store, tell))


def _keep(plan: Plan, out: Path) -> None:
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


def _kept(out: Path) -> Plan:
    """The plan of the trial in the folder.

    Raises:
        UsageError: There is none.
    """
    try:
        return msgspec.json.decode((out / _PLAN).read_bytes(), type=Plan)
    except FileNotFoundError:
        raise UsageError(f"{out} holds no trial to go on with") from None
    except msgspec.DecodeError as error:
        raise UsageError(f"{out / _PLAN}: {error}") from None


def _machine() -> str:
    """What it ran on, for whoever compares."""
    return f"{os.cpu_count()} cores, {platform.system()} {platform.release()} {platform.machine()}"
