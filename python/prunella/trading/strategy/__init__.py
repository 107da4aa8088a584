"""What a strategy is configured with; the strategies themselves run in the core."""

import msgspec

from prunella.trading.market import at_least, positive


class Strategy(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"
):
    """What every strategy has.

    Attributes:
        instruments: Names of the instruments that it trades; empty: all.
    """

    instruments: tuple[str, ...] = ()


class MarketMaker(Strategy, frozen=True, kw_only=True, tag="market_maker"):
    """Quotes both sides around the microprice, leaning against the inventory.

    Attributes:
        quantity: Order size on the active venue, decimal text; other venues get a quarter.
        half_spread_ppm: Half the quoted spread, parts per million of the price.
        skew_ppm: How far a full position moves both quotes, parts per million.
        requote_ppm: A quote is replaced only when it is off by more than this.
    """

    quantity: str
    half_spread_ppm: int = 100
    skew_ppm: int = 100
    requote_ppm: int = 50

    def __post_init__(self) -> None:
        """Refuses settings with which no sound quote can be made."""
        positive("quantity", self.quantity)
        at_least("half_spread_ppm", self.half_spread_ppm, 1)
        at_least("skew_ppm", self.skew_ppm, 0)
        at_least("requote_ppm", self.requote_ppm, 0)

    def raw(self) -> dict[str, dict[str, int]]:
        """The core's form: externally tagged, raw integers."""
        return {
            "market_maker": {
                "half_spread_ppm": self.half_spread_ppm,
                "quantity": positive("quantity", self.quantity),
                "skew_ppm": self.skew_ppm,
                "requote_ppm": self.requote_ppm,
            }
        }


class Momentum(Strategy, frozen=True, kw_only=True, tag="momentum"):
    """Takes in the direction of a fast over a slow average, on the active venue.

    Attributes:
        quantity: Order size, and the most that it holds, decimal text.
        fast_updates: Half-life of the fast average, in book updates.
        slow_updates: Half-life of the slow average, in book updates; more than the fast one.
        trigger_ppm: Distance of the averages that triggers, parts per million.
        cooldown_ms: Time between two orders, so that one move is not bought twice.
    """

    quantity: str
    fast_updates: int = 20
    slow_updates: int = 200
    trigger_ppm: int = 50
    cooldown_ms: int = 2_000

    def __post_init__(self) -> None:
        """Refuses averages in the wrong order."""
        positive("quantity", self.quantity)
        at_least("fast_updates", self.fast_updates, 1)
        at_least("slow_updates", self.slow_updates, self.fast_updates + 1)
        at_least("trigger_ppm", self.trigger_ppm, 1)
        at_least("cooldown_ms", self.cooldown_ms, 0)

    def raw(self) -> dict[str, dict[str, int]]:
        """The core's form: externally tagged, raw integers."""
        return {
            "momentum": {
                "fast_updates": self.fast_updates,
                "slow_updates": self.slow_updates,
                "trigger_ppm": self.trigger_ppm,
                "quantity": positive("quantity", self.quantity),
                "cooldown_ns": self.cooldown_ms * 1_000_000,
            }
        }


class PythonStrategy(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="python",
):
    """A strategy of your own, in a process of its own when live; see the guide `strategies`.

    Attributes:
        path: `path/to/file.py:ClassName`.
        instruments: Names of the instruments that it trades; empty: all.
        parameters: Its parameters by name, as text.
        budget_ms: An answer later than this after the update that it answers opens its breaker.
        heartbeat_ms: So does silence longer than this.
        intents_per_second: So do more intents than this within a second.
        backoff_ms: First back-off of the breaker; doubles.
        backoff_ms_max: Longest back-off.
    """

    path: str
    instruments: tuple[str, ...] = ()
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    budget_ms: int = 100
    heartbeat_ms: int = 1_000
    intents_per_second: int = 200
    backoff_ms: int = 1_000
    backoff_ms_max: int = 60_000

    def __post_init__(self) -> None:
        """Refuses limits that nothing could meet."""
        for name in ("budget_ms", "heartbeat_ms", "intents_per_second", "backoff_ms"):
            at_least(name, getattr(self, name), 1)
        at_least("backoff_ms_max", self.backoff_ms_max, self.backoff_ms)

    def raw(self) -> dict[str, dict[str, int]]:
        """The core's form: externally tagged, nanoseconds."""
        return {
            "external": {
                "budget_ns": self.budget_ms * 1_000_000,
                "heartbeat_ns": self.heartbeat_ms * 1_000_000,
                "intents_per_second": self.intents_per_second,
                "backoff_ns": self.backoff_ms * 1_000_000,
                "backoff_ns_max": self.backoff_ms_max * 1_000_000,
            }
        }


class Onnx(Strategy, frozen=True, kw_only=True, tag="onnx"):
    """Takes in the direction of a model's signal, on the active venue.

    The model is not in the settings: it is promoted (`prunella model promote`), which is journaled,
    so that another model needs no new run.

    Attributes:
        quantity: Order size, and the most that it holds, decimal text.
        threshold: Signal beyond which it trades, decimal text with at most six places: for a
            model of returns in parts per million, for a classifier the last class's probability
            less the first one's, 0 to 1.
        horizon_ms: How long a signal holds; a position that none renewed is closed then.
        cooldown_ms: Time between two orders, so that one move is not bought twice.
    """

    quantity: str
    threshold: str
    horizon_ms: int = 5_000
    cooldown_ms: int = 1_000

    def __post_init__(self) -> None:
        """Refuses a threshold that every signal or none would pass."""
        positive("quantity", self.quantity)
        positive("threshold", self.threshold)
        at_least("horizon_ms", self.horizon_ms, 1)
        at_least("cooldown_ms", self.cooldown_ms, 0)

    def raw(self) -> dict[str, dict[str, int]]:
        """The core's form: externally tagged, raw integers."""
        return {
            "onnx": {
                "quantity": positive("quantity", self.quantity),
                "threshold_micros": positive("threshold", self.threshold) // 1_000,
                "horizon_ns": self.horizon_ms * 1_000_000,
                "cooldown_ns": self.cooldown_ms * 1_000_000,
            }
        }


StrategySettings = MarketMaker | Momentum | PythonStrategy | Onnx
