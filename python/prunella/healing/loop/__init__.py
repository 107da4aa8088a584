"""Telemetry and advice in, healed incidents out: the one place that knows the stages' order."""

from prunella.healing.loop.assembly import assemble
from prunella.healing.loop.book import Book, Case, Event, Stage
from prunella.healing.loop.door import Door, HealingClient
from prunella.healing.loop.orchestrator import Orchestrator
from prunella.healing.loop.service import HealingService, PlaneLoop, load_signing_key
from prunella.healing.loop.settings import LoopSettings, local_stack
from prunella.healing.loop.view import IncidentView, StatusView, view_incidents, view_status

__all__ = [
    "Book",
    "Case",
    "Door",
    "Event",
    "HealingClient",
    "HealingService",
    "IncidentView",
    "LoopSettings",
    "Orchestrator",
    "PlaneLoop",
    "Stage",
    "StatusView",
    "assemble",
    "load_signing_key",
    "local_stack",
    "view_incidents",
    "view_status",
]
