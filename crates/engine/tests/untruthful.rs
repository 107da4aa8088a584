//! A venue that says anything at all in; no panic, exact books of what it said, and breaks, out.
//!
//! `random.rs` lets a truthful venue lose and reorder its words. Here its words contradict each
//! other: cumulative quantities beyond the order, ends that are taken back, other ids, fills of dead
//! orders, failures of requests that were never made, extreme numbers. Nothing that it says may stop
//! the core, make it count a fill twice or not at all, or go without a record.

mod desk;

use desk::{Desk, LOT, MS, config, maker, momentum};
use engine::Engine;
use engine::breaks::{About, BreakState};
use engine::event::{
    Charge, Command, Event, Execution, OrderReport, OwnTrade, Purpose, RequestFailure, Side,
    TimeInForce, VenueOrderStatus,
};
use engine::order::OrderState;
use engine::output::{NewOrder, Output};
use engine::schedule::{ParentSpec, Style};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::collections::{BTreeMap, BTreeSet};
use values::{ClientOrderId, MarketId, Money, Price, Quantity, SCALE, StrategyId, VenueId};

#[derive(Clone, Debug)]
enum Word {
    Report {
        order: usize,
        status: VenueOrderStatus,
        cumulative: i64,
        last: i64,
        trade: u64,
        id: u64,
    },
    Trades {
        order: usize,
        side: bool,
        last: i64,
        trade: u64,
    },
    OpenOrders {
        orders: Vec<usize>,
        status: VenueOrderStatus,
    },
    Failed {
        order: usize,
        what: u8,
        code: i32,
        how: u8,
    },
    Account {
        market: u8,
        base: i64,
    },
    Tick(i64),
    Time(i64),
    Person {
        quantity: i64,
        ticks: i64,
    },
    Command(u8),
}

fn statuses() -> impl Strategy<Value = VenueOrderStatus> {
    use VenueOrderStatus as V;
    prop_oneof![
        Just(V::New),
        Just(V::PartiallyFilled),
        Just(V::Filled),
        Just(V::Canceled),
        Just(V::Rejected),
        Just(V::Expired)
    ]
}

fn amounts() -> impl Strategy<Value = i64> {
    prop_oneof![
        8 => (0..30_i64).prop_map(|lots| lots * LOT),
        1 => Just(-LOT),
        1 => prop_oneof![Just(i64::MAX), Just(i64::MIN), Just(1)],
    ]
}

fn trade_ids() -> impl Strategy<Value = u64> {
    prop_oneof![20 => 0..200_u64, 1 => prop_oneof![Just(u64::MAX), Just(u64::MAX - 1)]]
}

fn words() -> impl Strategy<Value = Word> {
    let order = 0..24_usize;
    prop_oneof![
        6 => (order.clone(), statuses(), amounts(), amounts(), trade_ids(), 0..3_u64).prop_map(
            |(order, status, cumulative, last, trade, id)| Word::Report {
                order, status, cumulative, last, trade, id,
            }
        ),
        2 => (order.clone(), any::<bool>(), amounts(), trade_ids())
            .prop_map(|(order, side, last, trade)| Word::Trades { order, side, last, trade }),
        1 => (proptest::collection::vec(order.clone(), 0..4), statuses())
            .prop_map(|(orders, status)| Word::OpenOrders { orders, status }),
        3 => (order, 0..9_u8, prop_oneof![Just(-2013), Just(-2010), Just(-2011), any::<i32>()], 0..4_u8)
            .prop_map(|(order, what, code, how)| Word::Failed { order, what, code, how }),
        1 => (0..3_u8, prop_oneof![Just(10 * SCALE), amounts()])
            .prop_map(|(market, base)| Word::Account { market, base }),
        6 => (-80..80_i64).prop_map(Word::Tick),
        5 => (1..600_i64).prop_map(Word::Time),
        2 => (1..10_i64, -100..100_i64)
            .prop_map(|(quantity, ticks)| Word::Person { quantity, ticks }),
        1 => (0..4_u8).prop_map(Word::Command),
    ]
}

struct Life {
    desk: Desk,
    twin: Engine,
    orders: Vec<NewOrder>,
    seen: [BTreeSet<u64>; 2],
    position: [i64; 2],
    by_order: BTreeMap<ClientOrderId, i64>,
    breaks: u64,
    ended: u64,
    contradicted: u64,
}

impl Life {
    fn new() -> Self {
        let config = config(vec![maker(), momentum()]);
        let desk = Desk::ready(config);
        let twin = Engine::decode(&desk.engine.encode()).expect("decodes");
        let mut life = Self {
            desk,
            twin,
            orders: Vec::new(),
            seen: Default::default(),
            position: [0; 2],
            by_order: BTreeMap::new(),
            breaks: 0,
            ended: 0,
            contradicted: 0,
        };
        life.hear(&Word::Tick(1));
        life
    }

    fn step(&mut self, event: &Event<'_>) -> Vec<Output> {
        let outputs = self.desk.step(event);
        self.twin.step(self.desk.now_ns, event, &mut Vec::new());
        for output in &outputs {
            match *output {
                Output::Place(new) => self.orders.push(new),
                Output::Filled { market, client_order_id, side, quantity, .. } => {
                    let held = &mut self.position[market.index()];
                    *held = match side {
                        Side::Buy => held.saturating_add(quantity.0),
                        Side::Sell => held.saturating_sub(quantity.0),
                    };
                    let filled = self.by_order.entry(client_order_id).or_insert(0);
                    *filled = filled.saturating_add(quantity.0);
                }
                Output::Break { .. } => self.breaks += 1,
                Output::BreakMoved { state: BreakState::Ended(_), .. } => self.ended += 1,
                _ => {}
            }
        }
        outputs
    }

    fn order(&self, index: usize) -> Option<NewOrder> {
        // The latest orders, which are the ones that are still open.
        self.orders.iter().rev().nth(index).copied()
    }

    fn hear(&mut self, word: &Word) {
        match *word {
            Word::Report { order, status, cumulative, last, trade, id } => {
                if let Some(new) = self.order(order) {
                    self.report(&new, status, cumulative, last, trade, id);
                }
            }
            Word::Trades { order, side, last, trade } => {
                let Some(new) = self.order(order) else { return };
                let side = if side { new.side } else { opposite(new.side) };
                self.seen[new.market.index()].insert(trade);
                let venue_order_id = venue_id(&new, 0);
                let trade = OwnTrade { venue_order_id, execution: done(trade, &new, last), side };
                self.step(&Event::MyTrades { market: new.market, trades: &[trade] });
            }
            Word::OpenOrders { ref orders, status } => {
                let found = orders.iter().filter_map(|index| self.order(*index));
                let reports: Vec<OrderReport> =
                    found.map(|new| told(&new, status, LOT, None, 0)).collect();
                self.step(&Event::OpenOrders { market: MarketId(0), reports: &reports });
            }
            Word::Failed { order, what, code, how } => self.failed(order, what, code, how),
            Word::Account { market, base } => {
                let (venue, market) = (VenueId(market), MarketId(market));
                let (base, quote) = (Quantity(base), Money::ZERO);
                self.step(&Event::Account { venue, market, base, quote });
            }
            Word::Tick(ticks) => {
                for market in [MarketId(0), MarketId(1)] {
                    let frame = self.desk.books[market.index()].next(ticks);
                    let now_ns = self.desk.now_ns;
                    self.step(&frame.event(market, now_ns));
                }
            }
            Word::Time(ms) => {
                self.desk.now_ns += ms * MS;
                self.step(&Event::Timer);
            }
            Word::Person { quantity, ticks } => {
                let price = Price(self.desk.books[0].bid + ticks * desk::TICK);
                self.step(&Event::Command(&Command::Submit(resting(quantity * LOT, price))));
            }
            Word::Command(which) => {
                let command = match which {
                    0 => Command::CancelAll(None),
                    1 => Command::SwitchVenue(VenueId(1)),
                    2 => Command::SwitchVenue(VenueId(0)),
                    _ => Command::Resume,
                };
                self.step(&Event::Command(&command));
            }
        }
    }

    /// A report; a contradiction that can be named in one line must come with its break.
    fn report(
        &mut self,
        new: &NewOrder,
        status: VenueOrderStatus,
        cumulative: i64,
        last: i64,
        trade: u64,
        id: u64,
    ) {
        let known = self.desk.engine.orders().get(new.client_order_id).cloned();
        let market = new.market.index();
        let execution = (last != 0).then(|| done(trade, new, last));
        let report = told(new, status, cumulative, execution, id);
        let before = self.breaks;
        self.step(&Event::Order { venue: VenueId(new.market.0), report });
        if let (Some(order), true) = (known, execution.is_none()) {
            let is_other = order.venue_order_id.is_some_and(|known| known != report.venue_order_id);
            let is_beyond = cumulative > new.quantity.0 || cumulative < 0;
            let is_undone = order.state == OrderState::Filled
                && matches!(status, VenueOrderStatus::Canceled | VenueOrderStatus::Rejected);
            if is_other || is_beyond || is_undone {
                self.contradicted += 1;
                let about = About::Order(new.client_order_id);
                let mut lasting = self.desk.engine.breaks().open().iter();
                let is_told = self.breaks > before || lasting.any(|found| found.about == about);
                assert!(is_told, "no break: {order:?} {report:?}");
            }
        }
        if execution.is_some() {
            self.seen[market].insert(trade);
        }
    }

    fn failed(&mut self, order: usize, what: u8, code: i32, how: u8) {
        let id = match self.order(order) {
            Some(new) => new.client_order_id,
            None => ClientOrderId { run: 1, number: 999_999 },
        };
        let market = MarketId(what % 3);
        let purpose = match what {
            0 | 1 => Purpose::Place(id),
            2 => Purpose::Cancel(id),
            3 | 4 => Purpose::QueryOrder(id),
            5 => Purpose::Snapshot(market),
            6 => Purpose::OpenOrders(market),
            7 => Purpose::MyTrades(market),
            _ => Purpose::Account(VenueId(market.0)),
        };
        let failure = match how {
            0 => RequestFailure::Unknown,
            1 => RequestFailure::Throttled { retry_after_ns: i64::from(code).abs() * MS },
            _ => RequestFailure::Refused { code },
        };
        self.step(&Event::Failed { venue: VenueId(what % 3), purpose, failure });
    }

    /// What must hold whatever was said.
    fn check(&self) {
        let engine = &self.desk.engine;
        let mut fills = 0;
        for market in [MarketId(0), MarketId(1)] {
            let position = engine.position(market);
            assert_eq!(position.quantity().0, self.position[market.index()], "fills are the book");
            let strategies = 0..=engine.config().strategies.len();
            let each =
                strategies.map(|index| engine.strategy_position(market, StrategyId(index as u8)));
            assert_eq!(each.map(engine::position::Position::fills).sum::<u64>(), position.fills());
            let told = self.seen[market.index()].len() as u64;
            assert!(position.fills() <= told, "each trade counts once");
            fills += position.fills();
        }
        let told: u64 = engine.counters().venues.iter().map(|venue| venue.fills).sum();
        assert_eq!(told, fills);
        for order in engine.orders().open().iter().chain(engine.orders().closed()) {
            let filled = self.by_order.get(&order.new.client_order_id).copied().unwrap_or(0);
            assert_eq!(order.filled.0, filled, "{order:?}");
        }
        let breaks: u64 = engine.counters().venues.iter().map(|venue| venue.breaks).sum();
        assert_eq!(breaks, self.breaks, "every break is told");
        assert_eq!(breaks - self.ended, engine.breaks().open().len() as u64, "and its end");
        assert_eq!(engine.state_hash(), self.twin.state_hash(), "the same again");
    }
}

fn opposite(side: Side) -> Side {
    if side == Side::Buy { Side::Sell } else { Side::Buy }
}

fn venue_id(new: &NewOrder, other: u64) -> u64 {
    1_000 + u64::from(new.client_order_id.number) + if other == 2 { 500_000 } else { 0 }
}

fn done(trade_id: u64, new: &NewOrder, last: i64) -> Execution {
    // The decoders refuse an execution that is not positive.
    let quantity = Quantity(last.saturating_abs().max(1));
    let (fee, charge) = (Money(1), Charge::quote(Money(1)));
    Execution { trade_id, price: new.price, quantity, fee, charge, is_maker: true }
}

fn told(
    new: &NewOrder,
    status: VenueOrderStatus,
    cumulative: i64,
    execution: Option<Execution>,
    id: u64,
) -> OrderReport {
    OrderReport {
        client_order_id: new.client_order_id,
        venue_order_id: venue_id(new, id),
        status,
        cumulative_quantity: Quantity(cumulative),
        execution,
    }
}

fn resting(quantity: i64, price: Price) -> ParentSpec {
    ParentSpec {
        market: MarketId(0),
        is_pinned: false,
        side: Side::Buy,
        quantity: Quantity(quantity),
        limit: Some(price),
        style: Style::Limit { time_in_force: TimeInForce::GoodTillCancel },
        reduce_only: false,
        worse_ppm_max: 0,
        child_max: Quantity::ZERO,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn contradictory_words_never_panic_and_books_hold(
        said in proptest::collection::vec(words(), 1..250)
    ) {
        let mut life = Life::new();
        for word in &said {
            life.hear(word);
            life.check();
        }
    }
}

#[test]
fn liar_is_caught_at_every_contradiction_that_can_be_named() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut contradicted = 0;
    for _ in 0..80 {
        let said = proptest::collection::vec(words(), 250).new_tree(&mut runner).expect("words");
        let mut life = Life::new();
        for word in &said.current() {
            life.hear(word);
        }
        contradicted += life.contradicted;
    }
    assert!(contradicted >= 10, "{contradicted}");
}
