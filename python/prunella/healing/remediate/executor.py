"""A signed verdict in; acts, probes and, if need be, their undoing out, all of it in the ledger.

The step protocol is a write-ahead log: ledger the intent → ask the target with an idempotency key
→ ledger the reply with the state replaced → verify by a probe of the goal → commit, or undo in
reverse order. The executor never waits: `tick` looks at what came in and takes the next step that
is due, so a probe's hold time and a slow target cost nothing but ticks.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from prunella.control import Reply, Target
from prunella.errors import (
    ConfigError,
    InvariantError,
    PermanentError,
    UsageError,
)
from prunella.healing.incident import Action, SignedVerdict
from prunella.healing.incident.trail import (
    Leg,
    Outcome,
    Phase,
    ProbeRead,
    RunEnded,
    RunHeld,
    RunMoved,
    RunRecord,
    RunStarted,
    StepIntended,
    StepReplied,
    StepUnanswered,
    Trail,
)
from prunella.healing.incident.verdict import verify_verdict
from prunella.healing.remediate.pool import Pool
from prunella.healing.remediate.probe import Probe, Sight, baseline_of, look
from prunella.healing.remediate.run import LEGS, Run
from prunella.healing.remediate.table import Table
from prunella.healing.remediate.workflow import (
    Step,
    Workflow,
    build_command,
    decode_command,
    fill_condition,
    fill_probe,
)

RETRY_NS_MIN = 200_000_000
"""First wait before a silent target is asked again; doubles each time."""
RETRY_NS_MAX = 3_000_000_000
"""So that a target which comes back is not kept waiting."""
PROOF_NS = 1_500_000_000
"""After a crash, how long to look for proof that a pending act did happen before asking again."""
RUNS_KEPT = 256
"""Ended runs that are remembered, so that the memory has an end."""


@dataclass(kw_only=True)
class _Volatile:
    """What a run may forget in a crash.

    Attributes:
        call: The call under way.
        asked_ns: When it was asked.
        retry_ns: When a silent target is asked again.
        resumed_ns: When the pending act was found in the ledger after a crash; 0 otherwise.
        good_ns: Since when the probe is good without a break; 0 when it is not.
        good: What the last look said.
    """

    call: Future[Reply] | None = None
    asked_ns: int = 0
    retry_ns: int = 0
    resumed_ns: int = 0
    good_ns: int = 0
    good: bool | None = None


Write = Callable[[Trail, int], int]
"""Appends to the ledger and gives the sequence number; when it raises, nothing is done."""


Hold = Callable[[Run, int], str]
"""Why no step of a run may be begun now (a refusal's code), or empty text."""

STATE_CHANGED = "STATE_CHANGED"
"""Somebody else has changed since what a step had set: it is theirs now, and is not undone."""
NOTHING_CHANGED = "NOTHING_CHANGED"
"""The step had found everything as it wanted it: there is nothing of ours to undo."""


class Executor:
    """Carries out workflows that policy allowed."""

    def __init__(
        self,
        *,
        catalogue: Mapping[str, Workflow],
        targets: Mapping[str, Target],
        public_key: Ed25519PublicKey,
        table: Table,
        write: Write,
        pool: Pool,
        hold: Hold = lambda _run, _now_ns: "",
    ) -> None:
        self._catalogue = catalogue
        self._targets = targets
        self._public_key = public_key
        self._table = table
        self._write = write
        self._pool = pool
        self._hold = hold
        self._volatile: dict[tuple[str, str], _Volatile] = {}
        self.runs: dict[tuple[str, str], Run] = {}

    def active(self) -> list[Run]:
        """Runs that have not ended, oldest first."""
        return [each for each in self.runs.values() if each.ended is None]

    def start(self, signed: SignedVerdict, action: Action, now_ns: int) -> Run:
        """Begins a workflow.

        Raises:
            AuthenticationError: The verdict does not allow exactly this action now.
            UsageError: The same workflow ran for the incident before, or is not known.
        """
        verify_verdict(signed, action, now_ns, self._public_key)
        workflow = self._catalogue.get(action.workflow)
        if workflow is None:
            raise UsageError(f"workflow {action.workflow!r} is not in the catalogue")
        if (action.incident, action.workflow) in self.runs:
            raise UsageError(f"{action.workflow} already ran for {action.incident}")
        values = {**action.parameters, "target": action.target, "incident": action.incident}
        probes = tuple(fill_probe(each, values) for each in workflow.probes)
        record = RunStarted(
            incident=action.incident,
            workflow=action.workflow,
            target=action.target,
            parameters=action.parameters,
            baseline=baseline_of(probes, self._table),
            signed=signed,
            workflow_sha256=workflow.sha256,
        )
        self._put(record, now_ns)
        return self.runs[action.incident, action.workflow]

    def fold(self, record: RunRecord, at_ns: int, *, resumed: bool = False) -> None:
        """Takes in a record of the ledger: its own, or after a crash an earlier life's."""
        if isinstance(record, RunStarted):
            key = (record.incident, record.workflow)
            if key in self.runs:
                raise InvariantError(f"{record.workflow} twice for {record.incident}")
            self.runs[key] = Run(started=record, started_ns=at_ns, phase_ns=at_ns, acted_ns=at_ns)
            self._volatile[key] = _Volatile()
            self._forget()
            return
        run = self._running(record.incident)
        run.fold(record, at_ns)
        if resumed and run.pending is not None:
            self._state(run).resumed_ns = at_ns

    def resumed(self, now_ns: int) -> None:
        """The ledger of the earlier life is folded in: look for proof of pending acts from now."""
        for run in self.active():
            verify_verdict(
                run.started.signed,
                Action(
                    incident=run.incident,
                    workflow=run.started.workflow,
                    target=run.started.target,
                    parameters=run.started.parameters,
                ),
                run.started_ns,
                self._public_key,
            )
            if run.pending is not None:
                self._state(run).resumed_ns = now_ns
            workflow = self._catalogue.get(run.started.workflow)
            if workflow is None or workflow.sha256 != run.started.workflow_sha256:
                # Its steps and their inverses may be others now than those that were allowed.
                self._end(run, "abandoned", now_ns, "WORKFLOW_CHANGED")

    def tick(self, now_ns: int) -> None:
        """Takes every step that is due."""
        for run in self.active():
            before = (run.phase, run.step, run.pending, run.ended)
            while run.ended is None:
                if run.phase in LEGS:
                    self._advance(run, now_ns)
                else:
                    self._watch(run, now_ns)
                after = (run.phase, run.step, run.pending, run.ended)
                if after == before:
                    break
                before = after

    # Carrying out steps -----------------------------------------------------------------------

    def _advance(self, run: Run, now_ns: int) -> None:
        """One move of a leg: collect an answer, ask again, or ask the next one."""
        calling = run.pending is not None and self._state(run).call is not None
        if not calling and self._is_held(run, now_ns):
            return
        if run.pending is not None:
            self._await_answer(run, run.pending, now_ns)
            return
        leg = LEGS[run.phase]
        step = self._next_step(run, leg)
        if step is None:
            self._finish_leg(run, leg, now_ns)
            return
        workflow = self._workflow(run)
        definition = workflow.steps[step]
        if leg in {"undo", "return"} and self._changed_since(run, definition, now_ns):
            intent = self._intend(run, leg, step, {"type": definition.action}, now_ns)
            message = "things are not as this step left them: somebody changed them since"
            self._reply(run, intent, _refusal(STATE_CHANGED, message), now_ns)
            return
        action, arguments = definition.action, definition.arguments
        values = self._values(run)
        if leg in {"undo", "return"}:
            if definition.inverse is None:
                raise InvariantError(f"{workflow.name}: step {step} has no inverse")
            action, arguments = definition.inverse.action, definition.inverse.arguments
            done = run.replies.get(("do", step))
            values |= {f"replaced.{k}": v for k, v in (done.replaced if done else {}).items()}
        try:
            command = build_command(action, arguments, values)
        except (KeyError, ConfigError) as error:
            # Nothing can be asked, and that is itself the answer: it is told like any refusal.
            intent = self._intend(run, leg, step, {"type": action}, now_ns)
            self._reply(run, intent, _refusal("COMMAND_INCOMPLETE", str(error)), now_ns)
            return
        asked = run.commands.get(("do", step), {})
        intent = self._intend(run, leg, step, command, now_ns)
        if leg in {"undo", "return"} and _same_state(command, asked):
            self._reply(run, intent, Reply(ok=True, code=NOTHING_CHANGED), now_ns)
            return
        self._ask(run, now_ns)

    def _is_held(self, run: Run, now_ns: int) -> bool:
        """Whether a person's word keeps the run from beginning a step; written down once."""
        why = self._hold(run, now_ns)
        if why != run.held:
            self._put(RunHeld(incident=run.incident, reason=why), now_ns)
        return bool(why)

    def _changed_since(self, run: Run, step: Step, now_ns: int) -> bool:
        """Whether readings show that somebody has changed what the step had set."""
        if step.still is None:
            return False
        probe = Probe(conditions=(fill_condition(step.still, self._values(run)),), timeout_ns=1)
        return self._look(run, probe, 0, now_ns).good is False

    def _intend(
        self, run: Run, leg: Leg, step: int, command: dict[str, Any], now_ns: int
    ) -> StepIntended:
        workflow = self._workflow(run)
        intent = StepIntended(
            incident=run.incident,
            leg=leg,
            step=step,
            through=workflow.steps[step].through,
            command=command,
            key=f"{run.incident}/{workflow.name}/{leg}/{step}",
        )
        self._put(intent, now_ns)
        return intent

    def _next_step(self, run: Run, leg: Leg) -> int | None:
        """The step to carry out next on this leg, or None when the leg is done."""
        workflow = self._workflow(run)
        if leg in {"undo", "return"}:
            left = [
                each
                for each in reversed(run.touched)
                if workflow.steps[each].inverse is not None and (leg, each) not in run.replies
            ]
            return left[0] if left else None
        if leg == "again":
            left = [each for each in run.touched if (leg, each) not in run.replies]
            return left[0] if left else None
        last = run.step if workflow.order == "until_verified" else len(workflow.steps) - 1
        return next((n for n in range(run.step, last + 1) if (leg, n) not in run.replies), None)

    def _ask(self, run: Run, now_ns: int) -> None:
        """Hands the pending act to its target, on a thread of the pool."""
        intent, state = run.pending, self._state(run)
        if intent is None:
            raise InvariantError(f"{run.incident}: nothing to ask")
        target = self._targets.get(intent.through)
        if target is None:
            self._reply(run, intent, _refusal("TARGET_UNKNOWN", intent.through), now_ns)
            return
        command = decode_command(intent.command)
        actor, reason = f"healing:{run.incident}", run.started.workflow
        state.call = self._pool.submit(
            lambda: target.apply(command, actor=actor, reason=reason, key=intent.key)
        )
        state.asked_ns = now_ns
        state.retry_ns = now_ns if state.call is None else 0
        state.resumed_ns = 0

    def _await_answer(self, run: Run, intent: StepIntended, now_ns: int) -> None:
        """Collects the answer to the pending act, or asks again with the same key."""
        state, workflow = self._state(run), self._workflow(run)
        if state.call is None:
            if self._proved(run, intent, now_ns):
                self._reply(run, intent, Reply(ok=True, code="ALREADY_DONE"), now_ns)
            elif now_ns >= max(state.retry_ns, self._proof_until(run, intent)):
                self._ask(run, now_ns)
            return
        if not state.call.done():
            if now_ns - state.asked_ns > workflow.step_timeout_ns:
                self._unanswered(run, intent, "no answer in time", now_ns)
            return
        error = state.call.exception()
        if error is None:
            self._reply(run, intent, state.call.result(), now_ns)
        elif isinstance(error, InvariantError):
            raise error
        elif isinstance(error, PermanentError):
            self._reply(run, intent, _refusal(type(error).__name__, str(error)), now_ns)
        else:
            # Retryable, or something nobody foresaw: either way its fate is unknown, so ask again.
            self._unanswered(run, intent, f"{type(error).__name__}: {error}", now_ns)

    def _unanswered(self, run: Run, intent: StepIntended, message: str, now_ns: int) -> None:
        state, workflow = self._state(run), self._workflow(run)
        state.call = None
        if run.attempts >= workflow.attempts_max:
            self._reply(run, intent, _refusal("TARGET_UNAVAILABLE", message), now_ns)
            return
        state.retry_ns = now_ns + min(RETRY_NS_MIN << (run.attempts - 1), RETRY_NS_MAX)
        self._put(
            StepUnanswered(
                incident=run.incident,
                key=intent.key,
                attempt=run.attempts,
                message=message[:200],
            ),
            now_ns,
        )

    def _proof_until(self, run: Run, intent: StepIntended) -> int:
        """Until when to look for proof of an act that an earlier life may have done."""
        state = self._state(run)
        if not state.resumed_ns or self._workflow(run).steps[intent.step].already is None:
            return 0
        return state.resumed_ns + PROOF_NS

    def _proved(self, run: Run, intent: StepIntended, now_ns: int) -> bool:
        """Whether readings show that the pending act did happen."""
        already = self._workflow(run).steps[intent.step].already
        if already is None or intent.leg not in {"do", "again"}:
            return False
        probe = Probe(conditions=(fill_condition(already, self._values(run)),), timeout_ns=1)
        return self._look(run, probe, run.started_ns, now_ns).good is True

    def _reply(self, run: Run, intent: StepIntended, reply: Reply, now_ns: int) -> None:
        self._state(run).call = None
        self._state(run).resumed_ns = 0
        self._put(
            StepReplied(
                incident=run.incident,
                leg=intent.leg,
                step=intent.step,
                key=intent.key,
                ok=reply.ok,
                code=reply.code,
                message=reply.message[:200],
                replaced=reply.replaced,
                target_seq=reply.seq,
                at_ns=reply.at_ns or now_ns,
            ),
            now_ns,
        )
        if not reply.ok:
            self._refused(run, intent.leg, intent.step, reply.code, now_ns)

    def _refused(self, run: Run, leg: Leg, step: int, code: str, now_ns: int) -> None:
        """A step was refused: the next rung, the way back, or stay where we are."""
        workflow = self._workflow(run)
        if leg == "do" and workflow.order == "all":
            self._move(run, "undoing", now_ns, reason=code)
        elif leg == "do" and step + 1 < len(workflow.steps):
            self._move(run, "acting", now_ns, step=step + 1, reason=code)
        # A refused last rung (an offender that is gone, say): the probe tells whether it matters.
        elif leg == "return" and code != STATE_CHANGED:
            self._move(run, "repeating", now_ns, reason=code)

    def _finish_leg(self, run: Run, leg: Leg, now_ns: int) -> None:
        """All steps of a leg are answered."""
        workflow = self._workflow(run)
        told = [each for (way, _), each in run.replies.items() if way == leg]
        bad = [each for each in told if not each.ok and each.code != STATE_CHANGED]
        why = "; ".join(f"step {each.step}: {each.code}" for each in bad)
        if leg == "do":
            last = run.step if workflow.order == "until_verified" else len(workflow.steps) - 1
            self._move(run, "verifying", now_ns, step=last)
        elif leg == "undo":
            self._end(run, "rollback_failed" if bad else "rolled_back", now_ns, why)
        elif leg == "return" and any(each.code == STATE_CHANGED for each in told):
            self._end(run, "stayed", now_ns, STATE_CHANGED)
        elif leg == "return":
            self._move(run, "confirming", now_ns)
        else:
            self._end(run, "return_failed" if bad else "stayed", now_ns, why)

    # Probing ----------------------------------------------------------------------------------

    def _watch(self, run: Run, now_ns: int) -> None:
        """Looks at the present phase's probe and moves on when it held or ran out of time."""
        workflow, state = self._workflow(run), self._state(run)
        after = workflow.afterwards
        probe = workflow.verify
        if after is not None and run.phase in {"following", "confirming"}:
            probe = after.when if run.phase == "following" else after.verify
        # Waiting for the cause to go away looks at the present, whenever the last act was.
        since_ns = run.phase_ns if run.phase == "following" else run.acted_ns
        sight = self._look(run, fill_probe(probe, self._values(run)), since_ns, now_ns)
        if sight.good is True:
            state.good_ns = state.good_ns or now_ns
        else:
            state.good_ns = 0
        if sight.good is not state.good:
            state.good = sight.good
            if sight.good is not None:
                self._probed(run, "good" if sight.good else "bad", sight, now_ns)
        if state.good_ns and now_ns - state.good_ns >= probe.hold_ns:
            self._probed(run, "held", sight, now_ns)
            self._held(run, now_ns)
        elif now_ns - run.phase_ns >= probe.timeout_ns:
            self._probed(run, "timeout", sight, now_ns)
            self._timed_out(run, now_ns)

    def _held(self, run: Run, now_ns: int) -> None:
        if run.phase == "following":
            self._move(run, "returning", now_ns, reason="the cause is gone")
        elif run.phase == "confirming":
            self._end(run, "returned", now_ns)
        elif self._workflow(run).afterwards is None:
            self._end(run, "cured", now_ns)
        else:
            self._move(run, "following", now_ns, reason="cured")

    def _timed_out(self, run: Run, now_ns: int) -> None:
        workflow = self._workflow(run)
        if run.phase == "following":
            self._end(run, "stayed", now_ns, "the cause did not go away in time")
        elif run.phase == "confirming":
            self._move(run, "repeating", now_ns, reason="going back did not hold")
        elif workflow.order == "until_verified" and run.step + 1 < len(workflow.steps):
            self._move(run, "acting", now_ns, step=run.step + 1, reason="not enough")
        else:
            self._move(run, "undoing", now_ns, reason="verification failed")

    def _look(self, run: Run, probe: Probe, since_ns: int, now_ns: int) -> Sight:
        return look(
            probe,
            self._table,
            target=run.started.target,
            baseline=run.started.baseline,
            since_ns=since_ns,
            now_ns=now_ns,
        )

    # Records ----------------------------------------------------------------------------------

    def _probed(self, run: Run, result: str, sight: Sight, now_ns: int) -> None:
        record = ProbeRead(
            incident=run.incident,
            phase=run.phase,
            result=result,  # type: ignore[arg-type] # one of its four words, from three callers
            seen=sight.seen,
        )
        self._put(record, now_ns)

    def _move(
        self, run: Run, phase: Phase, now_ns: int, *, step: int = 0, reason: str = ""
    ) -> None:
        state = self._state(run)
        state.good_ns, state.good = 0, None
        self._put(RunMoved(incident=run.incident, phase=phase, step=step, reason=reason), now_ns)

    def _end(self, run: Run, outcome: Outcome, now_ns: int, reason: str = "") -> None:
        self._put(
            RunEnded(
                incident=run.incident,
                workflow=run.started.workflow,
                outcome=outcome,
                reason=reason,
            ),
            now_ns,
        )

    def _put(self, record: RunRecord, now_ns: int) -> None:
        """Into the ledger first; only then is it so."""
        self._write(record, now_ns)
        self.fold(record, now_ns)

    def _values(self, run: Run) -> dict[str, str]:
        started = run.started
        return {**started.parameters, "target": started.target, "incident": started.incident}

    def _workflow(self, run: Run) -> Workflow:
        return self._catalogue[run.started.workflow]

    def _state(self, run: Run) -> _Volatile:
        return self._volatile[run.incident, run.started.workflow]

    def _running(self, incident: str) -> Run:
        for run in self.of(incident):
            if run.ended is None:
                return run
        raise InvariantError(f"{incident}: a record of a remediation that does not run")

    def of(self, incident: str) -> Iterator[Run]:
        """All runs of an incident, oldest first."""
        return (each for (owner, _), each in self.runs.items() if owner == incident)

    def _forget(self) -> None:
        ended = [key for key, run in self.runs.items() if run.ended is not None]
        for key in ended[: max(0, len(self.runs) - RUNS_KEPT)]:
            del self.runs[key], self._volatile[key]


def _same_state(inverse: dict[str, Any], asked: dict[str, Any]) -> bool:
    """Whether undoing would ask for what the step itself had asked for."""

    def bare(command: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in command.items() if name != "expected"}

    return bare(inverse) == bare(asked)


def _refusal(code: str, message: str) -> Reply:
    return Reply(ok=False, code=code, message=message)
