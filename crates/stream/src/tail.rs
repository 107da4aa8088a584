//! Sizes of one statistic in, how surprising each is out, in nats: minus the logarithm of the
//! share of times that this statistic was as large.
//!
//! What is "large" differs from series to series by orders of magnitude, and so does how much
//! larger than usual a usual outlier is. So each statistic is measured by its own history: two high
//! quantiles, and by what factor the higher is exceeded when it is (a power law, whose exponent is
//! the mean of the logarithms of those factors). Three numbers and two counts; nothing is stored.
//! One quantile would not do: a series that jumps twice a day has a tail of two humps.
//!
//! Source: Hill (1975), "A simple general approach to inference about the tail of a distribution",
//! Annals of Statistics 3(5); Robbins and Monro (1951), "A stochastic approximation method", Annals
//! of Mathematical Statistics 22(3), for the quantiles.

/// The shares of the past beyond the two quantiles.
const HIGH: f64 = 0.02;
const HIGHEST: f64 = 0.002;
/// Minus the logarithms of these shares.
const HIGH_SURPRISE: f64 = 3.912_023_005_428_146;
const HIGHEST_SURPRISE: f64 = 6.214_608_098_422_191;
/// Observations before anything can be surprising.
const COUNT_MIN: u32 = 30;
/// An excess that is usual, worth `PRIOR_COUNT` of them, for a tail that was seldom seen.
const PRIOR_EXCESS: f64 = 0.4;
const PRIOR_COUNT: f64 = 8.0;
/// An excess is learnt up to this many usual ones, so that a fault does not become usual.
const FENCE: f64 = 4.0;
/// How fast excesses are forgotten at most, and how many are remembered.
const EXCESS_WEIGHT: f64 = 0.03;
const EXCESSES_MAX: f64 = 100.0;
/// Surprise beyond the highest quantile ends here; what is larger is not more certain.
const BEYOND_MAX: f64 = 40.0;
/// Below the quantiles, surprise falls this fast with the logarithm of the size.
const FALL: f64 = 2.0;
/// Steps of the quantiles: large while young, so that they come from anywhere, then small.
const STEP_YOUNG: f64 = 3.0;
const STEP: f64 = 0.01;
/// Least distance of the two quantiles.
const APART: f64 = 0.05;
/// Added to sizes, so that 0 has a logarithm and small ones are alike.
const GRAIN: f64 = 0.5;

/// The upper tail of one statistic.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tail {
    high: f64,
    highest: f64,
    excess: f64,
    excesses: f64,
    count: u32,
}

impl Tail {
    /// How surprising `size` (0 or more) is, and learns it.
    pub fn update(&mut self, size: f64) -> f64 {
        let size = (size + GRAIN).ln();
        if self.count == 0 {
            (self.high, self.highest) = (size, size + 0.3);
        }
        let (beyond, far) = (size - self.high, size - self.highest);
        let usual = (self.excess * self.excesses + PRIOR_EXCESS * PRIOR_COUNT)
            / (self.excesses + PRIOR_COUNT);
        let surprise = if self.count < COUNT_MIN {
            0.0
        } else if far > 0.0 {
            HIGHEST_SURPRISE + (far / usual).min(BEYOND_MAX)
        } else if beyond > 0.0 {
            let span = (self.highest - self.high).max(APART);
            HIGH_SURPRISE + (HIGHEST_SURPRISE - HIGH_SURPRISE) * beyond / span
        } else {
            (HIGH_SURPRISE + FALL * beyond).max(0.0)
        };
        self.learn(beyond, far, usual);
        surprise
    }

    fn learn(&mut self, beyond: f64, far: f64, usual: f64) {
        let step = (STEP_YOUNG / (f64::from(self.count) + 1.0)).max(STEP);
        self.high += step * if beyond > 0.0 { 1.0 - HIGH } else { -HIGH };
        self.highest += step * if far > 0.0 { 1.0 - HIGHEST } else { -HIGHEST };
        self.highest = self.highest.max(self.high + APART);
        if far > 0.0 && self.count >= COUNT_MIN {
            let weight = (1.0 / (self.excesses + 1.0)).max(EXCESS_WEIGHT);
            self.excess += weight * (far.min(FENCE * usual) - self.excess);
            self.excesses = (self.excesses + 1.0).min(EXCESSES_MAX);
        }
        self.count = self.count.saturating_add(1);
    }
}

/// A pair of tails: what rises seldom may fall often.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sides([Tail; 2]);

impl Sides {
    /// How surprising a signed size is on its side, and learns it.
    pub fn update(&mut self, signed: f64) -> f64 {
        self.0[usize::from(signed <= 0.0)].update(signed.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_is_never_less_surprising() {
        let mut tail = Tail::default();
        for at in 0..5000 {
            tail.update(f64::from(at * 7919 % 1000) / 250.0);
        }
        let told: Vec<f64> =
            [0.1, 1.0, 3.0, 4.0, 5.0, 9.0, 80.0].map(|size| tail.clone().update(size)).into();
        assert!(told.windows(2).all(|pair| pair[0] <= pair[1]), "{told:?}");
        assert!(told[2] < HIGH_SURPRISE && told[6] > HIGHEST_SURPRISE, "{told:?}");
    }

    #[test]
    fn a_share_of_two_in_a_hundred_is_as_surprising_as_its_logarithm() {
        let mut tail = Tail::default();
        let mut loud = 0;
        for at in 0..20_000_u32 {
            let size = f64::from(at.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
            if tail.update(size) > HIGH_SURPRISE && at >= 10_000 {
                loud += 1;
            }
        }
        assert!((150..=250).contains(&loud), "{loud} of 10000, expected about 200");
    }
}
