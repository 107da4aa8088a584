//! Closing prices in; Bollinger's bands out.

use super::moments::Moments;
use super::{Indicator, Refused, above_zero, period, sound};
use serde::{Deserialize, Serialize};

/// Bollinger bands: the mean of the last `period` prices, and that mean plus and minus `width` times
/// their standard deviation (of the whole window, as in TA-Lib). Upper, middle, lower.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bollinger {
    window: Moments,
    width: f64,
}

impl Bollinger {
    /// Bands of so many standard deviations around the mean of so many prices.
    ///
    /// # Errors
    /// The period is below 2 or beyond [`super::PERIOD_MAX`], or the width is not above zero.
    pub fn new(length: usize, width: f64) -> Result<Self, Refused> {
        let window = Moments::new(period("period", length, 2)?);
        Ok(Self { window, width: above_zero("width", width)? })
    }
}

impl Indicator<1, 3> for Bollinger {
    #[inline]
    fn update(&mut self, [close]: [f64; 1]) -> Result<Option<[f64; 3]>, Refused> {
        Ok(self.window.take(sound(close)?).map(|(mean, variance)| {
            let reach = self.width * variance.sqrt();
            [mean + reach, mean, mean - reach]
        }))
    }

    fn reset(&mut self) {
        self.window.reset();
    }
}
