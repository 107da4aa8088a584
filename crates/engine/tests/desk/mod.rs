//! A desk for tests: a configuration, a market whose frames are always in step, and time.

#![allow(dead_code, reason = "each test file uses its part of the desk")]

use engine::Engine;
use engine::config::{CoreConfig, MarketConfig, StrategyConfig, StrategyKind, VenueConfig};
use engine::event::{
    Channel, Charge, Command, Event, Execution, Level, OrderReport, Purpose, RequestFailure,
    VenueOrderStatus,
};
use engine::output::{NewOrder, Output};
use values::{ClientOrderId, MarketId, Money, Nanos, Price, Quantity, SCALE, VenueId};

pub const MS: Nanos = 1_000_000;
pub const LOT: i64 = SCALE / 1_000;
pub const TICK: i64 = SCALE / 100;
/// What is at each venue in the quote currency before we come.
pub const CASH: i128 = 1_000_000;

pub fn venue(name: &str) -> VenueConfig {
    VenueConfig {
        name: name.into(),
        stale_after_ns: 250 * MS,
        receive_window_ns: 500 * MS,
        order_rate_per_second: 20,
        breaker_failures: 3,
        breaker_window_ns: 1_000 * MS,
        breaker_backoff_ns: 200 * MS,
        breaker_backoff_ns_max: 800 * MS,
        protocol: engine::protocol::Protocol::default(),
        is_data_only: false,
    }
}

pub fn market(venue: u8) -> MarketConfig {
    MarketConfig {
        venue,
        symbol: "BTCUSDT".into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        tick: Price(TICK),
        lot: Quantity(LOT),
        quantity_min: Quantity(LOT),
        quantity_max: Quantity(100 * LOT),
        notional_min: Money(0),
        notional_max: Money(1_000_000 * i128::from(SCALE)),
        position_max: Quantity(30 * LOT),
        collar_ppm: 20_000,
        orders_open_max: 6,
        ..MarketConfig::default()
    }
}

pub fn maker() -> StrategyConfig {
    StrategyConfig {
        name: "maker".into(),
        kind: StrategyKind::MarketMaker {
            half_spread_ppm: 100,
            quantity: Quantity(12 * LOT),
            skew_ppm: 100,
            requote_ppm: 50,
        },
        instruments: Vec::new(),
    }
}

pub fn momentum() -> StrategyConfig {
    StrategyConfig {
        name: "momentum".into(),
        kind: StrategyKind::Momentum {
            fast_updates: 3,
            slow_updates: 12,
            trigger_ppm: 40,
            quantity: Quantity(8 * LOT),
            cooldown_ns: 100 * MS,
        },
        instruments: Vec::new(),
    }
}

pub fn config(strategies: Vec<StrategyConfig>) -> CoreConfig {
    CoreConfig {
        run: 7,
        venues: vec![venue("primary"), venue("backup")],
        markets: vec![market(0), market(1)],
        strategies,
        loss_max: Money(1_000_000 * i128::from(SCALE)),
        ..CoreConfig::default()
    }
}

/// One market's book as its venue has it.
pub struct Book {
    pub update_id: u64,
    pub bid: i64,
}

impl Book {
    pub fn snapshot(&self) -> ([Level; 2], [Level; 2]) {
        let ask = self.bid + 2 * TICK;
        let level = |price: i64| Level { price: Price(price), quantity: Quantity(SCALE) };
        ([level(self.bid), level(self.bid - 100 * SCALE)], [level(ask), level(ask + 100 * SCALE)])
    }
}

/// One depth frame.
pub struct Frame {
    update_id: u64,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

impl Book {
    /// Moves by some ticks and tells what changed.
    pub fn next(&mut self, ticks: i64) -> Frame {
        let (old_bids, old_asks) = self.snapshot();
        self.bid += ticks * TICK;
        self.update_id += 1;
        let (bids, asks) = self.snapshot();
        let changes = |old: [Level; 2], new: [Level; 2]| {
            let gone = old.iter().filter(|level| new.iter().all(|kept| kept.price != level.price));
            let mut levels: Vec<Level> =
                gone.map(|level| Level { quantity: Quantity::ZERO, ..*level }).collect();
            levels.extend(new);
            levels
        };
        Frame {
            update_id: self.update_id,
            bids: changes(old_bids, bids),
            asks: changes(old_asks, asks),
        }
    }
}

impl Frame {
    pub fn event(&self, market: MarketId, ts_event_ns: Nanos) -> Event<'_> {
        Event::DepthDiff {
            market,
            first_update_id: self.update_id,
            final_update_id: self.update_id,
            previous_update_id: None,
            bids: &self.bids,
            asks: &self.asks,
            ts_event_ns,
        }
    }
}

/// The core with its clock and two markets; collects outputs.
pub struct Desk {
    pub engine: Engine,
    pub now_ns: Nanos,
    pub outputs: Vec<Output>,
    pub books: [Book; 2],
    pub trades: u64,
}

impl Desk {
    pub fn new(config: CoreConfig) -> Self {
        let book = || Book { update_id: 100, bid: 10_000 * SCALE };
        Self {
            engine: Engine::new(config),
            now_ns: 1_000_000 * MS,
            outputs: Vec::new(),
            books: [book(), book()],
            trades: 0,
        }
    }

    /// A desk that trades: both venues connected, in step and reconciled.
    pub fn ready(config: CoreConfig) -> Self {
        let mut desk = Self::new(config);
        desk.step(&Event::Started);
        for venue in [VenueId(0), VenueId(1)] {
            desk.connect(venue);
        }
        // What was denied before the reconciliation is tried again only after a pause.
        desk.now_ns += 300 * MS;
        for venue in [VenueId(0), VenueId(1)] {
            desk.step(&Event::Heartbeat { venue, channel: Channel::Market });
        }
        desk.outputs.clear();
        desk
    }

    pub fn step(&mut self, event: &Event<'_>) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.engine.step(self.now_ns, event, &mut outputs);
        self.outputs.extend_from_slice(&outputs);
        outputs
    }

    pub fn command(&mut self, command: &Command) -> Vec<Output> {
        self.step(&Event::Command(command))
    }

    /// Market and user channel up, snapshot, empty books of ours.
    pub fn connect(&mut self, venue: VenueId) {
        let market = MarketId(venue.0);
        self.step(&Event::ChannelUp { venue, channel: Channel::Market });
        self.tick(market, 0);
        self.give_snapshot(market);
        self.step(&Event::ChannelUp { venue, channel: Channel::User });
        self.step(&Event::OpenOrders { market, reports: &[] });
        self.step(&Event::MyTrades { market, trades: &[] });
        self.account(market, 10 * SCALE);
    }

    pub fn account(&mut self, market: MarketId, base: i64) -> Vec<Output> {
        let cash = self.engine.position(market).cash();
        let quote = Money(CASH * i128::from(SCALE) + cash.0);
        self.balances(market, base, quote)
    }

    /// The venue tells the balances of a market's two assets.
    pub fn balances(&mut self, market: MarketId, base: i64, quote: Money) -> Vec<Output> {
        let venue = VenueId(market.0);
        self.step(&Event::Account { venue, market, base: Quantity(base), quote })
    }

    pub fn give_snapshot(&mut self, market: MarketId) -> Vec<Output> {
        let book = &self.books[market.index()];
        let (last_update_id, (bids, asks)) = (book.update_id, book.snapshot());
        self.step(&Event::DepthSnapshot { market, last_update_id, bids: &bids, asks: &asks })
    }

    /// The market moves by some ticks.
    pub fn tick(&mut self, market: MarketId, ticks: i64) -> Vec<Output> {
        let frame = self.books[market.index()].next(ticks);
        self.step(&frame.event(market, self.now_ns))
    }

    pub fn wait(&mut self, duration_ns: Nanos) -> Vec<Output> {
        self.now_ns += duration_ns;
        self.step(&Event::Timer)
    }

    pub fn failed(&mut self, purpose: Purpose, failure: RequestFailure) -> Vec<Output> {
        self.step(&Event::Failed { venue: VenueId(0), purpose, failure })
    }

    pub fn report(
        &mut self,
        new: &NewOrder,
        status: VenueOrderStatus,
        cumulative: i64,
        last: i64,
    ) -> Vec<Output> {
        let execution = (last > 0).then(|| {
            self.trades += 1;
            execution(self.trades, new, last)
        });
        let report = report(new, status, cumulative, execution);
        self.step(&Event::Order { venue: VenueId(new.market.0), report })
    }
}

pub fn execution(trade_id: u64, new: &NewOrder, quantity: i64) -> Execution {
    Execution {
        trade_id,
        price: new.price,
        quantity: Quantity(quantity),
        fee: Money(5),
        charge: Charge::quote(Money(5)),
        is_maker: true,
    }
}

pub fn report(
    new: &NewOrder,
    status: VenueOrderStatus,
    cumulative: i64,
    execution: Option<Execution>,
) -> OrderReport {
    OrderReport {
        client_order_id: new.client_order_id,
        venue_order_id: u64::from(new.client_order_id.number) + 5_000,
        status,
        cumulative_quantity: Quantity(cumulative),
        execution,
    }
}

pub fn placed(outputs: &[Output]) -> Vec<NewOrder> {
    let orders = outputs.iter().filter_map(|output| match output {
        Output::Place(new) => Some(*new),
        _ => None,
    });
    orders.collect()
}

pub fn cancelled(outputs: &[Output]) -> Vec<ClientOrderId> {
    let ids = outputs.iter().filter_map(|output| match output {
        Output::Cancel { client_order_id, .. } => Some(*client_order_id),
        _ => None,
    });
    ids.collect()
}

pub fn queried(outputs: &[Output]) -> Vec<ClientOrderId> {
    let ids = outputs.iter().filter_map(|output| match output {
        Output::QueryOrder { client_order_id, .. } => Some(*client_order_id),
        _ => None,
    });
    ids.collect()
}
