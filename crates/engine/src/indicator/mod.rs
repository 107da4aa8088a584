//! Prices, volumes and quotes in; technical figures out, one observation at a time.
//!
//! A shelf: one indicator per file, all with the protocol [`Indicator`]. An update takes the same
//! short time however long the window is, takes no memory, and gives the same bits on every machine:
//! only +, −, ×, ÷ and the square root, which IEEE 754 fixes. Many observations at once
//! ([`Indicator::update_all`]) give the same bits as one at a time.
//!
//! Floats are allowed here and in models only.

mod atr;
mod bollinger;
mod decaying_mean;
mod ema;
mod imbalance;
mod macd;
mod microprice;
mod moments;
mod realised_volatility;
mod recurrence;
mod rsi;
mod sma;
mod sums;
mod vwap;
mod wide;

pub use atr::Atr;
pub use bollinger::Bollinger;
pub use decaying_mean::DecayingMean;
pub use ema::Ema;
pub use imbalance::{imbalance, imbalance_of_rows};
pub use macd::Macd;
pub use microprice::Microprice;
pub use realised_volatility::RealisedVolatility;
pub use rsi::Rsi;
pub use sma::Sma;
pub use vwap::Vwap;

/// The longest window, in observations: 8 MB of memory and a year of half-minutes.
pub const PERIOD_MAX: usize = 1_000_000;
/// Observations are smaller than this, so that no square and no product of two can overflow.
pub const SIZE_MAX: f64 = 1e100;
/// Observations that stay in the first cache while several passes go over them.
const CHUNK: usize = 512;

/// Why an observation or a parameter was refused; what refused it is unchanged.
#[derive(Copy, Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refused {
    /// Not a number, or too large to compute with.
    #[error("expected a finite number below 1e100 in size, found {0}")]
    Size(f64),
    /// A price whose logarithm is asked for.
    #[error("expected a price above 0, found {0}")]
    Price(f64),
    /// A volume or quantity below zero.
    #[error("expected a volume of 0 or more, found {0}")]
    Volume(f64),
    /// A bar that is upside down.
    #[error("expected high ≥ low, found high {high} and low {low}")]
    Bar {
        /// Its high.
        high: f64,
        /// Its low.
        low: f64,
    },
    /// A window that cannot be.
    #[error("{name}: expected {least} to {PERIOD_MAX}, found {found}")]
    Period {
        /// Which parameter.
        name: &'static str,
        /// The smallest that makes sense.
        least: usize,
        /// What was given.
        found: usize,
    },
    /// A fast average that is not faster than the slow one.
    #[error("fast: expected less than slow ({slow}), found {fast}")]
    Order {
        /// Observations of the fast average.
        fast: usize,
        /// Observations of the slow average.
        slow: usize,
    },
    /// A number of standard deviations, or of periods, that makes no sense.
    #[error("{name}: expected a finite number above 0, found {found}")]
    Positive {
        /// Which parameter.
        name: &'static str,
        /// What was given.
        found: f64,
    },
}

/// An observation that was refused, and where it stood.
#[derive(Copy, Clone, Debug, PartialEq, thiserror::Error)]
#[error("at index {index}: {reason}")]
pub struct RefusedAt {
    /// Its index, from 0.
    pub index: usize,
    /// Why.
    pub reason: Refused,
}

/// A figure made from a stream of observations of `IN` numbers each.
pub trait Indicator<const IN: usize, const OUT: usize> {
    /// Takes in one observation; gives the figures, or nothing while there were too few.
    ///
    /// # Errors
    /// The observation makes no sense; the indicator is unchanged.
    fn update(&mut self, observation: [f64; IN]) -> Result<Option<[f64; OUT]>, Refused>;

    /// Forgets every observation.
    fn reset(&mut self);

    /// Takes in many observations, given by column, and writes the figures after each; NaN where
    /// [`Indicator::update`] gives nothing. The slices are equally long.
    ///
    /// # Errors
    /// An observation makes no sense; those after it were not looked at.
    fn update_all(
        &mut self,
        observations: [&[f64]; IN],
        mut figures: [&mut [f64]; OUT],
    ) -> Result<(), RefusedAt> {
        for index in 0..observations.first().map_or(0, |column| column.len()) {
            let observation = observations.map(|column| column[index]);
            let found = self.update(observation).map_err(|reason| RefusedAt { index, reason })?;
            let found = found.unwrap_or([f64::NAN; OUT]);
            for (column, value) in figures.iter_mut().zip(found) {
                column[index] = value;
            }
        }
        Ok(())
    }
}

/// The observation, if it can be computed with.
#[inline]
fn sound(observation: f64) -> Result<f64, Refused> {
    if observation.abs() < SIZE_MAX { Ok(observation) } else { Err(Refused::Size(observation)) }
}

/// The same of many; `first` is the index of the first of them.
fn all_sound(observations: &[f64], first: usize) -> Result<(), RefusedAt> {
    // Without a way out of the loop, so that it is done four at a time.
    if observations.iter().fold(true, |sound, x| sound & (x.abs() < SIZE_MAX)) {
        return Ok(());
    }
    let at = observations.iter().position(|&x| sound(x).is_err()).unwrap_or(0);
    Err(RefusedAt { index: first + at, reason: Refused::Size(observations[at]) })
}

/// A window's length, checked.
fn period(name: &'static str, found: usize, least: usize) -> Result<usize, Refused> {
    let is_sound = (least..=PERIOD_MAX).contains(&found);
    if is_sound { Ok(found) } else { Err(Refused::Period { name, least, found }) }
}

/// A parameter that is above zero, checked.
fn above_zero(name: &'static str, found: f64) -> Result<f64, Refused> {
    if found > 0.0 && found < SIZE_MAX { Ok(found) } else { Err(Refused::Positive { name, found }) }
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // Where a figure is exact, the bits are what is tested.
mod tests;
