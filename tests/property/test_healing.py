"""Any order of faults, advice, silence, kills and people's orders keeps the plane's promises."""

from typing import Any

from healing_rig import Rig, check
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prunella.healing.incident import IncidentState

CULPRITS = ["engine", "exchange-primary", "exchange-backup", "bus", "pid:4242", "pid:1", "x"]
FAULTS = ["process.crashed", "venue.silent", "cpu.contention", "order_path.overloaded", "nonsense"]
WORKFLOWS = [
    "restart-with-warm-up",
    "reroute-to-backup-venue",
    "contain-cpu-offender",
    "back-off-and-shed",
    "rm -rf /",
]

advice = st.fixed_dictionaries(
    {
        "agent": st.sampled_from(["agent-cpu", "agent-network", "agent-http"]),
        "fault": st.sampled_from(FAULTS),
        "culprit": st.sampled_from(CULPRITS),
        "workflow": st.sampled_from(WORKFLOWS),
        "target": st.sampled_from(CULPRITS),
        "confidence": st.sampled_from([0.1, 0.7, 0.95, 5.0]),
        "evidence": st.sampled_from([(), ("a@engine",), ("a@exchange-primary", "b@engine")]),
        "parameters": st.dictionaries(st.sampled_from(["venue", "pid"]), st.text(max_size=5)),
    }
)
moves = st.one_of(
    st.tuples(st.just("run"), st.sampled_from([0.1, 0.5, 2.0, 6.0])),
    st.tuples(st.just("advise"), advice),
    st.tuples(
        st.just("fault"), st.sampled_from(["crash_engine", "freeze_primary", "burn", "overload"])
    ),
    st.tuples(st.just("stubborn"), st.sampled_from([1, 2])),
    st.tuples(st.just("crash"), st.integers(1, 8)),
    st.tuples(st.just("silence"), st.sampled_from(["engine", "supervisor", "host"])),
    st.tuples(st.just("refuse"), st.sampled_from(["Stop", "SwitchVenue", "Restart", "Pin"])),
    st.tuples(st.just("window"), st.sampled_from(["engine", "exchange-primary"])),
    st.tuples(st.just("freeze"), st.booleans()),
    st.tuples(st.just("cure"), st.none()),
)


def play(rig: Rig, move: str, what: Any) -> None:
    """One move of the game."""
    stack, plane = rig.stack, rig.plane
    match move:
        case "run":
            rig.run(what)
        case "advise":
            rig.advise(**what)
        case "fault":
            getattr(rig, what)()
        case "stubborn":
            rig.burn(stubborn=what)
        case "crash":
            rig.ledger.crash_after = len(rig.ledger.entries) + what
        case "silence":
            stack.silent[what] = 3
        case "refuse":
            stack.refuse ^= {what}
        case "window":
            rig.guard(lambda: plane.open_window(what, 5, "ana", "work", stack.now_ns))
        case "freeze":
            rig.guard(
                lambda: plane.freeze(frozen=what, actor="ana", reason="test", now_ns=stack.now_ns)
            )
        case _:
            stack.frozen.clear()
            stack.capacity = 0
            stack.offender = None


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(game=st.lists(moves, min_size=3, max_size=14), seed=st.integers(0, 5))
def test_any_interleaving_keeps_the_promises(game: list[tuple[str, Any]], seed: int) -> None:
    """Nothing without a decision, nothing twice, every failure undone, the same book after folding.

    `check` asserts what must hold of the ledger and of what the stack was told.
    """
    rig = Rig(seed=seed)
    rig.run(2)
    for move, what in game:
        play(rig, move, what)
    # A frozen plane holds what it has begun for as long as it is frozen.
    play(rig, "freeze", what=False)
    rig.run(60)
    check(rig)
    for run in rig.plane.executor.active():
        assert run.phase == "following", (run.incident, run.phase)
    for case in rig.cases:
        assert case.incident.state in {
            IncidentState.RESOLVED,
            IncidentState.SUPPRESSED,
            IncidentState.ESCALATED,
        }
    before = {each.incident.id: (each.incident, each.outcome, each.acted) for each in rig.cases}
    again = Rig(seed=seed)
    again.ledger.entries = list(rig.ledger.entries)
    again.plane.resume(list(rig.ledger.read()), rig.stack.now_ns)
    after = {each.incident.id: (each.incident, each.outcome, each.acted) for each in again.cases}
    assert after == before
