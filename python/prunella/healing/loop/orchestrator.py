"""Diagnoses, readings and heartbeats in; incidents, decisions and remediations out.

The one place that knows the order of the stages: merge by cause → decide → remediate → close. It is
a plain object with one writer and `tick(now_ns)`; it never waits, starts no thread and asks no
clock, so that a simulation drives it through hours in seconds. All that it knows is folded from the
ledger: a record that cannot be written stops every act.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from prunella.control import SignedAct
from prunella.errors import AuthenticationError, JournalError, UsageError
from prunella.healing.decide import Decider, RefusalReason
from prunella.healing.incident import (
    Decision,
    Diagnosis,
    Heartbeat,
    IncidentState,
    ThoughtAnswered,
    Topology,
    Unexplained,
)
from prunella.healing.incident.trail import (
    AgentSwitched,
    ApprovalGiven,
    DecisionMade,
    DiagnosisJoined,
    IncidentMoved,
    IncidentOpened,
    IncidentRerooted,
    PlaneFrozen,
    ProposalJudged,
    Role,
    RunRecord,
    StepReplied,
    StepUnanswered,
    Trail,
    WindowClosed,
    WindowOpened,
    kind_of,
)
from prunella.healing.loop.advice import doubted, proposals_of, weighed
from prunella.healing.loop.agent_supervisor import AgentSupervisor
from prunella.healing.loop.approvals import Approvals, Persons
from prunella.healing.loop.book import Book, Case
from prunella.healing.loop.merge import place
from prunella.healing.loop.registry import Registry, unreliable
from prunella.healing.loop.settings import LoopSettings
from prunella.healing.loop.survey import Impossible, Surveyor
from prunella.healing.loop.thought import NO_THOUGHTS, Thinker, Thoughts
from prunella.healing.loop.turns import SEVERITIES, Turns
from prunella.healing.reason import ReasonSettings, Redactor, without_secrets
from prunella.healing.remediate import Executor, Run, Table, Workflow
from prunella.telemetry import Reading

INBOX_MAX = 1024
"""Diagnoses of one severity that wait for a tick; beyond it the oldest is dropped and counted, so
that a mad agent can neither fill the memory nor keep others out for long."""

TAKEN_MAX = 32
"""Diagnoses of each severity below `critical` that a tick takes in: each is compared with every
open incident."""

PUZZLES_MAX = 16
"""Unexplained symptoms that wait for a tick; agents repeat them."""

REMINDER_NS = 3_000_000_000
"""An agent repeats an open diagnosis every 2 s; who is silent for longer sees it no more."""

_S = IncidentState
_ASK_WHY: dict[str, str] = {
    "rollback_failed": "could not be undone",
    "abandoned": "its workflow changed in the middle",
}
_NO_WAY_BACK = frozenset({"return_failed", "abandoned"})
_TOO_EARLY = frozenset({RefusalReason.PRECONDITION_UNMET, RefusalReason.PARAMETERS_INVALID})


class Ledger(Protocol):
    """The append-only record; whoever cannot append must not act."""

    def append(self, kind: str, record: msgspec.Struct, now_ns: int) -> int:
        """Writes one record and gives its sequence number."""
        ...


class Orchestrator:
    """Runs every incident from its first evidence to its end."""

    def __init__(
        self,
        *,
        settings: LoopSettings,
        ledger: Ledger,
        decider: Decider,
        catalogue: Mapping[str, Workflow],
        table: Table,
        book: Book,
        started_ns: int,
        persons: Persons = dict,
        impossible: Impossible = lambda _workflow: "",
        redactor: Redactor | None = None,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._decider = decider
        self._table = table
        self.topology = Topology(settings.components)
        self.book = book
        self._executor: Executor | None = None
        self._redactor = redactor or Redactor()
        self._thoughts: Thoughts | None = None
        self._trusted = False
        self._inbox: dict[str, deque[Diagnosis]] = {
            severity: deque(maxlen=INBOX_MAX) for severity in SEVERITIES
        }
        self._turns = Turns()
        self._puzzles: list[Unexplained] = []
        self.registry = Registry(settings, started_ns)
        self.agents = AgentSupervisor(self.topology)
        self._heard_ns = 0
        self._gone_ns: dict[str, int] = {}
        self._told_ns: dict[str, int] = {}
        self.approvals = Approvals(book, persons)
        self._surveyor = Surveyor(settings, catalogue, table, self.approvals, impossible)
        self.counters = {"diagnoses": 0, "repeated": 0, "dropped": 0, "ignored": 0, "ticks": 0}
        self.failed = ""

    def attach(self, executor: Executor) -> None:
        """Takes the executor, whose `write` is this orchestrator's `record`."""
        self._executor = executor

    def think(
        self, thinker: Thinker, reason: ReasonSettings, catalogue: Mapping[str, Workflow]
    ) -> None:
        """Takes who asks a model; without it the expert's word is the last."""
        self._trusted = reason.alone == "act"
        self._thoughts = Thoughts(
            thinker=thinker,
            reason=reason,
            settings=self._settings,
            catalogue=catalogue,
            table=self._table,
            book=self.book,
            record=self.record,
            take=self.take_thought,
        )

    @property
    def thought_counters(self) -> dict[str, int]:
        """What was asked of models, and what came of it."""
        return dict(NO_THOUGHTS if self._thoughts is None else self._thoughts.counters)

    @property
    def executor(self) -> Executor:
        """Who acts."""
        if self._executor is None:
            raise UsageError("the orchestrator has no executor yet")
        return self._executor

    # What comes in --------------------------------------------------------------------------

    def hear_reading(self, reading: Reading, now_ns: int) -> None:
        """Takes one reading."""
        self._heard_ns = now_ns
        self._table.put(reading)

    def hear_diagnosis(self, diagnosis: Diagnosis, now_ns: int, source: str = "") -> None:
        """Takes one piece of advice; it is looked at on the next tick.

        Args:
            diagnosis: The advice.
            now_ns: Nanoseconds UTC.
            source: Which replica said it, as the bus knows; the agent's only one when not given.
        """
        self._heard_ns = now_ns
        source = source or diagnosis.agent
        if source in self.book.disabled or not self.agents.hear(source, diagnosis, now_ns):
            self.counters["ignored"] += 1
            return
        self.counters["diagnoses"] += 1
        inbox = self._inbox[diagnosis.severity]
        if len(inbox) == INBOX_MAX:
            self.counters["dropped"] += 1
        inbox.append(without_secrets(diagnosis, self._redactor))

    def hear_nonsense(self, source: str, now_ns: int) -> None:
        """Takes it that a replica said something that cannot be read."""
        self.agents.strike(source, "an answer that cannot be read", now_ns)

    def hear_heartbeat(self, beat: Heartbeat, now_ns: int) -> None:
        """Takes a sign of life of an agent's replica."""
        self._heard_ns = now_ns
        self.registry.hear(beat, now_ns)
        self.agents.hear_heartbeat(beat.at_ns, now_ns)

    def hear_unexplained(self, unexplained: Unexplained, now_ns: int) -> None:
        """Takes symptoms that no rule explains."""
        self._heard_ns = now_ns
        if len(self._puzzles) < PUZZLES_MAX:
            self._puzzles.append(unexplained)

    def open_window(
        self, component: str, seconds: int, actor: str, reason: str, now_ns: int
    ) -> WindowOpened:
        """A person begins maintenance.

        Raises:
            UsageError: The component is not known, or the length is not 1 s to 24 h.
        """
        if self.topology.get(component) is None:
            known = ", ".join(each.name for each in self.topology.components)
            raise UsageError(f"no component {component!r}; there are {known}")
        if not 1 <= seconds <= 86_400:
            raise UsageError(f"{seconds} s should be 1 to 86400")
        window = WindowOpened(
            component=component,
            start_ns=now_ns,
            end_ns=now_ns + seconds * 1_000_000_000,
            actor=actor,
            reason=reason,
        )
        self.record(window, now_ns)
        return window

    def close_window(self, component: str, actor: str, now_ns: int) -> None:
        """A person ends maintenance early."""
        self.record(WindowClosed(component=component, actor=actor), now_ns)

    def freeze(self, *, frozen: bool, actor: str, reason: str, now_ns: int) -> None:
        """A person stops all acts, or allows them again."""
        self.record(PlaneFrozen(frozen=frozen, actor=actor, reason=reason), now_ns)

    def approve(
        self,
        incident: str,
        workflow: str,
        *,
        act: SignedAct,
        approve: bool,
        reason: str,
        now_ns: int,
    ) -> ApprovalGiven:
        """A person signs for, or against, the action that waits.

        Raises:
            UsageError: Nothing waits for it.
            AuthenticationError: The signature does not hold.
        """
        action = self.approvals.check(incident, workflow, act=act, approve=approve, now_ns=now_ns)
        given = ApprovalGiven(
            incident=incident,
            workflow=action.workflow,
            target=action.target,
            parameters=action.parameters,
            approve=approve,
            person=act.person,
            nonce=act.nonce,
            until_ns=act.until_ns,
            signature=act.signature,
            reason=reason,
        )
        self.record(given, now_ns)
        return given

    def switch_agent(
        self, name: str, *, enabled: bool, actor: str, reason: str, now_ns: int
    ) -> None:
        """Listens to a replica no more, or again; it is told so by the next roster.

        Raises:
            UsageError: There is no such replica, or it is so already.
        """
        if name not in self.registry.names:
            raise UsageError(f"no replica {name!r}; there are {', '.join(self.registry.names)}")
        if enabled == (name not in self.book.disabled):
            raise UsageError(f"{name} is {'enabled' if enabled else 'disabled'} already")
        self.agents.pardon(name)
        record = AgentSwitched(name=name, enabled=enabled, actor=actor, reason=reason)
        self.record(record, now_ns)
        if not enabled:
            return
        for case in self.book.live():
            if case.incident.fault_class == "agent.unreliable" and case.incident.culprit == name:
                self._move(case, _S.RESOLVED, f"enabled by {actor}", now_ns)

    def hold(self, run: Run, now_ns: int) -> str:
        """Why no step of a run under way may be begun now; empty when one may be."""
        if self.book.frozen:
            return RefusalReason.PLANE_FROZEN
        case = self.book.cases.get(run.incident)
        concerned = {run.started.target, case.incident.culprit if case else ""}
        if concerned & self.book.maintenance(now_ns):
            return RefusalReason.MAINTENANCE_WINDOW_OPEN
        return ""

    # The ledger -----------------------------------------------------------------------------

    def record(self, record: Trail, now_ns: int) -> int:
        """Into the ledger, and only then into the book.

        Raises:
            JournalError: It could not be written. From then on nothing is done any more.
        """
        if self.failed:
            raise JournalError(f"the ledger failed before: {self.failed}")
        if isinstance(record, StepUnanswered | StepReplied):
            # A target's own words may quote what it was given.
            words = self._redactor.clean(record.message)
            record = msgspec.structs.replace(record, message=words)
        try:
            seq = self._ledger.append(kind_of(record), record, now_ns)
        except (JournalError, OSError) as error:
            self.failed = f"{type(error).__name__}: {error}"
            raise JournalError(self.failed) from error
        self.book.fold(seq, record, now_ns)
        return seq

    def resume(self, entries: Iterable[tuple[int, int, Trail]], now_ns: int) -> int:
        """Folds an earlier life's entries (seq, time, record); gives how many runs go on."""
        for seq, at_ns, record in entries:
            self.book.fold(seq, record, at_ns)
            if isinstance(record, RunRecord):
                self.executor.fold(record, at_ns)
        self.executor.resumed(now_ns)
        for run in self.executor.active():
            case = self.book.cases[run.incident]
            if case.incident.state is _S.DECIDING:
                # The earlier life ended between the run's first record and the incident's move.
                self._move(case, _S.REMEDIATING, case.workflow, now_ns)
        return len(self.executor.active())

    # The loop -------------------------------------------------------------------------------

    def tick(self, now_ns: int) -> None:
        """Does all that is due; nothing at all once the ledger failed."""
        self.counters["ticks"] += 1
        if self.failed:
            return
        try:
            self._listen_for_agents(now_ns)
            for diagnosis in self._unpack():
                self._take(diagnosis, now_ns)
            self._think(now_ns)
            for case in self._turns.next(self.book.live(), lambda each: each.incident.severity):
                if case.incident.state in {_S.OPEN, _S.DECIDING}:
                    self._decide(case, now_ns)
                elif case.incident.state in {_S.SUPPRESSED, _S.ESCALATED}:
                    self._review(case, now_ns)
            self.executor.tick(now_ns)
            for run in list(self.executor.runs.values()):
                self._follow(run, now_ns)
        except JournalError:
            if not self.failed:
                raise

    def _unpack(self) -> Iterator[Diagnosis]:
        """What came in, the gravest first, and no more than leaves time for what is under way."""
        for severity, inbox in self._inbox.items():
            taken = len(inbox) if severity == "critical" else min(len(inbox), TAKEN_MAX)
            for _ in range(taken):
                yield inbox.popleft()

    def _listen_for_agents(self, now_ns: int) -> None:
        """A mute agent is a symptom of its own, unless it is we who hear nothing."""
        for reading in self.registry.readings(now_ns):
            self._table.put(reading)
        if now_ns - self._heard_ns <= self._settings.deaf_ns:
            for diagnosis in self.registry.lost(now_ns):
                self._take(diagnosis, now_ns)
        for name, why in list(self.agents.unreliable(now_ns)):
            self.agents.pardon(name)
            if name in self.registry.names and name not in self.book.disabled:
                self.switch_agent(name, enabled=False, actor="healing", reason=why, now_ns=now_ns)
                self._take(unreliable(name, now_ns), now_ns)

    def _take(self, diagnosis: Diagnosis, now_ns: int) -> None:
        """Puts a diagnosis where it belongs."""
        if diagnosis.symptoms and not any(each.active for each in diagnosis.symptoms):
            self._take_end(diagnosis, now_ns)
            return
        placement = place(
            diagnosis,
            self.book.cases.values(),
            topology=self.topology,
            settings=self._settings,
            now_ns=now_ns,
        )
        best = diagnosis.hypotheses[0]
        if placement.how == "open":
            self.record(
                IncidentOpened(
                    culprit=best.culprit,
                    fault_class=best.fault_class,
                    severity=diagnosis.severity,
                    onset_ns=min(
                        (each.onset_ns for each in diagnosis.symptoms), default=diagnosis.made_ns
                    ),
                    diagnosis=diagnosis,
                ),
                now_ns,
            )
            return
        case = self.book.cases[placement.incident]
        if placement.how == "reopen":
            self._join(case.incident.id, "cause", diagnosis, now_ns)
            self._move(case, _S.DECIDING, "the cause is back", now_ns)
            return
        known = (diagnosis.agent, best.fault_class, best.culprit) in case.known
        self._told_ns[case.incident.id] = now_ns
        if known and diagnosis.agent not in case.over:
            self.counters["repeated"] += 1
            return
        if placement.how == "reroot":
            self._reroot(case, diagnosis, now_ns)
        elif placement.how == "cause":
            named = {each.workflow for cause in case.causes for each in cause.proposals}
            fresh = {each.workflow for each in diagnosis.proposals} - named
            self._join(case.incident.id, "cause", diagnosis, now_ns)
            if case.incident.state is _S.ESCALATED and fresh:
                self._move(case, _S.DECIDING, "new advice", now_ns)
        else:
            role: Role = "straggler" if placement.how == "straggler" else "consequence"
            self._join(case.incident.id, role, diagnosis, now_ns)

    def _take_end(self, diagnosis: Diagnosis, now_ns: int) -> None:
        """An agent sees its fault no more: that closes what nothing was done about.

        What was acted on is closed by its own probe, never by an agent's word.
        """
        agent, culprit = diagnosis.agent, diagnosis.hypotheses[0].culprit
        for case in self.book.live():
            if case.incident.culprit == culprit and not case.acted and agent not in case.over:
                self._join(case.incident.id, "over", diagnosis, now_ns)
                if case.gone:
                    self._move(case, _S.RESOLVED, "gone by itself", now_ns)

    def _join(self, incident: str, role: Role, diagnosis: Diagnosis, now_ns: int) -> None:
        self.record(DiagnosisJoined(incident=incident, role=role, diagnosis=diagnosis), now_ns)

    def _reroot(self, case: Case, diagnosis: Diagnosis, now_ns: int) -> None:
        best = diagnosis.hypotheses[0]
        self.record(
            IncidentRerooted(
                incident=case.incident.id,
                culprit=best.culprit,
                fault_class=best.fault_class,
                severity=diagnosis.severity,
                culprit_before=case.incident.culprit,
                diagnosis=diagnosis,
            ),
            now_ns,
        )
        if case.incident.state is _S.ESCALATED:
            self._move(case, _S.DECIDING, "a better culprit", now_ns)

    def _think(self, now_ns: int) -> None:
        """Takes in what models answered, and asks about what nobody can explain."""
        puzzles, self._puzzles = self._puzzles, []
        if self._thoughts is not None:
            self._thoughts.collect(now_ns)
            for each in puzzles:
                self._thoughts.puzzle(each, now_ns)

    def take_thought(self, incident: str, answered: ThoughtAnswered, now_ns: int) -> None:
        """A model's answer becomes advice about its incident, or for people to read."""
        diagnosis = answered.diagnosis
        if diagnosis is None:
            return
        if not incident:
            self._take(diagnosis, now_ns)
            return
        case = self.book.cases[incident]
        if answered.stance == "differs":
            self._join(incident, "opinion", diagnosis, now_ns)
            return
        known = {(each.workflow, each.target) for each in proposals_of(case)}
        self._join(incident, "cause", diagnosis, now_ns)
        fresh = {(each.workflow, each.target) for each in diagnosis.proposals} - known
        if case.incident.state is _S.ESCALATED and (fresh or answered.why == "unsure"):
            self._move(case, _S.DECIDING, "advice of a model", now_ns)

    # Deciding -------------------------------------------------------------------------------

    def _decide(self, case: Case, now_ns: int) -> None:
        """Asks policy once the advice has settled and the preconditions can be told."""
        incident = case.incident
        if any(each.ended is None for each in self.executor.of(incident.id)):
            return
        if incident.state is _S.OPEN:
            independent = incident.fault_class in self._settings.independent_classes
            if not independent and now_ns - incident.opened_ns < self._settings.settle_ns:
                return
            self._move(case, _S.DECIDING, "advice has settled", now_ns)
        proposals = weighed(case, self.book)
        if self._thoughts is not None and self._thoughts.hold(case, proposals, now_ns):
            return
        circumstances, wait = self._surveyor.survey(
            case, proposals, self.book, self.executor.active(), now_ns
        )
        if wait:
            return
        circumstances = msgspec.structs.replace(
            circumstances, doubted=doubted(case, trusted=self._trusted)
        )
        decision = self._decider.decide(case.incident, proposals, circumstances, now_ns)
        for proposal, verdict in zip(proposals, decision.verdicts, strict=False):
            self.record(
                ProposalJudged(incident=incident.id, proposal=proposal, verdict=verdict), now_ns
            )
        self.record(DecisionMade(incident=incident.id, decision=decision), now_ns)
        self._carry_out(case, decision, now_ns)

    def _carry_out(self, case: Case, decision: Decision, now_ns: int) -> None:
        if decision.outcome == "nothing":
            self._move(case, _S.SUPPRESSED, decision.reason, now_ns)
        elif decision.outcome == "ask" or decision.signed is None:
            if decision.reason == RefusalReason.PRECONDITION_UNMET:
                self.agents.unfounded(case.causes, now_ns)
            self._move(case, _S.ESCALATED, decision.reason, now_ns)
        else:
            try:
                self.executor.start(decision.signed, decision.verdicts[-1].action, now_ns)
            except (AuthenticationError, UsageError) as error:
                self._move(case, _S.ESCALATED, str(error)[:200], now_ns)
            else:
                self._move(case, _S.REMEDIATING, case.workflow, now_ns)

    # Closing --------------------------------------------------------------------------------

    def _review(self, case: Case, now_ns: int) -> None:
        """A suppressed or escalated incident: signed, over by itself, or its window has ended."""
        if case.signed:
            self._move(case, _S.DECIDING, f"{case.signed} signed", now_ns)
            return
        if self._thoughts is not None and case.incident.state is _S.ESCALATED:
            self._thoughts.review(case, now_ns)
        proposals = proposals_of(case)
        name = case.incident.id
        present = self._surveyor.fault_present(case, proposals, now_ns)
        told_ns = self._told_ns.setdefault(name, now_ns)
        quiet = now_ns - told_ns >= REMINDER_NS
        if quiet and present and all(each is False for each in present):
            since_ns = self._gone_ns.setdefault(name, now_ns)
            suppressed = case.incident.state is _S.SUPPRESSED
            settings = self._settings
            quiet_ns = settings.suppressed_quiet_ns if suppressed else settings.escalated_quiet_ns
            if now_ns - since_ns >= quiet_ns:
                del self._gone_ns[name], self._told_ns[name]
                self._move(case, _S.RESOLVED, "gone by itself", now_ns)
            return
        self._gone_ns.pop(name, None)
        if case.incident.state is _S.ESCALATED:
            # The advice was faster than our own readings, which now say the same.
            if case.reason in _TOO_EARLY and True in present:
                self._move(case, _S.DECIDING, "our own readings show it now", now_ns)
            return
        if self.book.frozen:
            return
        touched = {case.incident.culprit, *(each.target for each in proposals)}
        if not touched & self.book.maintenance(now_ns) and True in present:
            self._move(case, _S.DECIDING, "the maintenance window has ended", now_ns)

    def _follow(self, run: Run, now_ns: int) -> None:
        """Moves the incident along with its remediation."""
        case = self.book.cases.get(run.incident)
        if case is None or case.workflow != run.started.workflow:
            return
        state = case.incident.state
        if state is _S.REMEDIATING and run.phase == "verifying" and run.ended is None:
            self._move(case, _S.VERIFYING, "all asked, now the goal", now_ns)
        elif state is _S.VERIFYING and run.phase in {"acting", "undoing"} and run.ended is None:
            self._move(case, _S.REMEDIATING, run.phase, now_ns)
        elif state in {_S.REMEDIATING, _S.VERIFYING}:
            if run.cured or run.ended == "cured":
                if state is _S.REMEDIATING:
                    self._move(case, _S.VERIFYING, "the goal held", now_ns)
                self._move(case, _S.RESOLVED, "; ".join(run.proof), now_ns)
            elif run.ended == "rolled_back":
                self._move(case, _S.DECIDING, f"{run.started.workflow} did not help", now_ns)
            elif run.ended in _ASK_WHY:
                self._move(case, _S.ESCALATED, _ASK_WHY[run.ended], now_ns)
        elif state is _S.RESOLVED and run.ended in _NO_WAY_BACK and case.reason != "way back":
            self._move(case, _S.ESCALATED, "way back", now_ns)

    def _move(self, case: Case, state: IncidentState, reason: str, now_ns: int) -> None:
        self.record(IncidentMoved(incident=case.incident.id, state=state, reason=reason), now_ns)
