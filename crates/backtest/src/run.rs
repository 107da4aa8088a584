//! Decoded events and settings in; every step of the core, with a simulated venue's answers, out.
//!
//! Four queues are merged by time: market data as the venue has it, our messages on their way to a
//! venue, a venue's messages on their way to us, and market data as we receive it. Equal times are
//! taken in this order. Each direction of each venue is a line in which nobody overtakes, as on one
//! connection, so a plain queue serves and nothing is sorted.

use crate::course::{After, Depth, Lagging, is_about_all};
use crate::events::{Events, Head, Kind};
use crate::latency::{Chance, Delays};
use crate::queue::QueueModel;
use crate::record::{Counts, FillRow, OrderRow, Record, SampleRow};
use crate::venue::{Fees, NO_SUCH_ORDER, Said, SimMarket};
use engine::Engine;
use engine::config::CoreConfig;
use engine::event::{Channel, Event, Level, OrderReport, Purpose, RequestFailure};
use engine::model::Model;
use engine::output::{NewOrder, Output};
use serde::Deserialize;
use std::collections::VecDeque;
use std::time::Instant;
use values::{ClientOrderId, MarketId, Money, Nanos, Quantity, VenueId};

/// The core needs the time at least this often.
const TIMER_NS: Nanos = 10_000_000;
/// A quiet venue answers a ping in this time, as in live trading.
const HEARTBEAT_NS: Nanos = 100_000_000;

/// How the venues behave.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Costs, by venue.
    pub fees: Vec<Fees>,
    /// From our decision to the venue.
    pub send: Delays,
    /// From the venue to us.
    pub report: Delays,
    /// How much earlier the venue has the market data than we: recorded times are ours.
    pub feed_ns: Nanos,
    /// Our place in the queue.
    pub queue: QueueModel,
    /// For the delays.
    pub seed: u64,
    /// Time between two samples of the result.
    pub sample_ns: Nanos,
    /// Whether to take the time of each order's way to acceptance.
    #[serde(default)]
    pub is_measured: bool,
}

impl Settings {
    /// What is wrong, in words for a person.
    pub fn problem(&self, config: &CoreConfig) -> Option<String> {
        if self.fees.len() != config.venues.len() {
            let (expected, found) = (config.venues.len(), self.fees.len());
            return Some(format!("fees: expected those of {expected} venues, found {found}"));
        }
        if let QueueModel::Probabilistic { power } = self.queue
            && !(power > 0.0 && power.is_finite())
        {
            return Some(format!("queue: expected a power above 0, found {power}"));
        }
        if self.feed_ns < 0 || self.sample_ns <= 0 {
            return Some("expected feed_ns of 0 or more and sample_ns above 0".to_owned());
        }
        self.send.problem().or_else(|| self.report.problem())
    }
}

/// A message of ours on its way to a venue.
#[derive(Clone, Debug)]
enum Asked {
    Place(NewOrder),
    Cancel(MarketId, ClientOrderId),
    Query(MarketId, ClientOrderId),
    Snapshot(MarketId),
    OpenOrders(MarketId),
    MyTrades(MarketId),
    Account,
    Reconnect,
}

/// A message of a venue on its way to us.
#[derive(Clone, Debug)]
enum Answered {
    Said(Said),
    Unknown(ClientOrderId),
    Snapshot(MarketId, u64, Vec<Level>, Vec<Level>),
    OpenOrders(MarketId, Vec<OrderReport>),
    MyTrades(MarketId),
    Account(MarketId, Quantity, Money),
    Failed(Purpose),
    Reconnected,
}

/// One venue: its data, its markets and the two lines between us.
struct Venue<'d> {
    id: VenueId,
    events: &'d Events,
    /// What each frame leaves of the venue's book.
    course: &'d [After],
    /// Next frame there, and next frame here.
    there: usize,
    here: usize,
    /// By the core's numbers; `None` for those of other venues.
    markets: Vec<Option<(SimMarket, Lagging)>>,
    inbound: VecDeque<(Nanos, Asked)>,
    outbound: VecDeque<(Nanos, Answered)>,
    heard_ns: Nanos,
    is_up: bool,
}

impl Venue<'_> {
    /// One of its markets, and the way to that market's book.
    fn market<'a>(
        &'a mut self,
        engine: &'a Engine,
        id: MarketId,
    ) -> Option<(&'a mut SimMarket, Depth<'a>)> {
        let (market, lagging) = self.markets.get_mut(id.index())?.as_mut()?;
        let (events, told, core) = (self.events, self.there, engine.market(id));
        Some((market, Depth { events, told, id, core, lagging }))
    }
}

/// What comes next.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    There(usize),
    Arrives(usize),
    Answers(usize),
    Here(usize),
    Timer,
}

/// Sees what the core sees, after it, and may act through [`Engine::step`]: user strategies.
pub trait Observer {
    /// After each market frame, fill and timer; `fill` is of our own order.
    ///
    /// # Errors
    /// Ends the run; the text says why.
    fn after(
        &mut self,
        now_ns: Nanos,
        engine: &mut Engine,
        seen: &Seen<'_>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), String>;
}

/// What an observer is shown.
#[derive(Copy, Clone, Debug)]
pub enum Seen<'a> {
    /// A frame.
    Frame(&'a Head, &'a Event<'a>),
    /// A fill.
    Fill(&'a FillRow),
    /// Ten milliseconds more.
    Timer,
}

impl<'a> Seen<'a> {
    /// The frame's event, if it is one.
    pub fn event(&self) -> Option<&'a Event<'a>> {
        match self {
            Seen::Frame(_, event) => Some(event),
            Seen::Fill(_) | Seen::Timer => None,
        }
    }
}

/// Nobody looks.
pub struct Nobody;

impl Observer for Nobody {
    #[inline]
    fn after(
        &mut self,
        _: Nanos,
        _: &mut Engine,
        _: &Seen<'_>,
        _: &mut Vec<Output>,
    ) -> Result<(), String> {
        Ok(())
    }
}

/// A backtest.
pub struct Run<'d, O> {
    engine: Engine,
    venues: Vec<Venue<'d>>,
    settings: Settings,
    chance: Chance,
    observer: O,
    outputs: Vec<Output>,
    said: Vec<Said>,
    record: Record,
    now_ns: Nanos,
    timer_ns: Nanos,
    sample_ns: Nanos,
    submitted: Option<(ClientOrderId, Instant)>,
}

impl<'d, O: Observer> Run<'d, O> {
    /// A run over the events of each venue, by index.
    ///
    /// # Errors
    /// Configuration and settings do not fit; the text says why.
    pub fn new(
        config: CoreConfig,
        settings: Settings,
        data: &[&'d Events],
        observer: O,
    ) -> Result<Self, String> {
        if let Some(problem) = config.problem().or_else(|| settings.problem(&config)) {
            return Err(problem);
        }
        if data.len() != config.venues.len() {
            let (expected, found) = (config.venues.len(), data.len());
            return Err(format!("expected data of {expected} venues, found {found}"));
        }
        let venues: Vec<Venue<'d>> = (0_u8..)
            .zip(data)
            .map(|(index, events)| {
                let here = config.markets.iter().map(|market| market.venue == index);
                let fees = settings.fees[usize::from(index)];
                Venue {
                    id: VenueId(index),
                    events,
                    course: events.course(),
                    there: 0,
                    here: 0,
                    markets: here
                        .map(|is_here| {
                            let sim = SimMarket::new(fees, settings.queue);
                            is_here.then(|| (sim, Lagging::new(events)))
                        })
                        .collect(),
                    inbound: VecDeque::new(),
                    outbound: VecDeque::new(),
                    heard_ns: 0,
                    is_up: false,
                }
            })
            .collect();
        let starts = venues.iter().filter_map(|venue| venue.events.heads.first());
        let Some(start_ns) = starts.map(|head| head.ts_ns).min() else {
            return Err("expected at least one frame, found none".to_owned());
        };
        let chance = Chance::new(settings.seed);
        Ok(Run {
            engine: Engine::new(config),
            venues,
            chance,
            observer,
            outputs: Vec::with_capacity(256),
            said: Vec::with_capacity(64),
            record: Record { span_ns: (start_ns, start_ns), ..Record::default() },
            now_ns: start_ns,
            timer_ns: start_ns + TIMER_NS,
            sample_ns: start_ns,
            submitted: None,
            settings,
        })
    }

    /// Has a strategy trade with a model from the beginning.
    ///
    /// # Errors
    /// There is no such strategy, or the core does not compute the model; the text says why.
    pub fn promote(&mut self, strategy: &str, onnx: &[u8]) -> Result<(), String> {
        let model = Model::compile(onnx).map_err(|error| format!("{strategy}: {error}"))?;
        let found = self.engine.strategy_for(strategy, &model);
        let strategy = found.map_err(|refusal| refusal.message)?;
        let event = Event::Model { strategy, name: "backtest", bytes: onnx, is_outside: false };
        self.engine.step(self.now_ns, &event, &mut self.outputs);
        Ok(())
    }

    /// Plays everything.
    ///
    /// # Errors
    /// The observer ended the run.
    pub fn play(mut self) -> Result<(Record, O), String> {
        self.begin();
        while let Some((at_ns, next)) = self.next() {
            self.now_ns = self.now_ns.max(at_ns);
            match next {
                Next::There(index) => self.there(index),
                Next::Arrives(index) => self.arrives(index),
                Next::Answers(index) => self.answers(index)?,
                Next::Here(index) => self.here(index)?,
                Next::Timer => self.timer()?,
            }
        }
        self.sample();
        self.record.span_ns.1 = self.now_ns;
        self.record.state_hash = self.engine.state_hash();
        Ok((self.record, self.observer))
    }

    fn begin(&mut self) {
        self.step(&Event::Started);
        for index in 0..self.venues.len() {
            let venue = self.venues[index].id;
            if !self.venues[index].events.tells_connections() {
                self.venues[index].is_up = true;
                self.step(&Event::ChannelUp { venue, channel: Channel::Market });
            }
            self.step(&Event::ChannelUp { venue, channel: Channel::User });
        }
    }

    /// The earliest of everything; `None` when the last frame has been seen.
    #[inline]
    fn next(&self) -> Option<(Nanos, Next)> {
        let mut best = (self.timer_ns, Next::Timer);
        let mut is_any = false;
        for (index, venue) in self.venues.iter().enumerate() {
            let mut consider = |at_ns: Nanos, next: Next| {
                if (at_ns, next) < best {
                    best = (at_ns, next);
                }
            };
            if let Some(head) = venue.events.heads.get(venue.here) {
                is_any = true;
                consider(head.ts_ns, Next::Here(index));
            }
            if let Some(head) = venue.events.heads.get(venue.there) {
                consider(head.ts_ns - self.settings.feed_ns, Next::There(index));
            }
            if let Some((at_ns, _)) = venue.inbound.front() {
                consider(*at_ns, Next::Arrives(index));
            }
            if let Some((at_ns, _)) = venue.outbound.front() {
                consider(*at_ns, Next::Answers(index));
            }
        }
        is_any.then_some(best)
    }

    /// A frame at the venue.
    #[inline]
    fn there(&mut self, index: usize) {
        let venue = &mut self.venues[index];
        let (head, after) = (&venue.events.heads[venue.there], venue.course[venue.there]);
        venue.there += 1;
        if is_about_all(head.kind) {
            venue.markets.iter_mut().flatten().for_each(|(market, _)| market.lose_book());
        } else if let Some((market, mut depth)) = venue.market(&self.engine, head.market) {
            market.take(head, after, &mut depth, &mut self.said);
        }
        self.post_said(index);
    }

    /// A frame here.
    #[inline]
    fn here(&mut self, index: usize) -> Result<(), String> {
        let venue = &mut self.venues[index];
        let (id, events) = (venue.id, venue.events);
        let head = &events.heads[venue.here];
        venue.here += 1;
        match head.kind {
            Kind::Up => venue.is_up = true,
            Kind::Down => venue.is_up = false,
            _ => {}
        }
        venue.heard_ns = self.now_ns;
        self.record.counts.frames += 1;
        let event = events.event(id, head);
        self.engine.step(self.now_ns, &event, &mut self.outputs);
        let seen = Seen::Frame(head, &event);
        self.observer.after(self.now_ns, &mut self.engine, &seen, &mut self.outputs)?;
        self.perform();
        Ok(())
    }

    fn timer(&mut self) -> Result<(), String> {
        self.timer_ns += TIMER_NS;
        for index in 0..self.venues.len() {
            let venue = &mut self.venues[index];
            if venue.is_up && self.now_ns - venue.heard_ns >= HEARTBEAT_NS {
                venue.heard_ns = self.now_ns;
                let event = Event::Heartbeat { venue: venue.id, channel: Channel::Market };
                self.step(&event);
            }
        }
        if self.now_ns >= self.sample_ns {
            self.sample();
            self.sample_ns += self.settings.sample_ns;
        }
        self.engine.step(self.now_ns, &Event::Timer, &mut self.outputs);
        self.observer.after(self.now_ns, &mut self.engine, &Seen::Timer, &mut self.outputs)?;
        self.perform();
        Ok(())
    }

    fn step(&mut self, event: &Event<'_>) {
        self.engine.step(self.now_ns, event, &mut self.outputs);
        self.perform();
    }

    /// Does what the core wants.
    #[inline]
    fn perform(&mut self) {
        if self.outputs.is_empty() {
            return;
        }
        let outputs = core::mem::take(&mut self.outputs);
        for output in &outputs {
            self.one(output);
        }
        self.outputs = outputs;
        self.outputs.clear();
    }

    fn one(&mut self, output: &Output) {
        match output {
            Output::Place(new) => self.note_order(new),
            Output::Cancel { .. } => self.record.counts.cancels += 1,
            _ => {}
        }
        let at = |market: MarketId| usize::from(self.engine.config().markets[market.index()].venue);
        let (index, asked) = match *output {
            Output::Place(new) => (at(new.market), Asked::Place(new)),
            Output::Cancel { market, client_order_id } => {
                (at(market), Asked::Cancel(market, client_order_id))
            }
            Output::QueryOrder { market, client_order_id } => {
                (at(market), Asked::Query(market, client_order_id))
            }
            Output::FetchSnapshot(market) => (at(market), Asked::Snapshot(market)),
            Output::FetchOpenOrders(market) => (at(market), Asked::OpenOrders(market)),
            Output::FetchMyTrades { market, .. } => (at(market), Asked::MyTrades(market)),
            Output::FetchAccount(venue) => (venue.index(), Asked::Account),
            Output::Reconnect(venue) => (venue.index(), Asked::Reconnect),
            _ => return note_other(&mut self.record.counts, output),
        };
        let due_ns = self.now_ns + self.settings.send.draw(&mut self.chance);
        post(&mut self.venues[index].inbound, due_ns, asked);
    }

    fn note_order(&mut self, new: &NewOrder) {
        self.record.counts.orders += 1;
        if self.settings.is_measured {
            self.submitted = Some((new.client_order_id, Instant::now()));
        }
        self.record.orders.push(OrderRow {
            ts_ns: self.now_ns,
            id: new.client_order_id,
            market: new.market,
            strategy: new.strategy,
            side: new.side,
            time_in_force: new.time_in_force,
            price: new.price.0,
            quantity: new.quantity.0,
        });
    }

    /// A message of ours arrives at the venue.
    fn arrives(&mut self, index: usize) {
        let venue = &mut self.venues[index];
        let Some((_, asked)) = venue.inbound.pop_front() else { return };
        let said = &mut self.said;
        let mut answer = None;
        match asked {
            Asked::Place(new) => {
                if let Some((market, mut depth)) = venue.market(&self.engine, new.market) {
                    market.place(&new, &mut depth, said);
                }
            }
            Asked::Cancel(market, id) => {
                if let Some((market, _)) = venue.market(&self.engine, market) {
                    market.cancel(id, said);
                }
            }
            Asked::Query(market, id) => {
                let found = venue.market(&self.engine, market);
                let found = found.and_then(|(market, _)| market.query(id));
                let unknown = Answered::Unknown(id);
                answer = Some(found.map_or(unknown, |it| Answered::Said(Said::Report(it))));
            }
            Asked::Snapshot(id) => {
                let found = venue.market(&self.engine, id);
                let found = found.and_then(|(market, mut depth)| market.snapshot(&mut depth));
                // Our own data may carry the snapshot a moment later: ask again as in live trading.
                self.record.counts.snapshots_missing += u64::from(found.is_none());
                answer = Some(match found {
                    Some((last, bids, asks)) => Answered::Snapshot(id, last, bids, asks),
                    None => Answered::Failed(Purpose::Snapshot(id)),
                });
            }
            Asked::OpenOrders(id) => {
                let found = venue.market(&self.engine, id);
                let open = found.map(|(market, _)| market.open_orders());
                answer = Some(Answered::OpenOrders(id, open.unwrap_or_default()));
            }
            Asked::MyTrades(id) => answer = Some(Answered::MyTrades(id)),
            Asked::Account => {
                let due_ns = self.now_ns + self.settings.report.draw(&mut self.chance);
                let config = &self.engine.config().markets;
                let here = || venue.markets.iter().zip(config).zip(0_u8..);
                for ((market, listed), id) in here() {
                    let Some((market, _)) = market else { continue };
                    // Markets of one currency pay into one balance.
                    let paid = here().filter(|((_, other), _)| other.quote == listed.quote);
                    let paid = paid.filter_map(|((market, _), _)| market.as_ref());
                    let cash = Money(paid.map(|(market, _)| market.cash()).sum());
                    let held = Quantity(market.position());
                    let answer = Answered::Account(MarketId(id), held, cash);
                    post(&mut venue.outbound, due_ns, answer);
                }
            }
            Asked::Reconnect => answer = Some(Answered::Reconnected),
        }
        if let Some(answer) = answer {
            let due_ns = self.now_ns + self.settings.report.draw(&mut self.chance);
            post(&mut self.venues[index].outbound, due_ns, answer);
        }
        self.post_said(index);
    }

    #[inline]
    fn post_said(&mut self, index: usize) {
        if self.said.is_empty() {
            return;
        }
        let due_ns = self.now_ns + self.settings.report.draw(&mut self.chance);
        for said in self.said.drain(..) {
            post(&mut self.venues[index].outbound, due_ns, Answered::Said(said));
        }
    }

    /// A venue's message arrives here.
    fn answers(&mut self, index: usize) -> Result<(), String> {
        let id = self.venues[index].id;
        let Some((_, answer)) = self.venues[index].outbound.pop_front() else { return Ok(()) };
        let failed = |purpose, code| Event::Failed {
            venue: id,
            purpose,
            failure: RequestFailure::Refused { code },
        };
        match answer {
            Answered::Said(Said::Report(report)) => return self.reported(id, report),
            Answered::Said(Said::Refused { id: order, is_cancel, code }) => {
                let purpose =
                    if is_cancel { Purpose::Cancel(order) } else { Purpose::Place(order) };
                self.record.counts.rejected += u64::from(!is_cancel);
                self.step(&failed(purpose, code));
            }
            Answered::Unknown(order) => {
                self.step(&failed(Purpose::QueryOrder(order), NO_SUCH_ORDER));
            }
            Answered::Snapshot(market, last_update_id, bids, asks) => {
                let (bids, asks) = (bids.as_slice(), asks.as_slice());
                self.step(&Event::DepthSnapshot { market, last_update_id, bids, asks });
            }
            Answered::OpenOrders(market, reports) => {
                self.step(&Event::OpenOrders { market, reports: &reports });
            }
            Answered::MyTrades(market) => self.step(&Event::MyTrades { market, trades: &[] }),
            Answered::Account(market, base, quote) => {
                self.step(&Event::Account { venue: id, market, base, quote });
            }
            Answered::Failed(purpose) => self.step(&failed(purpose, 0)),
            Answered::Reconnected => {
                let channel = Channel::Market;
                self.step(&Event::ChannelDown { venue: id, channel });
                self.step(&Event::ChannelUp { venue: id, channel });
            }
        }
        Ok(())
    }

    /// The venue's word on an order of ours.
    fn reported(&mut self, venue: VenueId, report: OrderReport) -> Result<(), String> {
        self.engine.step(self.now_ns, &Event::Order { venue, report }, &mut self.outputs);
        if let Some((id, begun)) = self.submitted
            && id == report.client_order_id
        {
            self.record.accept_ns.push(begun.elapsed().as_nanos() as i64);
            self.submitted = None;
        }
        let new = self.engine.orders().get(report.client_order_id).map(|order| order.new);
        if let (Some(execution), Some(new)) = (report.execution, new) {
            let row = FillRow {
                ts_ns: self.now_ns,
                id: report.client_order_id,
                market: new.market,
                strategy: new.strategy,
                side: new.side,
                is_maker: execution.is_maker,
                price: execution.price.0,
                quantity: execution.quantity.0,
                fee: execution.fee.0 as i64,
                mark: self.engine.mark(new.market).0,
                position: self.engine.position(new.market).quantity().0,
            };
            self.record.fills.push(row);
            let seen = Seen::Fill(&row);
            self.observer.after(self.now_ns, &mut self.engine, &seen, &mut self.outputs)?;
        }
        self.perform();
        Ok(())
    }

    fn sample(&mut self) {
        let profit = self.engine.profit().0.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        for index in 0..self.engine.config().markets.len() {
            let market = MarketId(index as u8);
            self.record.samples.push(SampleRow {
                ts_ns: self.now_ns,
                market,
                mark: self.engine.mark(market).0,
                position: self.engine.position(market).quantity().0,
                profit,
            });
        }
    }
}

/// Behind everything that is already on the way.
fn post<T>(line: &mut VecDeque<(Nanos, T)>, due_ns: Nanos, message: T) {
    let last_ns = line.back().map_or(due_ns, |(at_ns, _)| *at_ns);
    line.push_back((due_ns.max(last_ns), message));
}

fn note_other(counts: &mut Counts, output: &Output) {
    match output {
        Output::Denied { reason, .. } => {
            *counts.denied.entry(reason.code().to_owned()).or_default() += 1;
        }
        Output::Reflex { reflex, .. } => {
            *counts.reflexes.entry(reflex.name().to_owned()).or_default() += 1;
        }
        _ => {}
    }
}

/// Plays a run without an observer.
///
/// # Errors
/// Configuration and settings do not fit; the text says why.
pub fn run(config: CoreConfig, settings: Settings, data: &[&Events]) -> Result<Record, String> {
    let rows = data.iter().map(|events| events.rows()).sum();
    let (mut record, Nobody) = Run::new(config, settings, data, Nobody)?.play()?;
    record.counts.rows = rows;
    Ok(record)
}
