//! Closing prices in; Wilder's relative strength index, 0 to 100, out.

use super::ema::Ema;
use super::wide::wide;
use super::{CHUNK, Indicator, Refused, RefusedAt, all_sound, period, sound};
use serde::{Deserialize, Serialize};

/// A sum of mean rise and mean fall below this counts as no movement, as in TA-Lib.
const STILL: f64 = 1e-14;

/// Relative strength index: `100 · rise / (rise + fall)`, where `rise` and `fall` are Wilder's
/// averages (weight `1 / period`) of the upward and downward changes. 0 where nothing moves. The
/// first value comes with observation `period + 1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rsi {
    previous: Option<f64>,
    rise: Ema,
    fall: Ema,
}

impl Rsi {
    /// An index over about `period` changes.
    ///
    /// # Errors
    /// The period is 0 or beyond [`super::PERIOD_MAX`].
    pub fn new(length: usize) -> Result<Self, Refused> {
        let length = period("period", length, 1)?;
        Ok(Self { previous: None, rise: Ema::wilder(length), fall: Ema::wilder(length) })
    }

    #[inline]
    fn take(&mut self, close: f64) -> Option<f64> {
        let change = close - self.previous.replace(close)?;
        let (rise, fall) = parts(change);
        let (rise, fall) = (self.rise.take(rise), self.fall.take(fall));
        Some(strength(rise?, fall?))
    }
}

/// Upward and downward change; one of the two is zero.
#[inline]
fn parts(change: f64) -> (f64, f64) {
    (0.5 * (change.abs() + change), 0.5 * (change.abs() - change))
}

#[inline]
fn strength(rise: f64, fall: f64) -> f64 {
    let both = rise + fall;
    // By a selection instead of a branch, so that it is done several at a time.
    let strength = 100.0 * (rise / both);
    if both < STILL { 0.0 } else { strength }
}

impl Indicator<1, 1> for Rsi {
    #[inline]
    fn update(&mut self, [close]: [f64; 1]) -> Result<Option<[f64; 1]>, Refused> {
        Ok(self.take(sound(close)?).map(|value| [value]))
    }

    fn reset(&mut self) {
        self.previous = None;
        self.rise.reset();
        self.fall.reset();
    }

    fn update_all(
        &mut self,
        [closes]: [&[f64]; 1],
        [values]: [&mut [f64]; 1],
    ) -> Result<(), RefusedAt> {
        wide(|| {
            let (mut rises, mut falls) = ([0.0; CHUNK], [0.0; CHUNK]);
            let (mut mean_rises, mut mean_falls) = ([0.0; CHUNK], [0.0; CHUNK]);
            let mut first = 0;
            if self.previous.is_none() && !closes.is_empty() {
                all_sound(&closes[..1], 0)?;
                (self.previous, values[0], first) = (Some(closes[0]), f64::NAN, 1);
            }
            while first < closes.len() {
                let end = closes.len().min(first + CHUNK);
                let chunk = &closes[first..end];
                all_sound(chunk, first)?;
                let count = chunk.len();
                (rises[0], falls[0]) = parts(chunk[0] - self.previous.unwrap_or(chunk[0]));
                for at in 1..count {
                    (rises[at], falls[at]) = parts(chunk[at] - chunk[at - 1]);
                }
                self.previous = chunk.last().copied();
                self.rise.take_all(&rises[..count], &mut mean_rises[..count]);
                self.fall.take_all(&falls[..count], &mut mean_falls[..count]);
                let means = mean_rises[..count].iter().zip(&mean_falls[..count]);
                for (value, (&rise, &fall)) in values[first..end].iter_mut().zip(means) {
                    *value = strength(rise, fall);
                }
                first = end;
            }
            Ok(())
        })
    }
}
