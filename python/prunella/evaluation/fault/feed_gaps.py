"""The primary exchange loses messages of its market data."""

from typing import ClassVar

from prunella.evaluation.fault.base import Injection
from prunella.evaluation.fault.misbehaving_venue import Behaviours, MisbehavingVenue
from prunella.evaluation.stack import RunningStack


class FeedGaps(MisbehavingVenue):
    """Every gap in the numbers is a book that must be built anew."""

    name = "feed-gaps"
    title = "primary market data loses messages"
    domain = "execution"
    fault_class = "feed.gapped"
    behaviours: ClassVar[Behaviours] = {
        1: {"market": {"drop_ratio": 0.05}},
        2: {"market": {"drop_ratio": 0.15}},
        3: {"market": {"drop_ratio": 0.4}},
    }

    def shows(self, stack: RunningStack, injection: Injection) -> bool:  # noqa: ARG002
        """The exchange says that it does."""
        return self.told(stack)
