"""What people may ask of the healing plane, and the answers; one record each."""

import msgspec

from prunella.errors import UsageError
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


Ask = Status | ListIncidents | ShowIncident | StartMaintenance | EndMaintenance | Freeze


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


def answer(plane: Orchestrator, ask: Ask, now_ns: int) -> Answer:
    """Answers one ask. The caller keeps others out meanwhile: the plane has one writer."""
    match ask:
        case Status():
            return Answer(status=view_status(plane, now_ns))
        case ListIncidents():
            return Answer(incidents=view_incidents(plane.book))
        case ShowIncident():
            case = plane.book.cases.get(ask.id)
            if case is None:
                return Answer(ok=False, code="INCIDENT_UNKNOWN", message=f"no incident {ask.id!r}")
            return Answer(incidents=(view_case(case, events=True),))
        case _:
            return _order(plane, ask, now_ns)


def _order(
    plane: Orchestrator, ask: StartMaintenance | EndMaintenance | Freeze, now_ns: int
) -> Answer:
    """Carries out what a named person orders."""
    if not ask.actor.strip():
        return Answer(ok=False, code="ACTOR_MISSING", message="say who you are")
    try:
        if isinstance(ask, StartMaintenance):
            plane.open_window(ask.component, ask.seconds, ask.actor, ask.reason, now_ns)
        elif isinstance(ask, EndMaintenance):
            plane.close_window(ask.component, ask.actor, now_ns)
        else:
            plane.freeze(frozen=ask.frozen, actor=ask.actor, reason=ask.reason, now_ns=now_ns)
    except UsageError as error:
        return Answer(ok=False, code="USAGE", message=str(error))
    return Answer()
