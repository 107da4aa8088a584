"""Records in under a topic, the same records out to whoever may subscribe to it.

Bounded everywhere: a queue that is full drops the newest message, and both ends count. What is
urgent has queues of its own, so that no burst of readings can push it out. The bus is for telemetry
and advice; it is never the record of anything (that is the journal).
"""

from prunella.bus.base import Bus, Message, Subscription
from prunella.bus.memory import MemoryBroker, MemoryBus
from prunella.bus.role import Role, role_named
from prunella.bus.topic import Topic, Urgency

__all__ = [
    "Bus",
    "MemoryBroker",
    "MemoryBus",
    "Message",
    "Role",
    "Subscription",
    "Topic",
    "Urgency",
    "role_named",
]
