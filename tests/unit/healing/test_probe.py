"""Probes: three answers, counters that restart, nothing from before the act counts."""

import pytest
from prunella.healing.remediate import Condition, Probe, Table, look
from prunella.healing.remediate.table import SERIES_MAX
from prunella.telemetry import Reading

S = 1_000_000_000


def table(*rows: tuple[str, float, float], **labels: str) -> Table:
    """A table with (metric, seconds, value) readings of the engine."""
    made = Table({metric for metric, _, _ in rows})
    for metric, at_s, value in rows:
        at_ns = int(at_s * S)
        made.put(
            Reading(
                metric=metric,
                entity="engine",
                value=value,
                labels=labels,
                ts_event_ns=at_ns,
                ts_init_ns=at_ns,
            )
        )
    return made


def ask(condition: Condition, made: Table, *, since_s: float = 0, now_s: float = 10) -> bool | None:
    """One look."""
    probe = Probe(conditions=(condition,), timeout_ns=S)
    return look(
        probe,
        made,
        target="engine",
        baseline={"m@engine": 3.0},
        since_ns=int(since_s * S),
        now_ns=int(now_s * S),
    ).good


@pytest.mark.parametrize(
    ("comparison", "threshold", "good"),
    [("==", 3, True), ("!=", 3, False), ("<", 4, True), (">=", 4, False), ("==", "baseline", True)],
)
def test_last_value_is_compared(comparison: str, threshold: float, good: bool) -> None:
    """The newest sample decides."""
    condition = Condition(metric="m", comparison=comparison, threshold=threshold)  # type: ignore[arg-type]
    assert ask(condition, table(("m", 9, 1), ("m", 9.9, 3))) is good


def test_missing_or_stale_reading_tells_nothing() -> None:
    """Silence is neither good nor bad."""
    condition = Condition(metric="m", comparison="==", threshold=3)
    assert ask(condition, Table({"m"})) is None
    assert ask(condition, table(("m", 7, 3))) is None


def test_reading_from_before_the_act_tells_nothing() -> None:
    """An effect cannot be seen before its cause."""
    condition = Condition(metric="m", comparison="==", threshold=3)
    assert ask(condition, table(("m", 9, 3)), since_s=9.5) is None


def test_counter_that_restarts_counts_from_zero() -> None:
    """A smaller value is a new process, not a negative growth."""
    condition = Condition(metric="m", measure="increase", comparison=">", threshold=4)
    rows = (("m", 8.5, 100.0), ("m", 9.0, 2.0), ("m", 9.5, 5.0))
    assert ask(condition, table(*rows)) is True
    assert ask(condition, table(*rows), since_s=9.2) is False


def test_share_needs_enough_events() -> None:
    """Three requests tell nothing about a failure rate."""
    made = Table({"r"})
    for at_s, ok, bad in ((8.5, 0, 0), (9.5, 20, 1)):
        for outcome, value in (("ok", ok), ("timeout", bad)):
            made.put(
                Reading(
                    metric="r",
                    entity="engine",
                    value=value,
                    labels={"outcome": outcome},
                    ts_event_ns=int(at_s * S),
                    ts_init_ns=int(at_s * S),
                )
            )
    for count_min, threshold, good in ((5, 0.05, True), (5, 0.04, False), (50, 0.05, None)):
        condition = Condition(
            metric="r",
            labels={"outcome": "timeout|server_error"},
            of={},
            measure="share",
            comparison="<",
            threshold=threshold,
            count_min=count_min,
        )
        assert ask(condition, made) is good


def test_every_fitting_series_must_be_good() -> None:
    """One venue that is not reconciled is enough to wait."""
    made = Table({"m"})
    for venue, value in (("primary", 1), ("backup", 0)):
        made.put(
            Reading(
                metric="m",
                entity="engine",
                value=value,
                labels={"venue": venue},
                ts_event_ns=10 * S,
                ts_init_ns=10 * S,
            )
        )
    assert ask(Condition(metric="m", comparison="==", threshold=1), made) is False


def test_table_has_an_end() -> None:
    """A label with unbounded values cannot fill the memory."""
    made = Table({"m"})
    for number in range(SERIES_MAX + 10):
        made.put(
            Reading(
                metric="m",
                entity="engine",
                value=1,
                labels={"order": str(number)},
                ts_event_ns=number,
                ts_init_ns=number,
            )
        )
    assert len(list(made.find("m", "", {}))) == SERIES_MAX
    assert made.dropped == 10
