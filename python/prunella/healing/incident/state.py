"""An incident's life: one table of legal transitions; everything else raises."""

from enum import StrEnum

import msgspec

from prunella.errors import InvariantError
from prunella.healing.incident.records import (
    Decision,
    Diagnosis,
    Record,
    Severity,
)


class IncidentState(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    DECIDING = "deciding"
    REMEDIATING = "remediating"
    VERIFYING = "verifying"
    RESOLVED = "resolved"
    SUPPRESSED = "suppressed"
    ESCALATED = "escalated"


_S = IncidentState
TRANSITIONS: dict[IncidentState, frozenset[IncidentState]] = {
    _S.OPEN: frozenset({_S.DECIDING, _S.RESOLVED}),
    _S.DECIDING: frozenset({_S.REMEDIATING, _S.SUPPRESSED, _S.ESCALATED, _S.RESOLVED}),
    _S.REMEDIATING: frozenset({_S.VERIFYING, _S.DECIDING, _S.ESCALATED}),
    _S.VERIFYING: frozenset({_S.RESOLVED, _S.REMEDIATING, _S.DECIDING, _S.ESCALATED}),
    _S.SUPPRESSED: frozenset({_S.RESOLVED, _S.DECIDING}),
    _S.ESCALATED: frozenset({_S.RESOLVED, _S.DECIDING}),
    _S.RESOLVED: frozenset({_S.DECIDING, _S.ESCALATED}),
}
"""Suppressed: policy said no (a maintenance window, say). Escalated: a person is asked. A resolved
incident reopens when its cause is back at once, and is escalated when the way back fails."""


class Incident(Record, frozen=True, kw_only=True, tag="incident"):
    """One cause, its evidence and what became of it.

    Attributes:
        id: `inc-000007`, from the ledger's sequence number.
        culprit: The component or process to blame, as best known.
        fault_class: As best known.
        opened_ns: When, nanoseconds UTC.
        onset_ns: Earliest onset among the symptoms, nanoseconds UTC.
        closed_ns: When resolved, nanoseconds UTC; 0 while open.
        diagnoses: All that were merged into it, oldest first.
        decisions: All, oldest first.
        tried: Workflows already run for it; none is run twice.
    """

    id: str
    state: IncidentState
    culprit: str
    fault_class: str
    severity: Severity
    opened_ns: int
    onset_ns: int
    closed_ns: int = 0
    diagnoses: tuple[Diagnosis, ...] = ()
    decisions: tuple[Decision, ...] = ()
    tried: tuple[str, ...] = ()


def advance(incident: Incident, to: IncidentState) -> Incident:
    """The incident in its next state.

    Raises:
        InvariantError: The table has no such transition.

    Example:
        >>> from prunella.healing.incident import Incident, IncidentState
        >>> fresh = Incident(
        ...     id="inc-000001", state=IncidentState.OPEN, culprit="engine",
        ...     fault_class="process.crashed", severity="critical", opened_ns=1, onset_ns=1)
        >>> advance(fresh, IncidentState.DECIDING).state
        <IncidentState.DECIDING: 'deciding'>
    """
    if to not in TRANSITIONS[incident.state]:
        raise InvariantError(f"{incident.id}: {incident.state} cannot become {to}")
    return msgspec.structs.replace(incident, state=to)
