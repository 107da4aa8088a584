"""Telemetry and advice in, healed incidents out: the one place that knows the stages' order."""

from prunella.healing.loop.assembly import assemble
from prunella.healing.loop.book import Book, Case, Event, Stage
from prunella.healing.loop.orchestrator import Orchestrator
from prunella.healing.loop.settings import LoopSettings, local_stack

__all__ = [
    "Book",
    "Case",
    "Event",
    "LoopSettings",
    "Orchestrator",
    "Stage",
    "assemble",
    "local_stack",
]
