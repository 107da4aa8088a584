//! The numbers that a venue counts its messages with in; whether one is missing out.
//!
//! The number counts every message of a connection, whatever it is about, so a missing one may
//! have concerned any instrument: all books of the venue are void.

use serde::{Deserialize, Serialize};

/// What a number says.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The one that was due, or the first.
    Next,
    /// At least one is missing.
    Gap,
    /// One that came before: repeated or delayed.
    Old,
}

/// Counts along with a venue, from the first number of each connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    due: Option<u64>,
    /// Numbers seen.
    pub seen: u64,
    /// Jumps over at least one number.
    pub gaps: u64,
    /// Numbers that came again or late.
    pub old: u64,
}

impl Sequence {
    /// A new connection counts anew; the counts stay.
    pub fn reset(&mut self) {
        self.due = None;
    }

    /// Takes the next number.
    ///
    /// ```
    /// use engine::sequence::{Sequence, Step};
    /// let mut sequence = Sequence::default();
    /// let steps = [7, 8, 10, 9, 11].map(|number| sequence.take(number));
    /// assert_eq!(steps, [Step::Next, Step::Next, Step::Gap, Step::Old, Step::Next]);
    /// ```
    pub fn take(&mut self, number: u64) -> Step {
        self.seen += 1;
        let due = self.due.unwrap_or(number);
        let step = match number.cmp(&due) {
            core::cmp::Ordering::Equal => Step::Next,
            core::cmp::Ordering::Greater => Step::Gap,
            core::cmp::Ordering::Less => Step::Old,
        };
        self.gaps += u64::from(step == Step::Gap);
        self.old += u64::from(step == Step::Old);
        self.due = Some(due.max(number.saturating_add(1)));
        step
    }
}
