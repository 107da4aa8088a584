//! A number in; its exponential, logistic or hyperbolic tangent out, the same on every machine.
//!
//! Only `+`, `−`, `×` and `÷`, which IEEE 754 fixes to the last bit: the C library's `exp` differs
//! between versions, and a journal replayed elsewhere would give other orders.

/// `1 / n!` for n = 2..=13: with |r| ≤ ln 2 / 2 the next term is below 1e-17.
const INVERSE_FACTORIALS: [f64; 12] = [
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5_040.0,
    1.0 / 40_320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
    1.0 / 479_001_600.0,
    1.0 / 6_227_020_800.0,
];

/// `e^x`, to about 1e-15 of its value: `2^k · e^r` with `r` within half of ln 2.
#[inline]
pub fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let x = x.clamp(-745.0, 709.7);
    let k = (x * core::f64::consts::LOG2_E + if x < 0.0 { -0.5 } else { 0.5 }) as i64;
    let r = x - k as f64 * core::f64::consts::LN_2;
    let mut sum = 0.0;
    for factor in INVERSE_FACTORIALS.iter().rev() {
        sum = (sum + factor) * r;
    }
    let value = 1.0 + r + sum * r;
    // In two halves, so that results below the smallest normal number come out right too.
    let half = k / 2;
    value * power_of_two(half) * power_of_two(k - half)
}

fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(((exponent + 1_023) as u64) << 52)
}

/// `e^x` of a 32-bit float; infinite above 88.7 as there.
#[inline]
pub fn exp32(x: f32) -> f32 {
    exp(f64::from(x)) as f32
}

/// `1 / (1 + e^−x)`.
#[inline]
pub fn logistic(x: f32) -> f32 {
    (1.0 / (1.0 + exp(-f64::from(x)))) as f32
}

/// The hyperbolic tangent.
#[inline]
pub fn tanh(x: f32) -> f32 {
    (1.0 - 2.0 / (exp(2.0 * f64::from(x)) + 1.0)) as f32
}

/// Replaces each by its share of the sum of all exponentials.
pub fn softmax(values: &mut [f32]) {
    let most =
        values.iter().fold(f32::MIN, |most, value| if *value > most { *value } else { most });
    let mut sum = 0.0;
    for value in &mut *values {
        *value = exp32(*value - most);
        sum += *value;
    }
    for value in values {
        *value /= sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_the_library_to_a_hair(x in -700.0..700.0_f64, y in -90.0..90.0_f32) {
            prop_assert!((exp(x) / x.exp() - 1.0).abs() < 1e-13, "{x}");
            prop_assert!((tanh(y) - y.tanh()).abs() < 1e-7);
            prop_assert!((logistic(y) - 1.0 / (1.0 + (-y).exp())).abs() < 1e-7);
        }
    }

    #[test]
    fn ends_of_the_range_are_kept() {
        assert!(exp(f64::NAN).is_nan() && tanh(f32::NAN).is_nan());
        assert_eq!((exp32(f32::INFINITY), exp32(f32::NEG_INFINITY)), (f32::INFINITY, 0.0));
        assert_eq!((tanh(f32::INFINITY), tanh(f32::NEG_INFINITY), tanh(0.0)), (1.0, -1.0, 0.0));
        assert!((exp(0.0) - 1.0).abs() < f64::EPSILON);
    }
}
