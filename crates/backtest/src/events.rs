//! Decoded market data, compact: one head per frame and one row per level; the core's events out.

use crate::course::{After, follow};
use engine::event::{Channel, Event, Level};
use std::sync::OnceLock;
use values::{MarketId, Nanos, VenueId};

/// What a frame was.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Changed levels.
    Diff = 1,
    /// A whole book.
    Snapshot = 2,
    /// Best bid and offer.
    Ticker = 3,
    /// A public trade.
    Trade = 4,
    /// The market data connection came up (recorded live sessions only).
    Up = 5,
    /// The market data connection was lost (recorded live sessions only).
    Down = 6,
    /// A frame that could not be read.
    Malformed = 7,
}

impl Kind {
    /// The kind of a stored number.
    pub fn of(code: u8) -> Option<Kind> {
        use Kind::{Diff, Down, Malformed, Snapshot, Ticker, Trade, Up};
        let all = [Diff, Snapshot, Ticker, Trade, Up, Down, Malformed];
        all.into_iter().find(|kind| *kind as u8 == code)
    }
}

/// One frame without its levels.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// When it was received.
    pub ts_ns: Nanos,
    /// When it happened, as the venue says; 0 where it does not say.
    pub ts_event_ns: Nanos,
    /// `U`, or the trade's number.
    pub first: u64,
    /// `u`.
    pub last: u64,
    /// `pu`, plus one; 0 without.
    pub previous: u64,
    /// Where its levels begin.
    pub start: u32,
    /// Bid levels.
    pub bids: u32,
    /// Ask levels, after the bids.
    pub asks: u32,
    /// What it is.
    pub kind: Kind,
    /// Which market.
    pub market: MarketId,
    /// Trades: whether the seller took.
    pub buyer_is_maker: bool,
}

/// All frames of one venue in the order received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// Frames.
    pub heads: Vec<Head>,
    /// Their levels; a ticker has two, a trade has one.
    pub levels: Vec<Level>,
    /// What each frame leaves of the venue's book, once it has been worked out.
    course: OnceLock<Vec<After>>,
    tickers: u64,
    tells_connections: bool,
}

impl Events {
    /// Frames, their levels, and what each leaves of the venue's book.
    pub fn followed(heads: Vec<Head>, levels: Vec<Level>, course: Vec<After>) -> Events {
        let tickers = heads.iter().filter(|head| head.kind == Kind::Ticker).count() as u64;
        let tells_connections = heads.iter().any(|head| head.kind == Kind::Up);
        Events { heads, levels, course: course.into(), tickers, tells_connections }
    }

    /// What each frame leaves of the venue's book; worked out the first time.
    pub fn course(&self) -> &[After] {
        self.course.get_or_init(|| follow(self))
    }

    /// Adds what a decoder made of a frame; other events than market data are left out.
    pub fn push(&mut self, ts_ns: Nanos, event: &Event<'_>) {
        let mut head = Head {
            ts_ns,
            ts_event_ns: 0,
            first: 0,
            last: 0,
            previous: 0,
            start: self.levels.len() as u32,
            bids: 0,
            asks: 0,
            kind: Kind::Malformed,
            market: MarketId(0),
            buyer_is_maker: false,
        };
        match *event {
            Event::DepthDiff {
                market,
                first_update_id,
                final_update_id,
                previous_update_id,
                bids,
                asks,
                ts_event_ns,
            } => {
                (head.kind, head.market, head.ts_event_ns) = (Kind::Diff, market, ts_event_ns);
                (head.first, head.last) = (first_update_id, final_update_id);
                head.previous = previous_update_id.map_or(0, |id| id + 1);
                self.fill(&mut head, bids, asks);
            }
            Event::DepthSnapshot { market, last_update_id, bids, asks } => {
                (head.kind, head.market, head.last) = (Kind::Snapshot, market, last_update_id);
                self.fill(&mut head, bids, asks);
            }
            Event::BookTicker { market, update_id, bid, ask } => {
                (head.kind, head.market, head.last) = (Kind::Ticker, market, update_id);
                self.fill(&mut head, &[bid], &[ask]);
            }
            Event::Trade { market, trade_id, price, quantity, buyer_is_maker, ts_event_ns } => {
                (head.kind, head.market, head.ts_event_ns) = (Kind::Trade, market, ts_event_ns);
                (head.first, head.buyer_is_maker) = (trade_id, buyer_is_maker);
                self.fill(&mut head, &[Level { price, quantity }], &[]);
            }
            Event::ChannelUp { channel: Channel::Market, .. } => head.kind = Kind::Up,
            Event::ChannelDown { channel: Channel::Market, .. } => head.kind = Kind::Down,
            Event::Malformed { channel: Channel::Market, .. } => {}
            _ => return,
        }
        self.course.take();
        self.tickers += u64::from(head.kind == Kind::Ticker);
        self.tells_connections |= head.kind == Kind::Up;
        self.heads.push(head);
    }

    fn fill(&mut self, head: &mut Head, bids: &[Level], asks: &[Level]) {
        (head.bids, head.asks) = (bids.len() as u32, asks.len() as u32);
        self.levels.extend_from_slice(bids);
        self.levels.extend_from_slice(asks);
    }

    /// The levels of a frame: bids and asks.
    #[inline]
    pub fn sides(&self, head: &Head) -> (&[Level], &[Level]) {
        let (start, bids) = (head.start as usize, head.bids as usize);
        let all = &self.levels[start..start + bids + head.asks as usize];
        all.split_at(bids)
    }

    /// The core's event of a frame.
    #[inline]
    pub fn event(&self, venue: VenueId, head: &Head) -> Event<'_> {
        let (bids, asks) = self.sides(head);
        let market = head.market;
        match head.kind {
            Kind::Diff => Event::DepthDiff {
                market,
                first_update_id: head.first,
                final_update_id: head.last,
                previous_update_id: head.previous.checked_sub(1),
                bids,
                asks,
                ts_event_ns: head.ts_event_ns,
            },
            Kind::Snapshot => {
                Event::DepthSnapshot { market, last_update_id: head.last, bids, asks }
            }
            Kind::Ticker => {
                Event::BookTicker { market, update_id: head.last, bid: bids[0], ask: asks[0] }
            }
            Kind::Trade => Event::Trade {
                market,
                trade_id: head.first,
                price: bids[0].price,
                quantity: bids[0].quantity,
                buyer_is_maker: head.buyer_is_maker,
                ts_event_ns: head.ts_event_ns,
            },
            Kind::Up => Event::ChannelUp { venue, channel: Channel::Market },
            Kind::Down => Event::ChannelDown { venue, channel: Channel::Market },
            Kind::Malformed => Event::Malformed { venue, channel: Channel::Market },
        }
    }

    /// How many rows there are: a depth level, a trade and a ticker count as one each.
    pub fn rows(&self) -> u64 {
        self.levels.len() as u64 - self.tickers
    }

    /// Whether the frames tell themselves when the connection was up.
    pub fn tells_connections(&self) -> bool {
        self.tells_connections
    }
}
