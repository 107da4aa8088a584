//! Observations in; mean and variance of the last so many out.
//!
//! Sums slide: what comes in is added, what falls out is taken away, which leaves a rounding error
//! each time. So a second pair of sums is begun anew with each lap of the ring; after a whole lap it
//! holds exactly the window and takes over. All is relative to the first observation of the lap, so
//! that the variance of large, similar prices does not drown in their squares.

use serde::{Deserialize, Serialize};

/// Sums of what lies beyond an origin.
#[derive(Copy, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    origin: f64,
    sum: f64,
    squares: f64,
}

/// The last `period` observations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    ring: Vec<f64>,
    at: usize,
    is_full: bool,
    now: Sums,
    next: Sums,
}

impl Moments {
    /// A window of so many observations, at least one.
    pub fn new(period: usize) -> Self {
        let zero = Sums::default();
        Self { ring: vec![0.0; period], at: 0, is_full: false, now: zero, next: zero }
    }

    /// Forgets every observation.
    pub fn reset(&mut self) {
        (self.at, self.is_full) = (0, false);
    }

    /// Takes in one observation; mean and variance (of the whole window, not of a sample) once it
    /// is full.
    #[inline]
    pub fn take(&mut self, observation: f64) -> Option<(f64, f64)> {
        let slot = &mut self.ring[self.at];
        let left = core::mem::replace(slot, observation);
        if self.at == 0 {
            self.next = Sums { origin: observation, sum: 0.0, squares: 0.0 };
        }
        let beyond = observation - self.next.origin;
        self.next.sum += beyond;
        self.next.squares += beyond * beyond;
        let change = observation - left;
        let now = &mut self.now;
        now.sum += change;
        now.squares += change * ((observation - now.origin) + (left - now.origin));
        self.at += 1;
        if self.at == self.ring.len() {
            (self.at, self.is_full, self.now) = (0, true, self.next);
        }
        self.is_full.then(|| self.figures())
    }

    #[inline]
    fn figures(&self) -> (f64, f64) {
        let count = self.ring.len() as f64;
        let Sums { origin, sum, squares } = self.now;
        let mean = sum / count;
        (origin + mean, (squares / count - mean * mean).max(0.0))
    }
}
