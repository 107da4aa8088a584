"""Advice and readings in; what could be carried out now, and what else is so, out.

Advice says what somebody believes. Before policy is asked, our own readings say whether the fault
is there at all, and fill in whom and how much; so a wrong diagnosis usually ends here.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from prunella.healing.decide import Circumstances, RefusalReason, WorkflowFacts, market_is_open
from prunella.healing.incident import Action, Proposal
from prunella.healing.loop.approvals import Approvals
from prunella.healing.loop.book import DAY_NS, HOUR_NS, Begun, Book, Case
from prunella.healing.loop.settings import LoopSettings
from prunella.healing.remediate import (
    Missing,
    Run,
    Surroundings,
    Table,
    Workflow,
    fill_parameters,
    fill_probe,
    look,
)

CROWD_NS = 30_000_000_000
"""How long a decision waits for other remediations to end before a person is asked instead."""


Impossible = Callable[[Workflow], str]
"""Why a workflow cannot be carried out on this machine at all; empty when it can."""


class Surveyor:
    """Looks at the ground before anybody steps on it."""

    def __init__(
        self,
        settings: LoopSettings,
        catalogue: Mapping[str, Workflow],
        table: Table,
        approvals: Approvals,
        impossible: Impossible,
    ) -> None:
        self._impossible = impossible
        self._approvals = approvals
        self._settings = settings
        self._catalogue = catalogue
        self._table = table

    def fault_present(
        self, case: Case, proposals: tuple[Proposal, ...], now_ns: int
    ) -> list[bool | None]:
        """For each proposal that can be told: whether our own readings show its fault."""
        present: list[bool | None] = []
        for proposal in proposals:
            workflow = self._catalogue.get(proposal.workflow)
            if workflow is None or workflow.preconditions is None:
                continue
            values = self._fill(case, workflow, proposal, now_ns)
            if values is not None:
                present.append(self._present(case, workflow, proposal.target, values, now_ns))
        return present

    def survey(
        self,
        case: Case,
        proposals: tuple[Proposal, ...],
        book: Book,
        active: list[Run],
        now_ns: int,
    ) -> tuple[Circumstances, bool]:
        """What else is so; and whether to wait, because a precondition cannot be told yet."""
        infeasible: dict[tuple[str, str], RefusalReason] = {}
        parameters: dict[tuple[str, str], dict[str, str]] = {}
        notes: dict[tuple[str, str], str] = {}
        wait = False
        for proposal in proposals:
            workflow = self._catalogue.get(proposal.workflow)
            if workflow is None or proposal.workflow in case.incident.tried:
                continue
            key = (proposal.workflow, proposal.target)
            why = self._impossible(workflow)
            if why:
                infeasible[key] = RefusalReason.NOT_POSSIBLE_HERE
                notes[key] = f"not possible here: {why}"
                continue
            values = self._fill(case, workflow, proposal, now_ns)
            if values is None:
                infeasible[key] = RefusalReason.PARAMETERS_INVALID
            else:
                parameters[key] = values
                if self._present(case, workflow, proposal.target, values, now_ns) is not True:
                    infeasible[key] = RefusalReason.PRECONDITION_UNMET
            patience_ns = workflow.preconditions.timeout_ns if workflow.preconditions else 0
            wait = wait or (key in infeasible and now_ns - case.moved_ns < patience_ns)
        touched = frozenset(each.started.target for each in active if not each.cured)
        crowded = len(touched) >= self._settings.decide.components_touched_max
        wait = wait or (crowded and now_ns - case.moved_ns < CROWD_NS)
        begun = self._same_cause(case, book, now_ns)
        wait = wait or any(
            self._too_soon(begun, each.workflow, now_ns)
            for each in proposals
            if each.workflow not in case.incident.tried
        )
        hour = Counter(each.workflow for each in book.recent(now_ns, HOUR_NS))
        day = Counter(each.workflow for each in book.recent(now_ns, DAY_NS))
        actions = {
            key: Action(
                incident=case.incident.id, workflow=key[0], target=key[1], parameters=values
            )
            for key, values in parameters.items()
        }
        circumstances = Circumstances(
            workflows={name: _facts(each) for name, each in self._catalogue.items()},
            maintenance=book.maintenance(now_ns),
            touched=touched,
            actions_last_hour=hour.total(),
            actions_last_day=day.total(),
            own_last_hour=dict(hour),
            own_last_day=dict(day),
            repeats=dict(Counter(each.workflow for each in begun)),
            market_open=market_is_open(self._settings.decide.market_hours, now_ns),
            frozen=book.frozen,
            infeasible=infeasible,
            notes=notes,
            parameters=parameters,
            approvals={key: self._approvals.people(each, now_ns) for key, each in actions.items()},
            rejected=frozenset(
                key for key, each in actions.items() if self._approvals.is_rejected(each)
            ),
        )
        return circumstances, wait

    @staticmethod
    def _same_cause(case: Case, book: Book, now_ns: int) -> list[Begun]:
        """What was begun in the last hour for the same class of fault of the same culprit."""
        cause = (case.incident.fault_class, case.incident.culprit)
        return [
            each
            for each in book.recent(now_ns, HOUR_NS)
            if (each.fault_class, each.culprit) == cause
        ]

    def _too_soon(self, begun: list[Begun], workflow: str, now_ns: int) -> bool:
        """Whether the same remedy ran for the same cause a moment ago: first wait, then longer."""
        settings = self._settings.decide
        times = [each.at_ns for each in begun if each.workflow == workflow]
        if not times or len(times) >= settings.repeats_max:
            return False  # nothing to wait for: policy refuses what has run too often
        return now_ns - times[-1] < settings.repeat_wait_ns << (len(times) - 1)

    def _fill(
        self, case: Case, workflow: Workflow, proposal: Proposal, now_ns: int
    ) -> dict[str, str] | None:
        signed = self._approvals.parameters(case.incident.id, proposal.workflow, proposal.target)
        if signed is not None:
            return signed  # a person signed these very values; others are not approved
        around = Surroundings(
            target=proposal.target,
            advice=proposal.parameters,
            venue=self._venue(case),
            venues=tuple(self._settings.venues),
        )
        try:
            return fill_parameters(workflow.parameters, around, self._table, now_ns)
        except Missing:
            return None

    def _venue(self, case: Case) -> str:
        """The failing venue: the culprit's, or the one that the evidence is labelled with."""
        venues = self._settings.venues
        for name, component in venues.items():
            if component == case.incident.culprit:
                return name
        labels = (
            symptom.labels.get("venue", "")
            for diagnosis in case.causes
            for symptom in diagnosis.symptoms
        )
        return next((each for each in labels if each in venues), "")

    def _present(
        self, case: Case, workflow: Workflow, target: str, values: dict[str, str], now_ns: int
    ) -> bool | None:
        """Whether our own readings show the fault (None: cannot be told)."""
        if workflow.preconditions is None:
            return True
        filled = {**values, "target": target, "incident": case.incident.id}
        sight = look(
            fill_probe(workflow.preconditions, filled),
            self._table,
            target=target,
            baseline={},
            since_ns=0,
            now_ns=now_ns,
        )
        return sight.good


def _facts(workflow: Workflow) -> WorkflowFacts:
    """What policy must know of it."""
    return WorkflowFacts(
        causes=frozenset(workflow.causes),
        loosens=workflow.loosens,
        per_hour_max=workflow.limits.per_hour,
        per_day_max=workflow.limits.per_day,
    )
