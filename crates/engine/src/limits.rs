//! A limit's name in; its value in force, and whether another one would be tighter, out.
//!
//! Every limit that may change while trading has one name, such as `strategy.maker.gross_max`, and
//! lives in one place: the core's own configuration, which is part of its state. So a change is a
//! journaled command, survives a restart, and is what the next check reads. A tighter value is
//! taken from anybody; a looser one only with a person's signature, which the shell has verified
//! and the journal keeps.

use crate::config::{CoreConfig, MarketConfig};
use crate::reason::DenialReason;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use values::{Money, Nanos, Price, Quantity};

/// Largest count that a limit over a window may have: as many times are remembered.
pub const COUNT_MAX: i128 = 1_024;
/// Largest order rate of a venue: so many times take 8 MB, and a slip of the hand must not take all
/// memory, at once and again at every replay of it.
pub const VENUE_RATE_MAX: i128 = 1_000_000;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What is limited. Decimals are raw 1e-9.
        #[derive(
            Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum LimitKind {
            $($(#[$doc])* $name,)*
        }

        impl LimitKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The last part of a limit's name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

kinds! {
    /// Largest order, base units: of a market, or of a strategy anywhere.
    QuantityMax = "quantity_max",
    /// Largest price times quantity, quote units: of a market, or of a strategy anywhere.
    NotionalMax = "notional_max",
    /// How far from the microprice a price may be, parts per million: of a market or a strategy.
    CollarPpm = "collar_ppm",
    /// Largest position, base units, open orders filled: of a market, or of an instrument over venues.
    PositionMax = "position_max",
    /// Most orders working or of unknown fate in a market.
    OrdersOpenMax = "orders_open_max",
    /// New orders a second: to a venue, or of a strategy.
    OrderRate = "order_rate",
    /// Most orders of a strategy with the same market, side, price and quantity within the window.
    DuplicatesMax = "duplicates_max",
    /// Most executions of a strategy on the same side of a market within the window; one more stops
    /// the strategy until a person re-arms it.
    ExecutionsMax = "executions_max",
    /// Largest sum of absolute positions, open orders filled, account currency.
    GrossMax = "gross_max",
    /// Largest position of all markets netted, open orders filled, account currency.
    NetMax = "net_max",
    /// Loss since the start of the run at which only reducing is allowed, account currency.
    LossMax = "loss_max",
    /// The same since 00:00 UTC.
    DailyLossMax = "daily_loss_max",
    /// Distance from the highest profit at which only reducing is allowed, account currency.
    DrawdownMax = "drawdown_max",
}

impl LimitKind {
    /// Whether the value is a count or parts per million, not a decimal at 1e-9.
    pub fn is_count(self) -> bool {
        use LimitKind::{CollarPpm, DuplicatesMax, ExecutionsMax, OrderRate, OrdersOpenMax};
        matches!(self, CollarPpm | OrdersOpenMax | OrderRate | DuplicatesMax | ExecutionsMax)
    }

    /// Whether it means something in a scope.
    pub fn fits(self, scope: Scope) -> bool {
        use LimitKind::{
            CollarPpm, DuplicatesMax, ExecutionsMax, NotionalMax, OrderRate, OrdersOpenMax,
            PositionMax, QuantityMax,
        };
        match (scope, self) {
            (
                Scope::Market(_),
                QuantityMax | NotionalMax | CollarPpm | PositionMax | OrdersOpenMax,
            )
            | (Scope::Instrument(_), PositionMax)
            | (Scope::Venue(_), OrderRate)
            | (
                Scope::Strategy(_),
                QuantityMax | NotionalMax | CollarPpm | OrderRate | DuplicatesMax | ExecutionsMax,
            ) => true,
            (Scope::Market(_), _) => false,
            (_, kind) => kind >= LimitKind::GrossMax,
        }
    }
}

/// What a limit is about.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// Everything.
    Account,
    /// One venue.
    Venue(u8),
    /// One instrument at every venue.
    Instrument(u8),
    /// One strategy in every market.
    Strategy(u8),
    /// One instrument at one venue, all strategies.
    Market(u8),
}

/// A limit's full name.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LimitName {
    /// About what.
    pub scope: Scope,
    /// Which.
    pub kind: LimitKind,
}

/// A value for each limit that is set in a scope.
pub type ScopeLimits = BTreeMap<LimitKind, i128>;

/// What a price in one currency is worth in the account's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateConfig {
    /// Of which asset.
    pub asset: String,
    /// A fixed rate, when no market gives one.
    #[serde(default)]
    pub rate: Option<Price>,
    /// The market whose microprice is the rate.
    #[serde(default)]
    pub market: Option<u8>,
}

/// When a strategy is taken for broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakerConfig {
    /// Failures within the window that open the breaker.
    pub failures: u32,
    /// Over which time failures are counted.
    pub window_ns: Nanos,
    /// First back-off of an open breaker; doubles up to `backoff_ns_max`.
    pub backoff_ns: Nanos,
    /// Longest back-off.
    pub backoff_ns_max: Nanos,
}

/// Limits beyond those of markets and venues, and how they are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Of everything together; the loss since the start is [`CoreConfig::loss_max`].
    pub account: ScopeLimits,
    /// By venue; missing ones have none.
    pub venues: Vec<ScopeLimits>,
    /// By instrument.
    pub instruments: Vec<ScopeLimits>,
    /// By strategy.
    pub strategies: Vec<ScopeLimits>,
    /// Denials that are counted and reported but do not deny.
    pub observe_only: Vec<DenialReason>,
    /// Over which time equal orders are counted.
    pub duplicate_window_ns: Nanos,
    /// Over which time executions on the same side are counted.
    pub execution_window_ns: Nanos,
    /// Every strategy's breaker; `None`: none.
    pub strategy_breaker: Option<BreakerConfig>,
    /// What exposures and profits are counted in; empty: the quote currency of every market.
    pub currency: String,
    /// What other currencies are worth in it.
    pub rates: Vec<RateConfig>,
}

impl LimitsConfig {
    /// The limits of a scope; `None` for a market, whose limits are its own fields.
    pub fn of(&self, scope: Scope) -> Option<&ScopeLimits> {
        match scope {
            Scope::Account => Some(&self.account),
            Scope::Venue(index) => self.venues.get(usize::from(index)),
            Scope::Instrument(index) => self.instruments.get(usize::from(index)),
            Scope::Strategy(index) => self.strategies.get(usize::from(index)),
            Scope::Market(_) => None,
        }
    }

    /// Whether a denial is only counted.
    pub fn observes(&self, reason: DenialReason) -> bool {
        self.observe_only.contains(&reason)
    }

    fn of_mut(&mut self, scope: Scope) -> &mut ScopeLimits {
        let (list, index) = match scope {
            Scope::Venue(index) => (&mut self.venues, index),
            Scope::Instrument(index) => (&mut self.instruments, index),
            Scope::Strategy(index) => (&mut self.strategies, index),
            Scope::Account | Scope::Market(_) => return &mut self.account,
        };
        if list.len() <= usize::from(index) {
            list.resize(usize::from(index) + 1, ScopeLimits::new());
        }
        &mut list[usize::from(index)]
    }
}

impl CoreConfig {
    /// A limit's value in force; `None`: there is none.
    pub fn limit(&self, name: LimitName) -> Option<i128> {
        use LimitKind::{
            CollarPpm, LossMax, NotionalMax, OrderRate, OrdersOpenMax, PositionMax, QuantityMax,
        };
        match (name.scope, name.kind) {
            (Scope::Account, LossMax) => Some(self.loss_max.0),
            (Scope::Venue(index), OrderRate) => {
                Some(i128::from(self.venues[usize::from(index)].order_rate_per_second))
            }
            (Scope::Market(index), kind) => {
                let market = &self.markets[usize::from(index)];
                match kind {
                    QuantityMax => Some(i128::from(market.quantity_max.0)),
                    NotionalMax => Some(market.notional_max.0),
                    CollarPpm => Some(i128::from(market.collar_ppm)),
                    PositionMax => Some(i128::from(market.position_max.0)),
                    OrdersOpenMax => Some(i128::from(market.orders_open_max)),
                    _ => None,
                }
            }
            (scope, kind) => self.limits.of(scope).and_then(|limits| limits.get(&kind)).copied(),
        }
    }

    /// Puts a value in force; out-of-range values are cut to what the field holds.
    pub(crate) fn set_limit(&mut self, name: LimitName, value: i128) {
        use LimitKind::{
            CollarPpm, LossMax, NotionalMax, OrderRate, OrdersOpenMax, PositionMax, QuantityMax,
        };
        let quantity = || Quantity(i64::try_from(value).unwrap_or(i64::MAX));
        let count = || u32::try_from(value).unwrap_or(u32::MAX);
        match (name.scope, name.kind) {
            (Scope::Account, LossMax) => self.loss_max = Money(value),
            (Scope::Venue(index), OrderRate) => {
                self.venues[usize::from(index)].order_rate_per_second = count();
            }
            (Scope::Market(index), kind) => {
                let market = &mut self.markets[usize::from(index)];
                match kind {
                    QuantityMax => market.quantity_max = quantity(),
                    NotionalMax => market.notional_max = Money(value),
                    CollarPpm => market.collar_ppm = count(),
                    PositionMax => market.position_max = quantity(),
                    OrdersOpenMax => market.orders_open_max = count(),
                    _ => {}
                }
            }
            (scope, kind) => {
                self.limits.of_mut(scope).insert(kind, value);
            }
        }
    }

    /// Whether `value` is at most what is in force; every limit is a maximum.
    pub fn is_tighter(&self, name: LimitName, value: i128) -> bool {
        self.limit(name).is_none_or(|now| value <= now)
    }

    /// Every scope that there is.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> + use<> {
        let count = |length: usize| 0..u8::try_from(length).unwrap_or(u8::MAX);
        let (venues, markets) = (count(self.venues.len()), count(self.markets.len()));
        let (instruments, strategies) =
            (count(self.instruments_count()), count(self.strategies.len()));
        core::iter::once(Scope::Account)
            .chain(venues.map(Scope::Venue))
            .chain(instruments.map(Scope::Instrument))
            .chain(strategies.map(Scope::Strategy))
            .chain(markets.map(Scope::Market))
    }

    /// Every limit that may be set, in force or not.
    pub fn limit_names(&self) -> impl Iterator<Item = LimitName> {
        self.scopes().flat_map(|scope| {
            let kinds = LimitKind::ALL.iter().filter(move |kind| kind.fits(scope));
            kinds.map(move |&kind| LimitName { scope, kind })
        })
    }

    /// What people call a limit, such as `venue.primary.order_rate` or
    /// `market.primary.BTCUSDT.position_max`.
    pub fn limit_text(&self, name: LimitName) -> String {
        let scope = self.scope_text(name.scope);
        format!("{scope}.{}", name.kind.name())
    }

    /// What people call a scope.
    pub fn scope_text(&self, scope: Scope) -> String {
        match scope {
            Scope::Account => "account".to_owned(),
            Scope::Venue(index) => format!("venue.{}", self.venues[usize::from(index)].name),
            Scope::Instrument(index) => {
                let name = self.instruments.get(usize::from(index));
                name.map_or_else(|| format!("instrument.{index}"), |n| format!("instrument.{n}"))
            }
            Scope::Strategy(index) => {
                format!("strategy.{}", self.strategies[usize::from(index)].name)
            }
            Scope::Market(index) => {
                let market = &self.markets[usize::from(index)];
                let venue = &self.venues[usize::from(market.venue)].name;
                format!("market.{venue}.{}", market.symbol)
            }
        }
    }

    /// The limit that people call so.
    pub fn limit_named(&self, text: &str) -> Option<LimitName> {
        self.limit_names().find(|&name| self.limit_text(name) == text)
    }

    /// The same with every limit that may change while trading taken out: what a restart compares.
    #[must_use]
    pub fn without_limits(&self) -> Self {
        let mut config = self.clone();
        for name in self.limit_names() {
            config.set_limit(name, 1);
        }
        config
    }

    /// What is wrong with the limits, in words for a person.
    pub(crate) fn limits_problem(&self) -> Option<String> {
        use DenialReason as R;
        let limits = &self.limits;
        let counts = [
            ("venues", limits.venues.len(), self.venues.len()),
            ("instruments", limits.instruments.len(), self.instruments_count()),
            ("strategies", limits.strategies.len(), self.strategies.len()),
        ];
        for (table, found, most) in counts {
            if found > most {
                return Some(format!("limits.{table}: expected at most {most}, found {found}"));
            }
        }
        for name in self.limit_names() {
            if let Some(problem) =
                self.limit(name).and_then(|value| self.value_problem(name, value))
            {
                return Some(problem);
            }
        }
        let never = [R::StateHalted, R::StateReducing, R::StateNotReconciled, R::ChannelUserDown];
        let never = never.into_iter().chain([R::PriceNoReference, R::PriceTick]);
        for reason in never {
            if limits.observes(reason) {
                return Some(format!(
                    "limits.observe_only: {} always denies: it is a person's word, or without it \
                     no order makes sense",
                    reason.code()
                ));
            }
        }
        if !limits.currency.is_empty() {
            let is_traded = |market: &&MarketConfig| {
                self.venues.get(usize::from(market.venue)).is_some_and(|venue| !venue.is_data_only)
            };
            for market in self.markets.iter().filter(is_traded) {
                let is_known = market.quote == limits.currency
                    || limits.rates.iter().any(|rate| rate.asset == market.quote);
                if !is_known {
                    let (quote, currency) = (&market.quote, &limits.currency);
                    return Some(format!("limits.rates: expected a rate of {quote} in {currency}"));
                }
            }
        }
        if let Some(rate) = limits.rates.iter().find(|rate| rate.rate.is_some_and(|r| r.0 <= 0)) {
            return Some(format!("limits.rates: {}: expected a rate above 0", rate.asset));
        }
        let mut rates = limits.rates.iter();
        rates
            .find(|rate| rate.market.is_some_and(|m| usize::from(m) >= self.markets.len()))
            .map(|rate| format!("limits.rates: {}: there is no such market", rate.asset))
    }

    /// What is wrong with a value of a limit, in words for a person.
    pub fn value_problem(&self, name: LimitName, value: i128) -> Option<String> {
        use LimitKind::{DuplicatesMax, ExecutionsMax, OrderRate};
        let most = match (name.scope, name.kind) {
            (Scope::Venue(_), OrderRate) => VENUE_RATE_MAX,
            (_, DuplicatesMax | ExecutionsMax | OrderRate) => COUNT_MAX,
            _ => i128::MAX,
        };
        let text = || self.limit_text(name);
        if value < 0 {
            return Some(format!("{}: expected 0 or more, found {value}", text()));
        }
        if value > most {
            return Some(format!("{}: expected at most {most}, found {value}", text()));
        }
        None
    }
}
