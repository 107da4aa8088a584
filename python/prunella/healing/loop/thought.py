"""Incidents that habit cannot cure in; questions to a model out, and its answers as advice.

The third tempo. Reflexes live in the engine, habit is the expert with a proven workflow; both are
done before a model has read the question. A model is asked only where the expert is unsure, where
its remedies compete, where it has none or none that helps, and where no rule fits at all. The
question goes to a thread of its own; the plane looks after each tick whether an answer is there,
and waits for it only where it would otherwise toss a coin (`hold_s`).
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from prunella.healing.decide import RefusalReason
from prunella.healing.incident import (
    Diagnosis,
    Proposal,
    Symptom,
    ThoughtAnswered,
    ThoughtAsked,
    Topology,
    Trail,
    Unexplained,
    Why,
)
from prunella.healing.loop.advice import compete, stance_of
from prunella.healing.loop.book import Book, Case
from prunella.healing.loop.settings import LoopSettings
from prunella.healing.reason import (
    Brief,
    Consultation,
    Fact,
    Gateway,
    Impact,
    Option,
    Prompt,
    ReasonSettings,
    View,
    Writer,
    whole_knowledge,
)
from prunella.healing.reason.prompt import describe
from prunella.healing.reason.retrieval import Past, notes_for, similar, words_of
from prunella.healing.remediate import Table, Workflow

THOUGHTS_MAX = 3
"""Questions about one incident: whoever asks more does not like the answers."""
ASKED_AGAIN_NS = 600_000_000_000
"""The same unexplained symptoms are asked about at most so often."""
PUZZLES_MAX = 64
FACT_AGE_NS_MAX = 5_000_000_000
FACTS_MAX = 256
NO_THOUGHTS = {"asked": 0, "answered": 0, "by_model": 0, "differed": 0, "overdue": 0}
"""What is counted, before anything was asked."""

_WHY: dict[str, Why] = {
    RefusalReason.PROPOSALS_NONE: "no_remedy",
    RefusalReason.CONFIDENCE_LOW: "unsure",
    RefusalReason.PRECONDITION_UNMET: "unmet",
    RefusalReason.PARAMETERS_INVALID: "unmet",
    RefusalReason.WORKFLOW_MISMATCH: "mismatch",
    RefusalReason.WORKFLOW_UNKNOWN: "mismatch",
    RefusalReason.WORKFLOW_ALREADY_TRIED: "failed",
}
"""What an incident was escalated for, where another opinion may help. What a person or a budget
said no to is not asked about."""


class Thinker(Protocol):
    """Who writes questions and gets answers without blocking."""

    def write(self, prompt: Prompt) -> Brief:
        """The question as it will be sent."""
        ...

    def begin(self, prompt: Prompt, brief: Brief) -> "Future[Consultation] | None":
        """Asks; None when too many questions are under way."""
        ...


class ThreadThinker:
    """Asks on threads of its own, as many as may be under way at once.

    They are daemons: a plane that is told to stop does not wait for a slow model.
    """

    def __init__(self, gateway: Gateway, writer: Writer, concurrent_max: int) -> None:
        self._gateway = gateway
        self._writer = writer
        self._concurrent_max = concurrent_max
        self._running: set[Future[Consultation]] = set()

    def write(self, prompt: Prompt) -> Brief:
        """The question as it will be sent."""
        return self._writer.write(prompt)

    def begin(self, prompt: Prompt, brief: Brief) -> "Future[Consultation] | None":
        """Asks on a thread, or not at all when all are busy."""
        self._running = {each for each in self._running if not each.done()}
        if len(self._running) >= self._concurrent_max:
            return None
        future: Future[Consultation] = Future()

        def consult() -> None:
            try:
                future.set_result(self._gateway.consult(prompt, brief))
            except BaseException as error:  # noqa: BLE001 - handed to whoever asks for the result
                future.set_exception(error)

        self._running.add(future)
        threading.Thread(target=consult, name="thought", daemon=True).start()
        return future

    def fold(self, answered: ThoughtAnswered, at_ns: int) -> None:
        """Takes in what an earlier life spent."""
        for each in answered.attempts:
            tokens = each.tokens_in + each.tokens_out
            if tokens or each.elapsed_ns:
                self._gateway.meter.fold(at_ns, tokens, each.cost_microusd)

    def close(self) -> None:
        """Asks nobody any more; does not wait for answers."""
        self._gateway.close()


@dataclass(kw_only=True)
class _Asked:
    incident: str
    why: Why
    sha256: str
    prompt: Prompt
    at_ns: int
    future: "Future[Consultation]"


class Opinion(Protocol):
    """What is to be done with an answer."""

    def __call__(self, incident: str, answered: ThoughtAnswered, now_ns: int) -> None:
        """Takes an answer that is already in the ledger."""
        ...


class Thoughts:
    """Decides what to ask, asks, and records.

    Args:
        record: Writes into the ledger and then into the book.
        take: Gets each answer once it is written.
    """

    def __init__(
        self,
        *,
        thinker: Thinker,
        reason: ReasonSettings,
        settings: LoopSettings,
        catalogue: Mapping[str, Workflow],
        table: Table,
        book: Book,
        record: Callable[[Trail, int], int],
        take: Opinion,
    ) -> None:
        self._thinker = thinker
        self._reason = reason
        self._settings = settings
        self._topology = Topology(settings.components)
        self._table = table
        self._book = book
        self._record = record
        self._take = take
        self._under_way: list[_Asked] = []
        self._knowledge = whole_knowledge()
        self._puzzles: dict[frozenset[str], int] = {}
        self._options = tuple(
            Option(
                workflow=each.name,
                summary=each.summary,
                causes=each.causes,
                parameters={
                    name: parameter.choices
                    for name, parameter in each.parameters.items()
                    if parameter.source == "advice"
                },
            )
            for each in catalogue.values()
        )
        self.counters = dict(NO_THOUGHTS)

    def hold(self, case: Case, proposals: tuple[Proposal, ...], now_ns: int) -> bool:
        """Whether the decision waits for an opinion; asks for it where there is need of one."""
        if case.incident.fault_class in self._settings.independent_classes:
            return False
        asked = self._of(case.incident.id)
        if asked is None:
            why = self._why(proposals)
            if why is None or not self._may_ask(case, why):
                return False
            asked = self._ask(case, why, now_ns)
        return asked is not None and now_ns - asked.at_ns < self._reason.hold_s * 1e9

    def review(self, case: Case, now_ns: int) -> None:
        """Asks about an escalated incident while a person is on the way."""
        why = _WHY.get(case.reason)
        if why and self._of(case.incident.id) is None and self._may_ask(case, why):
            self._ask(case, why, now_ns)

    def puzzle(self, unexplained: Unexplained, now_ns: int) -> None:
        """Asks about symptoms that no rule explains, unless an open incident may explain them."""
        seen = frozenset(f"{each.metric}@{each.entity}" for each in unexplained.symptoms)
        if not seen or now_ns - self._puzzles.get(seen, -ASKED_AGAIN_NS) < ASKED_AGAIN_NS:
            return
        entities = {each.entity for each in unexplained.symptoms}
        for case in self._book.live():
            culprit = case.incident.culprit
            touched = {culprit, *case.evidence, *self._topology.downstream(culprit)}
            if entities & touched:
                return
        prompt = self._prompt(unexplained.symptoms, None, "unexplained", now_ns)
        if self._begin("", "unexplained", prompt, now_ns) is not None:
            while len(self._puzzles) >= PUZZLES_MAX:
                del self._puzzles[next(iter(self._puzzles))]
            self._puzzles[seen] = now_ns

    def collect(self, now_ns: int) -> None:
        """Records the answers that have come, and gives up those that are overdue."""
        overdue_ns = (self._reason.total_s + 5.0) * 1e9
        for asked in list(self._under_way):
            if asked.future.done():
                self._under_way.remove(asked)
                failed = asked.future.exception() is not None
                self._answered(asked, None if failed else asked.future.result(), now_ns)
            elif now_ns - asked.at_ns > overdue_ns:
                self._under_way.remove(asked)
                self.counters["overdue"] += 1
                self._answered(asked, None, now_ns)

    # Asking ---------------------------------------------------------------------------------

    def _of(self, incident: str) -> _Asked | None:
        return next((each for each in self._under_way if each.incident == incident), None)

    def _may_ask(self, case: Case, why: Why) -> bool:
        return why not in case.thoughts and len(case.thoughts) < THOUGHTS_MAX

    def _why(self, proposals: tuple[Proposal, ...]) -> Why | None:
        if proposals and proposals[0].confidence * 1000 < self._reason.unsure_permille:
            return "unsure"
        return "rivals" if compete(proposals) else None

    def _ask(self, case: Case, why: Why, now_ns: int) -> _Asked | None:
        symptoms = _evidence(case)
        if not symptoms:
            return None
        return self._begin(case.incident.id, why, self._prompt(symptoms, case, why, now_ns), now_ns)

    def _begin(self, incident: str, why: Why, prompt: Prompt, now_ns: int) -> _Asked | None:
        """Into the ledger, and only then to the model."""
        brief = self._thinker.write(prompt)
        self._record(
            ThoughtAsked(
                incident=incident,
                why=why,
                template=brief.template,
                question_sha256=brief.sha256,
                question=brief.question,
            ),
            now_ns,
        )
        self.counters["asked"] += 1
        future = self._thinker.begin(prompt, brief)
        if future is None:
            return None
        asked = _Asked(
            incident=incident,
            why=why,
            sha256=brief.sha256,
            prompt=prompt,
            at_ns=now_ns,
            future=future,
        )
        self._under_way.append(asked)
        return asked

    def _prompt(
        self, symptoms: tuple[Symptom, ...], case: Case | None, why: Why, now_ns: int
    ) -> Prompt:
        entities = tuple(sorted({each.entity for each in symptoms}))
        below = {each for name in entities for each in self._topology.downstream(name)}
        return Prompt(
            agent="healing",
            domain=symptoms[0].domain,
            window_start_ns=min(each.onset_ns for each in symptoms),
            window_end_ns=now_ns,
            symptoms=symptoms,
            anomalies=tuple(describe(each, now_ns) for each in symptoms),
            facts=self._facts(now_ns),
            topology=self._topology.components,
            impact=Impact(entities=entities, downstream=tuple(sorted(below))),
            why=why,
            views=_views(case) if case else (),
            options=self._options,
            tried=case.incident.tried if case else (),
            precedents=similar(_past(case, symptoms), self._pasts(case)),
            notes=notes_for(words_of(symptoms), (self._knowledge,)),
        )

    def _pasts(self, case: Case | None) -> list[Past]:
        """The closed incidents that are remembered, with what became of them."""
        return [
            _past(each, _evidence(each))
            for each in self._book.cases.values()
            if each is not case and not each.live
        ]

    def _facts(self, now_ns: int) -> tuple[Fact, ...]:
        facts = [
            Fact(
                metric=metric,
                entity=each.entity,
                value=each.last,
                labels=each.labels,
                age_ns=max(now_ns - each.last_ns, 0),
            )
            for metric in sorted(self._table.metrics)
            for each in self._table.find(metric, "", {})
            if now_ns - each.last_ns <= FACT_AGE_NS_MAX
        ]
        return tuple(facts[:FACTS_MAX])

    # Answers --------------------------------------------------------------------------------

    def _answered(self, asked: _Asked, said: Consultation | None, now_ns: int) -> None:
        case = self._book.cases.get(asked.incident)
        if asked.incident and case is None:
            return
        diagnosis = _diagnosis(asked.prompt, said, now_ns) if said and said.by_model else None
        usable = said is not None and said.by_model
        if case is not None:
            stance = stance_of(case, diagnosis) if usable else "none"
        else:
            stance = ("adds" if diagnosis else "abstains") if usable else "none"
        answered = ThoughtAnswered(
            incident=asked.incident,
            why=asked.why,
            question_sha256=asked.sha256,
            reasoner=said.reasoner if said else "nobody",
            stance=stance,
            text=said.text if said else "",
            attempts=said.attempts if said else (),
            elapsed_ns=said.elapsed_ns if said else now_ns - asked.at_ns,
            diagnosis=diagnosis,
        )
        self._record(answered, now_ns)
        self.counters["answered"] += 1
        self.counters["by_model"] += usable
        self.counters["differed"] += stance == "differs"
        self._take(asked.incident, answered, now_ns)


def _evidence(case: Case) -> tuple[Symptom, ...]:
    """All symptoms of an incident, each in its newest form, oldest first."""
    newest: dict[str, Symptom] = {}
    for diagnosis in case.incident.diagnoses:
        for symptom in diagnosis.symptoms:
            newest[f"{symptom.metric}@{symptom.entity}"] = symptom
    return tuple(sorted(newest.values(), key=lambda each: each.onset_ns))


def _past(case: Case | None, symptoms: tuple[Symptom, ...]) -> Past:
    """An incident as retrieval compares it; without one, the bare evidence."""
    return Past(
        incident=case.incident.id if case else "",
        fault_class=case.incident.fault_class if case else "",
        culprit=case.incident.culprit if case else "",
        severity=case.incident.severity if case else "medium",
        domains=tuple(sorted({each.domain for each in symptoms})),
        words=words_of(symptoms),
        workflow=case.workflow if case else "",
        cured=case is not None and case.outcome not in {"", "rolled_back", "rollback_failed"},
    )


def _views(case: Case) -> tuple[View, ...]:
    """What the expert found, the surest first."""
    views = []
    for diagnosis in case.incident.diagnoses:
        first = diagnosis.proposals[0] if diagnosis.proposals else None
        for number, hypothesis in enumerate(diagnosis.hypotheses):
            mine = first if number == 0 else None
            views.append(
                View(
                    fault_class=hypothesis.fault_class,
                    culprit=hypothesis.culprit,
                    confidence=hypothesis.confidence,
                    workflow=mine.workflow if mine else "",
                    target=mine.target if mine else "",
                )
            )
    return tuple(sorted(dict.fromkeys(views), key=lambda each: -each.confidence)[:8])


def _diagnosis(prompt: Prompt, said: Consultation, now_ns: int) -> Diagnosis | None:
    """A model's finding as advice like any other; None when it has none."""
    if not said.answer.findings:
        return None
    finding = said.answer.findings[0]
    named = set(finding.hypothesis.evidence)
    return Diagnosis(
        agent="healing",
        domain=prompt.domain,
        severity=finding.severity,
        hypotheses=(finding.hypothesis,),
        proposals=(finding.proposal,) if finding.proposal else (),
        symptoms=tuple(each for each in prompt.symptoms if f"{each.metric}@{each.entity}" in named),
        reasoner=said.reasoner,
        made_ns=now_ns,
    )
