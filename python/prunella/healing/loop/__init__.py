"""Telemetry and advice in, healed incidents out: the one place that knows the stages' order."""

from prunella.healing.loop.assembly import assemble
from prunella.healing.loop.book import Book, Case, Event, Stage
from prunella.healing.loop.door import Door, HealingClient
from prunella.healing.loop.orchestrator import Orchestrator
from prunella.healing.loop.service import PlaneLoop
from prunella.healing.loop.settings import LoopSettings, local_stack
from prunella.healing.loop.view import IncidentView, StatusView, view_incidents, view_status

__all__ = [
    "Book",
    "Case",
    "Door",
    "Event",
    "HealingClient",
    "IncidentView",
    "LoopSettings",
    "Orchestrator",
    "PlaneLoop",
    "Stage",
    "StatusView",
    "assemble",
    "local_stack",
    "view_incidents",
    "view_status",
]
