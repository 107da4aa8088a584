"""How we deal with one venue: ages, rates and the breaker that leaves it alone when it fails."""

import msgspec

from prunella.trading.market import at_least

_MS = 1_000_000


class VenueLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits towards one venue.

    Attributes:
        stale_after_ms: Market data older than this stops trading there.
        receive_window_ms: For how long the venue accepts a request after its timestamp. An order
            of unknown fate is believed lost only after this, so shorter means known sooner.
        order_rate_per_second: New orders a second.
        breaker_failures: Failures within the window that open the breaker.
        breaker_window_ms: Over which time failures are counted.
        breaker_backoff_ms: First back-off of an open breaker; doubles.
        breaker_backoff_ms_max: Longest back-off.
    """

    stale_after_ms: int = 250
    receive_window_ms: int = 1_000
    order_rate_per_second: int = 20
    breaker_failures: int = 5
    breaker_window_ms: int = 2_000
    breaker_backoff_ms: int = 500
    breaker_backoff_ms_max: int = 8_000

    def __post_init__(self) -> None:
        """Refuses limits that could never be met; a venue accepts windows up to 60 s."""
        for name in self.__struct_fields__:
            at_least(name, getattr(self, name), 1)
        if self.receive_window_ms > 60_000:
            found = self.receive_window_ms
            raise ValueError(f"receive_window_ms: expected at most 60000, found {found}")
        at_least("breaker_backoff_ms_max", self.breaker_backoff_ms_max, self.breaker_backoff_ms)

    def raw(self, name: str) -> dict[str, object]:
        """The core's form for the venue called `name`: nanoseconds."""
        return {
            "name": name,
            "stale_after_ns": self.stale_after_ms * _MS,
            "receive_window_ns": self.receive_window_ms * _MS,
            "order_rate_per_second": self.order_rate_per_second,
            "breaker_failures": self.breaker_failures,
            "breaker_window_ns": self.breaker_window_ms * _MS,
            "breaker_backoff_ns": self.breaker_backoff_ms * _MS,
            "breaker_backoff_ns_max": self.breaker_backoff_ms_max * _MS,
        }
