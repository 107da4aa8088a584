"""The book in; what people, the console and the demo read of it out."""

import msgspec

from prunella.healing.incident import IncidentState, Severity
from prunella.healing.loop.book import Book, Case, Event, Stage
from prunella.healing.loop.orchestrator import Orchestrator
from prunella.healing.loop.registry import ReplicaView

LINE: tuple[str, ...] = ("evidence", "diagnosis", "decision", "action", "verified")
"""The stages of every incident, in order."""


class IncidentView(msgspec.Struct, frozen=True, kw_only=True):
    """One incident as a person sees it.

    Attributes:
        stages: When each stage was reached, with the ledger entry that proves it.
        following: Cured; its remediation waits for the way back.
        line: The stages in one line.
        events: Its ledger entries, oldest first; empty in a list of incidents.
    """

    id: str
    state: IncidentState
    fault_class: str
    culprit: str
    severity: Severity
    onset_ns: int
    opened_ns: int
    closed_ns: int
    workflow: str
    target: str
    outcome: str
    reason: str
    following: bool
    agents: tuple[str, ...]
    stages: dict[str, Stage]
    line: str
    events: tuple[Event, ...] = ()


class StatusView(msgspec.Struct, frozen=True, kw_only=True):
    """The healing plane as a person sees it.

    Attributes:
        acting: False when frozen or when the ledger failed: nothing is done then.
        failed: Why the ledger failed; empty when it did not.
        maintenance: Components that a person works on now.
        agents: Seconds since each agent was heard; -1: never.
        replicas: Every replica of every agent.
    """

    acting: bool
    frozen: bool
    failed: str
    maintenance: tuple[str, ...]
    agents: dict[str, float]
    replicas: tuple[ReplicaView, ...]
    actions_last_hour: int
    counters: dict[str, int]
    incidents: tuple[IncidentView, ...]


def view_case(case: Case, *, events: bool = False) -> IncidentView:
    """One incident."""
    incident = case.incident
    return IncidentView(
        id=incident.id,
        state=incident.state,
        fault_class=incident.fault_class,
        culprit=incident.culprit,
        severity=incident.severity,
        onset_ns=incident.onset_ns,
        opened_ns=incident.opened_ns,
        closed_ns=incident.closed_ns,
        workflow=case.workflow,
        target=case.target,
        outcome=case.outcome,
        reason=case.reason,
        following=case.following,
        agents=tuple(dict.fromkeys(each.agent for each in incident.diagnoses)),
        stages={name: case.stages[name] for name in LINE if name in case.stages},
        line=" → ".join(case.stages[name].text for name in LINE if name in case.stages),
        events=tuple(case.events) if events else (),
    )


def view_incidents(book: Book) -> tuple[IncidentView, ...]:
    """All remembered incidents, oldest first."""
    return tuple(view_case(each) for each in book.cases.values())


def view_status(plane: Orchestrator, now_ns: int) -> StatusView:
    """The whole plane, with all remembered incidents."""
    book = plane.book
    return StatusView(
        acting=not book.frozen and not plane.failed,
        frozen=book.frozen,
        failed=plane.failed,
        maintenance=tuple(sorted(book.maintenance(now_ns))),
        agents=plane.registry.ages_s(now_ns),
        replicas=plane.registry.views(now_ns, book.disabled),
        actions_last_hour=book.actions_last_hour(now_ns),
        counters=dict(plane.counters),
        incidents=view_incidents(book),
    )
