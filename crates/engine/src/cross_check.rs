//! Tops of our book and the venue's own best bid and offer in; how often they agree out.
//!
//! Two witnesses tell the same story: the book that we build from changes, and the ticker in which
//! the venue states its best levels. Both number their updates alike, so the book after update `u`
//! must show what the last ticker up to `u` says. Which ticker is the last is certain only when one
//! with a higher number has come, and either witness may arrive first: so both wait here, in order,
//! until the question can be answered. A wrong digit that no sequence number betrays is found this
//! way as soon as it reaches the top of the book.

use crate::event::Level;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Most statements of one witness that wait for the other. When the other has gone silent the
/// oldest are dropped: an old statement can no longer catch a fault in time to matter.
const WAITING_MAX: usize = 1_024;

/// Best bid and offer at an update id.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Top {
    /// Numbered like the book's updates.
    pub update_id: u64,
    /// Best bid.
    pub bid: Level,
    /// Best offer.
    pub ask: Level,
}

/// The two queues, and what came of comparing them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrossCheck {
    books: VecDeque<Top>,
    tickers: VecDeque<Top>,
    /// Book states that agree with the ticker.
    pub equal: u64,
    /// Book states that differ from the ticker.
    pub differs: u64,
    /// Statements dropped because the other witness was silent.
    pub dropped: u64,
    /// How many book states in a row differed, up to now.
    pub differs_in_row: u32,
}

impl Default for CrossCheck {
    fn default() -> Self {
        Self {
            books: VecDeque::with_capacity(WAITING_MAX),
            tickers: VecDeque::with_capacity(WAITING_MAX),
            equal: 0,
            differs: 0,
            dropped: 0,
            differs_in_row: 0,
        }
    }
}

impl CrossCheck {
    /// Forgets what waits; the counts stay.
    pub fn reset(&mut self) {
        self.books.clear();
        self.tickers.clear();
        self.differs_in_row = 0;
    }

    /// Forgets the book states that wait, for a book that is being rebuilt.
    pub fn reset_books(&mut self) {
        self.books.clear();
        self.differs_in_row = 0;
    }

    /// The book's top after an update.
    #[inline]
    pub fn on_book(&mut self, top: Top) {
        self.dropped += u64::from(push_bounded(&mut self.books, top));
        self.settle();
    }

    /// The venue's own statement.
    #[inline]
    pub fn on_ticker(&mut self, top: Top) {
        self.dropped += u64::from(push_bounded(&mut self.tickers, top));
        self.settle();
    }

    /// How many book states wait for a later ticker.
    pub fn waiting(&self) -> usize {
        self.books.len()
    }

    /// The newest ticker.
    #[inline]
    pub fn ticker(&self) -> Option<&Top> {
        self.tickers.back()
    }

    /// Answers every question that can be answered.
    #[inline]
    fn settle(&mut self) {
        while let Some(book) = self.books.front() {
            while self.tickers.get(1).is_some_and(|next| next.update_id <= book.update_id) {
                self.tickers.pop_front();
            }
            let Some(ticker) = self.tickers.front() else { return };
            if ticker.update_id <= book.update_id {
                if self.tickers.len() < 2 {
                    return; // A ticker that is nearer to this book may still come.
                }
                if (book.bid, book.ask) == (ticker.bid, ticker.ask) {
                    self.equal += 1;
                    self.differs_in_row = 0;
                } else {
                    self.differs += 1;
                    self.differs_in_row += 1;
                }
            }
            self.books.pop_front();
        }
    }
}

/// Appends; when full, drops the oldest and says so.
fn push_bounded(queue: &mut VecDeque<Top>, top: Top) -> bool {
    let full = queue.len() == WAITING_MAX;
    if full {
        queue.pop_front();
    }
    queue.push_back(top);
    full
}

#[cfg(test)]
mod tests {
    use super::*;
    use values::{Price, Quantity};

    fn top(update_id: u64, bid: i64) -> Top {
        let level = |price| Level { price: Price(price), quantity: Quantity(1) };
        Top { update_id, bid: level(bid), ask: level(bid + 1) }
    }

    #[test]
    fn a_book_is_compared_with_the_last_ticker_up_to_it() {
        let mut check = CrossCheck::default();
        for ticker in [top(1, 10), top(3, 30), top(8, 80)] {
            check.on_ticker(ticker);
        }
        check.on_book(top(5, 30));
        check.on_book(top(6, 31));
        assert_eq!((check.equal, check.differs, check.differs_in_row), (1, 1, 1));
        assert_eq!(check.ticker(), Some(&top(8, 80)));
    }

    #[test]
    fn a_book_that_comes_before_its_ticker_waits_for_certainty() {
        let mut check = CrossCheck::default();
        check.on_ticker(top(1, 10));
        check.on_book(top(5, 50));
        assert_eq!((check.equal, check.differs), (0, 0), "ticker 5 may still come");
        check.on_ticker(top(5, 50));
        assert_eq!((check.equal, check.differs), (0, 0), "a later one with id 5 could come");
        check.on_ticker(top(6, 60));
        assert_eq!((check.equal, check.differs), (1, 0));
    }

    #[test]
    fn a_silent_witness_bounds_the_other() {
        let mut check = CrossCheck::default();
        for id in 0..WAITING_MAX as u64 + 7 {
            check.on_ticker(top(id, 1));
        }
        assert_eq!((check.tickers.len(), check.dropped), (WAITING_MAX, 7));
    }
}
