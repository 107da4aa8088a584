//! One market's frames in, in the order received; a book that is right, or known to be wrong, out.
//!
//! The venue tells only what changed, with numbers that chain one change to the next. A market is
//!
//! - `Down`: no connection. Nothing is known.
//! - `Buffering`: changes are kept until a snapshot comes that they continue.
//! - `Live`: the snapshot and every change since are in the book.
//!
//! A break in the chain, a book whose bid is at or above its ask, or a book that contradicts the
//! venue's ticker several times in a row leads from `Live` back to `Buffering`; the caller fetches a
//! new snapshot whenever a [`Change`] says so. Nothing is ever guessed over a gap.

mod streamed;

use crate::book::{Book, LEVELS_MAX, microprice};
use crate::cross_check::{CrossCheck, Top};
use crate::event::{Event, Level, Side};
use crate::level3::Level3;
use crate::protocol::{Chain, Protocol};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
pub use streamed::{BookPart, PartKind};
use values::{Nanos, Price};

/// Most changes held while a snapshot is awaited: fifteen seconds of the busiest recorded stream.
/// Beyond it the oldest is dropped, and a snapshot that needed it is refused as too old.
const HELD_MAX: usize = 1_024;
/// Most levels in all held changes, so that few but huge changes cannot fill the memory either.
const HELD_LEVELS_MAX: usize = 131_072;
/// Contradictions in a row between book and ticker that make the book worthless. One alone happens
/// on a healthy stream, when the venue leaves out the ticker of the last change in a batch.
const DIFFERS_IN_ROW_MAX: u32 = 4;
/// Outdated changes in a row that mean that *our* number is the wrong one, as after a corrupted
/// digit: without this the book would stay frozen while frames keep coming.
const OLD_IN_ROW_MAX: u32 = 8;
/// The same before the first change after a snapshot: a snapshot may well be ahead of the stream.
const OLD_BEFORE_FIRST_MAX: u32 = 512;

/// How far a market is in step with its venue.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarketStatus {
    /// Not connected.
    Down,
    /// Waiting for a snapshot that the held changes continue.
    Buffering,
    /// The book is right.
    Live,
}

impl MarketStatus {
    /// The stable name, for status and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Buffering => "syncing",
            Self::Live => "live",
        }
    }
}

/// What a frame did to the market.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing that a trader would see.
    None,
    /// The book or the best bid and offer changed.
    Updated,
    /// The first change is held, or the snapshot was too old: a snapshot is needed.
    NeedsSnapshot,
    /// A change or a frame is missing or unreadable; the book is void and a snapshot is needed.
    Gap,
    /// Best bid at or above best ask; the book is void and a snapshot is needed.
    Crossed,
    /// Book and ticker contradict each other; the book is void and a snapshot is needed.
    Contradicted,
    /// The book does not sum up to what the venue says; it is void and a snapshot is needed.
    Checksum,
}

impl Change {
    /// Whether the caller has to fetch a depth snapshot now.
    pub fn needs_snapshot(self) -> bool {
        self == Self::NeedsSnapshot || self.is_loss()
    }

    /// Whether a live book was given up.
    pub fn is_loss(self) -> bool {
        matches!(self, Self::Gap | Self::Crossed | Self::Contradicted | Self::Checksum)
    }
}

/// Changed levels with their place in the chain.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Diff<'a> {
    /// `U`.
    pub first_update_id: u64,
    /// `u`.
    pub final_update_id: u64,
    /// `pu`: the `u` before; futures only.
    pub previous_update_id: Option<u64>,
    /// Bid levels, absolute; quantity zero removes.
    pub bids: &'a [Level],
    /// Ask levels.
    pub asks: &'a [Level],
}

/// A change kept for later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    first_update_id: u64,
    final_update_id: u64,
    previous_update_id: Option<u64>,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

impl Held {
    fn diff(&self) -> Diff<'_> {
        Diff {
            first_update_id: self.first_update_id,
            final_update_id: self.final_update_id,
            previous_update_id: self.previous_update_id,
            bids: &self.bids,
            asks: &self.asks,
        }
    }
}

/// What happened so far; only ever counts up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketCounters {
    /// Changes received.
    pub diffs: u64,
    /// Changes applied to the book.
    pub diffs_applied: u64,
    /// Changes that the snapshot already contained.
    pub diffs_before_snapshot: u64,
    /// Changes that a live book already contained: repeated or delayed.
    pub diffs_old: u64,
    /// Held changes dropped because too many waited.
    pub diffs_dropped: u64,
    /// Levels applied, snapshots not counted.
    pub levels: u64,
    /// Breaks in the chain of changes.
    pub gaps: u64,
    /// Times the book was crossed.
    pub crossed: u64,
    /// Times the book was given up because the ticker contradicted it.
    pub contradicted: u64,
    /// Frames that could not be read.
    pub malformed: u64,
    /// Snapshots that made a book.
    pub snapshots: u64,
    /// Snapshots older than the changes held, or that came before the first change.
    pub snapshots_too_old: u64,
    /// Snapshots that nobody waited for.
    pub snapshots_ignored: u64,
    /// Times a live book was given up and built anew.
    pub resyncs: u64,
    /// Tickers received.
    pub tickers: u64,
    /// Tickers that were older than one before, or crossed, and not used.
    pub tickers_refused: u64,
    /// Trades received.
    pub trades: u64,
    /// Jumps in the numbers of the trades.
    pub trade_gaps: u64,
    /// Trades with a number that came before.
    pub trades_old: u64,
    /// Messages after which the book summed up to what the venue said.
    pub checksums_right: u64,
    /// Messages after which it did not.
    pub checksums_wrong: u64,
}

/// One instrument at one venue, as its public market data tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Market {
    status: MarketStatus,
    book: Book,
    /// `u` of the last change in the book; 0 when there never was one on this connection.
    last_update_id: u64,
    /// Whether a change has been joined to the snapshot.
    joined: bool,
    /// Whether the caller has been told to fetch a snapshot since the connection came up.
    asked: bool,
    held: VecDeque<Held>,
    held_levels: usize,
    old_in_row: u32,
    tickers_old_in_row: u32,
    ticker_ahead: bool,
    last_trade_id: Option<u64>,
    last_frame_ns: Nanos,
    check: CrossCheck,
    counters: MarketCounters,
    chain: Chain,
    orders: Level3,
    /// The subscribed depth, where it is known.
    depth: Option<usize>,
}

impl Default for Market {
    fn default() -> Self {
        Self::new()
    }
}

impl Market {
    /// A market of a Binance venue, of which nothing is known.
    pub fn new() -> Self {
        Self::of(Protocol::BinanceSpot)
    }

    /// A market of which nothing is known, at a venue of this protocol.
    pub fn of(protocol: Protocol) -> Self {
        Self {
            chain: protocol.chain(),
            orders: Level3::default(),
            depth: None,
            status: MarketStatus::Down,
            book: Book::new(),
            last_update_id: 0,
            joined: false,
            asked: false,
            held: VecDeque::new(),
            held_levels: 0,
            old_in_row: 0,
            tickers_old_in_row: 0,
            ticker_ahead: false,
            last_trade_id: None,
            last_frame_ns: 0,
            check: CrossCheck::default(),
            counters: MarketCounters::default(),
        }
    }

    /// The market data connection stands and is subscribed; the first change will ask for a snapshot.
    pub fn on_channel_up(&mut self, now_ns: Nanos) {
        self.forget();
        self.depth = None;
        self.status = MarketStatus::Buffering;
        self.last_frame_ns = now_ns;
    }

    /// The market data connection is gone, and with it every certainty.
    pub fn on_channel_down(&mut self) {
        self.forget();
        self.status = MarketStatus::Down;
    }

    /// The venue answered a ping: alive, though the market may be quiet.
    pub fn on_heartbeat(&mut self, now_ns: Nanos) {
        self.last_frame_ns = now_ns;
    }

    /// A frame of this market could not be read, so a change may be lost.
    pub fn on_malformed(&mut self) -> Change {
        self.counters.malformed += 1;
        match self.status {
            MarketStatus::Live => {
                self.start_resync();
                Change::Gap
            }
            MarketStatus::Down | MarketStatus::Buffering => Change::None,
        }
    }

    /// An event about this market's public data; every other changes nothing.
    #[inline]
    pub fn on_event(&mut self, now_ns: Nanos, event: &Event<'_>) -> Change {
        match *event {
            Event::DepthDiff {
                first_update_id,
                final_update_id,
                previous_update_id,
                bids,
                asks,
                ..
            } => {
                let diff =
                    Diff { first_update_id, final_update_id, previous_update_id, bids, asks };
                self.on_diff(now_ns, &diff)
            }
            Event::DepthSnapshot { last_update_id, bids, asks, .. } => {
                self.on_snapshot(last_update_id, bids, asks)
            }
            Event::BookTicker { update_id, bid, ask, .. } => {
                self.on_ticker(now_ns, Top { update_id, bid, ask })
            }
            Event::Trade { trade_id, .. } => {
                self.on_trade(now_ns, trade_id);
                Change::None
            }
            Event::Book { ref part, .. } => self.on_part(now_ns, part),
            Event::RestingOrder { ref change, .. } => self.on_order(now_ns, change),
            Event::Depth { depth, .. } => {
                self.depth = Some(depth);
                Change::None
            }
            _ => Change::None,
        }
    }

    /// Changed levels.
    #[inline]
    pub fn on_diff(&mut self, now_ns: Nanos, diff: &Diff<'_>) -> Change {
        self.last_frame_ns = now_ns;
        self.counters.diffs += 1;
        match self.status {
            MarketStatus::Down => Change::None,
            MarketStatus::Buffering => self.hold(diff),
            MarketStatus::Live => self.advance(diff),
        }
    }

    /// A whole book, best levels first.
    pub fn on_snapshot(&mut self, last_update_id: u64, bids: &[Level], asks: &[Level]) -> Change {
        if self.status != MarketStatus::Buffering {
            self.counters.snapshots_ignored += 1;
            return Change::None;
        }
        let too_old = match self.held.front() {
            Some(first) => self.chain.starts_after(&first.diff(), last_update_id),
            // A time tells by itself what is the present.
            None if self.chain == Chain::Time => last_update_id < self.last_update_id,
            // Nothing held and nothing known: whether this is the present cannot be told yet.
            None if self.last_update_id == 0 => true,
            None => last_update_id < self.last_update_id,
        };
        if too_old {
            self.counters.snapshots_too_old += 1;
            self.asked = true;
            return Change::NeedsSnapshot;
        }
        self.counters.snapshots += 1;
        self.book.clear();
        // From the worst to the best, so that each insertion is at the end.
        for (side, levels) in [(Side::Buy, bids), (Side::Sell, asks)] {
            for &level in levels.iter().take(LEVELS_MAX).rev() {
                self.book.set(side, level);
            }
        }
        self.last_update_id = last_update_id;
        self.joined = false;
        self.old_in_row = 0;
        self.status = MarketStatus::Live;
        self.join_held()
    }

    /// The venue's own best bid and offer.
    #[inline]
    pub fn on_ticker(&mut self, now_ns: Nanos, ticker: Top) -> Change {
        self.last_frame_ns = now_ns;
        self.counters.tickers += 1;
        if self.status == MarketStatus::Down || !self.accepts(&ticker) {
            self.counters.tickers_refused += 1;
            return Change::None;
        }
        self.check.on_ticker(ticker);
        if self.status != MarketStatus::Live {
            return Change::None;
        }
        self.ticker_ahead = ticker.update_id > self.last_update_id;
        if self.check.differs_in_row >= DIFFERS_IN_ROW_MAX {
            return self.contradict();
        }
        if self.ticker_ahead { Change::Updated } else { Change::None }
    }

    /// A public trade; number 0 where the venue does not count them.
    #[inline]
    pub fn on_trade(&mut self, now_ns: Nanos, trade_id: u64) {
        self.last_frame_ns = now_ns;
        self.counters.trades += 1;
        if trade_id == 0 {
            return;
        }
        match self.last_trade_id {
            Some(last) if trade_id <= last => {
                self.counters.trades_old += 1;
                return;
            }
            Some(last) if trade_id > last + 1 => self.counters.trade_gaps += 1,
            _ => {}
        }
        self.last_trade_id = Some(trade_id);
    }

    /// How far the market is in step.
    pub fn status(&self) -> MarketStatus {
        self.status
    }

    /// When the last frame or heartbeat came; 0 before the first.
    pub fn last_frame_ns(&self) -> Nanos {
        self.last_frame_ns
    }

    /// How long ago that was, if ever. A clock that stepped back gives zero, never a negative age.
    pub fn age_ns(&self, now_ns: Nanos) -> Option<Nanos> {
        (self.last_frame_ns != 0).then(|| now_ns.saturating_sub(self.last_frame_ns).max(0))
    }

    /// The book; right only while the status is `Live`.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// `u` of the last change in the book.
    pub fn last_update_id(&self) -> u64 {
        self.last_update_id
    }

    /// What happened so far.
    pub fn counters(&self) -> &MarketCounters {
        &self.counters
    }

    /// The orders that are known, where a venue tells them one by one.
    pub fn orders(&self) -> &Level3 {
        &self.orders
    }

    /// How book and ticker agreed so far.
    pub fn cross_check(&self) -> &CrossCheck {
        &self.check
    }

    /// Best bid and best ask, from the newer of book and ticker; only while the book is live.
    #[inline]
    pub fn top(&self) -> Option<(Level, Level)> {
        if self.status != MarketStatus::Live {
            return None;
        }
        match self.check.ticker() {
            Some(ticker) if self.ticker_ahead => Some((ticker.bid, ticker.ask)),
            _ => self.book.top(),
        }
    }

    /// See [`crate::book::microprice`]; from [`Market::top`].
    #[inline]
    pub fn microprice(&self) -> Option<Price> {
        let (bid, ask) = self.top()?;
        microprice(bid, ask)
    }

    /// See [`Book::imbalance_ppm`]; only while the book is live.
    pub fn imbalance_ppm(&self, levels: usize) -> Option<i64> {
        if self.status != MarketStatus::Live {
            return None;
        }
        self.book.imbalance_ppm(levels)
    }

    fn forget(&mut self) {
        self.book.clear();
        self.orders.clear();
        self.clear_held();
        self.last_update_id = 0;
        self.last_trade_id = None;
        self.asked = false;
        self.old_in_row = 0;
        self.tickers_old_in_row = 0;
        self.ticker_ahead = false;
        self.check.reset();
    }

    /// The book is void; what was known of its number tells which snapshots would be a step back.
    fn start_resync(&mut self) {
        self.counters.resyncs += 1;
        self.status = MarketStatus::Buffering;
        self.asked = true;
        self.clear_held();
        self.check.reset_books();
    }

    fn contradict(&mut self) -> Change {
        self.counters.contradicted += 1;
        self.start_resync();
        // The ticker may as well be the liar.
        self.check.reset();
        Change::Contradicted
    }

    fn clear_held(&mut self) {
        self.held.clear();
        self.held_levels = 0;
    }

    /// Keeps a change until the snapshot comes. What is held is always one unbroken chain.
    fn hold(&mut self, diff: &Diff<'_>) -> Change {
        if let Some(last) = self.held.back() {
            let last_id = last.final_update_id;
            if diff.final_update_id <= last_id {
                self.counters.diffs_old += 1;
                return Change::None;
            }
            if self.chain == Chain::Numbers && self.chain.starts_after(diff, last_id) {
                self.counters.gaps += 1;
                self.clear_held();
            }
        }
        // After a gap the snapshot on its way may still fit; if not, it says so when it comes.
        let first = !core::mem::replace(&mut self.asked, true);
        while self.held.len() >= HELD_MAX || self.held_levels >= HELD_LEVELS_MAX {
            let Some(dropped) = self.held.pop_front() else { break };
            self.held_levels -= dropped.bids.len() + dropped.asks.len();
            self.counters.diffs_dropped += 1;
        }
        self.held_levels += diff.bids.len() + diff.asks.len();
        self.held.push_back(Held {
            first_update_id: diff.first_update_id,
            final_update_id: diff.final_update_id,
            previous_update_id: diff.previous_update_id,
            bids: diff.bids.to_vec(),
            asks: diff.asks.to_vec(),
        });
        if first { Change::NeedsSnapshot } else { Change::None }
    }

    /// Plays what was held onto a fresh snapshot.
    fn join_held(&mut self) -> Change {
        let held = core::mem::take(&mut self.held);
        self.held_levels = 0;
        for (index, item) in held.iter().enumerate() {
            let change = self.advance(&item.diff());
            if change.needs_snapshot() {
                for rest in held.iter().skip(index + 1) {
                    self.hold(&rest.diff());
                }
                return change;
            }
        }
        if self.book.is_crossed() { self.cross() } else { Change::Updated }
    }

    /// One change onto a live book.
    #[inline]
    fn advance(&mut self, diff: &Diff<'_>) -> Change {
        if is_old(diff, self.last_update_id, self.joined) {
            return self.skip_old(diff);
        }
        let follows = match diff.previous_update_id {
            _ if self.chain == Chain::Time => true,
            _ if !self.joined => !self.chain.starts_after(diff, self.last_update_id),
            // An overlap is a break too: it shows that a number before it was wrong.
            None => diff.first_update_id == self.last_update_id + 1,
            Some(previous) => previous == self.last_update_id,
        };
        if !follows || diff.first_update_id > diff.final_update_id {
            self.counters.gaps += 1;
            self.start_resync();
            self.hold(diff);
            return Change::Gap;
        }
        self.book.apply(diff.bids, diff.asks);
        self.last_update_id = diff.final_update_id;
        self.joined = true;
        self.old_in_row = 0;
        self.counters.diffs_applied += 1;
        self.counters.levels += (diff.bids.len() + diff.asks.len()) as u64;
        let Some((bid, ask)) = self.book.top() else { return Change::Updated };
        if bid.price >= ask.price {
            return self.cross();
        }
        self.check.on_book(Top { update_id: diff.final_update_id, bid, ask });
        self.ticker_ahead =
            self.check.ticker().is_some_and(|ticker| ticker.update_id > self.last_update_id);
        if self.check.differs_in_row >= DIFFERS_IN_ROW_MAX {
            return self.contradict();
        }
        Change::Updated
    }

    fn cross(&mut self) -> Change {
        self.counters.crossed += 1;
        self.start_resync();
        Change::Crossed
    }

    #[cold]
    fn skip_old(&mut self, diff: &Diff<'_>) -> Change {
        self.old_in_row += 1;
        let limit = if self.joined {
            self.counters.diffs_old += 1;
            OLD_IN_ROW_MAX
        } else {
            self.counters.diffs_before_snapshot += 1;
            OLD_BEFORE_FIRST_MAX
        };
        if self.old_in_row <= limit {
            return Change::None;
        }
        self.counters.gaps += 1;
        self.start_resync();
        self.last_update_id = 0; // It is this number that we no longer believe.
        self.hold(diff);
        Change::Gap
    }

    /// Whether a ticker moves forward and is not nonsense.
    #[inline]
    fn accepts(&mut self, ticker: &Top) -> bool {
        if ticker.bid.price >= ticker.ask.price {
            return false;
        }
        match self.check.ticker() {
            Some(last) if ticker.update_id < last.update_id => {
                self.tickers_old_in_row += 1;
                if self.tickers_old_in_row <= OLD_IN_ROW_MAX {
                    return false;
                }
                self.check.reset();
            }
            _ => {}
        }
        self.tickers_old_in_row = 0;
        true
    }
}

impl Chain {
    /// Whether a change begins after the update that should come next, so that something is missing.
    #[inline]
    fn starts_after(self, diff: &Diff<'_>, last_update_id: u64) -> bool {
        match (self, diff.previous_update_id) {
            (Self::Time, _) => diff.final_update_id > last_update_id,
            // Futures share their numbers with other symbols: only `pu` tells what came before.
            (Self::Numbers, Some(previous)) => previous > last_update_id,
            (Self::Numbers, None) => diff.first_update_id > last_update_id + 1,
        }
    }
}

/// Whether a change tells nothing new. Futures keep the change that ends exactly at the snapshot.
#[inline]
fn is_old(diff: &Diff<'_>, last_update_id: u64, joined: bool) -> bool {
    if diff.previous_update_id.is_some() && !joined {
        diff.final_update_id < last_update_id
    } else {
        diff.final_update_id <= last_update_id
    }
}
