"""Two trials' reports in; what became better or worse, arm by arm, out.

A share counts as changed when the two 95 % intervals do not touch; a latency likewise. Everything
else is told as "same", whatever the numbers look like: a trial has too few episodes for more.
"""

from pathlib import Path
from typing import Any, Literal

import msgspec
from rich.table import Table
from rich.text import Text

from prunella.errors import UsageError

Change = Literal["better", "worse", "same"]

_RATES = {
    "precision": ("in_all", "detection", "precision"),
    "recall": ("in_all", "detection", "recall"),
    "culprit named first": ("in_all", "detection", "culprit_top1"),
    "curable faults cured": ("in_all", "remediation", "cured"),
    "held faults contained": ("in_all", "remediation", "contained"),
    "policy adherence": ("audit", "policy"),
    "trace completeness": ("audit", "traces"),
    "causes before effects": ("audit", "clocks"),
}
_SPREADS = {
    "detection p50": ("in_all", "detection", "latency_ms"),
    "first act p50": ("in_all", "remediation", "latency_ms"),
    "recovery p50": ("in_all", "remediation", "recovery_ms"),
}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one arm, before and now."""

    arm: str
    figure: str
    before: str
    now: str
    change: Change


def read_report(path: Path) -> dict[str, Any]:
    """The report of an earlier trial.

    Raises:
        UsageError: It cannot be read, or is none.
    """
    file = path / "report.json" if path.is_dir() else path
    try:
        report = msgspec.json.decode(file.read_bytes())
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise UsageError(f"{file}: no report of a trial: {error}") from None
    if not isinstance(report, dict) or not isinstance(report.get("arms"), dict):
        raise UsageError(f"{file}: no report of a trial: it has no arms")
    return report


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[Difference]:
    """Every figure of the arms that both trials have."""
    found = []
    for arm in now["arms"]:
        old, new = before["arms"].get(arm), now["arms"][arm]
        if old is None:
            continue
        for figure, place in _RATES.items():
            found.append(_rate(arm, figure, _at(old, place), _at(new, place)))
        for figure, place in _SPREADS.items():
            found.append(_spread(arm, figure, _at(old, place), _at(new, place)))
    return found


def render_differences(found: list[Difference], earlier: str) -> Table:
    """For people: only arms that both have."""
    table = Table(title=f"Against {earlier}", title_justify="left")
    for heading in ("arm", "figure", "before", "now", ""):
        table.add_column(heading)
    styles = {"better": "green", "worse": "bold red", "same": "dim"}
    for each in found:
        change = Text(each.change, styles[each.change])
        table.add_row(each.arm, each.figure, each.before, each.now, change)
    return table


def _at(scores: dict[str, Any], place: tuple[str, ...]) -> dict[str, Any]:
    for name in place:
        scores = scores.get(name) or {}
    return scores


def _rate(arm: str, figure: str, old: dict[str, Any], new: dict[str, Any]) -> Difference:
    change: Change = "same"
    if old.get("value") is not None and new.get("value") is not None:
        if new["low"] > old["high"]:
            change = "better"
        elif new["high"] < old["low"]:
            change = "worse"
    return Difference(arm=arm, figure=figure, before=_share(old), now=_share(new), change=change)


def _spread(arm: str, figure: str, old: dict[str, Any], new: dict[str, Any]) -> Difference:
    change: Change = "same"
    if old.get("p50") is not None and new.get("p50") is not None:
        old_high, new_high = old.get("p50_high"), new.get("p50_high")
        if new_high is not None and new_high < old["p50_low"]:
            change = "better"
        elif old_high is not None and new["p50_low"] > old_high:
            change = "worse"
    return Difference(arm=arm, figure=figure, before=_time(old), now=_time(new), change=change)


def _share(rate: dict[str, Any]) -> str:
    return "–" if rate.get("value") is None else f"{rate['value']:.3f} of {rate['of']}"


def _time(spread: dict[str, Any]) -> str:
    if spread.get("p50") is None:
        return "never" if spread.get("censored") else "–"
    return f"{spread['p50']:.0f} ms"
