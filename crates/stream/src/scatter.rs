//! Errors of forecasts in, how restless the last ones are beside the usual out.

/// Weight of the newest error in the short mean, and in the long one.
const SHORT: f64 = 0.1;
const LONG: f64 = 0.002;
/// An error counts up to so many usual ones, so that one spike is no restlessness.
const FENCE: f64 = 6.0;

/// Mean size of errors, of late and usually.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scatter {
    short: f64,
    long: f64,
    count: u32,
}

impl Scatter {
    /// Takes in one error, in usual ones; by what factor the last ones are larger than usual.
    pub fn update(&mut self, error: f64) -> f64 {
        let size = error.abs().min(FENCE);
        self.count = self.count.saturating_add(1);
        let young = 1.0 / f64::from(self.count);
        self.short += young.max(SHORT) * (size - self.short);
        self.long += young.max(LONG) * (size - self.long);
        self.ratio()
    }

    /// By what factor the last errors are larger than usual.
    pub fn ratio(&self) -> f64 {
        if self.long > 0.0 { self.short / self.long } else { 1.0 }
    }
}
