"""What people may ask of the healing plane, and the answers; one record each."""

import msgspec

from prunella.control import SignedAct
from prunella.errors import AuthenticationError, UsageError
from prunella.healing.loop.approvals import ApprovalView
from prunella.healing.loop.orchestrator import Orchestrator
from prunella.healing.loop.view import (
    IncidentView,
    StatusView,
    view_case,
    view_incidents,
    view_status,
)


class _Ask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """Base of all asks; `tag_field` tells them apart on the wire."""


class Status(_Ask, frozen=True, kw_only=True, tag="status"):
    """How the plane is."""


class ListIncidents(_Ask, frozen=True, kw_only=True, tag="incidents"):
    """All remembered incidents."""


class ShowIncident(_Ask, frozen=True, kw_only=True, tag="incident"):
    """One incident with its ledger entries."""

    id: str


class StartMaintenance(_Ask, frozen=True, kw_only=True, tag="maintenance"):
    """Somebody works on a component: leave it alone for so long."""

    component: str
    seconds: int
    actor: str
    reason: str


class EndMaintenance(_Ask, frozen=True, kw_only=True, tag="end_maintenance"):
    """The work ended early."""

    component: str
    actor: str


class Freeze(_Ask, frozen=True, kw_only=True, tag="freeze"):
    """Stop all acts of the plane, or allow them again; evidence is still collected."""

    frozen: bool
    actor: str
    reason: str


class SwitchAgent(_Ask, frozen=True, kw_only=True, tag="switch_agent"):
    """Listen to a replica of an agent no more, or again."""

    name: str
    enabled: bool
    actor: str
    reason: str


class ListApprovals(_Ask, frozen=True, kw_only=True, tag="approvals"):
    """All actions that wait for a person's signature."""


class Approve(_Ask, frozen=True, kw_only=True, tag="approve"):
    """A person's signature for, or against, an action that waits.

    Attributes:
        workflow: Which; empty when only one waits for the incident.
        approve: False: the person says no.
    """

    id: str
    workflow: str = ""
    approve: bool
    signed: SignedAct
    reason: str = ""


Ask = (
    Status
    | ListIncidents
    | ShowIncident
    | StartMaintenance
    | EndMaintenance
    | Freeze
    | SwitchAgent
    | ListApprovals
    | Approve
)


class Answer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the plane answers; the fields that the ask is about are filled in.

    Attributes:
        ok: Whether it was done.
        code: `OK`, or the refusal's code.
        message: For people.
    """

    ok: bool = True
    code: str = "OK"
    message: str = ""
    status: StatusView | None = None
    incidents: tuple[IncidentView, ...] = ()
    approvals: tuple[ApprovalView, ...] = ()


def answer(plane: Orchestrator, ask: Ask, now_ns: int) -> Answer:
    """Answers one ask. The caller keeps others out meanwhile: the plane has one writer."""
    match ask:
        case Status():
            told = Answer(status=view_status(plane, now_ns))
        case ListIncidents():
            told = Answer(incidents=view_incidents(plane.book))
        case ShowIncident():
            told = _show(plane, ask.id)
        case ListApprovals():
            told = Answer(approvals=plane.approvals.waiting(now_ns))
        case Approve():
            told = _approve(plane, ask, now_ns)
        case _:
            told = _order(plane, ask, now_ns)
    return told


def _show(plane: Orchestrator, name: str) -> Answer:
    case = plane.book.cases.get(name)
    if case is None:
        return Answer(ok=False, code="INCIDENT_UNKNOWN", message=f"no incident {name!r}")
    return Answer(incidents=(view_case(case, events=True),))


def _approve(plane: Orchestrator, ask: Approve, now_ns: int) -> Answer:
    """Takes a person's signature; the plane decides anew on its next tick."""
    try:
        given = plane.approve(
            ask.id,
            ask.workflow,
            act=ask.signed,
            approve=ask.approve,
            reason=ask.reason,
            now_ns=now_ns,
        )
    except AuthenticationError as error:
        return Answer(ok=False, code="SIGNATURE_REFUSED", message=str(error))
    except UsageError as error:
        return Answer(ok=False, code="APPROVAL_UNKNOWN", message=str(error))
    return Answer(message=f"{given.workflow} on {given.target}")


def _order(
    plane: Orchestrator,
    ask: StartMaintenance | EndMaintenance | Freeze | SwitchAgent,
    now_ns: int,
) -> Answer:
    """Carries out what a named person orders."""
    if not ask.actor.strip():
        return Answer(ok=False, code="ACTOR_MISSING", message="say who you are")
    try:
        if isinstance(ask, StartMaintenance):
            plane.open_window(ask.component, ask.seconds, ask.actor, ask.reason, now_ns)
        elif isinstance(ask, EndMaintenance):
            plane.close_window(ask.component, ask.actor, now_ns)
        elif isinstance(ask, SwitchAgent):
            plane.switch_agent(
                ask.name, enabled=ask.enabled, actor=ask.actor, reason=ask.reason, now_ns=now_ns
            )
        else:
            plane.freeze(frozen=ask.frozen, actor=ask.actor, reason=ask.reason, now_ns=now_ns)
    except UsageError as error:
        return Answer(ok=False, code="USAGE", message=str(error))
    return Answer()
