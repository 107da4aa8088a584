"""A trial's report in; one HTML page that needs no network out."""

import html
from collections.abc import Callable, Iterable, Sequence

from plotly.graph_objects import Figure

from prunella.evaluation.trial.compare import Difference
from prunella.evaluation.trial.interval import Rate
from prunella.evaluation.trial.judge import Judgement, judge
from prunella.evaluation.trial.metrics import ArmScores
from prunella.evaluation.trial.records import Episode
from prunella.evaluation.trial.report import ROWS, TrialReport

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem;
  padding: 0 1rem; color: #1b1f24; background: #fff }
h1 { margin-bottom: .2rem } h2 { margin-top: 2.2rem }
table { border-collapse: collapse; margin: .6rem 0 }
td, th { padding: .22rem .7rem; text-align: left; border-bottom: 1px solid #d5dae0 }
td + td, th + th { text-align: right } .wide td, .wide th { text-align: left }
.good { color: #116329 } .bad { color: #b3261e; font-weight: 600 }
.note { color: #57606a; max-width: 60rem } .verdict { font-size: 1.15rem }
.scroll { overflow-x: auto }
"""
_STAGES = {
    "detected": "#bf8700",
    "decided": "#8250df",
    "acted": "#0969da",
    "harm gone": "#1a7f37",
}


def make_page(report: TrialReport, changes: Sequence[Difference] = ()) -> str:
    """The page."""
    main = "expert" if "expert" in report.arms else next(iter(report.arms), "")
    figures = [
        (
            "Arms side by side",
            "Share cured, contained, detected; lines are 95 % intervals.",
            _arms_figure(report),
        ),
        (
            f"Each fault from its physical effect: {main}",
            "One row per episode; a row without a mark was not detected.",
            _timeline(report, main),
        ),
        (
            f"Latency by class of fault: {main}",
            "Detection from the physical effect.",
            _latencies(report, main),
        ),
        (
            f"What was told, by what was true: {main}",
            "Rows are the injector's truth.",
            _confusion(report, main),
        ),
    ]
    parts = [_verdict(report), _arms_table(report), _goals(report)]
    if changes:
        parts.append(_changes(changes))
    for place, (title, note, figure) in enumerate(figures):
        figure.update_layout(margin={"t": 10, "b": 50, "r": 10})
        drawn = figure.to_html(
            full_html=False, include_plotlyjs=place == 0, config={"displaylogo": False}
        )
        parts.append(f"<h2>{_text(title)}</h2><p class='note'>{_text(note)}</p>{drawn}")
    parts += [_classes(report, main), _held_out(report), _episodes(report)]
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'><title>Prunella: evaluation</title>"
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _verdict(report: TrialReport) -> str:
    gates, plan = report.gates, report.plan
    word = "<span class='good'>valid</span>" if gates.good else "<span class='bad'>not good</span>"
    done, planned = report.finished
    pace = plan.pace
    lines = [f"<li class='bad'>{_text(each)}</li>" for each in (*gates.invalid, *gates.broken)]
    lines += [f"<li>skipped: {_text(n)}: {_text(w)}</li>" for n, w in report.skipped.items()]
    return (
        "<h1>Evaluation of the healing plane</h1>"
        f"<p class='verdict'>The trial is {word}; {done} of {planned} sessions, seed {plan.seed}."
        f"</p><p class='note'>{_text(report.machine)}; a fault has {pace.budget:g} s to be cured, "
        f"and counts as cured when its harm stays away for {pace.hold:g} s. The same faults in the "
        f"same order for every arm.</p><ul>{''.join(lines)}</ul>"
    )


def _arms_table(report: TrialReport) -> str:
    return "<h2>All arms</h2>" + _table(
        ["", *report.arms],
        ([heading, *(cell(arm) for arm in report.arms.values())] for heading, cell in ROWS.items()),
    )


def _goals(report: TrialReport) -> str:
    words = {True: "met", False: "NOT MET", None: "–"}
    return "<h2>Goals of what is delivered</h2>" + _table(
        ["goal", "wanted", "found", ""],
        ([g.name, g.wanted, g.found, words[g.met]] for g in report.gates.goals),
    )


def _changes(changes: Sequence[Difference]) -> str:
    return "<h2>Against an earlier trial</h2>" + _table(
        ["arm", "figure", "before", "now", ""],
        ([c.arm, c.figure, c.before, c.now, c.change] for c in changes),
    )


def _classes(report: TrialReport, main: str) -> str:
    if not main:
        return ""
    rows = []
    for name, scores in report.arms[main].by_class.items():
        seen, done = scores.detection, scores.remediation
        healed = done.cured if done.cured.of else done.contained
        shares = (seen.recall, seen.culprit_top1, seen.cause_top1, healed)
        rows.append([name, str(scores.episodes), *(f"{r.hits}/{r.of}" for r in shares)])
    headings = ["class", "episodes", "detected", "culprit", "class right", "cured or contained"]
    return f"<h2>Per class of fault: {_text(main)}</h2>" + _table(headings, rows)


def _held_out(report: TrialReport) -> str:
    if not report.plan.held_out:
        return ""
    rows = []
    for name, arm in report.arms.items():
        if arm.held_out is not None:
            seen, done = arm.held_out.detection, arm.held_out.remediation
            shares = (seen.recall, seen.culprit_top1, done.cured, done.contained)
            rows.append([name, *(f"{r.hits}/{r.of}" for r in shares)])
    headings = ["arm", "detected", "culprit", "cured", "contained"]
    classes = ", ".join(report.plan.held_out)
    return f"<h2>Held out: {_text(classes)}</h2>" + _table(headings, rows)


def _episodes(report: TrialReport) -> str:
    rows = []
    for arm, episode, told in _judged(report):
        healed = {True: "yes", False: "no", None: ""}[told.success]
        rows.append(
            [
                arm,
                episode.wanted.fault,
                str(episode.wanted.severity),
                told.told_class or "–",
                _ms(told.detection_ms),
                _ms(told.acted_ms),
                _ms(told.recovery_ms),
                healed,
                str(told.wrong_acts),
                str(told.false_alarms),
                episode.aftermath,
            ]
        )
    headings = [
        "arm",
        "fault",
        "severity",
        "told",
        "detected",
        "act after",
        "harm gone",
        "healed",
        "wrong acts",
        "false alarms",
        "afterwards",
    ]
    return "<h2>Every episode</h2><div class='scroll wide'>" + _table(headings, rows) + "</div>"


def _judged(report: TrialReport) -> Iterable[tuple[str, Episode, Judgement]]:
    for session in report.sessions:
        for episode in session.episodes:
            if episode.outcome == "scored":
                yield session.arm, episode, judge(episode)


def _arms_figure(report: TrialReport) -> Figure:
    figure = Figure()
    shares: dict[str, Callable[[ArmScores], Rate]] = {
        "curable faults cured": lambda a: a.in_all.remediation.cured,
        "held faults contained": lambda a: a.in_all.remediation.contained,
        "recall": lambda a: a.in_all.detection.recall,
        "precision": lambda a: a.in_all.detection.precision,
    }
    for name, share in shares.items():
        rates = {arm: share(scores) for arm, scores in report.arms.items()}
        known = {arm: rate for arm, rate in rates.items() if rate.value is not None}
        figure.add_bar(
            name=name,
            x=list(known),
            y=[rate.value for rate in known.values()],
            error_y={
                "array": [rate.high - (rate.value or 0) for rate in known.values()],
                "arrayminus": [(rate.value or 0) - rate.low for rate in known.values()],
            },
        )
    return figure.update_layout(barmode="group", height=380, yaxis_range=[0, 1.05])


def _timeline(report: TrialReport, main: str) -> Figure:
    figure = Figure()
    marks: dict[str, tuple[list[float], list[str]]] = {name: ([], []) for name in _STAGES}
    rows: list[str] = []
    for arm, episode, told in _judged(report):
        if arm != main or told.kind == "negative":
            continue
        row = f"{episode.wanted.fault} {episode.wanted.severity}.{episode.wanted.repeat}"
        rows.append(row)
        decided = [f.decided_ns for f in episode.incidents if f.decided_ns]
        acted = None if told.acted_ms is None else (told.detection_ms or 0.0) + told.acted_ms
        times = {
            "detected": told.detection_ms,
            "decided": (min(decided) - episode.effective_ns) / 1e6 if decided else None,
            "acted": acted,
            "harm gone": told.recovery_ms,
        }
        for name, at_ms in times.items():
            if at_ms is not None:
                marks[name][0].append(max(at_ms, 1.0) / 1e3)
                marks[name][1].append(row)
    for name, (x, y) in marks.items():
        marker = {"color": _STAGES[name], "size": 8}
        figure.add_scatter(x=x, y=y, mode="markers", name=name, marker=marker)
    ordered = sorted(set(rows), reverse=True)
    figure.update_yaxes(categoryorder="array", categoryarray=ordered, dtick=1)
    figure.update_xaxes(type="log", title="seconds since the physical effect")
    return figure.update_layout(height=130 + 18 * len(ordered))


def _latencies(report: TrialReport, main: str) -> Figure:
    figure = Figure()
    by_class: dict[str, list[float]] = {}
    for arm, _, told in _judged(report):
        if arm == main and told.detection_ms is not None:
            by_class.setdefault(told.fault_class, []).append(max(told.detection_ms, 1.0) / 1e3)
    for name, seconds in sorted(by_class.items()):
        figure.add_box(x=seconds, name=name, boxpoints="all", jitter=0.4, showlegend=False)
    figure.update_yaxes(dtick=1)
    figure.update_xaxes(type="log", title="seconds")
    return figure.update_layout(height=110 + 30 * len(by_class))


def _confusion(report: TrialReport, main: str) -> Figure:
    confusion = report.arms[main].confusion if main else {}
    told = sorted({name for row in confusion.values() for name in row})
    truth = sorted(confusion, reverse=True)
    counts = [[confusion[true].get(name, 0) for name in told] for true in truth]
    figure = Figure()
    figure.add_heatmap(
        x=told,
        y=truth,
        z=counts,
        text=counts,
        texttemplate="%{text}",
        colorscale="Blues",
        showscale=False,
    )
    figure.update_xaxes(title="told")
    figure.update_yaxes(title="true")
    return figure.update_layout(height=130 + 26 * len(truth))


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{_text(each)}</th>" for each in headings)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value / 1e3:.2f} s"


def _text(text: str) -> str:
    """Whatever came from a ledger is shown, never interpreted."""
    return html.escape(text)
