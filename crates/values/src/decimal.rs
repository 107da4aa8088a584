//! Decimal text in, fixed-point integers out, and back; exact or refused.

use core::fmt;
use serde::{Deserialize, Serialize};

/// How many raw units make one: every price, quantity and amount is an integer of 1e-9.
pub const SCALE: i64 = 1_000_000_000;
const DIGITS: usize = 9;

/// A price in the quote currency, raw at 1e-9.
#[derive(
    Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Price(pub i64);

/// A signed quantity of the base currency, raw at 1e-9.
#[derive(
    Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Quantity(pub i64);

/// An amount of the quote currency, raw at 1e-9, wide enough for any product of the two above.
#[derive(
    Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Money(pub i128);

/// Why a text is not a decimal that we can hold exactly.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ParseDecimalError {
    /// Nothing, or only a sign or a point.
    Empty,
    /// A character that is not a digit, a leading `-` or one `.`.
    Character,
    /// More than nine digits after the point that are not zero: we would have to round.
    Precision,
    /// Beyond ±9,223,372,036.854775807.
    Range,
}

impl fmt::Display for ParseDecimalError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Empty => "expected a decimal number, found nothing",
            Self::Character => "expected digits, an optional leading '-' and at most one '.'",
            Self::Precision => "expected at most nine digits after the point",
            Self::Range => "expected a number within ±9223372036.854775807",
        })
    }
}

impl std::error::Error for ParseDecimalError {}

/// Reads decimal text such as `61837.63000000` into raw 1e-9 units.
#[inline]
fn parse(text: &[u8]) -> Result<i64, ParseDecimalError> {
    let (negative, digits) = match text.split_first() {
        None => return Err(ParseDecimalError::Empty),
        Some((b'-', rest)) => (true, rest),
        Some(_) => (false, text),
    };
    let mut value: i64 = 0;
    let mut seen_digit = false;
    let mut decimals: Option<usize> = None;
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                seen_digit = true;
                match decimals {
                    Some(DIGITS) if byte == b'0' => continue,
                    Some(DIGITS) => return Err(ParseDecimalError::Precision),
                    Some(ref mut count) => *count += 1,
                    None => {}
                }
                value = value
                    .checked_mul(10)
                    .and_then(|v| v.checked_add(i64::from(byte - b'0')))
                    .ok_or(ParseDecimalError::Range)?;
            }
            b'.' if decimals.is_none() => decimals = Some(0),
            _ => return Err(ParseDecimalError::Character),
        }
    }
    if !seen_digit {
        return Err(ParseDecimalError::Empty);
    }
    let missing = DIGITS - decimals.unwrap_or(0);
    let raw = value.checked_mul(POWERS[missing]).ok_or(ParseDecimalError::Range)?;
    Ok(if negative { -raw } else { raw })
}

const POWERS: [i64; DIGITS + 1] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// Writes raw 1e-9 units in plain notation without trailing zeros: `61837.63`, `-0.5`, `27`.
fn write(raw: i128, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let scale = i128::from(SCALE).unsigned_abs();
    let (whole, fraction) = (raw.unsigned_abs() / scale, raw.unsigned_abs() % scale);
    if raw < 0 {
        out.write_str("-")?;
    }
    write!(out, "{whole}")?;
    if fraction == 0 {
        return Ok(());
    }
    let (mut fraction, mut width) = (fraction, DIGITS);
    while fraction % 10 == 0 {
        fraction /= 10;
        width -= 1;
    }
    write!(out, ".{fraction:0width$}")
}

macro_rules! fixed_point {
    ($name:ident) => {
        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// Reads decimal text; exact or refused.
            ///
            /// # Errors
            /// The text is not a decimal, needs more than nine decimals, or is out of range.
            #[inline]
            pub fn parse(text: &[u8]) -> Result<Self, ParseDecimalError> {
                parse(text).map(Self)
            }

            /// As a float, for indicators and models only; never for money.
            #[inline]
            pub fn to_f64(self) -> f64 {
                self.0 as f64 / SCALE as f64
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(i128::from(self.0), out)
            }
        }
    };
}

fixed_point!(Price);
fixed_point!(Quantity);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// As a float, for display and gauges only; never for money.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / SCALE as f64
    }
}

impl fmt::Display for Money {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self.0, out)
    }
}

/// Price times quantity, rounded towards zero at 1e-9; cannot overflow.
#[inline]
pub fn notional(price: Price, quantity: Quantity) -> Money {
    Money(unscale(i128::from(price.0) * i128::from(quantity.0)))
}

/// A number of 1e-18 as one of 1e-9, rounded towards zero.
///
/// A division of 128 bits is a call of a hundred cycles. What money comes to has a quotient of 64
/// bits, for which two divisions by a constant do, each a multiplication.
#[inline]
pub fn unscale(raw: i128) -> i128 {
    const ONE: u64 = SCALE as u64;
    let size = raw.unsigned_abs();
    let (high, low) = ((size >> 64) as u64, size as u64);
    if high >= ONE {
        return raw / i128::from(SCALE);
    }
    let upper = (high << 32) | (low >> 32);
    let lower = ((upper % ONE) << 32) | (low & u64::from(u32::MAX));
    let quotient = i128::from(((upper / ONE) << 32) + lower / ONE);
    if raw < 0 { -quotient } else { quotient }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimal_text_parses_exactly_or_is_refused() {
        for (text, expected) in [
            ("61837.63000000", Ok(61_837_630_000_000)),
            ("0.00000000", Ok(0)),
            ("-0.5", Ok(-500_000_000)),
            (".5", Ok(500_000_000)),
            ("1.", Ok(1_000_000_000)),
            ("0.0000000010000", Ok(1)),
            ("0.0000000011", Err(ParseDecimalError::Precision)),
            ("9223372036.854775807", Ok(i64::MAX)),
            ("9223372036.854775808", Err(ParseDecimalError::Range)),
            ("99999999999", Err(ParseDecimalError::Range)),
            ("", Err(ParseDecimalError::Empty)),
            ("-", Err(ParseDecimalError::Empty)),
            (".", Err(ParseDecimalError::Empty)),
            ("1e5", Err(ParseDecimalError::Character)),
            ("1.2.3", Err(ParseDecimalError::Character)),
            ("+1", Err(ParseDecimalError::Character)),
            ("NaN", Err(ParseDecimalError::Character)),
        ] {
            assert_eq!(Price::parse(text.as_bytes()), expected.map(Price), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(raw in -i64::MAX..=i64::MAX) {
            let text = Price(raw).to_string();
            prop_assert_eq!(Price::parse(text.as_bytes()), Ok(Price(raw)));
        }

        #[test]
        fn unscaling_is_the_division(high in any::<i64>(), shift in 0..64, low in any::<u64>()) {
            let raw = (i128::from(high >> shift) << 64) | i128::from(low);
            prop_assert_eq!(unscale(raw), raw / i128::from(SCALE));
        }

        #[test]
        fn notional_agrees_with_wide_integers(price in any::<i64>(), quantity in any::<i64>()) {
            let exact = i128::from(price) * i128::from(quantity) / 1_000_000_000;
            prop_assert_eq!(notional(Price(price), Quantity(quantity)), Money(exact));
        }
    }
}
