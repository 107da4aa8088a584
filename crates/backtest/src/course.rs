//! A venue's frames in; what each leaves of the venue's book, and that book itself where asked, out.
//!
//! What strangers do never depends on us, so the best levels after each frame are found once for a
//! recording and kept with it. A run reads them; levels further down come from the core's own book
//! when that has seen the same frames, and from [`Lagging`] otherwise.

use crate::events::{Events, Head, Kind};
use engine::book::Book;
use engine::cross_check::Top;
use engine::event::Level;
use engine::market::{Diff, Market, MarketStatus};
use std::collections::BTreeMap;
use values::{MarketId, Nanos, Price, Quantity};

/// What a frame leaves of its market's book.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct After {
    /// Best bid and offer, from the newer of book and ticker; `None` while the book is not right,
    /// or has an empty side.
    pub top: Option<(Level, Level)>,
    /// The book's own number of updates; 0 while it is not right.
    pub update_id: u64,
}

impl After {
    fn of(market: &Market) -> After {
        let is_live = market.status() == MarketStatus::Live;
        After { top: market.top(), update_id: if is_live { market.last_update_id() } else { 0 } }
    }

    /// How many bytes it is written as.
    pub const BYTES: usize = 41;

    /// As it is written.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.update_id.to_le_bytes());
        if let Some((bid, ask)) = self.top {
            bytes[8] = 1;
            let numbers = [bid.price.0, bid.quantity.0, ask.price.0, ask.quantity.0];
            for (place, number) in bytes[9..].as_chunks_mut::<8>().0.iter_mut().zip(numbers) {
                *place = number.to_le_bytes();
            }
        }
        bytes
    }

    /// What was written.
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> After {
        let number = |at: usize| {
            let begin = 9 + 8 * at;
            i64::from_le_bytes(bytes[begin..begin + 8].try_into().expect("eight bytes"))
        };
        let level = |at| Level { price: Price(number(at)), quantity: Quantity(number(at + 1)) };
        let update_id = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
        After { top: (bytes[8] == 1).then(|| (level(0), level(2))), update_id }
    }

    /// Whether a market has the very book that this was read from.
    pub fn is_of(&self, market: &Market) -> bool {
        self.update_id != 0
            && market.status() == MarketStatus::Live
            && market.last_update_id() == self.update_id
    }
}

/// Follows all frames, and tells what each leaves behind; nothing for one about no market.
pub fn follow(events: &Events) -> Vec<After> {
    let mut markets: BTreeMap<MarketId, Lagging> = BTreeMap::new();
    for head in &events.heads {
        markets.entry(head.market).or_insert_with(|| Lagging::new(events));
    }
    let mut found = Vec::with_capacity(events.heads.len());
    for head in &events.heads {
        if is_about_all(head.kind) {
            for each in markets.values_mut() {
                each.take(events, head);
            }
            found.push(After::default());
        } else if let Some(each) = markets.get_mut(&head.market) {
            each.take(events, head);
            found.push(After::of(&each.market));
        }
    }
    found
}

/// Whether a frame is about every market of its connection; none of them is right after it.
pub fn is_about_all(kind: Kind) -> bool {
    matches!(kind, Kind::Up | Kind::Down | Kind::Malformed)
}

/// The way to the levels behind the best ones, for those who need them.
pub struct Depth<'a> {
    /// All frames of the venue.
    pub events: &'a Events,
    /// How many of them the venue has told.
    pub told: usize,
    /// Which market.
    pub id: MarketId,
    /// The core's own.
    pub core: &'a Market,
    /// What serves when the core has not seen the same.
    pub lagging: &'a mut Lagging,
}

impl Depth<'_> {
    /// The strangers' book, of which `after` is known.
    pub fn book(&mut self, after: After) -> &Book {
        if after.is_of(self.core) {
            return self.core.book();
        }
        self.lagging.book(self.id, self.events, self.told)
    }
}

/// A venue's book that takes in frames only when somebody looks.
pub struct Lagging {
    market: Market,
    next: usize,
}

impl Lagging {
    /// Before the first frame.
    pub fn new(events: &Events) -> Lagging {
        let mut market = Market::new();
        if !events.tells_connections() {
            market.on_channel_up(0);
        }
        Lagging { market, next: 0 }
    }

    /// The book after the frames before `end`.
    pub fn book(&mut self, id: MarketId, events: &Events, end: usize) -> &Book {
        for head in &events.heads[self.next..end] {
            if head.market == id || is_about_all(head.kind) {
                self.take(events, head);
            }
        }
        self.next = self.next.max(end);
        self.market.book()
    }

    fn take(&mut self, events: &Events, head: &Head) {
        let (bids, asks) = events.sides(head);
        // Nobody asks this market for its age.
        let now_ns: Nanos = 0;
        match head.kind {
            Kind::Diff => {
                self.market.on_diff(
                    now_ns,
                    &Diff {
                        first_update_id: head.first,
                        final_update_id: head.last,
                        previous_update_id: head.previous.checked_sub(1),
                        bids,
                        asks,
                    },
                );
            }
            Kind::Snapshot => {
                self.market.on_snapshot(head.last, bids, asks);
            }
            Kind::Ticker => {
                let top = Top { update_id: head.last, bid: bids[0], ask: asks[0] };
                self.market.on_ticker(now_ns, top);
            }
            Kind::Trade => self.market.on_trade(now_ns, head.first),
            Kind::Up => self.market.on_channel_up(now_ns),
            Kind::Down => self.market.on_channel_down(),
            Kind::Malformed => {
                self.market.on_malformed();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::event::{Channel, Event, Side};
    use values::VenueId;

    const ONE: MarketId = MarketId(0);
    const OTHER: MarketId = MarketId(1);

    fn level(price: i64, quantity: i64) -> Level {
        Level { price: Price(price), quantity: Quantity(quantity) }
    }

    fn diff(events: &mut Events, market: MarketId, id: u64, bid: Level, ask: Level) {
        let event = Event::DepthDiff {
            market,
            first_update_id: id,
            final_update_id: id,
            previous_update_id: None,
            bids: &[bid],
            asks: &[ask],
            ts_event_ns: 0,
        };
        events.push(id as i64, &event);
    }

    fn snapshot(events: &mut Events, market: MarketId, last_update_id: u64) {
        let (bids, asks) = ([level(100, 5), level(99, 5)], [level(101, 5), level(102, 5)]);
        let event = Event::DepthSnapshot { market, last_update_id, bids: &bids, asks: &asks };
        events.push(last_update_id as i64, &event);
    }

    /// Two markets; the first loses a change and gets its book again, and then both lose theirs.
    fn session() -> Events {
        let mut events = Events::default();
        diff(&mut events, ONE, 9, level(1, 1), level(900, 1));
        snapshot(&mut events, ONE, 9);
        diff(&mut events, OTHER, 4, level(100, 1), level(101, 1));
        snapshot(&mut events, OTHER, 4);
        for id in 10..40 {
            diff(&mut events, ONE, id, level(60 + id as i64, 1), level(102 + id as i64, 2));
            diff(&mut events, OTHER, id - 5, level(100, id as i64), level(103, 1));
        }
        diff(&mut events, ONE, 50, level(100, 0), level(102, 3));
        snapshot(&mut events, ONE, 50);
        diff(&mut events, ONE, 51, level(98, 7), level(101, 0));
        let (venue, channel) = (VenueId(0), Channel::Market);
        events.push(60, &Event::Malformed { venue, channel });
        events
    }

    #[test]
    fn course_tells_the_best_levels_and_when_there_is_no_book() {
        let events = session();
        let course = events.course();
        assert_eq!(course.len(), events.heads.len());
        assert_eq!(course[0], After::default(), "nothing before the snapshot");
        let top = |at: usize| course[at].top.map(|(bid, ask)| (bid.price.0, ask.price.0));
        assert_eq!((top(1), course[1].update_id), (Some((100, 101)), 9));
        assert_eq!(course[3].top, Some((level(100, 5), level(101, 5))));
        assert_eq!(course[events.heads.len() - 4], After::default(), "a change is missing");
        assert_eq!(top(events.heads.len() - 3), Some((100, 101)), "a new snapshot");
        assert_eq!(top(events.heads.len() - 2), Some((100, 102)));
        assert_eq!(course[events.heads.len() - 1], After::default(), "unreadable");
    }

    #[test]
    fn lagging_book_is_the_one_of_the_course_whenever_it_is_looked_at() {
        let events = session();
        for stride in [1, 3, 7, 64] {
            let (mut one, mut other) = (Lagging::new(&events), Lagging::new(&events));
            for end in (1..=events.heads.len()).step_by(stride) {
                for (id, lagging) in [(ONE, &mut one), (OTHER, &mut other)] {
                    let mine = |at: &usize| {
                        events.heads[*at].market == id || is_about_all(events.heads[*at].kind)
                    };
                    let Some(last) = (0..end).rev().find(mine) else { continue };
                    let top = lagging.book(id, &events, end).top();
                    assert!(events.course()[last].top.is_none_or(|it| Some(it) == top));
                }
            }
            assert_eq!(other.market.book().quantity(Side::Buy, Price(100)), Quantity(39));
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for after in session().course() {
            assert_eq!(After::from_bytes(&after.to_bytes()), *after);
        }
    }
}
