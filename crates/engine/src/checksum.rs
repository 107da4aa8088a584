//! A book in; the CRC32 that the venue should have sent with it out.
//!
//! Venues hash text, so the numbers are written as they write them: Kraken with all decimals of the
//! instrument, without point and leading zeros; OKX plainly, without trailing zeros. Nothing is
//! allocated: each number is written into a few bytes on the stack.

use crate::book::Book;
use crate::event::{Level, Side};
use crc32fast::Hasher;

/// Decimals of the fixed point.
const DECIMALS: u8 = 9;
/// Longest number: sign, nineteen digits, a point.
const TEXT_MAX: usize = 24;
/// Levels of each side in Kraken's sum.
const KRAKEN_LEVELS: usize = 10;
/// Levels of each side in OKX's sum.
const OKX_LEVELS: usize = 25;

/// How the text is made that is summed up.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// Ten asks, then ten bids.
    Kraken {
        /// Decimals of the instrument's prices.
        price_decimals: u8,
        /// Decimals of its quantities.
        quantity_decimals: u8,
    },
    /// 25 bids and asks in turn, `PRICE:QUANTITY`, joined by colons.
    Okx,
}

/// What the venue says that the book sums up to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// The sum.
    pub value: u32,
    /// Of which text.
    pub form: Form,
}

impl Checksum {
    /// Whether a book sums up to it.
    pub fn agrees(&self, book: &Book) -> bool {
        self.form.sum(book) == self.value
    }
}

impl Form {
    /// The sum of a book.
    ///
    /// ```
    /// use engine::{book::Book, checksum::Form, event::{Level, Side}};
    /// use values::{Price, Quantity};
    /// let mut book = Book::new();
    /// book.set(Side::Buy, Level { price: Price(3_366_100_000_000), quantity: Quantity(7_000_000_000) });
    /// book.set(Side::Sell, Level { price: Price(3_366_800_000_000), quantity: Quantity(9_000_000_000) });
    /// assert_eq!(Form::Okx.sum(&book), crc32fast::hash(b"3366.1:7:3366.8:9"));
    /// ```
    pub fn sum(self, book: &Book) -> u32 {
        let mut hasher = Hasher::new();
        match self {
            Self::Kraken { price_decimals, quantity_decimals } => {
                for side in [Side::Sell, Side::Buy] {
                    for level in book.levels(side).take(KRAKEN_LEVELS) {
                        put_scaled(&mut hasher, level.price.0, price_decimals);
                        put_scaled(&mut hasher, level.quantity.0, quantity_decimals);
                    }
                }
            }
            Self::Okx => {
                let mut sides = [book.levels(Side::Buy), book.levels(Side::Sell)];
                let mut is_first = true;
                for _ in 0..OKX_LEVELS {
                    for side in &mut sides {
                        let Some(level) = side.next() else { continue };
                        if !core::mem::replace(&mut is_first, false) {
                            hasher.update(b":");
                        }
                        put_level(&mut hasher, level);
                    }
                }
            }
        }
        hasher.finalize()
    }
}

fn put_level(hasher: &mut Hasher, level: Level) {
    put_plain(hasher, level.price.0);
    hasher.update(b":");
    put_plain(hasher, level.quantity.0);
}

/// A raw 1e-9 number with so many decimals, without its point and leading zeros.
fn put_scaled(hasher: &mut Hasher, raw: i64, decimals: u8) {
    let divisor = 10_i64.pow(u32::from(DECIMALS.saturating_sub(decimals)));
    let mut text = [0; TEXT_MAX];
    hasher.update(digits(&mut text, (raw / divisor).unsigned_abs()));
}

/// A raw 1e-9 number in plain notation, without trailing zeros.
fn put_plain(hasher: &mut Hasher, raw: i64) {
    const ONE: u64 = 1_000_000_000;
    let (whole, mut fraction) = (raw.unsigned_abs() / ONE, raw.unsigned_abs() % ONE);
    let mut text = [0; TEXT_MAX];
    hasher.update(digits(&mut text, whole));
    if fraction == 0 {
        return;
    }
    let mut places = usize::from(DECIMALS);
    while fraction.is_multiple_of(10) {
        fraction /= 10;
        places -= 1;
    }
    let mut decimals = [b'0'; 1 + DECIMALS as usize];
    decimals[0] = b'.';
    let written = digits(&mut text, fraction);
    decimals[1 + places - written.len()..=places].copy_from_slice(written);
    hasher.update(&decimals[..=places]);
}

fn digits(text: &mut [u8; TEXT_MAX], mut number: u64) -> &[u8] {
    let mut at = TEXT_MAX;
    loop {
        at -= 1;
        text[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &text[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use values::{Price, Quantity};

    fn book(bids: &[(&str, &str)], asks: &[(&str, &str)]) -> Book {
        let mut book = Book::new();
        for (side, levels) in [(Side::Buy, bids), (Side::Sell, asks)] {
            for (price, quantity) in levels {
                let price = Price::parse(price.as_bytes()).unwrap();
                let quantity = Quantity(Price::parse(quantity.as_bytes()).unwrap().0);
                book.set(side, Level { price, quantity });
            }
        }
        book
    }

    #[test]
    fn kraken_sums_asks_then_bids_without_points_and_leading_zeros() {
        let book = book(&[("0.04990", "0.00000500")], &[("0.05005", "0.00000500")]);
        let form = Form::Kraken { price_decimals: 5, quantity_decimals: 8 };
        assert_eq!(form.sum(&book), crc32fast::hash(b"50055004990500"));
    }

    #[test]
    fn okx_sums_bid_and_ask_in_turn_and_goes_on_with_the_longer_side() {
        let book = book(
            &[("3366.1", "7"), ("3366", "6.05")],
            &[("3366.8", "9"), ("3368", "8"), ("3372", "8")],
        );
        let text = b"3366.1:7:3366.8:9:3366:6.05:3368:8:3372:8";
        assert_eq!(Form::Okx.sum(&book), crc32fast::hash(text));
    }

    #[test]
    fn only_the_levels_that_the_venue_sums_count() {
        let level = |price: u64| (format!("{price}"), "1".to_owned());
        let many: Vec<_> = (100..140).map(level).collect();
        let asks: Vec<_> = many.iter().map(|(p, q)| (p.as_str(), q.as_str())).collect();
        let (all, ten) = (book(&[], &asks), book(&[], &asks[..10]));
        let form = Form::Kraken { price_decimals: 0, quantity_decimals: 0 };
        assert_eq!(form.sum(&all), form.sum(&ten));
        assert_ne!(Form::Okx.sum(&all), Form::Okx.sum(&ten));
        assert_eq!(Form::Okx.sum(&all), Form::Okx.sum(&book(&[], &asks[..25])));
    }
}
