"""How we deal with venues: ages, rates, the breaker, fees, and what routing goes by."""

from collections.abc import Sequence

import msgspec

from prunella.trading.market import at_least

_MS = 1_000_000
_DATA_STALE_MS = 3_000
_RESENDS_MAX = 10


class VenueLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits towards one venue.

    Attributes:
        stale_after_ms: Market data older than this stops trading there. A venue of market data
            alone is asked once a second whether it lives, so there it is at least 3,000.
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

    def raw(self, name: str, *, protocol: str = "") -> dict[str, object]:
        """The core's form for the venue called `name`: nanoseconds.

        Args:
            name: What we call it.
            protocol: The decoder's name, where only market data is used.
        """
        data = {"protocol": protocol, "is_data_only": True} if protocol else {}
        stale_after_ms = (
            max(self.stale_after_ms, _DATA_STALE_MS) if protocol else self.stale_after_ms
        )
        return data | {
            "name": name,
            "stale_after_ns": stale_after_ms * _MS,
            "receive_window_ns": self.receive_window_ms * _MS,
            "order_rate_per_second": self.order_rate_per_second,
            "breaker_failures": self.breaker_failures,
            "breaker_window_ns": self.breaker_window_ms * _MS,
            "breaker_backoff_ns": self.breaker_backoff_ms * _MS,
            "breaker_backoff_ns_max": self.breaker_backoff_ms_max * _MS,
        }


class VenueFees(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a venue charges, parts per million of the traded value; negative is paid to us.

    Attributes:
        maker_ppm: For resting.
        taker_ppm: For taking.
    """

    maker_ppm: int = 0
    taker_ppm: int = 0


class ExecutionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How orders are routed over venues, and kept.

    Attributes:
        fees: By venue name; a venue without an entry charges nothing.
        latency_ppm_per_s: What a second of order latency is worth, parts per million of the price.
        inventory_ppm: How much dearer it is to add to a full position at a venue, parts per
            million; taking from it is as much cheaper.
        user_lost_cancel_ms: Without the stream of our own orders for this long, everything of ours
            at that venue is cancelled.
        resends_max: How often an order that provably never arrived is sent again under its own id;
            only for orders that people and schedules work off.
    """

    fees: dict[str, VenueFees] = msgspec.field(default_factory=dict)
    latency_ppm_per_s: int = 100
    inventory_ppm: int = 20
    user_lost_cancel_ms: int = 5_000
    resends_max: int = 1

    def __post_init__(self) -> None:
        """Refuses negative weights, and a wait that a reconnect could not beat."""
        for name in ("latency_ppm_per_s", "inventory_ppm", "resends_max"):
            at_least(name, getattr(self, name), 0)
        at_least("user_lost_cancel_ms", self.user_lost_cancel_ms, 100)
        if self.resends_max > _RESENDS_MAX:
            raise ValueError(
                f"resends_max: expected at most {_RESENDS_MAX}, found {self.resends_max}"
            )

    def raw(self, venues: Sequence[str]) -> dict[str, object]:
        """The core's form for these venues, in their order: nanoseconds."""
        fees = [self.fees.get(venue, VenueFees()) for venue in venues]
        return {
            "fees": [{"maker_ppm": fee.maker_ppm, "taker_ppm": fee.taker_ppm} for fee in fees],
            "latency_ppm_per_s": self.latency_ppm_per_s,
            "inventory_ppm": self.inventory_ppm,
            "user_lost_cancel_ns": self.user_lost_cancel_ms * _MS,
            "resends_max": self.resends_max,
        }
