"""The ledger read as evidence: a folder in; the healing plane's trail and its stories out."""

from prunella.healing.audit.page import to_html, to_markdown
from prunella.healing.audit.postmortem import PostMortem, Section, Sentence, write_postmortem
from prunella.healing.audit.trace import Span, trace_incident
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
    "PostMortem",
    "Section",
    "Sentence",
    "Span",
    "incident_entries",
    "incident_evidence",
    "incident_of",
    "incident_trail",
    "read_trail",
    "to_html",
    "to_markdown",
    "trace_incident",
    "write_postmortem",
]
