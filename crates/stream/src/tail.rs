//! Sizes of one statistic in, how surprising each is out, in nats: minus the logarithm of the
//! share of times that this statistic was as large.
//!
//! What is "large" differs from series to series by orders of magnitude, and so does how much
//! larger than usual a usual outlier is. So each statistic is measured by its own history: a high
//! quantile, and by what factor it is exceeded when it is (a power law, whose exponent is the mean
//! of the logarithms of those factors). Two numbers and two counts; nothing is stored.
//!
//! Source: Hill (1975), "A simple general approach to inference about the tail of a distribution",
//! Annals of Statistics 3(5); Robbins and Monro (1951), "A stochastic approximation method", Annals
//! of Mathematical Statistics 22(3), for the quantile.

/// The share of the past beyond the quantile that the tail begins at.
const SHARE: f64 = 0.02;
/// Observations before anything can be surprising.
const COUNT_MIN: u32 = 30;
/// An exponent that is usual, worth `PRIOR_COUNT` excesses, for a tail that was seldom seen.
const PRIOR_EXCESS: f64 = 0.25;
const PRIOR_COUNT: f64 = 8.0;
/// An excess is learnt up to this many usual ones, so that a fault does not become usual.
const FENCE: f64 = 4.0;
/// Surprise beyond the quantile ends here; what is larger is not more certain.
const BEYOND_MAX: f64 = 20.0;
/// Below the quantile, surprise falls this fast with the logarithm of the size.
const FALL: f64 = 2.0;
/// Added to sizes, so that 0 has a logarithm and small ones are alike.
const GRAIN: f64 = 0.05;

/// The upper tail of one statistic.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tail {
    quantile: f64,
    excess: f64,
    excesses: f64,
    count: u32,
}

impl Tail {
    /// How surprising `size` (0 or more) is, and learns it.
    pub fn update(&mut self, size: f64) -> f64 {
        let size = (size + GRAIN).ln();
        if self.count == 0 {
            self.quantile = size;
        }
        let beyond = size - self.quantile;
        let usual = (self.excess * self.excesses + PRIOR_EXCESS * PRIOR_COUNT)
            / (self.excesses + PRIOR_COUNT);
        let surprise = if self.count < COUNT_MIN {
            0.0
        } else if beyond > 0.0 {
            -SHARE.ln() + (beyond / usual).min(BEYOND_MAX)
        } else {
            (-SHARE.ln() + FALL * beyond).max(0.0)
        };
        self.learn(beyond, usual);
        surprise
    }

    fn learn(&mut self, beyond: f64, usual: f64) {
        let step = (1.5 / (f64::from(self.count) + 1.0)).max(0.01);
        if beyond > 0.0 {
            if self.count >= COUNT_MIN {
                let weight = (1.0 / (self.excesses + 1.0)).max(0.01);
                self.excess += weight * (beyond.min(FENCE * usual) - self.excess);
                self.excesses = (self.excesses + 1.0).min(100.0);
            }
            self.quantile += step * (1.0 - SHARE);
        } else {
            self.quantile -= step * SHARE;
        }
        self.count = self.count.saturating_add(1);
    }
}
