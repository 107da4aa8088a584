"""The ledger read as evidence: a folder in; the healing plane's trail, typed and in order, out."""

from prunella.healing.audit.trail import (
    Entry,
    IncidentTrail,
    Link,
    incident_entries,
    incident_evidence,
    incident_of,
    incident_trail,
    read_trail,
)

__all__ = [
    "Entry",
    "IncidentTrail",
    "Link",
    "incident_entries",
    "incident_evidence",
    "incident_of",
    "incident_trail",
    "read_trail",
]
