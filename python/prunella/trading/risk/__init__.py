"""What one market may be risked: the limits that every order is checked against in the core."""

import msgspec

from prunella._core import config_limits
from prunella.trading.market import at_least, positive
from prunella.trading.risk.limits import (
    InstrumentLimits,
    LimitSettings,
    RateSettings,
    ScopeLimits,
    StrategyBreakerSettings,
    StrategyLimits,
)


class RiskSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of one market. A limit itself is allowed, one step beyond it is not.

    Attributes:
        quantity_min: Smallest order, base units, decimal text.
        quantity_max: Largest order, base units, decimal text.
        notional_min: Smallest price times quantity, quote units, decimal text.
        notional_max: Largest price times quantity, quote units, decimal text.
        position_max: Largest position, long or short, with all open orders on its side filled.
        collar_ppm: How far from the microprice a price may be, parts per million.
        orders_open_max: Most orders working or of unknown fate.
    """

    quantity_min: str
    quantity_max: str
    notional_min: str
    notional_max: str
    position_max: str
    collar_ppm: int = 5_000
    orders_open_max: int = 16

    def __post_init__(self) -> None:
        """Refuses limits that no order could meet."""
        for least, most in (("quantity_min", "quantity_max"), ("notional_min", "notional_max")):
            low, high = (positive(name, getattr(self, name)) for name in (least, most))
            if low > high:
                found = f"{getattr(self, least)} > {getattr(self, most)}"
                raise ValueError(f"{least}: expected at most {most}, found {found}")
        positive("position_max", self.position_max)
        at_least("collar_ppm", self.collar_ppm, 1)
        at_least("orders_open_max", self.orders_open_max, 1)

    def raw(self) -> dict[str, object]:
        """The core's fields, raw integers."""
        decimals = ("quantity_min", "quantity_max", "notional_min", "notional_max", "position_max")
        limits: dict[str, object] = {name: positive(name, getattr(self, name)) for name in decimals}
        return limits | {"collar_ppm": self.collar_ppm, "orders_open_max": self.orders_open_max}


__all__ = [
    "InstrumentLimits",
    "LimitSettings",
    "RateSettings",
    "RiskSettings",
    "ScopeLimits",
    "StrategyBreakerSettings",
    "StrategyLimits",
    "config_limits",
]
