"""The primary exchange tells only part of what happens to our orders."""

from typing import ClassVar

from prunella.evaluation.fault.misbehaving_venue import Behaviours, MisbehavingVenue


class FillsLost(MisbehavingVenue):
    """Fills that nobody told: positions drift until somebody asks."""

    name = "fills-lost"
    title = "primary exchange loses execution reports"
    domain = "execution"
    fault_class = "user_stream.lossy"
    workflows = frozenset()
    behaviours: ClassVar[Behaviours] = {
        1: {"user": {"drop_ratio": 0.2}},
        2: {"user": {"drop_ratio": 0.5}},
        3: {"user": {"frozen": True}},
    }
