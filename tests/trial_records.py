"""Records of a trial for tests: incidents, episodes and sessions, made as a real one makes them."""

from prunella.evaluation.books import VenueBooks
from prunella.evaluation.fault import FAULTS
from prunella.evaluation.score import IncidentFacts
from prunella.evaluation.trial.records import Episode, Proof, Session, Wanted
from prunella.healing.incident import IncidentState

MS = 1_000_000
SECOND = 1_000 * MS
START = 1_700_000_000 * SECOND
BOOKS = VenueBooks(
    venue="primary",
    orders_sent=5,
    orders_received=5,
    orders_refused=0,
    acknowledged=5,
    fills_venue=1,
    fills_engine=1,
    position_venue="0.1",
    position_engine="0.1",
    duplicates=0,
    lost=0,
)


def facts(
    culprit: str = "engine", fault_class: str = "process.crashed", **more: object
) -> IncidentFacts:
    """What a ledger says of one incident: detected after 300 ms, acted after 500."""
    known: dict[str, object] = {
        "id": "inc-000001",
        "culprit": culprit,
        "fault_class": fault_class,
        "opened_ns": START + 400 * MS,
        "opened_seq": 1,
        "raised_ns": (START + 300 * MS,),
        "diagnosed_ns": START + 350 * MS,
        "acted_ns": START + 480 * MS,
        "replied_ns": START + 500 * MS,
        "workflow": "restart-with-warm-up",
        "outcomes": ("cured",),
        "state": IncidentState.RESOLVED,
    }
    return IncidentFacts(**(known | more))  # type: ignore[arg-type]


def episode(fault: str = "engine-crash", *told: IncidentFacts, cured_ms: int = 900) -> Episode:
    """One that took effect at once and was cured, if it was, after so long."""
    return Episode(
        wanted=Wanted(fault=fault, severity=2, repeat=0),
        outcome="scored",
        culprit="" if FAULTS[fault].kind == "negative" else "engine",
        commanded_ns=START,
        effective_ns=START,
        harmless_ns=START + cured_ms * MS if cured_ms else 0,
        reverted_ns=START + 10 * SECOND,
        until_ns=START + 15 * SECOND,
        incidents=told,
    )


def session(arm: str, *episodes: Episode, **more: object) -> Session:
    """A session whose proofs are all right."""
    known: dict[str, object] = {
        "arm": arm,
        "number": 0,
        "seed": 1,
        "episodes": episodes,
        "books": (BOOKS,),
        "replay_equal": True,
        "proof": Proof(entries=9, acts=1, traces=1, pairs=3),
        "calm_s": 60.0,
    }
    return Session(**(known | more))  # type: ignore[arg-type]
