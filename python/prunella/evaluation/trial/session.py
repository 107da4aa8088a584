"""A planned session and a way to start stacks in; its record out: episodes, books, proof, work."""

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from prunella.errors import PrunellaError, UsageError
from prunella.evaluation.arm import ARMS
from prunella.evaluation.books import VenueBooks, compare
from prunella.evaluation.scenario.conclude import settle
from prunella.evaluation.score import IncidentFacts, incidents
from prunella.evaluation.stack import RunningStack
from prunella.evaluation.trial.episode import Examiner
from prunella.evaluation.trial.plan import Pace, PlannedSession
from prunella.evaluation.trial.proof import prove_session
from prunella.evaluation.trial.records import Episode, Proof, Session, Store, Work
from prunella.healing.audit import read_trail
from prunella.trading.engine import replay

StackMaker = Callable[[PlannedSession], AbstractContextManager[tuple[RunningStack, Path]]]
"""Brings up the stack that a session wants; hands it out with the door to the truth."""

_TICKS = os.sysconf("SC_CLK_TCK")


def run_session(
    planned: PlannedSession,
    pace: Pace,
    bring_up: StackMaker,
    store: Store,
    tell: Callable[[str], None],
) -> Session:
    """Runs a whole session on a stack of its own.

    Raises:
        UsageError: The stack did not come up.
    """
    phases: dict[str, float] = {}
    with bring_up(planned) as (stack, door):
        watch = Stopwatch(stack, phases)
        examiner = Examiner(stack, pace, tell, truth=door if ARMS[planned.arm].informed else None)
        aftermath = examiner.settle(pace.warm_up)
        watch.lap("warm-up")
        if aftermath:
            raise UsageError(f"the stack did not become healthy: {aftermath}")
        meter = WorkMeter(stack)
        episodes = _episodes(planned, examiner)
        watch.lap("episodes")
        work = meter.read()
        session = _conclude(planned, stack, store, tuple(episodes), work)
        watch.lap("conclusion")
    return msgspec.structs.replace(session, calm_s=examiner.calm_s, phases_s=phases)


def _episodes(planned: PlannedSession, examiner: Examiner) -> list[Episode]:
    """The episodes, until the stack does not become healthy any more."""
    episodes: list[Episode] = []
    ill = ""
    for wanted in planned.wanted:
        if ill:
            why = f"the stack was not healthy: {ill}"
            episodes.append(Episode(wanted=wanted, outcome="harness error", why=why))
            continue
        episode = examiner.run(wanted)
        ill = episode.aftermath
        if episodes and episode.commanded_ns:
            # A straggler after the healthy stretch is still the earlier fault's.
            episodes[-1] = msgspec.structs.replace(episodes[-1], until_ns=episode.commanded_ns)
        episodes.append(episode)
    return episodes


def _conclude(
    planned: PlannedSession,
    stack: RunningStack,
    store: Store,
    episodes: tuple[Episode, ...],
    work: Work,
) -> Session:
    """Settles, compares the books, stops trading and reads the ledger."""
    books: tuple[VenueBooks, ...] = ()
    try:
        settle(stack)
        status = stack.get("engine", "/status") or {}
        books = tuple(
            compare(stack, venue, symbol=facts["symbol"])
            for venue, facts in status.get("venues", {}).items()
        )
    except PrunellaError:
        books = ()  # no books are no proof: the gates ask for them
    # The healing plane goes first: it must not take the engine's end for a fault.
    stack.supervisor.stop_process("healing")
    stack.supervisor.stop_process("engine")
    facts = incidents(read_trail(stack.home.ledger))
    told = tuple(
        msgspec.structs.replace(each, incidents=tuple(f for f in facts if _within(f, each)))
        for each in episodes
    )
    kept = store.ledger(planned.arm, planned.number)
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(stack.home.ledger, kept / "ledger")
    for name in ("ledger.pub", "decider.pub"):
        shutil.copy(stack.home.key(name), kept / name)
    return Session(
        arm=planned.arm,
        number=planned.number,
        seed=planned.seed,
        episodes=told,
        calm=tuple(f for f in facts if not any(_within(f, each) for each in episodes)),
        books=books,
        replay_equal=bool(replay(stack.home.engine_journal).get("hash_equal")),
        proof=_proof(kept),
        work=work,
    )


def _proof(kept: Path) -> Proof:
    return prove_session(
        kept / "ledger", ledger_key=kept / "ledger.pub", decider_key=kept / "decider.pub"
    )


def _within(facts: IncidentFacts, episode: Episode) -> bool:
    return episode.commanded_ns <= facts.opened_ns < episode.until_ns


class Stopwatch:
    """Where a session's time goes.

    Args:
        stack: For its clock.
        phases: Filled with seconds by phase.
    """

    def __init__(self, stack: RunningStack, phases: dict[str, float]) -> None:
        self._clock = stack.clock
        self._phases = phases
        self._since_ns = stack.clock.monotonic_ns()

    def lap(self, phase: str) -> None:
        """Ends a phase."""
        now_ns = self._clock.monotonic_ns()
        self._phases[phase] = round((now_ns - self._since_ns) / 1e9, 3)
        self._since_ns = now_ns


class WorkMeter:
    """What the agents take in, from their pages, and what it costs them, from the kernel."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self._began_ns = stack.clock.monotonic_ns()
        self._before = self._agents()

    def read(self) -> Work:
        """Since this meter was made; an agent that was restarted meanwhile is left out."""
        readings, cpu_seconds = 0, 0.0
        for pid, (seen, cpu) in self._agents().items():
            if pid in self._before:
                readings += seen - self._before[pid][0]
                cpu_seconds += cpu - self._before[pid][1]
        return Work(
            readings=readings,
            cpu_seconds=cpu_seconds,
            seconds=(self._stack.clock.monotonic_ns() - self._began_ns) / 1e9,
        )

    def _agents(self) -> dict[int, tuple[int, float]]:
        found = {}
        for state in self._stack.supervisor.states():
            if state.name.startswith("agent-") and state.pid:
                status = self._stack.get(state.name, "/status")
                if status is not None:
                    found[state.pid] = (int(status["readings"]), _cpu_seconds(state.pid))
        return found


def _cpu_seconds(pid: int) -> float:
    """Processor time of a process so far; 0 when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(stat[11]) + int(stat[12])) / _TICKS
