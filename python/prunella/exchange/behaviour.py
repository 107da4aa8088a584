"""How the exchange misbehaves when it is told to; everything is off until then, and seeded.

The overload model has the one property that makes it curable: below the capacity every order
request is served, above it the excess is answered 503 (its fate unknown: half of those, by the
seed, were executed) or 429, in alternating bursts. So whoever sends less has no errors any more.
"""

import enum
import math
import random
from collections import deque

import msgspec

SECOND_NS = 1_000_000_000
# Errors of one kind in a row before the other kind: a burst that a client can see as such.
BURST = 4
LATENCY_MS_MAX = 60_000
# A day: enough for any clock that is wrong by accident.
OFFSET_MS_MAX = 86_400_000
# The 99th percentile of a normal distribution, in standard deviations.
P99_DEVIATIONS = 2.326


class FeedFaults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to the messages of one kind of stream; ratios are of all messages."""

    frozen: bool = False
    drop_ratio: float = 0.0
    duplicate_ratio: float = 0.0

    def __post_init__(self) -> None:
        if min(self.drop_ratio, self.duplicate_ratio) < 0:
            raise ValueError("drop_ratio, duplicate_ratio: expected 0 or more")
        if self.drop_ratio + self.duplicate_ratio > 1:
            raise ValueError("drop_ratio and duplicate_ratio: expected at most 1 together")


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is set over `POST /admin/behaviour`; fields that are left out are off.

    Attributes:
        order_capacity_per_second: Order requests that are served; the excess gets `errors`.
        errors: Which errors an overload answers with.
        reject_ratio: Share of order requests that are refused (-2010, -2011).
        lost_ratio: Share of order requests that are answered 503 and were not executed.
        unanswered_ratio: Share of order requests that are executed and answered 503 all the same.
        latency_ms: Median delay of every answer.
        latency_p99_ms: 99th percentile of the delay, log-normal; 0: every delay is the median.
        disconnect: Ends all sockets and refuses new ones.
        disconnect_every_s: Ends all sockets again and again, new ones are welcome.
        market: Faults of the public streams; frozen ones keep their sockets and answer pings.
        user: Faults of the user data streams.
        clock_offset_ms: How far the venue's clock is ahead of the true time.
    """

    order_capacity_per_second: int | None = None
    errors: tuple[int, ...] = (503, 429)
    reject_ratio: float = 0.0
    lost_ratio: float = 0.0
    unanswered_ratio: float = 0.0
    latency_ms: int = 0
    latency_p99_ms: int = 0
    disconnect: bool = False
    disconnect_every_s: float = 0.0
    market: FeedFaults = FeedFaults()
    user: FeedFaults = FeedFaults()
    clock_offset_ms: int = 0

    def __post_init__(self) -> None:
        if self.order_capacity_per_second is not None and self.order_capacity_per_second < 0:
            raise ValueError("order_capacity_per_second: expected 0 or more")
        if not self.errors or any(status not in {503, 429} for status in self.errors):
            raise ValueError("errors: expected some of 503 and 429")
        ratios = (self.reject_ratio, self.lost_ratio, self.unanswered_ratio)
        if min(ratios) < 0 or sum(ratios) > 1:
            raise ValueError(
                "reject_ratio, lost_ratio, unanswered_ratio: expected 0 or more, at most 1 in all"
            )
        if not 0 <= self.latency_ms <= LATENCY_MS_MAX:
            raise ValueError(f"latency_ms: expected 0 to {LATENCY_MS_MAX}")
        if self.latency_p99_ms and not self.latency_ms <= self.latency_p99_ms <= LATENCY_MS_MAX:
            raise ValueError(f"latency_p99_ms: expected latency_ms to {LATENCY_MS_MAX}, or 0")
        if self.latency_p99_ms and not self.latency_ms:
            raise ValueError("latency_p99_ms: expected a median (latency_ms) above 0 with it")
        if not 0 <= self.disconnect_every_s <= LATENCY_MS_MAX:
            raise ValueError(f"disconnect_every_s: expected 0 to {LATENCY_MS_MAX}")
        if abs(self.clock_offset_ms) > OFFSET_MS_MAX:
            raise ValueError(f"clock_offset_ms: expected at most {OFFSET_MS_MAX} either way")


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
        return self._by_chance()

    def has_body(self) -> bool:
        """Whether a 503 says its code; half of the real ones come from a proxy and do not."""
        return self._random.random() < 0.5

    def delay_s(self) -> float:
        """How long the next answer waits, seconds."""
        median_ms, p99_ms = self.behaviour.latency_ms, self.behaviour.latency_p99_ms
        if p99_ms <= median_ms:
            return median_ms / 1_000
        deviation = math.log(p99_ms / median_ms) / P99_DEVIATIONS
        return median_ms / 1_000 * math.exp(self._random.gauss(0, deviation))

    def _by_chance(self) -> Verdict:
        chances = (
            (self.behaviour.reject_ratio, Verdict.REJECTED),
            (self.behaviour.lost_ratio, Verdict.LOST),
            (self.behaviour.unanswered_ratio, Verdict.EXECUTED_UNANSWERED),
        )
        if not any(ratio for ratio, _ in chances):
            return Verdict.SERVED
        drawn = self._random.random()
        for ratio, verdict in chances:
            if drawn < ratio:
                return verdict
            drawn -= ratio
        return Verdict.SERVED

    def _overloaded(self) -> Verdict:
        errors = self.behaviour.errors
        status = errors[self._errors // BURST % len(errors)]
        self._errors += 1
        if status == 429:
            return Verdict.THROTTLED
        return Verdict.EXECUTED_UNANSWERED if self._random.random() < 0.5 else Verdict.LOST


class FeedPath:
    """Says of each message of a stream how often its listeners get it."""

    def __init__(self, *, seed: int) -> None:
        self.faults = FeedFaults()
        self._random = random.Random(seed)  # noqa: S311 - a simulation, not a secret

    def copies(self) -> int:
        """0, 1 or 2."""
        faults = self.faults
        if faults.frozen:
            return 0
        if not (faults.drop_ratio or faults.duplicate_ratio):
            return 1
        drawn = self._random.random()
        if drawn < faults.drop_ratio:
            return 0
        return 2 if drawn < faults.drop_ratio + faults.duplicate_ratio else 1
