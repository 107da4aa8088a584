//! The core in; what each strategy holds where, at either cost, each scope's sums, and breaks, out.
//!
//! The same records serve the live status and a journal's replay. Money is decimal text.

use engine::Engine;
use engine::breaks::{About, Break, BreakClass, BreakState};
use engine::fees::FeeTotals;
use engine::limits::Scope;
use engine::position::Position;
use serde::Serialize;
use values::{MarketId, Money, Nanos, Price, StrategyId, notional};

/// The name of the strategy that people's own orders count for.
const MANUAL: &str = "manual";

/// Positions and sums of an account.
#[derive(Serialize)]
pub struct Books<'a> {
    /// What each strategy holds where; only where it has traded.
    pub positions: Vec<Holding<'a>>,
    /// Sums of the account, each venue, instrument and strategy, in the account's currency.
    pub scopes: Vec<ScopeSums>,
    /// Where our books and a venue's differ, or did lately; oldest first.
    pub breaks: Vec<BreakShown<'a>>,
    /// How many there were and are, by class.
    pub break_counts: Vec<BreakCount>,
}

/// One break.
#[derive(Serialize)]
pub struct BreakShown<'a> {
    id: u32,
    class: &'static str,
    state: &'static str,
    venue: &'a str,
    /// Empty when it is about a balance.
    symbol: &'a str,
    /// The order's id, the trade's number or the asset.
    about: String,
    ours: String,
    theirs: String,
    opened_ns: Nanos,
    /// Nothing while it lasts.
    closed_ns: Option<Nanos>,
    /// What ended it.
    ended_by: Option<&'static str>,
}

/// Breaks of one class.
#[derive(Serialize)]
pub struct BreakCount {
    class: &'static str,
    opened: u64,
    lasting: usize,
}

/// One strategy's position in one market, in the market's quote currency.
#[derive(Serialize)]
pub struct Holding<'a> {
    strategy: &'a str,
    venue: &'a str,
    symbol: &'a str,
    instrument: &'a str,
    base: &'a str,
    quote: &'a str,
    quantity: String,
    mark: String,
    value: String,
    average: Cost,
    fifo: Cost,
    fees: String,
    fees_paid: Vec<AssetFees>,
    fills: u64,
    lots: usize,
    lots_merged: u64,
}

/// Cost and profit by one method.
#[derive(Serialize)]
pub struct Cost {
    /// What a held unit cost; nothing when flat.
    price: Option<String>,
    realised: String,
    unrealised: String,
}

/// Fees in one asset.
#[derive(Serialize)]
pub struct AssetFees {
    asset: String,
    paid: String,
    /// The part that nobody could value; no profit contains it.
    unvalued: String,
}

/// Profit and exposure of one scope, in the account's currency.
#[derive(Serialize)]
pub struct ScopeSums {
    name: String,
    value: String,
    gross: String,
    net: String,
    realised: String,
    unrealised: String,
    realised_fifo: String,
    unrealised_fifo: String,
    fees: String,
    fees_paid: Vec<AssetFees>,
    profit: String,
    profit_of_day: String,
    drawdown: String,
    drawdown_max: String,
    peak: String,
}

/// Everything as it stands.
pub fn books(engine: &Engine) -> Books<'_> {
    Books {
        positions: positions(engine),
        scopes: scopes(engine),
        breaks: breaks(engine),
        break_counts: break_counts(engine),
    }
}

/// Breaks that last, and the latest that ended.
fn breaks(engine: &Engine) -> Vec<BreakShown<'_>> {
    let all = engine.breaks().closed().chain(engine.breaks().open());
    let mut found: Vec<_> = all.map(|found| break_shown(engine, found)).collect();
    found.sort_unstable_by_key(|found| found.id);
    found
}

fn break_shown<'a>(engine: &'a Engine, found: &Break) -> BreakShown<'a> {
    let config = engine.config();
    let ended_by = match found.state {
        BreakState::Ended(by) => Some(by.name()),
        _ => None,
    };
    BreakShown {
        id: found.id,
        class: found.class.name(),
        state: found.state.name(),
        venue: &config.venues[found.venue.index()].name,
        symbol: found.market.map_or("", |market| &config.markets[market.index()].symbol),
        about: match found.about {
            About::Order(id) => id.to_string(),
            About::Trade(id) => id.to_string(),
            About::Balance(asset) => asset.to_string(),
        },
        ours: Money(found.ours).to_string(),
        theirs: Money(found.theirs).to_string(),
        opened_ns: found.opened_ns,
        closed_ns: ended_by.is_some().then_some(found.closed_ns),
        ended_by,
    }
}

fn break_counts(engine: &Engine) -> Vec<BreakCount> {
    let count = |class: BreakClass| BreakCount {
        class: class.name(),
        opened: engine.breaks().opened(class),
        lasting: engine.breaks().lasting(class),
    };
    BreakClass::ALL.into_iter().map(count).collect()
}

/// What each strategy holds where; only where it has traded.
pub fn positions(engine: &Engine) -> Vec<Holding<'_>> {
    let config = engine.config();
    let strategies = 0..=config.strategies.len();
    let markets = 0..config.markets.len();
    let all = strategies.flat_map(|strategy| markets.clone().map(move |market| (strategy, market)));
    all.filter_map(|(strategy, market)| {
        let (strategy, market) = (StrategyId(strategy as u8), MarketId(market as u8));
        let position = engine.strategy_position(market, strategy);
        (position.fills() > 0).then(|| holding(engine, strategy, market, position))
    })
    .collect()
}

fn holding<'a>(
    engine: &'a Engine,
    strategy: StrategyId,
    market: MarketId,
    position: &Position,
) -> Holding<'a> {
    let config = engine.config();
    let (listed, mark) = (&config.markets[market.index()], engine.mark(market));
    let cost = |price: Option<Price>, realised: Money, unrealised: Money| Cost {
        price: price.map(|price| price.to_string()),
        realised: realised.to_string(),
        unrealised: unrealised.to_string(),
    };
    let (realised, unrealised) = (position.realised(), position.unrealised(mark));
    Holding {
        strategy: config.strategies.get(strategy.index()).map_or(MANUAL, |found| &found.name),
        venue: &config.venues[usize::from(listed.venue)].name,
        symbol: &listed.symbol,
        instrument: config.instrument_name(market),
        base: &listed.base,
        quote: &listed.quote,
        quantity: position.quantity().to_string(),
        mark: mark.to_string(),
        value: notional(mark, position.quantity()).to_string(),
        average: cost(position.average_cost(), realised, unrealised),
        fifo: cost(position.fifo_cost(), position.realised_fifo(), position.unrealised_fifo(mark)),
        fees: position.fees().to_string(),
        fees_paid: paid(position.paid()),
        fills: position.fills(),
        lots: position.lots().count(),
        lots_merged: position.lots().merged(),
    }
}

fn paid(totals: &FeeTotals) -> Vec<AssetFees> {
    let text = |total: &engine::fees::FeeTotal| AssetFees {
        asset: total.asset.to_string(),
        paid: total.paid.to_string(),
        unvalued: total.unvalued.to_string(),
    };
    totals.iter().map(text).collect()
}

/// Sums of every scope but single markets.
pub fn scopes(engine: &Engine) -> Vec<ScopeSums> {
    let scopes = engine.config().scopes().filter(|scope| !matches!(scope, Scope::Market(_)));
    scopes.map(|scope| sums(engine, scope)).collect()
}

fn sums(engine: &Engine, scope: Scope) -> ScopeSums {
    let (exposure, equity) = (engine.exposure(scope), engine.equity(scope));
    let profit = engine.profit_of(scope);
    ScopeSums {
        name: engine.config().scope_text(scope),
        value: engine.value_of(scope).to_string(),
        gross: exposure.gross.to_string(),
        net: exposure.net().to_string(),
        realised: engine.realised_of(scope).to_string(),
        unrealised: engine.unrealised_of(scope).to_string(),
        realised_fifo: engine.realised_fifo_of(scope).to_string(),
        unrealised_fifo: engine.unrealised_fifo_of(scope).to_string(),
        fees: engine.fees_of(scope).to_string(),
        fees_paid: paid(&engine.fees_paid_in(scope)),
        profit: profit.to_string(),
        profit_of_day: equity.of_day(profit).to_string(),
        drawdown: equity.drawdown(profit).to_string(),
        drawdown_max: equity.drawdown_max().to_string(),
        peak: equity.peak().to_string(),
    }
}
