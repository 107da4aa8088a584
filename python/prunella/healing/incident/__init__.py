"""The records that the healing stages hand to each other, and an incident's legal life."""

from prunella.healing.incident.records import (
    Action,
    Autonomy,
    Decision,
    Diagnosis,
    Heartbeat,
    Hypothesis,
    Proposal,
    Severity,
    SignedVerdict,
    Symptom,
    SymptomKind,
    Urgency,
    Verdict,
)
from prunella.healing.incident.state import Incident, IncidentState, advance
from prunella.healing.incident.topology import Component, ComponentKind, Topology
from prunella.healing.incident.watch import Watch

__all__ = [
    "Action",
    "Autonomy",
    "Component",
    "ComponentKind",
    "Decision",
    "Diagnosis",
    "Heartbeat",
    "Hypothesis",
    "Incident",
    "IncidentState",
    "Proposal",
    "Severity",
    "SignedVerdict",
    "Symptom",
    "SymptomKind",
    "Topology",
    "Urgency",
    "Verdict",
    "Watch",
    "advance",
]
