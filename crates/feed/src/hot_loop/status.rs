//! The hot loop's state in; one JSON text for people, metrics and the healing plane out.

use super::health::{Facts, Reason, State, judge};
use super::machine::Machine;
use super::orders::{Shown, shown};
use super::pool::{Outcomes, Pool};
use super::renewal::WsChannel;
use super::risk::{self, Guarded};
use super::strategies::Door;
use super::turn::Watch;
use crate::books::{Books, books};
use crate::core::hex;
use crate::histogram::Histogram;
use crate::net::monotonic_ns;
use engine::Engine;
use engine::breaker::BreakerState;
use engine::engine::Freshness;
use engine::market::MarketStatus;
use engine::output::Reflex;
use engine::reason::DenialReason;
use engine::strategy::breaker::Fault;
use engine::strategy::onnx::Memory;
use serde::Serialize;
use std::collections::BTreeMap;
use values::{MarketId, Nanos, VenueId};

/// Bounds of the histograms' cumulative counts, nanoseconds: tick-to-order and its parts.
pub(super) const MICROSECOND_BOUNDS_NS: &[u64] = &[
    500, 1_000, 2_000, 3_000, 5_000, 7_500, 10_000, 15_000, 20_000, 50_000, 100_000, 1_000_000,
    10_000_000,
];
/// The same for answers of a venue.
const MILLISECOND_BOUNDS_NS: &[u64] = &[
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
];

/// What the loop itself knows.
#[derive(Clone, Serialize)]
pub(super) struct Turns {
    pub iterations: u64,
    pub lag_ns: i64,
    /// Core time minus wall clock.
    pub clock_ahead_ns: Nanos,
    pub hot_thread_id: i32,
    pub hot_thread_cpu: Option<usize>,
    pub started_ns: Nanos,
    pub trading_since_ns: Nanos,
    pub replayed_entries: u64,
    pub replay_checks: u64,
    pub snapshots: u64,
    pub snapshot_encode_ns_max: i64,
}

#[derive(Serialize)]
struct Status<'a> {
    at_ns: Nanos,
    run: u32,
    trading_state: &'static str,
    is_ready: bool,
    active_venue: &'a str,
    kills: u64,
    venues: Vec<Venue<'a>>,
    markets: Vec<Market<'a>>,
    /// The orders that the core keeps and works off.
    orders: Vec<Shown<'a>>,
    /// Strategies that run in processes of their own.
    strategies: Vec<Strategy<'a>>,
    denied: BTreeMap<&'static str, u64>,
    observed: BTreeMap<&'static str, u64>,
    observe_only: Vec<&'static str>,
    limits: BTreeMap<String, Option<String>>,
    #[serde(flatten)]
    books: Books<'a>,
    guardians: Vec<Guarded<'a>>,
    realised_usd: f64,
    unrealised_usd: f64,
    profit_usd: f64,
    position_value_usd: f64,
    journal_seq: u64,
    journal_chain: String,
    journal_durable_seq: u64,
    durable_wait: Latency,
    journal_entries: u64,
    journal_bytes: u64,
    market_data_processing: Latency,
    risk_check: Latency,
    signal_inference: Latency,
    models: Vec<ModelStatus<'a>>,
    tick_to_order: Latency,
    /// What this process does when each stage has one of its own.
    stage: Option<super::link::Shown>,
    #[serde(flatten)]
    turns: &'a Turns,
}

#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact, named")]
struct Venue<'a> {
    name: &'a str,
    health: State,
    reasons: Vec<Reason>,
    clock_offset_ns: Option<Nanos>,
    clock_drift_ppm: Option<i64>,
    clock_correction_ns: Nanos,
    timestamps_refused: u64,
    used_weight: u32,
    state: &'static str,
    feed_age_ns: Option<Nanos>,
    is_reconciled: bool,
    is_user_up: bool,
    is_market_up: bool,
    is_connected: bool,
    is_halted: bool,
    /// Only market data is taken from it.
    is_data_only: bool,
    breaker: &'static str,
    breaker_trips: u64,
    order_rate_per_second: u32,
    frames: u64,
    gaps: u64,
    resyncs: u64,
    malformed: u64,
    submitted: u64,
    acknowledged: u64,
    filled: u64,
    fills: u64,
    rejected: u64,
    ended_unfilled: u64,
    became_unknown: u64,
    not_received: u64,
    fills_repeated: u64,
    foreign: u64,
    breaks: u64,
    orders_open: usize,
    orders_unknown: usize,
    reflexes: BTreeMap<&'static str, u64>,
    requests: Outcomes,
    /// The running estimate that routing goes by.
    order_latency_ns: Nanos,
    placement: Latency,
    channel_failures: u64,
    channel_renewals: u64,
    /// Why a connection is not there.
    trouble: &'a str,
}

#[derive(Serialize)]
struct Market<'a> {
    venue: &'a str,
    symbol: &'a str,
    instrument: &'a str,
    position: String,
    position_raw: String,
    mark: String,
    value_usd: f64,
    realised_usd: f64,
    fees_usd: f64,
    fills: u64,
    best_bid: Option<String>,
    best_ask: Option<String>,
    last_update_id: u64,
}

#[derive(Serialize)]
struct ModelStatus<'a> {
    strategy: &'a str,
    model: &'a str,
    sha256: String,
    state: &'static str,
    /// Who computes it.
    runtime: &'static str,
    inferences: u64,
    signals: u64,
}

fn model_status<'a>((strategy, memory): (&'a str, &'a Memory)) -> ModelStatus<'a> {
    ModelStatus {
        strategy,
        model: &memory.name,
        sha256: memory.model().map_or_else(String::new, |model| hex(model.sha256())),
        state: memory.state.code(),
        runtime: match memory.model() {
            Some(model) if model.is_outside() => "onnxruntime",
            _ => "core",
        },
        inferences: memory.inferences,
        signals: memory.signals,
    }
}

#[derive(Serialize)]
struct Strategy<'a> {
    name: &'a str,
    /// Of its breaker.
    gate: &'static str,
    /// Why the breaker is open; empty when it is not.
    fault: &'static str,
    trips: u64,
    orders_open: usize,
    /// What its process last said was wrong.
    trouble: &'a str,
}

#[derive(Serialize)]
pub(super) struct Latency {
    count: u64,
    sum_ns: u64,
    p50_ns: u64,
    p99_ns: u64,
    p999_ns: u64,
    max_ns: u64,
    /// Cumulative counts: how many lasted at most so many nanoseconds.
    up_to: Vec<(u64, u64)>,
}

pub(super) fn latency(histogram: &Histogram, bounds: &[u64]) -> Latency {
    Latency {
        count: histogram.count(),
        sum_ns: histogram.sum_ns(),
        p50_ns: histogram.quantile_ns(500),
        p99_ns: histogram.quantile_ns(990),
        p999_ns: histogram.quantile_ns(999),
        max_ns: histogram.max_ns(),
        up_to: bounds.iter().map(|&bound| (bound, histogram.count_up_to(bound))).collect(),
    }
}

/// Whether orders may be sent somewhere: replayed, connected and reconciled.
pub(super) fn is_ready(engine: &Engine) -> bool {
    let venue = engine.active_venue();
    engine.is_reconciled(venue) && engine.freshness(venue) == Freshness::Fresh
}

/// Writes the status over what `out` held.
pub(super) fn write(
    out: &mut Vec<u8>,
    (at_ns, now_ns): (Nanos, Nanos),
    machine: &Machine,
    pools: &[Pool],
    (channels, doors): (&[WsChannel], &[Door]),
    watches: &mut [Watch],
    turns: &Turns,
) {
    let engine = machine.records.core().engine();
    let config = engine.config();
    let venue = |(index, watch): (usize, &mut Watch)| {
        venue_status(engine, now_ns, index, &pools[index], channels, watch)
    };
    let status = Status {
        at_ns,
        run: config.run,
        trading_state: engine.trading_state().name(),
        is_ready: is_ready(engine),
        active_venue: &config.venues[engine.active_venue().index()].name,
        kills: engine.counters().kills,
        venues: watches.iter_mut().enumerate().map(venue).collect(),
        markets: (0..config.markets.len()).map(|index| market_status(engine, index)).collect(),
        orders: shown(engine),
        strategies: doors.iter().filter_map(|door| strategy_status(engine, door)).collect(),
        denied: DenialReason::ALL
            .iter()
            .map(|&reason| (reason.code(), engine.counters().denied(reason)))
            .filter(|(_, count)| *count > 0)
            .collect(),
        observed: DenialReason::ALL
            .iter()
            .map(|&reason| (reason.code(), engine.counters().observed(reason)))
            .filter(|(_, count)| *count > 0)
            .collect(),
        observe_only: config.limits.observe_only.iter().map(|reason| reason.code()).collect(),
        limits: risk::limits(config),
        books: books(engine),
        guardians: risk::guardians(engine),
        realised_usd: engine.realised().to_f64(),
        unrealised_usd: engine.unrealised().to_f64(),
        profit_usd: engine.profit().to_f64(),
        position_value_usd: engine.value_of(engine::limits::Scope::Account).to_f64(),
        journal_seq: machine.records.last_seq(),
        journal_chain: hex(&machine.records.chain()),
        journal_durable_seq: machine.gate.durable_seq(),
        durable_wait: latency(&machine.gate.waits, MICROSECOND_BOUNDS_NS),
        journal_entries: machine.entries,
        journal_bytes: machine.bytes,
        market_data_processing: latency(&machine.latencies.processing, MICROSECOND_BOUNDS_NS),
        risk_check: latency(&machine.latencies.risk, MICROSECOND_BOUNDS_NS),
        signal_inference: latency(&machine.latencies.inference, MICROSECOND_BOUNDS_NS),
        models: engine.models().map(model_status).collect(),
        tick_to_order: latency(&machine.latencies.tick_to_order, MICROSECOND_BOUNDS_NS),
        stage: machine.link.shown(),
        turns,
    };
    out.clear();
    // Writing plain data into memory cannot fail.
    let _ = serde_json::to_writer(out, &status);
}

fn strategy_status<'a>(engine: &'a Engine, door: &'a Door) -> Option<Strategy<'a>> {
    let breaker = engine.strategy_breaker(door.strategy)?;
    let open = engine.orders().open().iter();
    Some(Strategy {
        name: &engine.config().strategies[usize::from(door.strategy.0)].name,
        gate: breaker.gate().name(),
        fault: breaker.gate().fault().map_or("", Fault::name),
        trips: breaker.trips(),
        orders_open: open.filter(|order| order.new.strategy == door.strategy).count(),
        trouble: &door.trouble,
    })
}

fn position_value(engine: &Engine, market: MarketId) -> f64 {
    values::notional(engine.mark(market), engine.position(market).quantity()).to_f64()
}

fn venue_status<'a>(
    engine: &'a Engine,
    now_ns: Nanos,
    index: usize,
    pool: &'a Pool,
    channels: &'a [WsChannel],
    watch: &mut Watch,
) -> Venue<'a> {
    let id = VenueId(index as u8);
    let config = engine.config();
    let counters = &engine.counters().venues[index];
    let markets = || {
        (0..config.markets.len())
            .filter(|&at| config.markets[at].venue == id.0)
            .map(|at| engine.market(MarketId(at as u8)))
    };
    let sum = |pick: fn(&engine::market::MarketCounters) -> u64| {
        markets().map(|market| pick(market.counters())).sum()
    };
    let state = if markets().any(|market| market.status() == MarketStatus::Down) {
        "down"
    } else if engine.freshness(id) == Freshness::Stale {
        "stale"
    } else if markets().any(|market| market.status() != MarketStatus::Live) {
        "syncing"
    } else {
        "live"
    };
    let reflexes = [
        Reflex::StaleMarket,
        Reflex::FreshMarket,
        Reflex::BreakerOpened,
        Reflex::BreakerHalfOpen,
        Reflex::BreakerClosed,
        Reflex::UserLost,
    ]
    .map(|reflex| (reflex.name(), reflex));
    let gaps = sum(|c| c.gaps);
    let is_breaker_open = engine.breaker(id) != BreakerState::Closed;
    let monotonic = monotonic_ns();
    let is_connected = pool.is_connected() || engine.is_data_only(id);
    let (health, reasons) = judge(&Facts {
        is_banned: pool.budget.is_banned(monotonic),
        is_connected: is_connected && channels[index * 2].is_up_or_elsewhere(),
        is_user_up: engine.is_user_up(id),
        is_stale: engine.freshness(id) == Freshness::Stale,
        is_breaker_open,
        is_reconciled: engine.is_reconciled(id),
        is_refused: channels[index * 2].is_refused(),
        is_resyncing: markets().any(|market| market.status() != MarketStatus::Live),
        is_throttled: pool.budget.is_held(monotonic) || engine.is_held(id, now_ns),
        gaps_in_window: watch.gaps.observe(monotonic, gaps),
        clock_offset_ns: watch.clock.offset_ns().unwrap_or(0),
    });
    Venue {
        health,
        reasons,
        clock_offset_ns: watch.clock.offset_ns(),
        clock_drift_ppm: watch.clock.drift_ppm(),
        clock_correction_ns: watch.clock.correction_ns(),
        timestamps_refused: watch.timestamps_refused,
        used_weight: pool.budget.used_weight,
        name: &config.venues[index].name,
        state,
        feed_age_ns: markets().filter_map(|market| market.age_ns(now_ns)).max(),
        is_reconciled: engine.is_reconciled(id),
        is_user_up: engine.is_user_up(id),
        is_market_up: channels[index * 2].is_up_or_elsewhere(),
        is_connected,
        is_halted: engine.is_halted(id),
        is_data_only: engine.is_data_only(id),
        breaker: match engine.breaker(id) {
            BreakerState::Closed => "closed",
            BreakerState::HalfOpen { .. } => "half_open",
            BreakerState::Open { .. } => "open",
        },
        breaker_trips: counters.breaker_trips,
        order_rate_per_second: engine.order_rate(id, now_ns),
        frames: sum(|c| c.diffs + c.tickers + c.trades),
        gaps,
        resyncs: sum(|c| c.resyncs),
        malformed: sum(|c| c.malformed),
        submitted: counters.submitted,
        acknowledged: counters.acknowledged,
        filled: counters.filled,
        fills: counters.fills,
        rejected: counters.rejected,
        ended_unfilled: counters.ended_unfilled,
        became_unknown: counters.became_unknown,
        not_received: counters.not_received,
        fills_repeated: counters.fills_repeated,
        foreign: counters.foreign,
        breaks: counters.breaks,
        orders_open: engine.open_orders(id).count(),
        orders_unknown: engine.orders_unknown(id),
        reflexes: reflexes.iter().map(|(name, reflex)| (*name, counters.reflex(*reflex))).collect(),
        requests: pool.outcomes,
        order_latency_ns: engine.order_latency_ns(id),
        placement: latency(&pool.placement, MILLISECOND_BOUNDS_NS),
        trouble: trouble(pool, channels, index),
        channel_renewals: channels[index * 2].renewals + channels[index * 2 + 1].renewals,
        channel_failures: channels[index * 2].failures + channels[index * 2 + 1].failures,
    }
}

/// The first thing that keeps a connection of the venue from being there.
fn trouble<'a>(pool: &'a Pool, channels: &'a [WsChannel], index: usize) -> &'a str {
    let [market, user] = [&channels[index * 2], &channels[index * 2 + 1]];
    let found = [pool.trouble.as_str(), market.trouble(), user.trouble()];
    found.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

fn market_status(engine: &Engine, index: usize) -> Market<'_> {
    let id = MarketId(index as u8);
    let config = &engine.config().markets[index];
    let position = engine.position(id);
    let top = engine.market(id).top();
    Market {
        venue: &engine.config().venues[usize::from(config.venue)].name,
        symbol: &config.symbol,
        instrument: engine.config().instrument_name(id),
        position: position.quantity().to_string(),
        position_raw: position.quantity().0.to_string(),
        mark: engine.mark(id).to_string(),
        value_usd: position_value(engine, id),
        realised_usd: position.realised().to_f64(),
        fees_usd: position.fees().to_f64(),
        fills: position.fills(),
        best_bid: top.map(|(bid, _)| bid.price.to_string()),
        best_ask: top.map(|(_, ask)| ask.price.to_string()),
        last_update_id: engine.market(id).last_update_id(),
    }
}
