//! Book messages of venues whose snapshot comes in the stream in; the same market out.
//!
//! A subscription brings a snapshot and then changes. A change is applied only to a live book; each
//! message may carry proofs: the number of the message before it, and a checksum of the best levels
//! after it. A proof that fails makes the book void until the next snapshot.

use super::{Change, Market, MarketStatus};
use crate::book::LEVELS_MAX;
use crate::checksum::Checksum;
use crate::event::{Level, Side};
use crate::level3::OrderChange;
use values::Nanos;

/// What a message holds.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum PartKind {
    /// The whole book, best levels first.
    Snapshot,
    /// Changed levels; quantity zero removes.
    Change,
}

/// One message about a book, with its proofs.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct BookPart<'a> {
    /// Whole book or changes.
    pub kind: PartKind,
    /// The number of this message, where messages are numbered.
    pub update_id: Option<u64>,
    /// The number of the message before it.
    pub previous_update_id: Option<u64>,
    /// Bid levels.
    pub bids: &'a [Level],
    /// Ask levels.
    pub asks: &'a [Level],
    /// The subscribed depth: levels that fall out of it are never removed by the venue.
    pub depth: Option<usize>,
    /// What the best levels sum up to after this message.
    pub checksum: Option<Checksum>,
}

impl Market {
    /// A message of a book whose snapshot comes in the stream.
    pub fn on_part(&mut self, now_ns: Nanos, part: &BookPart<'_>) -> Change {
        self.last_frame_ns = now_ns;
        match (part.kind, self.status) {
            (_, MarketStatus::Down) => return Change::None,
            (PartKind::Snapshot, _) => self.start_book(part),
            (PartKind::Change, MarketStatus::Buffering) => {
                self.counters.diffs += 1;
                self.counters.diffs_before_snapshot += 1;
                let first = !core::mem::replace(&mut self.asked, true);
                return if first { Change::NeedsSnapshot } else { Change::None };
            }
            (PartKind::Change, MarketStatus::Live) => {
                self.counters.diffs += 1;
                if !self.follows(part) {
                    self.counters.gaps += 1;
                    self.start_resync();
                    return Change::Gap;
                }
                self.book.apply(part.bids, part.asks);
                self.counters.diffs_applied += 1;
                self.counters.levels += (part.bids.len() + part.asks.len()) as u64;
            }
        }
        self.last_update_id = part.update_id.unwrap_or(self.last_update_id);
        // What the confirmation of the subscription said goes before what a snapshot looks like.
        if let Some(depth) = self.depth.or(part.depth) {
            self.depth = Some(depth);
            self.book.truncate(depth);
        }
        self.verify(part.checksum)
    }

    /// One order of a book told order by order. What is known of it is partial until a snapshot of
    /// all orders has come, and such a book never becomes live.
    pub fn on_order(&mut self, now_ns: Nanos, change: &OrderChange) -> Change {
        self.last_frame_ns = now_ns;
        if self.status == MarketStatus::Down {
            return Change::None;
        }
        self.counters.diffs += 1;
        self.orders.apply(change, &mut self.book);
        Change::None
    }

    /// A message of the connection is missing, and it may have been about this market.
    pub fn on_missing(&mut self) -> Change {
        if self.status != MarketStatus::Live {
            return Change::None;
        }
        self.counters.gaps += 1;
        self.start_resync();
        Change::Gap
    }

    fn start_book(&mut self, part: &BookPart<'_>) {
        self.counters.snapshots += 1;
        self.book.clear();
        for (side, levels) in [(Side::Buy, part.bids), (Side::Sell, part.asks)] {
            // More than a book holds would push each other out one by one.
            for &level in levels.iter().take(LEVELS_MAX).rev() {
                self.book.set(side, level);
            }
        }
        self.status = MarketStatus::Live;
        self.asked = false;
    }

    /// Numbers chain where there are any. OKX repeats the number when nothing changed.
    fn follows(&self, part: &BookPart<'_>) -> bool {
        part.previous_update_id.is_none_or(|previous| previous == self.last_update_id)
    }

    fn verify(&mut self, checksum: Option<Checksum>) -> Change {
        if let Some(checksum) = checksum {
            if !checksum.agrees(&self.book) {
                self.counters.checksums_wrong += 1;
                self.start_resync();
                return Change::Checksum;
            }
            self.counters.checksums_right += 1;
        }
        if self.book.is_crossed() { self.cross() } else { Change::Updated }
    }
}
