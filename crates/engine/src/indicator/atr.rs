//! Bars in; Wilder's average true range out.

use super::ema::Ema;
use super::{Indicator, Refused, period, sound};
use serde::{Deserialize, Serialize};

/// Average true range: Wilder's average (weight `1 / period`) of
/// `max(high − low, |high − previous close|, |low − previous close|)`, in the unit of the price. The
/// first value comes with bar `period + 1`, as in TA-Lib.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Atr {
    previous_close: Option<f64>,
    range: Ema,
}

impl Atr {
    /// A range over about so many bars.
    ///
    /// # Errors
    /// The period is 0 or beyond [`super::PERIOD_MAX`].
    pub fn new(length: usize) -> Result<Self, Refused> {
        Ok(Self { previous_close: None, range: Ema::wilder(period("period", length, 1)?) })
    }
}

impl Indicator<3, 1> for Atr {
    /// Takes in high, low and close.
    #[inline]
    fn update(&mut self, bar: [f64; 3]) -> Result<Option<[f64; 1]>, Refused> {
        let [high, low, close] = [sound(bar[0])?, sound(bar[1])?, sound(bar[2])?];
        if high < low {
            return Err(Refused::Bar { high, low });
        }
        let Some(previous) = self.previous_close.replace(close) else { return Ok(None) };
        let range = (high - low).max((high - previous).abs()).max((low - previous).abs());
        Ok(self.range.take(range).map(|value| [value]))
    }

    fn reset(&mut self) {
        self.previous_close = None;
        self.range.reset();
    }
}
