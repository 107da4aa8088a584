"""What a trial writes down: episodes and sessions, each file whole or not there at all.

A session is one life of a stack: some episodes one after the other, then its books, ledger and
replay. It is the unit of resuming: a trial that was stopped goes on with the sessions it lacks.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from prunella.errors import UsageError
from prunella.evaluation.books import VenueBooks
from prunella.evaluation.score import IncidentFacts

Outcome = Literal["scored", "skipped", "harness error"]
"""Skipped: this machine cannot do it. Harness error: it was our plumbing that failed; neither is
ever counted for or against anybody."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One episode to be run: which fault, how severe, which repeat."""

    fault: str
    severity: Literal[1, 2, 3]
    repeat: int


class Episode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One injection, as it was seen from outside and as the ledger tells it. Times: ns UTC.

    Attributes:
        culprit: Whom a right diagnosis names.
        harmless_ns: Since when its harm was gone without a break, for as long as was asked for; 0
            when it was not before it was reverted.
        until_ns: Until when incidents count as this fault's: the next injection, or the end.
        incidents: What the ledger says of those opened in its time.
        aftermath: Why the stack was not healthy afterwards; empty when it was.
    """

    wanted: Wanted
    outcome: Outcome
    why: str = ""
    culprit: str = ""
    commanded_ns: int = 0
    effective_ns: int = 0
    harmless_ns: int = 0
    reverted_ns: int = 0
    until_ns: int = 0
    incidents: tuple[IncidentFacts, ...] = ()
    aftermath: str = ""


class Work(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the agents took in during a session.

    Attributes:
        readings: By all agents.
        seconds: Of wall clock.
        cpu_seconds: Processor time of all agents.
    """

    readings: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0


class Proof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the ledger alone says of a session.

    Attributes:
        entries: That verify; 0 when it does not.
        problem: Why it does not.
        acts: Steps that were carried out.
        unpermitted: Those without a fitting, signed and then valid permission.
        traces: Incidents that were acted on or brought to a person.
        incomplete: Those whose records do not lead from evidence to end, with what is missing.
        pairs: Cause and effect in two processes, by their own clocks.
        disordered: Pairs whose effect is told before its cause, with what they are.
    """

    entries: int = 0
    problem: str = ""
    acts: int = 0
    unpermitted: tuple[str, ...] = ()
    traces: int = 0
    incomplete: tuple[str, ...] = ()
    pairs: int = 0
    disordered: tuple[str, ...] = ()


class Session(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One life of a stack.

    Attributes:
        calm: Incidents opened while nothing was injected, as false alarms.
        calm_s: For how long nothing was injected while the stack was watched.
        phases_s: Where the time went.
        replay_equal: Whether replaying the engine's journal gave the same state.
    """

    arm: str
    number: int
    seed: int
    episodes: tuple[Episode, ...]
    calm: tuple[IncidentFacts, ...] = ()
    calm_s: float = 0.0
    books: tuple[VenueBooks, ...] = ()
    replay_equal: bool = False
    proof: Proof = Proof()
    work: Work = Work()
    phases_s: dict[str, float] = msgspec.field(default_factory=dict)


class Store:
    """A trial's folder: one file per session, and its ledger beside it.

    Args:
        folder: Made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sessions = folder / "sessions"
        try:
            self._sessions.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"{folder}: cannot be made: {error.strerror}") from None

    def has(self, arm: str, number: int) -> bool:
        """Whether that session is done."""
        return self._path(arm, number).exists()

    def put(self, session: Session) -> None:
        """Writes a session, whole or not at all."""
        path = self._path(session.arm, session.number)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(session))
        fresh.replace(path)

    def sessions(self) -> Iterator[Session]:
        """All that are done.

        Raises:
            UsageError: A file is none of ours.
        """
        for path in sorted(self._sessions.glob("*.json")):
            try:
                yield msgspec.json.decode(path.read_bytes(), type=Session)
            except msgspec.DecodeError as error:
                raise UsageError(f"{path}: no session of this version: {error}") from None

    def ledger(self, arm: str, number: int) -> Path:
        """Where the session's ledger is kept, for whoever wants to verify it."""
        return self.folder / "ledgers" / f"{arm}-{number:03d}"

    def _path(self, arm: str, number: int) -> Path:
        return self._sessions / f"{arm}-{number:03d}.json"
