//! A person's order as JSON in; the core's form of it out, or what is wrong with it.

use engine::Engine;
use engine::event::{Amendment, Side, TimeInForce};
use engine::schedule::{Curve, ParentSpec, Style, TriggerOn, Window};
use serde::{Deserialize, Serialize};
use values::{MarketId, Nanos, Price, Quantity};

/// An order in the words of `prunella.control`: decimal text, names, and times from now.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Submitted {
    symbol: String,
    #[serde(default)]
    venue: String,
    side: SideName,
    quantity: String,
    style: StyleName,
    #[serde(default)]
    limit: String,
    #[serde(default)]
    time_in_force: TimeName,
    #[serde(default)]
    trigger: String,
    #[serde(default)]
    trigger_on: Option<TriggerOn>,
    #[serde(default)]
    display: String,
    #[serde(default)]
    slippage_ppm: u32,
    #[serde(default)]
    start_in_ns: Nanos,
    #[serde(default)]
    duration_ns: Nanos,
    #[serde(default)]
    interval_ns: Nanos,
    #[serde(default)]
    curve: Vec<u16>,
    #[serde(default)]
    share_ppm: u32,
    #[serde(default)]
    reduce_only: bool,
    #[serde(default)]
    worse_ppm_max: u32,
    #[serde(default)]
    child_max: String,
}

#[derive(Copy, Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SideName {
    Buy,
    Sell,
}

#[derive(Copy, Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StyleName {
    Limit,
    Market,
    Stop,
    Iceberg,
    Twap,
    Vwap,
    Pov,
}

#[derive(Copy, Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TimeName {
    #[default]
    Gtc,
    Ioc,
    Fok,
    PostOnly,
}

impl Submitted {
    pub(super) fn spec(&self, engine: &Engine, now_ns: Nanos) -> Result<ParentSpec, String> {
        let market = self.market(engine)?;
        Ok(ParentSpec {
            market,
            is_pinned: !self.venue.is_empty(),
            side: match self.side {
                SideName::Buy => Side::Buy,
                SideName::Sell => Side::Sell,
            },
            quantity: quantity("quantity", &self.quantity)?.unwrap_or(Quantity::ZERO),
            limit: price("limit", &self.limit)?,
            style: self.style(now_ns)?,
            reduce_only: self.reduce_only,
            worse_ppm_max: self.worse_ppm_max,
            child_max: quantity("child_max", &self.child_max)?.unwrap_or(Quantity::ZERO),
        })
    }

    /// The market of the symbol at the venue, or at the first venue that has it.
    fn market(&self, engine: &Engine) -> Result<MarketId, String> {
        let config = engine.config();
        let is_it = |index: usize| {
            let market = &config.markets[index];
            let is_there = config.venues[usize::from(market.venue)].name == self.venue;
            let id = MarketId(index as u8);
            (market.symbol == self.symbol || config.instrument_name(id) == self.symbol)
                && (self.venue.is_empty() || is_there)
        };
        let found = (0..config.markets.len()).find(|index| is_it(*index));
        found.map(|index| MarketId(index as u8)).ok_or_else(|| {
            let known = config.markets.iter().map(|market| {
                format!("{} at {}", market.symbol, config.venues[usize::from(market.venue)].name)
            });
            let known: Vec<String> = known.collect();
            let at = if self.venue.is_empty() { "" } else { " at " };
            format!("expected one of {known:?}, found {:?}{at}{}", self.symbol, self.venue)
        })
    }

    fn style(&self, now_ns: Nanos) -> Result<Style, String> {
        let slippage_ppm = self.slippage_ppm;
        let start_ns = now_ns.saturating_add(self.start_in_ns.max(0));
        let end_ns = start_ns.saturating_add(self.duration_ns);
        let window = Window { start_ns, end_ns, interval_ns: self.interval_ns };
        Ok(match self.style {
            StyleName::Limit => Style::Limit {
                time_in_force: match self.time_in_force {
                    TimeName::Gtc => TimeInForce::GoodTillCancel,
                    TimeName::Ioc => TimeInForce::ImmediateOrCancel,
                    TimeName::Fok => TimeInForce::FillOrKill,
                    TimeName::PostOnly => TimeInForce::PostOnly,
                },
            },
            StyleName::Market => Style::Market { slippage_ppm },
            StyleName::Stop => Style::Stop {
                trigger: price("trigger", &self.trigger)?.unwrap_or(Price::ZERO),
                on: self.trigger_on.unwrap_or(TriggerOn::Trade),
                slippage_ppm,
            },
            StyleName::Iceberg => Style::Iceberg {
                display: quantity("display", &self.display)?.unwrap_or(Quantity::ZERO),
            },
            StyleName::Twap => Style::Twap { window, slippage_ppm },
            StyleName::Vwap => {
                Style::Vwap { window, slippage_ppm, curve: Curve::from(self.curve.clone()) }
            }
            StyleName::Pov => Style::Pov { window, slippage_ppm, share_ppm: self.share_ppm },
        })
    }
}

/// A change; empty text leaves as it is.
pub(super) fn amendment(
    limit: &str,
    quantity_text: &str,
    trigger: &str,
) -> Result<Amendment, String> {
    Ok(Amendment {
        limit: price("limit", limit)?,
        quantity: quantity("quantity", quantity_text)?,
        trigger: price("trigger", trigger)?,
    })
}

fn price(name: &str, text: &str) -> Result<Option<Price>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = Price::parse(text.as_bytes());
    parsed.map(Some).map_err(|error| format!("{name}: {error}, found {text:?}"))
}

fn quantity(name: &str, text: &str) -> Result<Option<Quantity>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let parsed = Quantity::parse(text.as_bytes());
    parsed.map(Some).map_err(|error| format!("{name}: {error}, found {text:?}"))
}

/// One kept order as status pages show it.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    id: u32,
    strategy: &'a str,
    venue: &'a str,
    symbol: &'a str,
    side: &'static str,
    style: &'static str,
    state: &'static str,
    end: Option<&'static str>,
    quantity: String,
    filled: String,
    limit: Option<String>,
    trigger: Option<String>,
    average_price: Option<String>,
    arrival_price: Option<String>,
    slippage_ppm: Option<i64>,
    fees_usd: f64,
    reduce_only: bool,
    children: u32,
    denied: Option<&'static str>,
    made_ns: Nanos,
    start_ns: Option<Nanos>,
    end_ns: Option<Nanos>,
}

/// The open ones and the latest ended ones, oldest first.
pub(super) fn shown(engine: &Engine) -> Vec<Shown<'_>> {
    let parents = engine.parents();
    let mut all: Vec<_> = parents.closed().chain(parents.open()).collect();
    all.sort_unstable_by_key(|parent| parent.id);
    all.into_iter().map(|parent| show(engine, parent)).collect()
}

fn show<'a>(engine: &'a Engine, parent: &engine::schedule::Parent) -> Shown<'a> {
    let (config, spec) = (engine.config(), &parent.spec);
    let market = &config.markets[spec.market.index()];
    let strategy = config.strategies.get(usize::from(parent.strategy.0));
    let trigger = match spec.style {
        Style::Stop { trigger, .. } => Some(trigger.to_string()),
        _ => None,
    };
    let venue = &config.venues[usize::from(market.venue)].name;
    Shown {
        id: parent.id,
        strategy: strategy.map_or("manual", |strategy| &strategy.name),
        venue: if spec.is_pinned { venue } else { "" },
        symbol: &market.symbol,
        side: if spec.side == Side::Buy { "buy" } else { "sell" },
        style: spec.style.name(),
        state: parent.state.name(),
        end: parent.end.map(engine::schedule::EndReason::name),
        quantity: spec.quantity.to_string(),
        filled: parent.filled.to_string(),
        limit: spec.limit.map(|limit| limit.to_string()),
        trigger,
        average_price: parent.average().map(|price| price.to_string()),
        arrival_price: (parent.arrival.0 > 0).then(|| parent.arrival.to_string()),
        slippage_ppm: parent.slippage_ppm(),
        fees_usd: parent.fees().to_f64(),
        reduce_only: spec.reduce_only,
        children: parent.children,
        denied: parent.denied.map(engine::reason::DenialReason::code),
        made_ns: parent.made_ns,
        start_ns: spec.style.window().map(|window| window.start_ns),
        end_ns: spec.style.window().map(|window| window.end_ns),
    }
}
