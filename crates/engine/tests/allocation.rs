//! The steady state takes no memory: book updates, order decisions, reports, cancels and time.

mod desk;

use desk::{Desk, MS, config, execution, maker, momentum, report};
use engine::config::CoreConfig;
use engine::event::{Event, VenueOrderStatus};
use engine::limits::{LimitKind, LimitName, Scope, ScopeLimits};
use engine::output::{NewOrder, Output};
use values::{MarketId, VenueId};

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

/// One step into reused outputs; how often memory was taken by it.
fn taken(desk: &mut Desk, event: &Event<'_>, outputs: &mut Vec<Output>) -> u64 {
    outputs.clear();
    let before = allocation::taken();
    desk.engine.step(desk.now_ns, event, outputs);
    allocation::taken() - before
}

/// What a willing venue says to the outputs of a step.
fn answers(
    outputs: &[Output],
    open: &mut Vec<NewOrder>,
    trade_id: &mut u64,
) -> Vec<Event<'static>> {
    let mut events = Vec::new();
    for output in outputs {
        match output {
            Output::Place(new) => {
                open.push(*new);
                *trade_id += 1;
                let half = new.quantity.0 / 2;
                let done = execution(*trade_id, new, half);
                let status = VenueOrderStatus::PartiallyFilled;
                let report = report(new, status, half, Some(done));
                events.push(Event::Order { venue: VenueId(new.market.0), report });
            }
            Output::Cancel { client_order_id, .. } => {
                let known = open.iter().position(|new| new.client_order_id == *client_order_id);
                let Some(new) = known.map(|index| open.remove(index)) else { continue };
                let report = report(&new, VenueOrderStatus::Canceled, new.quantity.0 / 2, None);
                events.push(Event::Order { venue: VenueId(new.market.0), report });
            }
            _ => {}
        }
    }
    events
}

/// Wide limits of every kind in every scope, so that every check is made and none denies.
fn limit_everything(config: &mut CoreConfig) {
    let names: Vec<_> = config.limit_names().collect();
    let limits = &mut config.limits;
    limits.venues = vec![ScopeLimits::new(); 2];
    limits.instruments = vec![ScopeLimits::new(); 1];
    limits.strategies = vec![ScopeLimits::new(); 2];
    for LimitName { scope, kind } in names {
        let value = if kind.is_count() { 1_024 } else { 1_i128 << 80 };
        let own = match scope {
            Scope::Account => &mut limits.account,
            Scope::Venue(index) => &mut limits.venues[usize::from(index)],
            Scope::Instrument(index) => &mut limits.instruments[usize::from(index)],
            Scope::Strategy(index) => &mut limits.strategies[usize::from(index)],
            Scope::Market(_) => continue,
        };
        if kind != LimitKind::CollarPpm && kind != LimitKind::OrderRate {
            own.insert(kind, value);
        }
    }
}

#[test]
fn warm_core_trades_without_taking_memory() {
    let mut config = config(vec![maker(), momentum()]);
    limit_everything(&mut config);
    let mut desk = Desk::ready(config);
    let mut outputs = Vec::with_capacity(64);
    let (mut open, mut trade_id, mut total, mut orders) = (Vec::new(), 0, 0, 0);
    for turn in 0..6_000_i64 {
        desk.now_ns += 10 * MS;
        let market = MarketId((turn % 2) as u8);
        let swing = if turn / 50 % 2 == 0 { 20 } else { -20 };
        let frame = desk.books[market.index()].next(swing);
        let mut count = taken(&mut desk, &frame.event(market, 0), &mut outputs);
        orders += outputs.iter().filter(|output| matches!(output, Output::Place(_))).count();
        let mut events = answers(&outputs, &mut open, &mut trade_id);
        while let Some(event) = events.pop() {
            count += taken(&mut desk, &event, &mut outputs);
            events.extend(answers(&outputs, &mut open, &mut trade_id));
        }
        count += taken(&mut desk, &Event::Timer, &mut outputs);
        if turn >= 2_000 {
            total += count;
        }
    }
    assert!(orders > 100, "a market that moves is traded: {orders}");
    assert_eq!(total, 0);
}
