//! Observations in; the plain mean of the last so many out.

use super::moments::Moments;
use super::{Indicator, Refused, period, sound};
use serde::{Deserialize, Serialize};

/// Simple moving average: the mean of the last `period` observations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sma {
    window: Moments,
}

impl Sma {
    /// A mean of so many observations.
    ///
    /// # Errors
    /// The period is 0 or beyond [`super::PERIOD_MAX`].
    pub fn new(length: usize) -> Result<Self, Refused> {
        Ok(Self { window: Moments::new(period("period", length, 1)?) })
    }
}

impl Indicator<1, 1> for Sma {
    #[inline]
    fn update(&mut self, [observation]: [f64; 1]) -> Result<Option<[f64; 1]>, Refused> {
        Ok(self.window.take(sound(observation)?).map(|(mean, _)| [mean]))
    }

    fn reset(&mut self) {
        self.window.reset();
    }
}
