//! Closing prices in; how much they moved, as a root of mean squared logarithmic returns, out.

use super::sums::Sums;
use super::wide::wide;
use super::{CHUNK, Indicator, Refused, RefusedAt, above_zero, period, sound};
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
        let close = priced(close)?;
        let Some(previous) = self.previous.replace(close) else { return Ok(None) };
        let squares = self.squares.take(squared_return(close, previous));
        Ok(squares.map(|sum| [(self.scale * sum).sqrt()]))
    }

    fn reset(&mut self) {
        self.previous = None;
        self.squares.reset();
    }

    fn update_all(
        &mut self,
        [closes]: [&[f64]; 1],
        [figures]: [&mut [f64]; 1],
    ) -> Result<(), RefusedAt> {
        wide(|| {
            let mut squares = [0.0; CHUNK];
            let mut first = 0;
            if self.previous.is_none() && !closes.is_empty() {
                all_priced(&closes[..1], 0)?;
                (self.previous, figures[0], first) = (Some(closes[0]), f64::NAN, 1);
            }
            while first < closes.len() {
                let end = closes.len().min(first + CHUNK);
                let (chunk, figures) = (&closes[first..end], &mut figures[first..end]);
                all_priced(chunk, first)?;
                let squares = &mut squares[..chunk.len()];
                squares[0] = squared_return(chunk[0], self.previous.unwrap_or(chunk[0]));
                for (square, pair) in squares[1..].iter_mut().zip(chunk.windows(2)) {
                    *square = squared_return(pair[1], pair[0]);
                }
                self.previous = chunk.last().copied();
                for (figure, &square) in figures.iter_mut().zip(&*squares) {
                    *figure = self.squares.take(square).unwrap_or(f64::NAN);
                }
                for figure in figures {
                    *figure = (self.scale * *figure).sqrt();
                }
                first = end;
            }
            Ok(())
        })
    }
}

/// The price, if it has a logarithm that can be computed with.
#[inline]
fn priced(close: f64) -> Result<f64, Refused> {
    let close = sound(close)?;
    if close < f64::MIN_POSITIVE { Err(Refused::Price(close)) } else { Ok(close) }
}

/// The same of many; `first` is the index of the first of them.
fn all_priced(closes: &[f64], first: usize) -> Result<(), RefusedAt> {
    let found = closes.iter().enumerate().find_map(|(at, &close)| Some((at, priced(close).err()?)));
    found.map_or(Ok(()), |(at, reason)| Err(RefusedAt { index: first + at, reason }))
}

#[inline]
fn squared_return(close: f64, previous: f64) -> f64 {
    let log_return = logarithm(close / previous);
    log_return * log_return
}

/// Natural logarithm of a positive, normal number, by `2 · artanh((m − 1) / (m + 1))` of the mantissa
/// `m` in ⅔..4⁄3: only operations that IEEE 754 fixes to the last bit, where the logarithms of two C
/// libraries may differ and break a replay elsewhere.
#[inline]
fn logarithm(number: f64) -> f64 {
    const MANTISSA: u64 = (1 << 52) - 1;
    // A number of this exponent has units of one, so that its lowest bits are a whole number: a
    // conversion that can be done several at a time, like everything here.
    const UNITS: f64 = (1_u64 << 52) as f64;
    let bits = number.to_bits();
    let exponent = f64::from_bits((bits >> 52) | UNITS.to_bits()) - (UNITS + 1023.0);
    let mantissa = f64::from_bits((bits & MANTISSA) | 1.0_f64.to_bits());
    let is_high = mantissa > 4.0 / 3.0;
    let mantissa = if is_high { 0.5 * mantissa } else { mantissa };
    let exponent = if is_high { exponent + 1.0 } else { exponent };
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    // |ratio| ≤ 1/5, so that the next term would be below 1e-17 of the sum.
    let series = (0..=11_u32).rev().fold(0.0, |sum, n| sum * square + 1.0 / f64::from(2 * n + 1));
    2.0 * ratio * series + exponent * core::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_arrays_give_the_bits_of_a_stream_and_name_the_price_that_they_refuse() {
        let mut closes: Vec<f64> = (0..1_300).map(|n| 1e4 + f64::from(n * n % 977)).collect();
        let (mut stream, mut array) = (
            RealisedVolatility::new(20, 365.0).unwrap(),
            RealisedVolatility::new(20, 365.0).unwrap(),
        );
        let mut figures = vec![0.0; closes.len()];
        array.update_all([&closes], [&mut figures]).unwrap();
        for (&close, figure) in closes.iter().zip(&figures) {
            let expected = stream.update([close]).unwrap().map_or(f64::NAN, |[value]| value);
            assert_eq!(figure.to_bits(), expected.to_bits());
        }
        assert_eq!(stream, array);
        closes[1_100] = -1.0;
        let refused = array.update_all([&closes], [&mut figures]).unwrap_err();
        assert_eq!((refused.index, refused.reason), (1_100, Refused::Price(-1.0)));
    }

    proptest! {
        #[test]
        fn logarithm_agrees_with_the_library(exponent in -300.0..300.0_f64, near in -1e-3..1e-3_f64) {
            for number in [10_f64.powf(exponent), 1.0 + near] {
                let (found, expected) = (logarithm(number), number.ln());
                // Three times the spacing of numbers: each of the operations above rounds.
                prop_assert!((found - expected).abs() <= 7e-16 * expected.abs(), "{}", number);
            }
        }
    }
}
