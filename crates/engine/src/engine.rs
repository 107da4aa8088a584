//! An event and the time in; the new state and what is to be done out. Nothing else is touched.

use crate::balances::Balances;
use crate::breaker::Breaker;
use crate::breaks::Breaks;
use crate::config::CoreConfig;
use crate::counters::Counters;
use crate::equity::Equity;
use crate::event::{Channel, Event};
use crate::guardian::Guardian;
use crate::market::{Change, Market, MarketStatus, PartKind};
use crate::model::Model;
use crate::order::{FillLog, OrderTable};
use crate::output::Output;
use crate::position::{Held, Position};
use crate::protocol::Protocol;
use crate::rate::OrderRate;
use crate::reconcile::Stage;
use crate::repair::Suspicions;
use crate::request::Request;
use crate::risk::{Intent, TradingState};
use crate::schedule::Parents;
use crate::sequence::{Sequence, Step};
use crate::strategy::StrategyState;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use values::{Asset, MarketId, Nanos, Price, VenueId};

/// The largest encoding of one output; outputs hold a few integers each.
const OUTPUT_BYTES_MAX: usize = 128;

/// How young a venue's market data is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Freshness {
    /// Nothing yet in this process life.
    Never,
    /// In step and younger than the limit.
    Fresh,
    /// Too old: the reflex has acted.
    Stale,
}

/// What the core knows of one venue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact, named; nothing combines them")]
pub(crate) struct VenueState {
    pub breaker: Breaker,
    pub rate: OrderRate,
    pub is_user_up: bool,
    /// Since when the user stream is away; `None` while it is up, or when that has been acted on.
    pub user_lost_ns: Option<Nanos>,
    /// Running estimate of the time from sending an order to the venue's word on it.
    pub latency_ns: Nanos,
    pub is_halted: bool,
    /// The venue said "too many requests": no new order before this.
    pub held_until_ns: Nanos,
    pub freshness: Freshness,
    pub reconnect_ns: Nanos,
    pub stage: Stage,
    /// Orders of ours rest there that we do not know; being cancelled.
    pub has_foreign: bool,
    pub account: Request,
    /// What the balances should be.
    pub balances: Balances,
    /// Whether the answer being read, which comes market by market, is to the latest question.
    pub is_answer_current: bool,
    /// A comparison runs beside trading.
    pub is_comparing: bool,
    /// When the last one began, or a reconciliation ended.
    pub compared_ns: Nanos,
    /// The venue's own count of its messages, where it has one.
    pub sequence: Sequence,
    /// Its count of heartbeats.
    pub heartbeats: Sequence,
}

/// What the core knows of one market.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MarketState {
    pub market: Market,
    /// The last time at which the book was in step: stamped by the frame or heartbeat.
    pub fresh_ns: Nanos,
    /// The last microprice, to value the position with.
    pub mark: Price,
    /// All that has traded there publicly.
    pub traded: i128,
    pub base: Asset,
    pub quote: Asset,
    pub position: Position,
    /// By strategy; the last is people's.
    pub by_strategy: Vec<Position>,
    pub fills: FillLog,
    /// Whether the running comparison has found the balances of its two assets equal.
    pub is_agreed: bool,
    pub snapshot: Request,
    pub open_orders: Request,
    pub my_trades: Request,
}

/// All state of the core.
#[derive(Debug, Serialize, Deserialize)]
pub struct Engine {
    pub(crate) config: CoreConfig,
    pub(crate) state: TradingState,
    /// The process is going down; ends with the next start.
    pub(crate) is_shutting_down: bool,
    pub(crate) active_venue: VenueId,
    pub(crate) venues: Vec<VenueState>,
    pub(crate) markets: Vec<MarketState>,
    pub(crate) strategies: Vec<StrategyState>,
    pub(crate) orders: OrderTable,
    /// Each strategy's positions over all venues.
    pub(crate) held: Held,
    pub(crate) parents: Parents,
    pub(crate) orders_made: u32,
    /// Not before this does a strategy try the same side again after a refusal; by strategy,
    /// market and side.
    pub(crate) retry_ns: Vec<Nanos>,
    pub(crate) counters: Counters,
    /// Where our books and a venue's differ.
    pub(crate) breaks: Breaks,
    pub(crate) suspicions: Suspicions,
    /// What is watched of each strategy.
    pub(crate) guardians: Vec<Guardian>,
    /// How profits have moved: one for each of [`CoreConfig::scopes`] but markets.
    pub(crate) equities: Vec<Equity>,
    /// Signed acts that are done, until they expire: each is good once.
    pub(crate) acts_done: Vec<(String, Nanos)>,
    /// SHA-256 over this field before and each output since the run began.
    output_chain: [u8; 32],
    #[serde(skip)]
    pub(crate) intents: Vec<Intent>,
    /// The model of the next promotion, made ready beforehand by the shell.
    #[serde(skip)]
    pub(crate) ready: Option<Box<Model>>,
}

impl Engine {
    /// The state before the first event.
    ///
    /// # Panics
    /// The configuration has a [`CoreConfig::problem`].
    pub fn new(config: CoreConfig) -> Self {
        if let Some(problem) = config.problem() {
            panic!("the configuration cannot be traded with: {problem}");
        }
        let salt =
            |kind: u64, index: usize| u64::from(config.run) << 32 | kind << 16 | index as u64;
        let venues = config.venues.iter().enumerate().map(|(index, venue)| VenueState {
            breaker: Breaker::new(&venue.breaker()),
            rate: OrderRate::new(venue.order_rate_per_second),
            is_user_up: false,
            user_lost_ns: None,
            latency_ns: 0,
            is_halted: false,
            held_until_ns: 0,
            freshness: Freshness::Never,
            reconnect_ns: 0,
            stage: Stage::Waiting,
            has_foreign: false,
            account: Request::about(salt(1, index)),
            balances: Balances::default(),
            is_answer_current: false,
            is_comparing: false,
            compared_ns: 0,
            sequence: Sequence::default(),
            heartbeats: Sequence::default(),
        });
        let markets = config.markets.iter().enumerate().map(|(index, market)| MarketState {
            market: Market::of(config.venues[usize::from(market.venue)].protocol),
            fresh_ns: 0,
            mark: Price::ZERO,
            traded: 0,
            base: Asset::new(market.base.as_bytes()),
            quote: Asset::new(market.quote.as_bytes()),
            position: Position::default(),
            by_strategy: vec![Position::default(); config.strategies.len() + 1],
            fills: FillLog::default(),
            is_agreed: false,
            snapshot: Request::about(salt(2, index)),
            open_orders: Request::about(salt(3, index)),
            my_trades: Request::about(salt(4, index)),
        });
        let mut engine = Self {
            venues: venues.collect(),
            markets: markets.collect(),
            strategies: config
                .strategies
                .iter()
                .map(|strategy| {
                    StrategyState::new(strategy, config.markets.len(), config.instruments_count())
                })
                .collect(),
            orders: OrderTable::of(&config),
            held: Held::of(&config),
            parents: Parents::default(),
            orders_made: 0,
            retry_ns: vec![0; (config.strategies.len() + 1) * config.markets.len() * 2],
            breaks: Breaks::default(),
            suspicions: Suspicions::default(),
            counters: Counters::new(config.venues.len(), config.strategies.len() + 1),
            guardians: vec![
                Guardian::new(
                    config.limits.strategy_breaker.as_ref(),
                    config.markets.len()
                );
                config.strategies.len() + 1
            ],
            equities: vec![Equity::default(); config.scopes().count() - config.markets.len()],
            acts_done: Vec::new(),
            state: TradingState::Active,
            is_shutting_down: false,
            active_venue: VenueId(0),
            output_chain: [0; 32],
            intents: Vec::new(),
            ready: None,
            config,
        };
        for (market, config) in engine.markets.iter().zip(&engine.config.markets) {
            let venue = &mut engine.venues[usize::from(config.venue)];
            venue.balances.list(market.base, market.quote);
        }
        engine.reserve();
        engine
    }

    /// Takes in one event; what is to be done is appended to `outputs`.
    pub fn step(&mut self, now_ns: Nanos, event: &Event<'_>, outputs: &mut Vec<Output>) {
        let start = outputs.len();
        self.route(now_ns, event, outputs);
        self.seal(&outputs[start..]);
    }

    /// The whole state as bytes: the snapshot, and what the state hash covers.
    ///
    /// # Panics
    /// Never: every part can be encoded.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("plain data always encodes")
    }

    /// The state that [`Engine::encode`] wrote.
    ///
    /// # Errors
    /// The bytes are no state of this version.
    pub fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        let (mut engine, rest): (Self, &[u8]) = postcard::take_from_bytes(bytes)?;
        if !rest.is_empty() {
            return Err(postcard::Error::DeserializeBadEncoding);
        }
        engine.reserve();
        Ok(engine)
    }

    /// SHA-256 of the whole state, outputs so far included.
    pub fn state_hash(&self) -> [u8; 32] {
        Sha256::digest(self.encode()).into()
    }

    /// Takes all memory that trading needs, so that a step takes none.
    pub(crate) fn reserve(&mut self) {
        self.reserve_guardians();
        self.breaks.reserve();
        self.suspicions.reserve();
        self.orders.reserve();
        self.parents.reserve();
        self.intents.reserve(16);
        for market in &mut self.markets {
            market.fills.reserve();
            market.position.reserve();
            market.by_strategy.iter_mut().for_each(Position::reserve);
        }
    }

    fn route(&mut self, now_ns: Nanos, event: &Event<'_>, outputs: &mut Vec<Output>) {
        match *event {
            Event::DepthDiff { market, .. }
            | Event::DepthSnapshot { market, .. }
            | Event::BookTicker { market, .. }
            | Event::Trade { market, .. }
            | Event::Book { market, .. }
            | Event::RestingOrder { market, .. }
            | Event::Depth { market, .. } => {
                if self.knows(market) {
                    self.market_data(now_ns, market, event, outputs);
                }
                return;
            }
            Event::Heartbeat { venue, channel } => {
                if channel == Channel::Market {
                    self.each_market_of(venue, |market| market.market.on_heartbeat(now_ns));
                }
                return;
            }
            Event::Sequenced { venue, number, heartbeat } => {
                if !self.sequenced(now_ns, venue, number, heartbeat) {
                    return;
                }
            }
            Event::Timer => self.guard(now_ns, outputs),
            Event::Model { strategy, name, bytes, is_outside } => {
                self.promote(strategy, name, bytes, is_outside);
            }
            Event::Score { strategy, market, bits } => {
                if self.knows(market) {
                    self.score(now_ns, strategy, market, f32::from_bits(bits), outputs);
                }
                return;
            }
            Event::Started => self.restarted(now_ns),
            Event::Malformed { venue, channel } => self.missed(now_ns, venue, channel),
            Event::MalformedOf { market } => {
                if let Some(state) = self.markets.get_mut(market.index()) {
                    state.malformed(now_ns);
                }
            }
            Event::ChannelUp { venue, channel } => self.channel_up(now_ns, venue, channel),
            Event::ChannelDown { venue, channel } => self.channel_down(now_ns, venue, channel),
            Event::Order { venue, ref report } => self.on_report(now_ns, venue, report, outputs),
            Event::Failed { venue, purpose, failure } => {
                self.on_failure(now_ns, venue, purpose, failure, outputs);
            }
            Event::OpenOrders { market, reports } if self.knows(market) => {
                self.on_open_orders(now_ns, market, reports, outputs);
            }
            Event::MyTrades { market, trades } if self.knows(market) => {
                self.on_my_trades(now_ns, market, trades, outputs);
            }
            Event::Account { market, base, quote, .. } if self.knows(market) => {
                self.on_account(now_ns, market, (base, quote), outputs);
            }
            Event::OpenOrders { .. } | Event::MyTrades { .. } | Event::Account { .. } => {}
            Event::Command(command) => self.on_command(now_ns, command, outputs),
            Event::Strategy { strategy, ref told } => {
                self.on_strategy(now_ns, strategy, told, outputs);
            }
        }
        self.ask(now_ns, outputs);
    }

    /// Book, ticker and trades: update the market, then let the strategies look.
    fn market_data(
        &mut self,
        now_ns: Nanos,
        id: MarketId,
        event: &Event<'_>,
        outputs: &mut Vec<Output>,
    ) {
        if let Event::Trade { quantity, buyer_is_maker, .. } = *event {
            for strategy in &mut self.strategies {
                strategy.on_trade(id, quantity, buyer_is_maker);
            }
        }
        let state = &mut self.markets[id.index()];
        let change = state.feed(now_ns, event);
        if state.market.status() == MarketStatus::Live {
            state.fresh_ns = state.market.last_frame_ns();
        }
        let is_snapshot = match event {
            Event::Book { part, .. } => part.kind == PartKind::Snapshot,
            _ => matches!(event, Event::DepthSnapshot { .. }),
        };
        if change.needs_snapshot() {
            if is_snapshot {
                state.snapshot.failed(now_ns, 0);
            }
            state.snapshot.want(now_ns);
            if state.snapshot.poll(now_ns) {
                outputs.push(Output::FetchSnapshot(id));
            }
            for strategy in &mut self.strategies {
                strategy.forget(id);
            }
        } else if is_snapshot {
            state.snapshot.answered();
        }
        if change == Change::Updated {
            self.look(now_ns, id, true, outputs);
        }
        if !self.parents.open().is_empty() {
            let traded_at = match *event {
                Event::Trade { price, .. } => Some(price),
                _ => None,
            };
            self.watch_stops(now_ns, id, traded_at, outputs);
        }
    }

    /// Counts along with the venue; whether books were given up for a message that is missing.
    fn sequenced(
        &mut self,
        now_ns: Nanos,
        venue: VenueId,
        number: u64,
        heartbeat: Option<u64>,
    ) -> bool {
        let Some(state) = self.venues.get_mut(venue.index()) else { return false };
        if let Some(heartbeat) = heartbeat {
            state.heartbeats.take(heartbeat);
            self.each_market_of(venue, |market| market.market.on_heartbeat(now_ns));
        }
        if self.venues[venue.index()].sequence.take(number) == Step::Next {
            return false;
        }
        self.each_market_of(venue, |state| {
            if state.market.on_missing().needs_snapshot() {
                state.snapshot.want(now_ns);
            }
        });
        true
    }

    /// A frame could not be read: what it said has to be fetched.
    fn missed(&mut self, now_ns: Nanos, venue: VenueId, channel: Channel) {
        match channel {
            Channel::Market => self.each_market_of(venue, |state| state.malformed(now_ns)),
            Channel::User => {
                if self.venues.get(venue.index()).is_some_and(|state| state.is_user_up) {
                    self.begin_reconciliation(now_ns, venue);
                }
            }
        }
    }

    fn channel_up(&mut self, now_ns: Nanos, venue: VenueId, channel: Channel) {
        if let (Channel::Market, Some(state)) = (channel, self.venues.get_mut(venue.index())) {
            state.sequence.reset();
            state.heartbeats.reset();
        }
        match channel {
            Channel::Market => {
                let is_fetched = self.venue_protocol(venue).fetches_snapshot();
                self.each_market_of(venue, |state| {
                    // The first change asks for the snapshot: one fetched earlier could not be
                    // joined. A subscription that brings it has asked already.
                    state.market.on_channel_up(now_ns);
                    state.snapshot.settle();
                    if !is_fetched {
                        state.snapshot.asked(now_ns);
                    }
                });
            }
            Channel::User => {
                if let Some(state) = self.venues.get_mut(venue.index()) {
                    state.is_user_up = true;
                    state.user_lost_ns = None;
                    self.begin_reconciliation(now_ns, venue);
                }
            }
        }
    }

    fn channel_down(&mut self, now_ns: Nanos, venue: VenueId, channel: Channel) {
        match channel {
            Channel::Market => self.each_market_of(venue, |state| {
                state.market.on_channel_down();
                state.snapshot.settle();
            }),
            Channel::User => {
                if let Some(state) = self.venues.get_mut(venue.index()) {
                    state.is_user_up = false;
                    state.user_lost_ns = Some(now_ns);
                    state.stage = Stage::Waiting;
                    state.is_comparing = false;
                    self.forget_suspicions(venue);
                }
            }
        }
    }

    fn venue_protocol(&self, venue: VenueId) -> Protocol {
        self.config.venues.get(venue.index()).map_or(Protocol::default(), |venue| venue.protocol)
    }

    pub(crate) fn knows(&self, market: MarketId) -> bool {
        market.index() < self.markets.len()
    }

    pub(crate) fn venue_of(&self, market: MarketId) -> VenueId {
        VenueId(self.config.markets[market.index()].venue)
    }

    pub(crate) fn each_market_of(&mut self, venue: VenueId, mut act: impl FnMut(&mut MarketState)) {
        for (state, config) in self.markets.iter_mut().zip(&self.config.markets) {
            if config.venue == venue.0 {
                act(state);
            }
        }
    }

    /// Chains the hashes of outputs, so that equal state hashes mean equal outputs as well.
    fn seal(&mut self, outputs: &[Output]) {
        for output in outputs {
            let mut bytes = [0; OUTPUT_BYTES_MAX];
            let used = postcard::to_slice(output, &mut bytes).expect("an output is small");
            let mut hash = Sha256::new();
            hash.update(self.output_chain);
            hash.update(used);
            self.output_chain = hash.finalize().into();
        }
    }
}

impl MarketState {
    fn feed(&mut self, now_ns: Nanos, event: &Event<'_>) -> Change {
        if let Event::Trade { quantity, .. } = *event {
            self.traded += i128::from(quantity.0.max(0));
        }
        self.market.on_event(now_ns, event)
    }

    /// A frame that may have been about this market could not be read.
    fn malformed(&mut self, now_ns: Nanos) {
        if self.market.on_malformed().needs_snapshot() {
            self.snapshot.want(now_ns);
        }
    }
}
