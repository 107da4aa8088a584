//! Distances from the usual level in, how far the last few are off together out.
//!
//! One far value is a spike; several that are moderately far on the same side are a shift. Single
//! values count up to a fence only, so that a spike is not taken for a shift.
//!
//! Source: Roberts (1959), "Control chart tests based on geometric moving averages", Technometrics
//! 1(3).

/// Weight of the newest distance: the last five or so.
const WEIGHT: f64 = 0.2;
/// A distance counts up to so many scales.
const FENCE: f64 = 8.0;

/// A short mean of distances from the usual level.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shift(f64);

impl Shift {
    /// Takes in one distance, in scales; the signed mean.
    pub fn update(&mut self, z: f64) -> f64 {
        self.0 += WEIGHT * (z.clamp(-FENCE, FENCE) - self.0);
        self.0
    }

    /// The signed mean.
    pub const fn mean(&self) -> f64 {
        self.0
    }
}
