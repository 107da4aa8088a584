"""How the exchange misbehaves when it is told to; everything is off until then.

The overload model has the one property that makes it curable: below the capacity every order
request is served, above it the excess is answered 503 (its fate unknown: half of those, by the
seed, were executed) or 429, in alternating bursts. So whoever sends less has no errors any more.
"""

import enum
import random
from collections import deque

import msgspec

SECOND_NS = 1_000_000_000
# Errors of one kind in a row before the other kind: a burst that a client can see as such.
BURST = 4


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is set over `POST /admin/behaviour`; fields that are left out are off."""

    order_capacity_per_second: int | None = None
    errors: tuple[int, ...] = (503, 429)
    reject_ratio: float = 0.0
    latency_ms: int = 0
    disconnect: bool = False

    def __post_init__(self) -> None:
        if self.order_capacity_per_second is not None and self.order_capacity_per_second < 0:
            raise ValueError("order_capacity_per_second: expected 0 or more")
        if not self.errors or any(status not in {503, 429} for status in self.errors):
            raise ValueError("errors: expected some of 503 and 429")
        if not 0 <= self.reject_ratio <= 1:
            raise ValueError("reject_ratio: expected 0 to 1")
        if not 0 <= self.latency_ms <= 60_000:
            raise ValueError("latency_ms: expected 0 to 60000")


class Verdict(enum.Enum):
    """What happens to an order request."""

    SERVED = "served"
    REJECTED = "rejected"
    THROTTLED = "throttled"
    LOST = "lost"
    EXECUTED_UNANSWERED = "executed_unanswered"


class OrderPath:
    """Judges each order request by the behaviour that is set."""

    def __init__(self, *, seed: int) -> None:
        self.behaviour = Behaviour()
        self._random = random.Random(seed)  # noqa: S311 - a simulation, not a secret
        self._served: deque[int] = deque()
        self._errors = 0

    def set(self, behaviour: Behaviour) -> Behaviour:
        """Sets it and gives what was set before."""
        before, self.behaviour = self.behaviour, behaviour
        self._errors = 0
        return before

    def judge(self, now_ns: int) -> Verdict:
        """The fate of an order request at `now_ns` (monotonic)."""
        capacity = self.behaviour.order_capacity_per_second
        if capacity is not None:
            while self._served and self._served[0] <= now_ns - SECOND_NS:
                self._served.popleft()
            if len(self._served) >= capacity:
                return self._overloaded()
            self._served.append(now_ns)
        if self.behaviour.reject_ratio and self._random.random() < self.behaviour.reject_ratio:
            return Verdict.REJECTED
        return Verdict.SERVED

    def has_body(self) -> bool:
        """Whether a 503 says its code; half of the real ones come from a proxy and do not."""
        return self._random.random() < 0.5

    def _overloaded(self) -> Verdict:
        errors = self.behaviour.errors
        status = errors[self._errors // BURST % len(errors)]
        self._errors += 1
        if status == 429:
            return Verdict.THROTTLED
        return Verdict.EXECUTED_UNANSWERED if self._random.random() < 0.5 else Verdict.LOST
