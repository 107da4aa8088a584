"""Conditions over readings in; "good", "bad" or "cannot tell" out.

A probe asks about the goal (orders are acknowledged again), never about the step (the process was
started). It is a closed set of comparisons, not a language: a workflow file can be read by
anybody and cannot run anything.
"""

from collections.abc import Callable
from typing import Literal

import msgspec

from prunella.healing.remediate.table import Series, Table

Measure = Literal["last", "mean", "minimum", "maximum", "increase", "share"]
"""`last` … `maximum`: every fitting series must satisfy the comparison. `increase`: the growth of
all fitting counters together. `share`: that growth divided by the growth of the `of` counters."""

Comparison = Literal["==", "!=", "<", "<=", ">", ">="]

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": lambda value, limit: value == limit,
    "!=": lambda value, limit: value != limit,
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}

SEEN_MAX = 12
"""How many values one probe record holds; a metric with many labels must not flood the ledger."""


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One comparison.

    Attributes:
        metric: Its name.
        entity: Whom it is about; empty means whoever reports it. May hold `${placeholders}`.
        labels: Wanted labels; a value may list alternatives (`a|b`) and hold `${placeholders}`.
        measure: What is made of the samples.
        comparison: How it is compared with the threshold.
        threshold: In the metric's unit, or `baseline`: the value before the first act.
        fallback: Stands in for a baseline that was never seen.
        of: For `share`: labels of the counters in the denominator.
        count_min: For `share`: with fewer events than this nothing can be told.
        window_ns: How far `mean` … `share` look back, never further than the act.
        fresh_ns: A series silent for longer tells nothing.
        for_targets: Applies only to these targets; a `*` at the end fits any ending. Empty: all.
    """

    metric: str
    entity: str = ""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    measure: Measure = "last"
    comparison: Comparison
    threshold: float | Literal["baseline"]
    fallback: float | None = None
    of: dict[str, str] | None = None
    count_min: int = 1
    window_ns: int = 2_000_000_000
    fresh_ns: int = 2_000_000_000
    for_targets: tuple[str, ...] = ()

    def applies_to(self, target: str) -> bool:
        """Whether the condition is asked for this target."""
        return not self.for_targets or any(
            target == each or (each.endswith("*") and target.startswith(each[:-1]))
            for each in self.for_targets
        )


class Probe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Conditions that must be good together, without a break, for `hold_ns`.

    Attributes:
        conditions: At least one.
        need: Whether all of them must be good or any one.
        hold_ns: For how long without a break.
        timeout_ns: After how long without success it failed.
    """

    conditions: tuple[Condition, ...]
    need: Literal["all", "any"] = "all"
    hold_ns: int = 0
    timeout_ns: int


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What one look saw.

    Attributes:
        good: True, False, or None when the readings are missing or stale.
        seen: Values, such as `venue_state@engine{venue=backup}=2 (== 2)`.
    """

    good: bool | None
    seen: tuple[str, ...]


def look(
    probe: Probe,
    table: Table,
    *,
    target: str,
    baseline: dict[str, float],
    since_ns: int,
    now_ns: int,
) -> Sight:
    """Looks once.

    Args:
        probe: Its conditions with all placeholders filled in.
        table: The readings.
        target: The remediation's target.
        baseline: Values before the first act, by series name.
        since_ns: When the last act took effect: nothing before it counts.
        now_ns: Nanoseconds UTC.
    """
    results: list[bool | None] = []
    seen: list[str] = []
    for condition in probe.conditions:
        if not condition.applies_to(target):
            continue
        good, told = _check(condition, table, baseline, since_ns, now_ns)
        results.append(good)
        seen.extend(told)
    verdict: bool | None
    if probe.need == "any":
        # What nobody reports cannot make it true, and does not hide that the rest is well.
        verdict = True if True in results else (False if False in results else None)
    else:
        verdict = False if False in results else (None if None in results else True)
    return Sight(good=verdict, seen=tuple(seen[:SEEN_MAX]))


def _check(
    condition: Condition, table: Table, baseline: dict[str, float], since_ns: int, now_ns: int
) -> tuple[bool | None, list[str]]:
    fitting = list(table.find(condition.metric, condition.entity, condition.labels))
    fresh = [each for each in fitting if now_ns - each.last_ns <= condition.fresh_ns]
    start_ns = max(since_ns, now_ns - condition.window_ns)
    if condition.measure in {"increase", "share"}:
        return _check_counters(condition, table, fresh, start_ns, now_ns)
    # A sample from before the act tells nothing about its effect.
    fresh = [each for each in fresh if each.last_ns >= since_ns]
    if not fresh:
        return None, [f"{condition.metric}: no fresh reading"]
    results: list[bool | None] = []
    seen = []
    for series in fresh:
        value = _measure(condition.measure, series, start_ns)
        limit = condition.threshold
        if limit == "baseline":
            known = baseline.get(series.name, condition.fallback)
            if known is None:
                results.append(None)
                seen.append(f"{series.name}={value:g} (no baseline)")
                continue
            limit = known
        results.append(_COMPARE[condition.comparison](value, limit))
        seen.append(f"{series.name}={value:g} ({condition.comparison} {limit:g})")
    if False in results:
        return False, seen
    return (None if None in results else True), seen


def _measure(measure: Measure, series: Series, start_ns: int) -> float:
    values = series.since(start_ns) or [series.last]
    match measure:
        case "mean":
            return sum(values) / len(values)
        case "minimum":
            return min(values)
        case "maximum":
            return max(values)
        case _:
            return series.last


def _check_counters(
    condition: Condition, table: Table, fresh: list[Series], start_ns: int, now_ns: int
) -> tuple[bool | None, list[str]]:
    limit = condition.threshold
    if limit == "baseline":
        return None, [f"{condition.metric}: a counter has no baseline"]
    grown = sum(each.increase(start_ns) for each in fresh)
    labels = ",".join(f"{key}={value}" for key, value in sorted(condition.labels.items()))
    name = f"{condition.measure}({condition.metric}{{{labels}}})"
    if condition.measure == "increase":
        if not fresh:
            return None, [f"{name}: no fresh reading"]
        good = _COMPARE[condition.comparison](grown, limit)
        return good, [f"{name}={grown:g} ({condition.comparison} {limit:g})"]
    whole = sum(
        each.increase(start_ns)
        for each in table.find(condition.metric, condition.entity, condition.of or {})
        if now_ns - each.last_ns <= condition.fresh_ns
    )
    if whole < condition.count_min:
        return None, [f"{name}: only {whole:g} of {condition.count_min} events"]
    share = grown / whole
    good = _COMPARE[condition.comparison](share, limit)
    return good, [f"{name}={share:.3f} of {whole:g} ({condition.comparison} {limit:g})"]


def baseline_of(probes: tuple[Probe, ...], table: Table) -> dict[str, float]:
    """The last known value, however old, of every series that a `baseline` condition asks about."""
    return {
        series.name: series.last
        for probe in probes
        for condition in probe.conditions
        if condition.threshold == "baseline"
        for series in table.find(condition.metric, condition.entity, condition.labels)
    }
