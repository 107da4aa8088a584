"""What the engine says is wrong with a venue, and how it answers: told with its culprit."""

from collections.abc import Iterable

import pytest
from prunella.healing.diagnose import AGENTS
from prunella.healing.incident import Diagnosis, Topology
from prunella.healing.loop import Agent, local_stack
from prunella.telemetry import Domain, Reading, Readings

MS = 1_000_000
SECOND = 1_000 * MS
START = 1_700_000_000 * SECOND


def told(
    domain: Domain, rounds: Iterable[list[tuple[str, float, dict[str, str]]]]
) -> list[Diagnosis]:
    """What an agent says of these rounds of the engine's figures, ten a second."""
    agent = Agent(AGENTS[f"agent-{domain}"], Topology(local_stack().components))
    said: list[Diagnosis] = []
    for turn, figures in enumerate(rounds):
        now_ns = START + turn * 100 * MS
        items = tuple(
            Reading(
                metric=metric,
                entity="engine",
                value=value,
                labels=labels,
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
            )
            for metric, value, labels in figures
        )
        agent.observe(Readings(domain=domain, source="scrape:engine", items=items), now_ns)
        said += agent.tick(now_ns)
    return said


def health(*reasons: tuple[str, str]) -> list[tuple[str, float, dict[str, str]]]:
    """A round in which these venues are not healthy for these reasons."""
    always: list[tuple[str, float, dict[str, str]]] = [
        ("venue_feed_age_seconds", 0.02, {"venue": venue}) for venue in ("primary", "backup")
    ]
    return always + [
        ("venue_health_reason", 1.0, {"venue": venue, "reason": reason})
        for venue, reason in reasons
    ]


@pytest.mark.parametrize(
    ("reason", "fault_class"), [("clock_offset", "clock.offset"), ("gap_rate", "feed.gapped")]
)
def test_a_venue_that_is_unwell_for_a_while_is_told_by_class(reason: str, fault_class: str) -> None:
    """Half a second of it, and nobody is asked to do anything rash."""
    calm = [health() for _ in range(80)]
    said = told("network", [*calm, *[health(("primary", reason)) for _ in range(8)]])
    best = said[0].hypotheses[0]
    assert (best.fault_class, best.culprit) == (fault_class, "exchange-primary")
    assert told("network", [*calm, health(("primary", reason)), *calm[:5]]) == []


@pytest.mark.parametrize("reason", ["clock_offset", "gap_rate"])
def test_both_venues_unwell_alike_are_no_venues_fault(reason: str) -> None:
    """Then it is our own clock, or our own host."""
    calm = [health() for _ in range(80)]
    both = health(("primary", reason), ("backup", reason))
    assert told("network", [*calm, *[both for _ in range(10)]]) == []


def orders(ok: int, refused: int) -> list[tuple[str, float, dict[str, str]]]:
    """A round with these totals of order requests to the primary venue."""
    return [
        ("order_requests_total", float(count), {"venue": "primary", "outcome": outcome})
        for outcome, count in (("ok", ok), ("refused", refused))
    ]


def test_refusals_in_a_row_are_told_and_a_few_among_many_orders_are_not() -> None:
    """A venue that refuses a bad order does its work; one that refuses most has changed."""
    calm = [orders(turn, turn // 20) for turn in range(100)]
    assert told("http", calm) == []
    storm = [orders(100, 5 + turn) for turn in range(12)]
    best = told("http", [*calm, *storm])[0].hypotheses[0]
    assert (best.fault_class, best.culprit) == ("venue.rejecting", "exchange-primary")


def placements(count: int, total_ms: float) -> list[tuple[str, float, dict[str, str]]]:
    """A round with these totals of the primary venue's order latency."""
    name, venue = "order_placement_latency_milliseconds", {"venue": "primary"}
    return [(f"{name}_sum", total_ms, venue), (f"{name}_count", float(count), venue)]


def test_answers_that_come_late_are_told_and_a_single_late_one_is_not() -> None:
    """Three orders a second of two milliseconds, then of three hundred."""
    calm = [placements(turn // 3, turn // 3 * 2.0) for turn in range(150)]
    assert told("http", calm) == []
    late = [placements(50 + turn // 3, 100.0 + turn // 3 * 300.0) for turn in range(30)]
    best = told("http", [*calm, *late])[0].hypotheses[0]
    assert (best.fault_class, best.culprit) == ("order_path.slow", "exchange-primary")
    single = [placements(51 + turn // 3, 160.0 + turn // 3 * 2.0) for turn in range(30)]
    assert told("http", [*calm, *single]) == []


def frames(primary: int, backup: int) -> list[tuple[str, float, dict[str, str]]]:
    """A round with these totals of frames; both venues answer pings."""
    return [
        row
        for venue, count in (("primary", primary), ("backup", backup))
        for row in (
            ("venue_frames_total", float(count), {"venue": venue}),
            ("venue_feed_age_seconds", 0.05, {"venue": venue}),
        )
    ]


def test_a_feed_that_stands_still_beside_one_that_moves_is_told() -> None:
    """Though it answers every ping; a market that sleeps everywhere is no fault."""
    calm = [frames(turn * 5, turn * 5) for turn in range(80)]
    frozen = [frames(400, 400 + turn * 5) for turn in range(30)]
    best = told("network", [*calm, *frozen])[0].hypotheses[0]
    assert (best.fault_class, best.culprit) == ("venue.silent", "exchange-primary")
    assert told("network", [*calm, *[frames(400, 400) for _ in range(30)]]) == []
