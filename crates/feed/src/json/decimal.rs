//! Decimals as venues write them in; raw units of 1e-9 out, without a look at each digit.
//!
//! Only the common forms: `None` leaves every other one, and every error, to the slow way.

const POWERS: [i64; 10] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// The common form of a decimal, from after its opening quote: up to seven digits, a point, up to
/// eight digits and the closing quote, after which the position is given. `None` leaves every other
/// form, and every error, to the slow way.
#[inline(always)]
#[allow(clippy::inline_always)] // Called for each of a thousand levels; measured.
pub(super) fn quick_decimal(text: &[u8], start: usize) -> Option<(i64, usize)> {
    let (whole, digits) = leading_digits(text, start)?;
    if digits == 0 || digits == 8 {
        return None;
    }
    let mut at = start + digits;
    let mut raw = whole as i64 * POWERS[9];
    if text[at] == b'.' {
        let (fraction, digits) = leading_digits(text, at + 1)?;
        raw += fraction as i64 * POWERS[9 - digits];
        at += 1 + digits;
    }
    (text[at] == b'"').then_some((raw, at + 1))
}

/// The pair `["price","quantity"]` from its opening bracket; and the position after it.
#[inline(always)]
#[allow(clippy::inline_always)]
pub(super) fn quick_pair(text: &[u8], start: usize) -> Option<(i64, i64, usize)> {
    #[cfg(target_arch = "x86_64")]
    if let Some(found) = pair_at_once(text, start) {
        return Some(found);
    }
    if !text.get(start..)?.starts_with(b"[\"") {
        return None;
    }
    let (first, at) = quick_decimal(text, start + 2)?;
    if !text.get(at..)?.starts_with(b",\"") {
        return None;
    }
    let (second, at) = quick_decimal(text, at + 2)?;
    (*text.get(at)? == b']').then_some((first, second, at + 1))
}

/// Bytes that hold a pair of decimals as venues write them, from bracket to bracket.
#[cfg(target_arch = "x86_64")]
const PAIR: usize = 48;

/// A pair of decimals that both have a point, from its opening bracket; and the position after it.
///
/// Where each number ends is seen in all bytes at once, so that the four groups of digits are read
/// beside each other and the next pair begins without waiting for them. `None` leaves every other
/// form, and the last bytes of a text, to be read piece by piece.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(clippy::inline_always)]
fn pair_at_once(text: &[u8], start: usize) -> Option<(i64, i64, usize)> {
    let window: &[u8; PAIR] = text.get(start..start + PAIR)?.first_chunk()?;
    let (quotes, points) = marks(window);
    // Quotes 2, 3 and 4; quote 1 stands after the bracket.
    let after = quotes & !0b11;
    let end = after.trailing_zeros() as usize;
    let rest = after & after.wrapping_sub(1);
    let last = (rest & rest.wrapping_sub(1)).trailing_zeros() as usize;
    if quotes & 0b11 != 0b10 || last + 2 > PAIR || !window.starts_with(b"[") {
        return None;
    }
    let joint: &[u8; 3] = window.get(end..end + 3)?.first_chunk()?;
    if joint != b"\",\"" || window[last + 1] != b']' {
        return None;
    }
    let point = points.trailing_zeros() as usize;
    let next_point = (points & points.wrapping_sub(1)).trailing_zeros() as usize;
    if next_point >= last {
        return None;
    }
    let first = decimal_between(text, start, (2, point, end))?;
    let second = decimal_between(text, start, (end + 3, next_point, last))?;
    Some((first, second, start + last + 2))
}

/// A decimal of which is known where it begins, has its point and ends.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(clippy::inline_always)]
fn decimal_between(
    text: &[u8],
    start: usize,
    (begin, point, end): (usize, usize, usize),
) -> Option<i64> {
    let (whole, digits) = leading_digits(text, start + begin)?;
    let (fraction, fraction_digits) = leading_digits(text, start + point + 1)?;
    let is_as_seen = begin + digits == point && point + 1 + fraction_digits == end;
    if !is_as_seen || digits == 0 || digits == 8 {
        return None;
    }
    Some(whole as i64 * POWERS[9] + fraction as i64 * POWERS[9 - fraction_digits])
}

/// Where quotes and points stand, one bit a byte.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[allow(clippy::inline_always, clippy::cast_ptr_alignment)]
fn marks(window: &[u8; PAIR]) -> (u64, u64) {
    use core::arch::x86_64::{
        __m128i, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_set1_epi8,
    };
    let (mut quotes, mut points) = (0, 0);
    for (number, part) in window.as_chunks::<16>().0.iter().enumerate() {
        // SAFETY: every x86-64 processor has these instructions; sixteen bytes are read of as many.
        let (quote, point) = unsafe {
            let part = _mm_loadu_si128(part.as_ptr().cast::<__m128i>());
            let mask = |byte: u8| {
                _mm_movemask_epi8(_mm_cmpeq_epi8(part, _mm_set1_epi8(byte.cast_signed())))
            };
            (mask(b'"'), mask(b'.'))
        };
        quotes |= u64::from(quote.cast_unsigned()) << (16 * number);
        points |= u64::from(point.cast_unsigned()) << (16 * number);
    }
    (quotes, points)
}

/// The digits at a position, at most eight of them: their value and how many. `None` near the end
/// of the text, where eight bytes and one more cannot be read.
///
/// Eight bytes are one integer. A byte minus `'0'` is a digit exactly if adding 0x76 leaves its high
/// bit clear; carries only reach later bytes. The digits are then moved to the high end, so that
/// zeros stand before them, and three multiplications join pairs, fours and eights.
#[inline(always)]
#[allow(clippy::inline_always)]
fn leading_digits(text: &[u8], at: usize) -> Option<(u64, usize)> {
    let window: &[u8; 9] = text.get(at..at + 9)?.first_chunk()?;
    let bytes = u64::from_le_bytes(*window.first_chunk::<8>()?) ^ 0x3030_3030_3030_3030;
    let others = (bytes.wrapping_add(0x7676_7676_7676_7676) | bytes) & 0x8080_8080_8080_8080;
    let count = others.trailing_zeros() as usize / 8;
    // Two shifts, because one by all 64 bits is not defined.
    let shift = 32 - 4 * count;
    let digits = (bytes << shift) << shift;
    let pairs = (digits.wrapping_mul(2_561) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(6_553_601) >> 16) & 0x0000_ffff_0000_ffff;
    Some((fours.wrapping_mul(42_949_672_960_001) >> 32, count))
}
