"""Limits of the account, of venues, instruments and strategies: text in, the core's form out."""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from prunella.trading.market import at_least, positive
from prunella.trading.order import DenialReason

_MS = 1_000_000


class ScopeLimits(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Limits of one scope, in the account's currency; what is not written is not limited.

    An order has to pass the limits of every scope that it belongs to. One that can only make a
    position smaller always passes these.

    Attributes:
        gross_max: Largest sum of absolute positions with all open orders filled, decimal text.
        net_max: Largest netted position with all open orders filled, decimal text.
        loss_max: Loss since the start of the run at which only reducing is allowed, decimal text.
            Of the account it is `loss_max` in `[trading]`.
        daily_loss_max: Loss since 00:00 UTC at which only reducing is allowed, decimal text.
        drawdown_max: Distance from the highest profit at which only reducing is allowed.
    """

    gross_max: str | None = None
    net_max: str | None = None
    loss_max: str | None = None
    daily_loss_max: str | None = None
    drawdown_max: str | None = None

    def __post_init__(self) -> None:
        """Refuses what is no positive number."""
        self.raw()

    def raw(self) -> dict[str, int]:
        """The core's form: raw integers by kind; only what is set."""
        found = {name: getattr(self, name) for name in self.__struct_fields__}
        return {
            name: value if isinstance(value, int) else positive(name, value)
            for name, value in found.items()
            if value is not None
        }


class InstrumentLimits(ScopeLimits, frozen=True, kw_only=True, omit_defaults=True):
    """Limits of one instrument over all venues.

    Attributes:
        position_max: Largest position over all venues with all open orders on its side filled,
            base units, decimal text.
    """

    position_max: str | None = None


class StrategyLimits(ScopeLimits, frozen=True, kw_only=True, omit_defaults=True):
    """Limits of one strategy in all markets.

    Attributes:
        quantity_max: Largest order, base units, decimal text; holds beside the market's own.
        notional_max: Largest price times quantity, quote units; holds beside the market's own.
        collar_ppm: How far from the microprice a price may be; holds beside the market's own.
        order_rate: New orders a second, at most 1024.
        duplicates_max: Most equal orders (market, side, price, quantity) within the window.
        executions_max: Most executions on one side of a market within the window; one more stops
            the strategy until a named person re-arms it.
    """

    quantity_max: str | None = None
    notional_max: str | None = None
    collar_ppm: int | None = None
    order_rate: int | None = None
    duplicates_max: int | None = None
    executions_max: int | None = None


class StrategyBreakerSettings(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """When a strategy is taken for broken: orders denied for its own fault or refused by venues.

    Attributes:
        failures: Failures within the window that open the breaker.
        window_ms: Over which time failures are counted.
        backoff_ms: First back-off of an open breaker; doubles.
        backoff_ms_max: Longest back-off.
    """

    failures: int = 50
    window_ms: int = 10_000
    backoff_ms: int = 2_000
    backoff_ms_max: int = 60_000

    def __post_init__(self) -> None:
        """Refuses a breaker that could never be closed."""
        for name in self.__struct_fields__:
            at_least(name, getattr(self, name), 1)

    def raw(self) -> dict[str, int]:
        """The core's form: nanoseconds."""
        return {
            "failures": self.failures,
            "window_ns": self.window_ms * _MS,
            "backoff_ns": self.backoff_ms * _MS,
            "backoff_ns_max": self.backoff_ms_max * _MS,
        }


class RateSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one unit of a currency is worth in the account's.

    Attributes:
        market: The market whose microprice it is, as `venue.SYMBOL`.
        rate: A fixed worth, or the one until that market has a price; decimal text.
    """

    market: str | None = None
    rate: str | None = None

    def __post_init__(self) -> None:
        """Refuses what tells no worth."""
        if self.market is None and self.rate is None:
            raise ValueError("expected a market, a rate, or both")
        if self.rate is not None:
            positive("rate", self.rate)

    def raw(
        self, asset: str, currency: str, markets: Mapping[str, tuple[str, str]]
    ) -> dict[str, object]:
        """The core's form.

        Raises:
            ValueError: The market is not there, or tells something else.
        """
        found: dict[str, object] = {"asset": asset}
        if self.rate is not None:
            found["rate"] = positive(f"limits.rates.{asset}.rate", self.rate)
        if self.market is not None:
            if markets.get(self.market) != (asset, currency):
                raise ValueError(
                    f"limits.rates.{asset}: expected a market of {asset} in {currency}, such as "
                    f"one of {list(markets)}; found {self.market!r}"
                )
            found["market"] = list(markets).index(self.market)
        return found


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits beyond those of single markets.

    Attributes:
        account: Of everything together.
        venues: By venue.
        instruments: By instrument, over all venues.
        strategies: By strategy, in all markets.
        observe_only: Codes of denials that are counted and reported but do not deny.
        duplicate_window_ms: Over which time equal orders are counted.
        execution_window_ms: Over which time executions on one side are counted.
        strategy_breaker: When a strategy is taken for broken.
        currency: What profits and exposures are counted in, when markets are quoted in several
            currencies; empty: the one that all are quoted in.
        rates: What the other currencies are worth in it, by currency.
    """

    account: ScopeLimits = msgspec.field(default_factory=ScopeLimits)
    venues: dict[str, ScopeLimits] = msgspec.field(default_factory=dict)
    instruments: dict[str, InstrumentLimits] = msgspec.field(default_factory=dict)
    strategies: dict[str, StrategyLimits] = msgspec.field(default_factory=dict)
    observe_only: tuple[DenialReason, ...] = ()
    duplicate_window_ms: int = 1_000
    execution_window_ms: int = 60_000
    strategy_breaker: StrategyBreakerSettings = msgspec.field(
        default_factory=StrategyBreakerSettings
    )
    currency: str = ""
    rates: dict[str, RateSettings] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses what is given twice, and windows that hold nothing."""
        if self.account.loss_max is not None:
            raise ValueError("account.loss_max: expected it as loss_max in [trading]")
        at_least("duplicate_window_ms", self.duplicate_window_ms, 1)
        at_least("execution_window_ms", self.execution_window_ms, 1)

    def raw(
        self,
        *,
        venues: Sequence[str],
        instruments: Sequence[str],
        strategies: Sequence[str],
        markets: Mapping[str, tuple[str, str]],
        data_only: Collection[str],
    ) -> dict[str, object]:
        """The core's form: tables by index.

        Args:
            venues: Their names, in order.
            instruments: Their names, in order.
            strategies: Their names, in order.
            markets: Base and quote currency by `venue.SYMBOL`, in order.
            data_only: Venues at which nothing is traded, and so nothing is to be added up.

        Raises:
            ValueError: A limit of what is not there, or currencies that cannot be added up; trying
                again cannot help.
        """
        tables: dict[str, tuple[Mapping[str, ScopeLimits], Sequence[str]]] = {
            "venues": (self.venues, venues),
            "instruments": (self.instruments, instruments),
            "strategies": (self.strategies, strategies),
        }
        found: dict[str, object] = {}
        for table, (limits, names) in tables.items():
            for name in limits:
                if name not in names:
                    known = list(names)
                    raise ValueError(f"limits.{table}: expected some of {known}, found {name!r}")
            found[table] = [limits[name].raw() if name in limits else {} for name in names]
        return found | {
            "account": self.account.raw(),
            "observe_only": list(self.observe_only),
            "duplicate_window_ns": self.duplicate_window_ms * _MS,
            "execution_window_ns": self.execution_window_ms * _MS,
            "strategy_breaker": self.strategy_breaker.raw(),
            **self._worth(markets, data_only),
        }

    def _worth(
        self, markets: Mapping[str, tuple[str, str]], data_only: Collection[str]
    ) -> dict[str, object]:
        traded = [name for name in markets if name.partition(".")[0] not in data_only]
        quotes = sorted({markets[name][1] for name in traded})
        if not self.currency:
            if len(quotes) > 1:
                raise ValueError(
                    f"limits.currency: expected the account's currency, because markets are quoted "
                    f"in {' and '.join(quotes)}; and in limits.rates what the others are worth"
                )
            return {}
        for quote in quotes:
            if quote != self.currency and quote not in self.rates:
                raise ValueError(f"limits.rates: expected what {quote} is worth in {self.currency}")
        rates = self.rates.items()
        return {
            "currency": self.currency,
            "rates": [rate.raw(asset, self.currency, markets) for asset, rate in rates],
        }
