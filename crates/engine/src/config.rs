//! What the core is configured with; journaled as its first entry, so that a replay needs no file.

use crate::limits::{BreakerConfig, LimitsConfig};
use crate::protocol::Protocol;
use crate::strategy::breaker::Patience;
use serde::{Deserialize, Serialize};
use values::{MarketId, Money, Nanos, Price, Quantity};

/// A venue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenueConfig {
    /// Its name, such as `primary`.
    pub name: String,
    /// Market data older than this stops trading there.
    pub stale_after_ns: Nanos,
    /// For how long the venue accepts a request after its timestamp (`recvWindow`).
    pub receive_window_ns: Nanos,
    /// New orders a second.
    pub order_rate_per_second: u32,
    /// Failures within `breaker_window_ns` that open the breaker.
    pub breaker_failures: u32,
    /// Over which time failures are counted.
    pub breaker_window_ns: Nanos,
    /// First back-off of an open breaker; doubles up to `breaker_backoff_ns_max`.
    pub breaker_backoff_ns: Nanos,
    /// Longest back-off.
    pub breaker_backoff_ns_max: Nanos,
    /// Whose frames it sends.
    #[serde(default)]
    pub protocol: Protocol,
    /// Only its market data is used: no order goes there, no account is kept.
    #[serde(default)]
    pub is_data_only: bool,
}

impl VenueConfig {
    /// When its breaker opens, and for how long.
    pub fn breaker(&self) -> BreakerConfig {
        BreakerConfig {
            failures: self.breaker_failures,
            window_ns: self.breaker_window_ns,
            backoff_ns: self.breaker_backoff_ns,
            backoff_ns_max: self.breaker_backoff_ns_max,
        }
    }
}

/// One instrument at one venue, with its limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketConfig {
    /// Index into `venues`.
    pub venue: u8,
    /// Which instrument this is, the same number at every venue that lists it; positions of one
    /// instrument add up over venues.
    #[serde(default)]
    pub instrument: u8,
    /// The venue's symbol, such as `BTCUSDT`.
    pub symbol: String,
    /// The asset that is bought and sold, such as `BTC`.
    pub base: String,
    /// The asset that prices are in, such as `USDT`; fees and balances are read in it.
    pub quote: String,
    /// Smallest price step.
    pub tick: Price,
    /// Smallest quantity step.
    pub lot: Quantity,
    /// Smallest order.
    pub quantity_min: Quantity,
    /// Largest order.
    pub quantity_max: Quantity,
    /// Smallest price times quantity.
    pub notional_min: Money,
    /// Largest price times quantity.
    pub notional_max: Money,
    /// Largest position, long or short, with all working orders on its side filled.
    pub position_max: Quantity,
    /// How far from the microprice an order's price may be, in parts per million.
    pub collar_ppm: u32,
    /// Most orders working or of unknown fate.
    pub orders_open_max: u32,
}

/// What a strategy does, with its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum StrategyKind {
    /// Quotes both sides around the microprice, leaning against the inventory.
    MarketMaker {
        /// Half the quoted spread, parts per million of the price.
        half_spread_ppm: u32,
        /// Order size on the active venue; other venues get a quarter.
        quantity: Quantity,
        /// How far a full position moves both quotes, parts per million.
        skew_ppm: u32,
        /// A quote is replaced only when it is off by more than this, parts per million.
        requote_ppm: u32,
    },
    /// Takes in the direction of a fast over a slow average, on the active venue.
    Momentum {
        /// Half-life of the fast average, in book updates.
        fast_updates: u32,
        /// Half-life of the slow average, in book updates.
        slow_updates: u32,
        /// Distance of the averages that triggers, parts per million.
        trigger_ppm: u32,
        /// Order size.
        quantity: Quantity,
        /// Time between two orders, so that one move is not bought twice.
        cooldown_ns: Nanos,
    },
    /// Decided in a process of its own, whose intents are inputs of the core.
    External(Patience),
    /// Takes in the direction of a model's signal, on the active venue. The model itself comes as a
    /// journaled promotion, so that another one needs no other configuration.
    Onnx {
        /// Order size, and the most that is held.
        quantity: Quantity,
        /// Signal beyond which it trades, times a million.
        threshold_micros: i64,
        /// How long a signal holds; then the position is closed.
        horizon_ns: Nanos,
        /// Time between two orders.
        cooldown_ns: Nanos,
    },
}

impl StrategyKind {
    /// Whether another one differs from it in nothing but parameters.
    pub fn is_same_sort(&self, other: &StrategyKind) -> bool {
        core::mem::discriminant(self) == core::mem::discriminant(other)
    }

    /// Whether the core decides, and not a process beside it.
    pub fn is_in_core(&self) -> bool {
        !matches!(self, Self::External(_))
    }
}

/// A named strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategyConfig {
    /// Its name, such as `maker`.
    pub name: String,
    /// What it does.
    pub kind: StrategyKind,
    /// Which instruments it trades; empty: all.
    #[serde(default)]
    pub instruments: Vec<u8>,
}

impl StrategyConfig {
    /// Whether it trades an instrument.
    pub fn trades(&self, instrument: u8) -> bool {
        self.instruments.is_empty() || self.instruments.contains(&instrument)
    }
}

/// What a venue charges, parts per million of the traded value; negative is paid to us.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VenueFees {
    /// For resting.
    pub maker_ppm: i32,
    /// For taking.
    pub taker_ppm: i32,
}

/// How orders are routed and kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExecutionConfig {
    /// Fees by venue, in the order of the venues; a venue without an entry charges nothing.
    pub fees: Vec<VenueFees>,
    /// What a second of order latency is worth, parts per million of the price.
    pub latency_ppm_per_s: u32,
    /// How much dearer it is to add to a full position at a venue, parts per million; taking from
    /// it is as much cheaper, so that what is closed is closed where it is held.
    pub inventory_ppm: u32,
    /// Without the user stream for this long, everything of ours at the venue is cancelled.
    pub user_lost_cancel_ns: Nanos,
    /// How often an order that provably never arrived is sent again under its own id.
    pub resends_max: u8,
}

impl Default for ExecutionConfig {
    fn default() -> Self {
        Self {
            fees: Vec::new(),
            // The median move of a liquid market within a second.
            latency_ppm_per_s: 100,
            inventory_ppm: 20,
            user_lost_cancel_ns: 5_000_000_000,
            resends_max: 1,
        }
    }
}

/// Everything that the core needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoreConfig {
    /// Which run this is; part of every client order id.
    pub run: u32,
    /// Venues; the first is the primary and active at the start.
    pub venues: Vec<VenueConfig>,
    /// Instruments at venues.
    pub markets: Vec<MarketConfig>,
    /// Names of the instruments, for people; markets refer to them by position. Empty: one without
    /// a name.
    #[serde(default)]
    pub instruments: Vec<String>,
    /// Strategies; each trades its instruments at every venue that lists them.
    pub strategies: Vec<StrategyConfig>,
    /// Loss since the start of the run, realised and unrealised, at which only reducing is allowed.
    pub loss_max: Money,
    /// How orders are routed and kept.
    #[serde(default)]
    pub execution: ExecutionConfig,
    /// Time between two comparisons of everything with each venue, beside trading; 0 for never.
    #[serde(default = "reconcile_every_ns")]
    pub reconcile_every_ns: Nanos,
    /// All other limits, and how they are counted.
    #[serde(default)]
    pub limits: LimitsConfig,
}

/// Five minutes.
fn reconcile_every_ns() -> Nanos {
    300_000_000_000
}

impl CoreConfig {
    /// How many instruments there are.
    pub fn instruments_count(&self) -> usize {
        self.markets.iter().map(|market| usize::from(market.instrument) + 1).max().unwrap_or(0)
    }

    /// What people call a market's instrument.
    pub fn instrument_name(&self, market: MarketId) -> &str {
        let config = &self.markets[market.index()];
        self.instruments.get(usize::from(config.instrument)).unwrap_or(&config.symbol)
    }

    /// What a venue charges.
    pub fn fees(&self, venue: usize) -> VenueFees {
        self.execution.fees.get(venue).copied().unwrap_or_default()
    }

    /// Whether two markets trade the same instrument.
    pub fn is_same_instrument(&self, one: usize, other: usize) -> bool {
        self.markets[one].instrument == self.markets[other].instrument
    }

    /// What would make it impossible to trade with, in words for a person; the shell checks ranges
    /// with better messages, this keeps the core from dividing by zero or indexing beyond a table.
    pub fn problem(&self) -> Option<String> {
        if self.venues.is_empty() || self.markets.is_empty() {
            return Some("expected at least one venue and one market".to_owned());
        }
        if self.venues.len().max(self.markets.len()).max(self.strategies.len()) > 255 {
            return Some("expected at most 255 venues, markets and strategies".to_owned());
        }
        for (index, market) in self.markets.iter().enumerate() {
            if usize::from(market.venue) >= self.venues.len() {
                return Some(format!("market {index}: there is no venue {}", market.venue));
            }
            if !self.instruments.is_empty()
                && usize::from(market.instrument) >= self.instruments.len()
            {
                return Some(format!(
                    "market {index}: there is no instrument {}",
                    market.instrument
                ));
            }
            if market.tick.0 <= 0 || market.lot.0 <= 0 {
                return Some(format!("market {index}: tick and lot must be positive"));
            }
        }
        if self.venues[0].is_data_only {
            return Some(
                "venue 0 is the primary: expected one that orders can be sent to".to_owned(),
            );
        }
        if let Some(problem) = self.limits_problem() {
            return Some(problem);
        }
        let mut venues = self.venues.iter();
        venues.position(|v| v.breaker_failures == 0 || v.order_rate_per_second == 0).map(|index| {
            format!("venue {index}: breaker_failures and order_rate_per_second must be positive")
        })
    }
}
