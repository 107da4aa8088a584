//! Observations in; their exponential moving average, as charts draw it, out.

use super::recurrence::Recurrence;
use super::wide::wide;
use super::{CHUNK, Indicator, Refused, RefusedAt, all_sound, period, sound};
use serde::{Deserialize, Serialize};

/// Exponential moving average: `y ← y + 2 / (period + 1) · (x − y)`, from the mean of the first
/// `period` observations on, which is its first value.
///
/// That beginning is what charts and TA-Lib use. [`super::DecayingMean`] counts by half-lives and
/// begins with the first observation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ema {
    period: usize,
    weight: f64,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant)] // A box would be memory taken in the hot path.
enum State {
    /// The sum is of what lies beyond the first observation, so that a constant has exactly itself
    /// for its mean.
    Warming {
        first: f64,
        sum: f64,
        count: usize,
    },
    Warm(Recurrence),
}

const COLD: State = State::Warming { first: 0.0, sum: 0.0, count: 0 };

impl Ema {
    /// An average over about `period` observations.
    ///
    /// # Errors
    /// The period is 0 or beyond [`super::PERIOD_MAX`].
    pub fn new(length: usize) -> Result<Self, Refused> {
        Ok(Self::with_weight(period("period", length, 1)?, 2.0 / (length as f64 + 1.0)))
    }

    /// Wilder's average, whose weight is `1 / period`.
    pub(super) fn wilder(length: usize) -> Self {
        Self::with_weight(length, 1.0 / length as f64)
    }

    fn with_weight(period: usize, weight: f64) -> Self {
        Self { period, weight, state: COLD }
    }

    /// One observation that is known to be sound.
    #[inline]
    pub(super) fn take(&mut self, observation: f64) -> Option<f64> {
        match &mut self.state {
            State::Warm(mean) => Some(mean.update(observation)),
            State::Warming { first, sum, count } => {
                if *count == 0 {
                    *first = observation;
                }
                *sum += observation - *first;
                *count += 1;
                if *count < self.period {
                    return None;
                }
                let mean = *first + *sum / self.period as f64;
                self.state = State::Warm(Recurrence::new(self.weight, mean));
                Some(mean)
            }
        }
    }

    /// Many observations that are known to be sound; NaN while there were too few.
    pub(super) fn take_all(&mut self, observations: &[f64], values: &mut [f64]) {
        let mut at = 0;
        while at < observations.len() && matches!(self.state, State::Warming { .. }) {
            values[at] = self.take(observations[at]).unwrap_or(f64::NAN);
            at += 1;
        }
        if let State::Warm(mean) = &mut self.state {
            mean.update_all(&observations[at..], &mut values[at..]);
        }
    }
}

impl Indicator<1, 1> for Ema {
    #[inline]
    fn update(&mut self, [observation]: [f64; 1]) -> Result<Option<[f64; 1]>, Refused> {
        Ok(self.take(sound(observation)?).map(|value| [value]))
    }

    fn reset(&mut self) {
        self.state = COLD;
    }

    fn update_all(
        &mut self,
        [observations]: [&[f64]; 1],
        [values]: [&mut [f64]; 1],
    ) -> Result<(), RefusedAt> {
        wide(|| {
            for (number, chunk) in observations.chunks(CHUNK).enumerate() {
                let first = number * CHUNK;
                all_sound(chunk, first)?;
                self.take_all(chunk, &mut values[first..first + chunk.len()]);
            }
            Ok(())
        })
    }
}
