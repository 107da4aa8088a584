"""Telemetry and advice in, healed incidents out: the one place that knows the stages' order."""

from prunella.healing.loop.agent import Agent
from prunella.healing.loop.agent_service import (
    AgentLoop,
    AgentService,
    AgentSettings,
    AgentStatus,
    subscriptions,
)
from prunella.healing.loop.approvals import Approvals, ApprovalView, approval_parts
from prunella.healing.loop.assembly import assemble
from prunella.healing.loop.book import Book, Case, Event, Stage
from prunella.healing.loop.door import Door, HealingClient
from prunella.healing.loop.orchestrator import Orchestrator
from prunella.healing.loop.registry import ReplicaView
from prunella.healing.loop.service import HealingService, PlaneLoop
from prunella.healing.loop.settings import LoopSettings, local_stack
from prunella.healing.loop.view import IncidentView, StatusView, view_incidents, view_status

__all__ = [
    "Agent",
    "AgentLoop",
    "AgentService",
    "AgentSettings",
    "AgentStatus",
    "ApprovalView",
    "Approvals",
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
    "ReplicaView",
    "Stage",
    "StatusView",
    "approval_parts",
    "assemble",
    "local_stack",
    "subscriptions",
    "view_incidents",
    "view_status",
]
