//! Observations in; an average that forgets by half-lives, counted in updates, out.

use serde::{Deserialize, Serialize};

/// Exponential moving average with a half-life counted in updates.
///
/// `value ← value + α · (observation − value)` with `α = 1 − 2^(−1 / half_life)`: after `half_life`
/// updates an old observation counts half of what it did. The first observation is the first value,
/// so the average does not climb from zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecayingMean {
    alpha: f64,
    value: Option<f64>,
}

impl DecayingMean {
    /// An average of nothing yet. A half-life of zero updates follows the observation exactly.
    pub fn new(half_life_updates: u32) -> Self {
        let alpha = match half_life_updates {
            0 => 1.0,
            updates => 1.0 - half_to_the(1.0 / f64::from(updates)),
        };
        Self { alpha, value: None }
    }

    /// Takes in one observation and gives the new average.
    #[inline]
    pub fn update(&mut self, observation: f64) -> f64 {
        let value = match self.value {
            None => observation,
            Some(value) => value + self.alpha * (observation - value),
        };
        self.value = Some(value);
        value
    }

    /// The average, once there was an observation.
    pub fn value(&self) -> Option<f64> {
        self.value
    }

    /// Forgets every observation, for when the market was out of sight.
    pub fn reset(&mut self) {
        self.value = None;
    }
}

/// `2^(−exponent)` for an exponent in 0..=1, by its Taylor series: only +, × and ÷, which IEEE 754
/// fixes to the last bit, where `powf` of two C libraries may differ and break a replay elsewhere.
fn half_to_the(exponent: f64) -> f64 {
    let x = -core::f64::consts::LN_2 * exponent;
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 1..=20_u32 {
        term = term * x / f64::from(n);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn first_observation_is_the_first_value() {
        let mut mean = DecayingMean::new(10);
        assert_eq!(mean.value(), None);
        assert!((mean.update(61_600.0) - 61_600.0).abs() < 1e-9);
    }

    #[test]
    fn a_step_is_half_followed_after_one_half_life() {
        for half_life in [1, 2, 7, 100, 5_000] {
            let mut mean = DecayingMean::new(half_life);
            mean.update(0.0);
            let value = (0..half_life).map(|_| mean.update(1.0)).last();
            assert!((value.unwrap_or(0.0) - 0.5).abs() < 1e-9, "half-life {half_life}: {value:?}");
        }
    }

    #[test]
    fn half_life_zero_follows_exactly_and_reset_forgets() {
        let mut mean = DecayingMean::new(0);
        mean.update(1.0);
        assert!((mean.update(5.0) - 5.0).abs() < f64::EPSILON);
        mean.reset();
        assert_eq!(mean.value(), None);
    }

    proptest! {
        #[test]
        fn average_stays_within_what_it_saw(
            half_life in 0..1_000_u32,
            seen in prop::collection::vec(-1e6..1e6_f64, 1..100),
        ) {
            let mut mean = DecayingMean::new(half_life);
            for &observation in &seen {
                mean.update(observation);
            }
            let (low, high) = seen.iter().fold((f64::MAX, f64::MIN), |(l, h), &x| (l.min(x), h.max(x)));
            let value = mean.value().unwrap_or(f64::NAN);
            prop_assert!(value >= low - 1e-6 && value <= high + 1e-6);
        }
    }
}
