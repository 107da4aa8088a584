//! Numbers in; the sum of the last so many out.
//!
//! Nothing is ever taken away, so nothing is left over of a large number that fell out: the window
//! is the end of the lap before, whose sums to its end were made when it was complete, and the
//! beginning of the present lap, which is added up. Completing a lap costs one pass over it: one
//! addition for each update, if not in each.

use serde::{Deserialize, Serialize};

/// The last `period` numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Before `at`: numbers of this lap. From `at` on: sums from there to the end of the last lap.
    ring: Vec<f64>,
    at: usize,
    is_full: bool,
    lap: f64,
}

impl Sums {
    /// A window of so many numbers, at least one.
    pub fn new(period: usize) -> Self {
        Self { ring: vec![0.0; period], at: 0, is_full: false, lap: 0.0 }
    }

    /// Forgets every number.
    pub fn reset(&mut self) {
        (self.at, self.is_full, self.lap) = (0, false, 0.0);
    }

    /// Takes in one number; the sum once there are enough.
    #[inline]
    pub fn take(&mut self, number: f64) -> Option<f64> {
        self.ring[self.at] = number;
        self.at += 1;
        self.lap += number;
        if self.at == self.ring.len() {
            for at in (1..self.ring.len()).rev() {
                self.ring[at - 1] += self.ring[at];
            }
            (self.at, self.is_full, self.lap) = (0, true, 0.0);
            return Some(self.ring[0]);
        }
        self.is_full.then(|| self.ring[self.at] + self.lap)
    }
}
