//! Book updates and trades of one market in; a fixed list of figures, the same everywhere, out.
//!
//! These lines compute what a model sees while it trades, while it is trained and while it is
//! tested on the past: the three cannot drift apart. The list has a version. A change of meaning is
//! a new list with a new number, because a model is worthless with another one's figures.
//!
//! Prices are compared on a grid of 100 ms, so that a busy second does not weigh more than a quiet
//! one; averages over updates and trades are counted, so that a quiet market forgets nothing. The
//! indicators are those of the shelf, over the last price of each second. Figures of price are parts
//! per million, shares run from −1 to 1, and nothing depends on the price's level.

use crate::book::Book;
use crate::event::{Level, Side};
use crate::indicator::{DecayingMean, Indicator, Macd, Rsi};
use serde::{Deserialize, Serialize};
use values::{Nanos, Price, Quantity};

/// The version of the list.
pub const FEATURES_VERSION: u32 = 1;

/// The figures, in order.
pub const FEATURES_V1: [&str; 19] = [
    "return_500ms_ppm",
    "return_1s_ppm",
    "return_5s_ppm",
    "return_15s_ppm",
    "return_30s_ppm",
    "microprice_minus_mid_ppm",
    "spread_ppm",
    "imbalance_1",
    "imbalance_5",
    "imbalance_20",
    "trade_flow_20",
    "trade_flow_200",
    "volatility_5s_ppm",
    "volatility_30s_ppm",
    "average_distance_20_ppm",
    "average_distance_200_ppm",
    "macd_12_26_9_ppm",
    "macd_histogram_12_26_9_ppm",
    "rsi_14",
];

/// The list's length.
pub const FEATURES: usize = FEATURES_V1.len();

/// Distance of the grid's points.
const GRID_NS: Nanos = 100_000_000;
/// Points kept: 30 s and the present one.
const POINTS: usize = 301;
/// Points in a second.
const SECOND: u64 = 10;
/// How far back the returns look, in points.
const HORIZONS: [usize; 5] = [5, 10, 50, 150, 300];
/// How many levels of each side the imbalances look at.
const DEPTHS: [usize; 3] = [1, 5, 20];

/// What is remembered of one market.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Features {
    /// Mid prices on the grid; the newest at `at`.
    mids: Vec<f64>,
    at: usize,
    filled: usize,
    /// The grid's point of the newest.
    point: i64,
    mid: f64,
    signed: [DecayingMean; 2],
    traded: [DecayingMean; 2],
    squares: [DecayingMean; 2],
    averages: [DecayingMean; 2],
    macd: Macd,
    rsi: Rsi,
    /// Of the last second: MACD line and histogram, RSI.
    indicated: Option<[f64; 3]>,
    row: [f32; FEATURES],
    updates: u64,
}

impl Default for Features {
    fn default() -> Self {
        Self::over(vec![0.0; POINTS])
    }
}

impl Features {
    /// Nothing seen yet; `mids` is the memory for prices.
    fn over(mids: Vec<f64>) -> Self {
        Self {
            mids,
            at: 0,
            filled: 0,
            point: 0,
            mid: 0.0,
            signed: [DecayingMean::new(20), DecayingMean::new(200)],
            traded: [DecayingMean::new(20), DecayingMean::new(200)],
            squares: [DecayingMean::new(50), DecayingMean::new(300)],
            averages: [DecayingMean::new(20), DecayingMean::new(200)],
            macd: Macd::new(12, 26, 9).expect("12 is less than 26"),
            rsi: Rsi::new(14).expect("14 is a period"),
            indicated: None,
            row: [0.0; FEATURES],
            updates: 0,
        }
    }

    /// Forgets the market, but not how often it has changed; takes no memory.
    pub fn restart(&mut self) {
        let mids = core::mem::take(&mut self.mids);
        *self = Self { updates: self.updates, ..Self::over(mids) };
    }

    /// A public trade.
    pub fn on_trade(&mut self, quantity: Quantity, buyer_is_maker: bool) {
        let size = quantity.to_f64();
        let signed = if buyer_is_maker { -size } else { size };
        for (signs, sizes) in self.signed.iter_mut().zip(&mut self.traded) {
            signs.update(signed);
            sizes.update(size);
        }
    }

    /// A changed book; the figures, once 34 s of prices have been seen.
    pub fn on_book(
        &mut self,
        now_ns: Nanos,
        book: &Book,
        top: (Level, Level),
        microprice: Price,
    ) -> Option<&[f32; FEATURES]> {
        let (bid, ask) = (top.0.price.to_f64(), top.1.price.to_f64());
        let mid = f64::midpoint(bid, ask);
        self.advance(now_ns.div_euclid(GRID_NS), mid);
        self.mid = mid;
        self.updates += 1;
        self.mids[self.at] = mid;
        for average in &mut self.averages {
            average.update(mid);
        }
        if self.filled < POINTS {
            return None;
        }
        let indicated = self.indicated?;
        self.fill(book, (bid, ask), microprice.to_f64(), indicated);
        Some(&self.row)
    }

    /// The mid price of the last update; 0 before the first.
    pub fn mid(&self) -> f64 {
        self.mid
    }

    /// How often the book has changed.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The figures of the last update, if they were complete.
    pub fn row(&self) -> Option<&[f32; FEATURES]> {
        (self.filled >= POINTS && self.indicated.is_some()).then_some(&self.row)
    }

    /// Goes on to a point of the grid; every point passed has the last price before it.
    fn advance(&mut self, point: i64, mid: f64) {
        let steps = point - self.point;
        if self.filled == 0 || steps >= POINTS as i64 {
            self.restart();
            (self.point, self.mid, self.filled) = (point, mid, 1);
            return;
        }
        for _ in 0..steps {
            if self.filled >= 2 {
                let previous = self.mids[(self.at + POINTS - 1) % POINTS];
                let change = ppm(self.mids[self.at], previous);
                for square in &mut self.squares {
                    square.update(change * change);
                }
            }
            self.at = (self.at + 1) % POINTS;
            self.mids[self.at] = self.mid;
            self.filled = (self.filled + 1).min(POINTS);
            self.point += 1;
            if (self.point as u64).is_multiple_of(SECOND) {
                self.second();
            }
        }
    }

    /// A second has passed.
    fn second(&mut self) {
        let macd = self.macd.update([self.mid]).ok().flatten();
        let rsi = self.rsi.update([self.mid]).ok().flatten();
        if let (Some([line, _, histogram]), Some([rsi])) = (macd, rsi) {
            self.indicated = Some([line / self.mid * 1e6, histogram / self.mid * 1e6, rsi]);
        }
    }

    fn fill(&mut self, book: &Book, best: (f64, f64), microprice: f64, indicated: [f64; 3]) {
        let (bid, ask) = best;
        let mid = self.mid;
        let mut values = [0.0; FEATURES];
        for (value, back) in values.iter_mut().zip(HORIZONS) {
            *value = ppm(mid, self.mids[(self.at + POINTS - back) % POINTS]);
        }
        values[5] = ppm(microprice, mid);
        values[6] = (ask - bid) / mid * 1e6;
        values[7..10].copy_from_slice(&imbalances(book));
        for index in 0..2 {
            let of = |ema: &DecayingMean| ema.value().unwrap_or(0.0);
            values[10 + index] = share(of(&self.signed[index]), of(&self.traded[index]));
            values[12 + index] = of(&self.squares[index]).sqrt();
            values[14 + index] = ppm(mid, self.averages[index].value().unwrap_or(mid));
        }
        values[16..].copy_from_slice(&indicated);
        for (figure, value) in self.row.iter_mut().zip(values) {
            let narrow = value as f32;
            *figure = if narrow.is_finite() { narrow } else { 0.0 };
        }
    }
}

/// How far `price` is from `from`, parts per million.
fn ppm(price: f64, from: f64) -> f64 {
    (price - from) / from * 1e6
}

/// A part of a whole that is not negative; nothing of nothing is none.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// `(bids − asks) / (bids + asks)` over the best levels, for each of `DEPTHS`.
fn imbalances(book: &Book) -> [f64; 3] {
    let sums = |side| {
        let (mut sum, mut sums, mut next) = (0_i64, [0_i64; 3], 0);
        for (index, level) in book.levels(side).take(DEPTHS[2]).enumerate() {
            sum = sum.saturating_add(level.quantity.0);
            if index + 1 == DEPTHS[next] {
                sums[next] = sum;
                next += 1;
            }
        }
        sums[next..].fill(sum);
        sums
    };
    let (bids, asks) = (sums(Side::Buy), sums(Side::Sell));
    core::array::from_fn(|depth| {
        let (bid, ask) = (bids[depth] as f64, asks[depth] as f64);
        share(bid - ask, bid + ask)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(price: i64, quantity: i64) -> Level {
        Level { price: Price(price * 1_000_000_000), quantity: Quantity(quantity * 1_000_000_000) }
    }

    fn seen(features: &mut Features, ts_ns: Nanos, bid: i64, bids: i64, asks: i64) -> bool {
        let mut book = Book::new();
        book.apply(&[level(bid, bids), level(bid - 1, 5)], &[level(bid + 2, asks)]);
        let top = book.top().expect("both sides");
        features.on_book(ts_ns, &book, top, top.0.price).is_some()
    }

    #[test]
    fn figures_come_when_all_are_known_and_say_what_they_are_named() {
        let mut features = Features::default();
        let mut ready_at = None;
        for tick in 0..450 {
            let price = 100_000 + i64::from(tick >= 445) * 100;
            if seen(&mut features, tick * GRID_NS, price, 3, 1) && ready_at.is_none() {
                ready_at = Some(tick);
            }
        }
        assert_eq!(ready_at, Some(340));
        let row = features.row().expect("complete");
        let of = |name| row[FEATURES_V1.iter().position(|each| *each == name).expect("listed")];
        assert!((of("return_500ms_ppm") - 1_000.0).abs() < 1.0, "{row:?}");
        assert!((of("return_30s_ppm") - 1_000.0).abs() < 1.0);
        assert!((of("imbalance_1") - 0.5).abs() < 1e-6);
        assert!((of("imbalance_20") - 7.0 / 9.0).abs() < 1e-6);
        assert!((of("spread_ppm") - 20.0).abs() < 0.1);
        assert!(of("microprice_minus_mid_ppm") < 0.0 && of("macd_12_26_9_ppm").abs() < 1e-3);
        assert!(of("volatility_5s_ppm") > of("volatility_30s_ppm"));
    }

    #[test]
    fn trades_lean_the_flow_and_a_long_silence_begins_anew() {
        let mut features = Features::default();
        for tick in 0..341 {
            seen(&mut features, tick * GRID_NS, 100, 1, 1);
            features.on_trade(Quantity(2_000_000_000), tick % 4 == 0);
        }
        seen(&mut features, 341 * GRID_NS, 100, 1, 1);
        let flow = features.row().expect("complete")[10];
        assert!(flow > 0.3 && flow < 0.7, "{flow}");
        assert!(!seen(&mut features, 1_000 * GRID_NS, 100, 1, 1));
        assert_eq!(features.row(), None);
    }
}
