"""A plan and its sessions in; one report out: every arm side by side, the gates, every episode."""

from collections.abc import Callable, Sequence

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from prunella.evaluation.arm import ARMS
from prunella.evaluation.trial.gates import Gates, check
from prunella.evaluation.trial.interval import Rate, Spread
from prunella.evaluation.trial.metrics import ArmScores, arm_scores
from prunella.evaluation.trial.plan import Plan
from prunella.evaluation.trial.records import Session


class TrialReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a trial showed.

    Attributes:
        finished: Sessions done, of those planned.
        skipped: Faults that this machine cannot do, with the reason.
    """

    plan: Plan
    machine: str
    finished: tuple[int, int]
    arms: dict[str, ArmScores]
    gates: Gates
    skipped: dict[str, str]
    sessions: tuple[Session, ...]

    def to_json(self) -> bytes:
        """The report for machines."""
        body = msgspec.to_builtins(self) | {"good": self.gates.good}
        return msgspec.json.format(msgspec.json.encode(body), indent=1)


def make_report(plan: Plan, sessions: Sequence[Session], *, machine: str) -> TrialReport:
    """Scores every arm that has a finished session."""
    arms = {
        name: arm_scores(
            name,
            [each for each in sessions if each.arm == name],
            held_out=plan.held_out,
            seed=plan.seed,
        )
        for name in ARMS
        if any(each.arm == name for each in sessions)
    }
    return TrialReport(
        plan=plan,
        machine=machine,
        finished=(len(sessions), len(plan.sessions)),
        arms=arms,
        gates=check(arms, sessions),
        skipped={
            episode.wanted.fault: episode.why
            for session in sessions
            for episode in session.episodes
            if episode.outcome == "skipped"
        },
        sessions=tuple(sessions),
    )


def render(report: TrialReport) -> RenderableType:
    """The report for people."""
    parts: list[RenderableType] = [_arms(report), _classes(report), _goals(report)]
    done, planned = report.finished
    if done < planned:
        parts.append(Text(f"{done} of {planned} sessions are done", style="yellow"))
    parts += [Text(f"skipped: {name}: {why}") for name, why in sorted(report.skipped.items())]
    parts += [Text(f"INVALID: {each}", style="bold red") for each in report.gates.invalid]
    parts += [Text(f"BROKEN: {each}", style="bold red") for each in report.gates.broken]
    if report.gates.good:
        parts.append(Text("the trial is valid, and nothing that may not happen did", "bold green"))
    return Group(*parts)


def _arms(report: TrialReport) -> Table:
    table = Table(title="All arms, the same faults (95 % intervals)", title_justify="left")
    table.add_column("")
    for name in report.arms:
        table.add_column(name, justify="right")
    for heading, cell in ROWS.items():
        table.add_row(heading, *(cell(arm) for arm in report.arms.values()))
    return table


ROWS: dict[str, Callable[[ArmScores], str]] = {
    "episodes": lambda a: f"{a.in_all.episodes}{_lost(a)}",
    "detection p50": lambda a: _time(a.in_all.detection.latency_ms, "p50"),
    "detection p95": lambda a: _time(a.in_all.detection.latency_ms, "p95"),
    "precision": lambda a: show_rate(a.in_all.detection.precision),
    "recall": lambda a: show_rate(a.in_all.detection.recall),
    "culprit named first": lambda a: show_rate(a.in_all.detection.culprit_top1),
    "class right too": lambda a: show_rate(a.in_all.detection.cause_top1),
    "false alarms per hour": lambda a: _number(a.in_all.detection.false_alarms_per_hour),
    "first act p50 after detection": lambda a: _time(a.in_all.remediation.latency_ms, "p50"),
    "recovery p50": lambda a: _time(a.in_all.remediation.recovery_ms, "p50"),
    "recovery p95": lambda a: _time(a.in_all.remediation.recovery_ms, "p95"),
    "curable faults cured": lambda a: show_rate(a.in_all.remediation.cured),
    "held faults contained": lambda a: show_rate(a.in_all.remediation.contained),
    "wrong acts": lambda a: str(a.in_all.remediation.wrong_acts),
    "rollbacks": lambda a: show_rate(a.in_all.remediation.rollbacks),
    "wrong rollbacks": lambda a: str(a.in_all.remediation.wrong_rollbacks),
    "healthy afterwards": lambda a: show_rate(a.in_all.remediation.healthy_after),
    "policy adherence": lambda a: show_rate(a.audit.policy),
    "trace completeness": lambda a: show_rate(a.audit.traces),
    "causes before effects": lambda a: show_rate(a.audit.clocks),
    "ledgers that verify": lambda a: show_rate(a.audit.ledgers),
    "orders lost / doubled": lambda a: f"{a.audit.orders_lost} / {a.audit.orders_doubled}",
    "readings / s": lambda a: _number(a.throughput.readings_per_second),
    "readings / processor s": lambda a: _number(a.throughput.readings_per_cpu_second),
    "time": lambda a: f"{a.seconds:.0f} s",
}


def _classes(report: TrialReport) -> Table:
    name = "expert" if "expert" in report.arms else next(iter(report.arms), "")
    table = Table(title=f"Per fault class: {name}", title_justify="left")
    for heading in ("class", "n", "recall", "p50", "culprit", "class right", "cured or contained"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    for each, scores in report.arms[name].by_class.items() if name else ():
        seen, done = scores.detection, scores.remediation
        healed = done.cured if done.cured.of else done.contained
        table.add_row(
            each,
            str(scores.episodes),
            show_rate(seen.recall, bare=True),
            _time(seen.latency_ms, "p50", bare=True),
            show_rate(seen.culprit_top1, bare=True),
            show_rate(seen.cause_top1, bare=True),
            show_rate(healed, bare=True),
        )
    return table


def _goals(report: TrialReport) -> Table:
    table = Table(title="Goals of what is delivered", title_justify="left")
    for heading in ("goal", "wanted", "found", ""):
        table.add_column(heading)
    words = {True: Text("met", "green"), False: Text("not met", "bold red"), None: Text("–")}
    for goal in report.gates.goals:
        table.add_row(goal.name, goal.wanted, goal.found, words[goal.met])
    return table


def _lost(arm: ArmScores) -> str:
    skipped, errors = arm.in_all.skipped, arm.in_all.harness_errors
    lost = f" +{skipped} skipped" if skipped else ""
    return lost + (f" +{errors} errors" if errors else "")


def show_rate(rate: Rate, *, bare: bool = False) -> str:
    """A share for people: `0.95 (0.76–0.99)`, or only the counts."""
    if rate.value is None:
        return "–"
    if bare:
        return f"{rate.hits}/{rate.of}"
    return f"{rate.value:.2f} ({rate.low:.2f}–{rate.high:.2f})"


def _time(spread: Spread, name: str, *, bare: bool = False) -> str:
    value = getattr(spread, name)
    if value is None:
        return "never" if spread.censored else "–"
    low, high = getattr(spread, f"{name}_low"), getattr(spread, f"{name}_high")
    if bare:
        return f"{value / 1e3:.2f} s"
    upper = "∞" if high is None else f"{high / 1e3:.2f}"
    return f"{value / 1e3:.2f} s ({(low or 0) / 1e3:.2f}–{upper})"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}"
