//! Closing prices in; how much they moved, as a root of mean squared logarithmic returns, out.

use super::sums::Sums;
use super::{Indicator, Refused, above_zero, period, sound};
use serde::{Deserialize, Serialize};

/// Realised volatility: `√(periods_per_year / period · Σ r²)` over the last `period` logarithmic
/// returns `r = ln(close / previous close)`. With one period per year it is per observation. The
/// mean return is not taken off: over short windows it is noise (Andersen and Bollerslev, 1998).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealisedVolatility {
    previous: Option<f64>,
    squares: Sums,
    scale: f64,
}

impl RealisedVolatility {
    /// Over so many returns, scaled to a year of so many.
    ///
    /// # Errors
    /// The period is 0 or beyond [`super::PERIOD_MAX`], or the year has no periods.
    pub fn new(length: usize, periods_per_year: f64) -> Result<Self, Refused> {
        let length = period("period", length, 1)?;
        let scale = above_zero("periods_per_year", periods_per_year)? / length as f64;
        Ok(Self { previous: None, squares: Sums::new(length), scale })
    }
}

impl Indicator<1, 1> for RealisedVolatility {
    #[inline]
    fn update(&mut self, [close]: [f64; 1]) -> Result<Option<[f64; 1]>, Refused> {
        let close = sound(close)?;
        if close < f64::MIN_POSITIVE {
            return Err(Refused::Price(close));
        }
        let Some(previous) = self.previous.replace(close) else { return Ok(None) };
        let log_return = logarithm(close / previous);
        Ok(self.squares.take(log_return * log_return).map(|sum| [(self.scale * sum).sqrt()]))
    }

    fn reset(&mut self) {
        self.previous = None;
        self.squares.reset();
    }
}

/// Natural logarithm of a positive, normal number, by `2 · artanh((m − 1) / (m + 1))` of the mantissa
/// `m` in ⅔..4⁄3: only operations that IEEE 754 fixes to the last bit, where the logarithms of two C
/// libraries may differ and break a replay elsewhere.
#[inline]
fn logarithm(number: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    let bits = number.to_bits();
    let mut exponent = ((bits >> 52) as i32) - 1023;
    let mut mantissa = f64::from_bits((bits & MANTISSA) | 1.0_f64.to_bits());
    if mantissa > 4.0 / 3.0 {
        mantissa *= 0.5;
        exponent += 1;
    }
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    // |ratio| ≤ 1/5, so that the next term would be below 1e-17 of the sum.
    let series = (0..=11_u32).rev().fold(0.0, |sum, n| sum * square + 1.0 / f64::from(2 * n + 1));
    2.0 * ratio * series + f64::from(exponent) * core::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn logarithm_agrees_with_the_library(exponent in -300.0..300.0_f64, near in -1e-3..1e-3_f64) {
            for number in [10_f64.powf(exponent), 1.0 + near] {
                let (found, expected) = (logarithm(number), number.ln());
                prop_assert!((found - expected).abs() <= 4e-16 * expected.abs(), "{}", number);
            }
        }
    }
}
