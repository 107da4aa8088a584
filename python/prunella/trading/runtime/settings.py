"""What the engine process is configured with, as the `[trading]` section of the settings has it."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from prunella.trading.engine import MarketSettings, core_config
from prunella.trading.execution import ExecutionSettings, VenueFees, VenueLimits
from prunella.trading.market import Instrument, Listing, at_least
from prunella.trading.risk import LimitSettings, RiskSettings
from prunella.trading.strategy import MarketMaker, Momentum, StrategySettings
from prunella.trading.venue import VenueEndpoint

StageName = Literal["market", "signal", "risk", "execution", "position"]
STAGES: tuple[StageName, ...] = ("market", "signal", "risk", "execution", "position")
"""In the order in which an order passes them."""

_RUN_IN_SETTINGS = 1
"""The engine replaces it by the second of its journal's first entry."""


def _limits() -> dict[str, VenueLimits]:
    # Binance counts 100 new orders in 10 s; 8 a second stays below it with a margin for bursts.
    limits = VenueLimits(order_rate_per_second=8)
    return {"primary": limits, "backup": limits}


def _execution() -> ExecutionSettings:
    # What the simulated exchanges of the stack charge.
    fees = VenueFees(maker_ppm=1_000, taker_ppm=1_000)
    return ExecutionSettings(fees={"primary": fees, "backup": fees})


def _strategies() -> dict[str, StrategySettings]:
    # Sized for a market whose spread is well below a basis point: quotes near the top are hit often
    # enough to be worth watching, and follow the price without using up the order rate.
    return {
        "maker": MarketMaker(quantity="0.01", half_spread_ppm=8, skew_ppm=20, requote_ppm=6),
        "momentum": Momentum(quantity="0.01", fast_updates=10, slow_updates=100, trigger_ppm=15),
    }


class LoopSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the hot thread runs.

    Attributes:
        cpu: The processor to bind it to; -1 leaves that to the kernel.
        busy_poll: Never sleep: saves the wake-up and takes a whole processor.
        order_connections: Kept-open connections for orders at each venue.
        connection_life_s: A WebSocket older than this is replaced, seconds, at least 2: the new one
            is subscribed before the old one is dropped. Binance ends each after 24 hours.
        weight_per_minute: Request weight that each venue allows this host in a minute; near it only
            orders and cancels are sent. Binance spot allows 6,000.
        receive_buffer_bytes: Size of each socket's receive buffer; 0 leaves it to the kernel, which
            grows it as needed.
        send_buffer_bytes: Size of each socket's send buffer; 0 leaves it to the kernel.
        user_timeout_ms: Sent bytes that the peer's kernel does not acknowledge for so long end the
            connection; 0 leaves it to the kernel (a quarter of an hour).
        quick_ack: Acknowledge at once at the beginning of each connection.
        snapshot_every_s: A snapshot after this time, seconds; a restart replays at most as much.
        journal_segment_bytes: Size of the journal's files. A restart reads the last one whole, so
            it bounds how long that takes.
        journal_keep_gb: Older segments go when the journal has more than so many GB (1e9 bytes);
            0 keeps all. Nothing goes that the oldest kept snapshot needs after it.
        journal_keep_days: Segments whose last entry is older go; 0 keeps all. Either limit counts.
        journal_durability: What a journal entry survives before an order may follow from it:
            `process` (kill -9 of the engine), `power` (a power cut), `replica` (the loss of the
            machine; needs a standby).
        journal_stall_s: Trading halts when the disk confirms nothing for this time, seconds; not
            used at the level `process`.
        snapshot_every_entries: Or after this many journal entries.
        seed: Seed of the jitter of reconnects.
    """

    cpu: int = -1
    busy_poll: bool = False
    order_connections: int = 4
    connection_life_s: float = 82_800.0
    weight_per_minute: int = 6_000
    receive_buffer_bytes: int = 0
    send_buffer_bytes: int = 0
    user_timeout_ms: int = 5_000
    quick_ack: bool = False
    snapshot_every_s: float = 10.0
    snapshot_every_entries: int = 100_000
    journal_segment_bytes: int = 16 * 1024 * 1024
    journal_keep_gb: float = 0.0
    journal_keep_days: float = 0.0
    journal_durability: Literal["process", "power", "replica"] = "process"
    journal_stall_s: float = 1.0
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuses what no thread could run with."""
        at_least("cpu", self.cpu, -1)
        at_least("order_connections", self.order_connections, 1)
        at_least("connection_life_s", int(self.connection_life_s), 2)
        at_least("weight_per_minute", self.weight_per_minute, 100)
        for name in ("receive_buffer_bytes", "send_buffer_bytes", "user_timeout_ms"):
            at_least(name, getattr(self, name), 0)
        at_least("snapshot_every_entries", self.snapshot_every_entries, 1)
        # An entry must fit into one, and a depth snapshot of 5,000 levels has 300 kB.
        at_least("journal_segment_bytes", self.journal_segment_bytes, 1024 * 1024)
        for name in ("journal_keep_gb", "journal_keep_days"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected 0 or more, found {getattr(self, name)}")
        if self.snapshot_every_s <= 0:
            raise ValueError(f"snapshot_every_s: expected above 0, found {self.snapshot_every_s}")
        if self.journal_stall_s <= 0:
            raise ValueError(f"journal_stall_s: expected above 0, found {self.journal_stall_s}")

    def raw(self) -> dict[str, object]:
        """The form that the compiled core reads."""
        return {
            "cpu": None if self.cpu < 0 else self.cpu,
            "busy_poll": self.busy_poll,
            "order_connections": self.order_connections,
            "connection_life_ns": int(self.connection_life_s * 1e9),
            "weight_per_minute": self.weight_per_minute,
            "receive_buffer_bytes": self.receive_buffer_bytes,
            "send_buffer_bytes": self.send_buffer_bytes,
            "user_timeout_ms": self.user_timeout_ms,
            "quick_ack": self.quick_ack,
            "journal_segment_bytes": self.journal_segment_bytes,
            "journal_keep_bytes": int(self.journal_keep_gb * 1e9) or None,
            "journal_keep_ns": int(self.journal_keep_days * 86_400e9) or None,
            "journal_durability": self.journal_durability,
            "journal_stall_ns": int(self.journal_stall_s * 1e9),
            "snapshot_every_entries": self.snapshot_every_entries,
            "snapshot_every_ns": int(self.snapshot_every_s * 1e9),
            "seed": self.seed,
        }


class TradedInstrument(Instrument, frozen=True, omit_defaults=True):
    """One of several instruments: what it is, where it trades, and what may be risked with it.

    Attributes:
        venues: Where it trades; empty: at every venue.
        at: What differs at a venue, by the venue's name.
        risk: What may be risked with it at each venue; without it, `[trading.risk]` holds.
    """

    venues: tuple[str, ...] = ()
    at: dict[str, Listing] = msgspec.field(default_factory=dict)
    risk: RiskSettings | None = None


def _bitcoin() -> Instrument:
    return Instrument(symbol="BTCUSDT", base="BTC", quote="USDT", tick="0.01", lot="0.00001")


class TradingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is traded, where, by which strategies and within which limits.

    Attributes:
        topology: `fused` runs all five stages in one process, which is the fastest; `split` gives
            each a process of its own.
        instrument: What is traded, at every venue, when it is one instrument.
        instruments: What is traded when it is several, by name; then `instrument` is left out.
        risk: What may be risked with an instrument at each venue.
        venues: Limits by venue name, in order; the first is the primary and active at the start.
        strategies: By name, in order.
        loss_max: Loss since the start of the run at which only reducing is allowed, in the
            account's currency.
        limits: Limits of the account, of venues, instruments and strategies.
        endpoints: Addresses by venue name; a venue without one is this stack's simulated exchange.
        loop: How the hot thread runs.
        execution: How orders are routed over venues, and kept.
        reconcile_every_s: Time between two comparisons of orders, trades and balances with each
            venue, beside trading, seconds, at least 1; 0 for only at the start and after a lost
            stream.
    """

    topology: Literal["fused", "split"] = "fused"
    instrument: Instrument = msgspec.field(default_factory=_bitcoin)
    instruments: dict[str, TradedInstrument] = msgspec.field(default_factory=dict)
    risk: RiskSettings = msgspec.field(
        default_factory=lambda: RiskSettings(
            quantity_min="0.0001",
            quantity_max="1",
            notional_min="10",
            notional_max="100000",
            position_max="0.5",
        )
    )
    venues: dict[str, VenueLimits] = msgspec.field(default_factory=_limits)
    strategies: dict[str, StrategySettings] = msgspec.field(default_factory=_strategies)
    loss_max: str = "10000"
    limits: LimitSettings = msgspec.field(default_factory=LimitSettings)
    endpoints: dict[str, VenueEndpoint] = msgspec.field(default_factory=dict)
    loop: LoopSettings = msgspec.field(default_factory=LoopSettings)
    execution: ExecutionSettings = msgspec.field(default_factory=_execution)
    reconcile_every_s: float = 300.0

    def __post_init__(self) -> None:
        """Refuses two answers to the question what is traded."""
        if self.instruments and self.instrument != _bitcoin():
            raise ValueError(
                "expected either [trading.instrument] or [trading.instruments], not both"
            )
        if self.reconcile_every_s != 0 and self.reconcile_every_s < 1:
            found = self.reconcile_every_s
            raise ValueError(f"reconcile_every_s: expected 0, or at least 1, found {found:g}")

    def core(self) -> bytes:
        """The JSON of the core's configuration.

        Raises:
            ValueError: Tables that do not fit together; trying again cannot help.
        """
        return core_config(
            run=_RUN_IN_SETTINGS,
            venues=self.venues,
            markets=list(self.markets()),
            strategies=self.strategies,
            loss_max=self.loss_max,
            execution=self.execution,
            limits=self.limits,
            reconcile_every_ns=round(self.reconcile_every_s * 1e9),
            data_only={
                name: endpoint.venue.facts.protocol
                for name, endpoint in self.endpoints.items()
                if endpoint.venue is not None
            },
        )

    def markets(self) -> Iterator[MarketSettings]:
        """Every instrument at every venue that lists it, venue by venue.

        Raises:
            ValueError: An instrument names a venue that is not there, or a venue lists nothing.
        """
        for name, each in self.instruments.items():
            for venue in (*each.venues, *each.at):
                if venue not in self.venues:
                    known = list(self.venues)
                    raise ValueError(
                        f"instruments.{name}: expected venues of {known}, found {venue!r}"
                    )
        for venue in self.venues:
            if not self._is_listed(venue):
                raise ValueError(f"venues.{venue}: expected an instrument that trades there")
            if not self.instruments:
                yield MarketSettings(venue=venue, instrument=self.instrument, risk=self.risk)
            for name, each in self.instruments.items():
                if not each.venues or venue in each.venues:
                    listed = each.at.get(venue, Listing()).of(each)
                    risk = each.risk or self.risk
                    yield MarketSettings(venue=venue, name=name, instrument=listed, risk=risk)

    def _is_listed(self, venue: str) -> bool:
        traded = self.instruments.values()
        return not traded or any(not each.venues or venue in each.venues for each in traded)
