"""`Topic`: tenant, domain, source and urgency in, the text that messages are routed by out."""

import re
from typing import Literal

import msgspec

from prunella.errors import PermanentError

Urgency = Literal["normal", "urgent"]

_PART = re.compile(r"[a-z0-9][a-z0-9_.:-]{0,63}")


URGENT = "/urgent"
"""How a topic ends whose message somebody waits for; such messages have queues of their own."""


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message belongs.

    Attributes:
        tenant: Whose stack; `local` on one host.
        domain: Which agent it concerns, or `healing`.
        source: Who says it, such as `host` or `agent-cpu`.
        urgency: `urgent` for what somebody waits for.

    Example:
        >>> str(Topic(domain="cpu", source="host"))
        'local/cpu/host/normal'
        >>> Topic.parse("local/healing/agent-cpu/urgent").urgency
        'urgent'
    """

    tenant: str = "local"
    domain: str
    source: str
    urgency: Urgency = "normal"

    def __str__(self) -> str:
        return f"{self.tenant}/{self.domain}/{self.source}/{self.urgency}"

    @classmethod
    def parse(cls, text: str) -> "Topic":
        """The topic that the text spells.

        Raises:
            PermanentError: It spells none; trying again cannot help.
        """
        parts = text.split("/")
        if len(parts) != 4 or not all(map(_PART.fullmatch, parts)):
            raise PermanentError(
                f"expected a topic like `local/cpu/host/normal`, found {text[:200]!r}"
            )
        tenant, domain, source, urgency = parts
        if urgency not in {"normal", "urgent"}:
            raise PermanentError(f"urgency is `normal` or `urgent`, found {urgency!r}")
        return cls(
            tenant=tenant,
            domain=domain,
            source=source,
            urgency="urgent" if urgency == "urgent" else "normal",
        )
