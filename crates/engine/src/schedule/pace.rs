//! Time, or traded volume, in; how much of an order should have been sent by now out.
//!
//! TWAP sends equal slices at equal distances. VWAP follows a curve of how much usually trades when,
//! so that its average comes near the market's. Participation sends a share of what has really
//! traded since its start. All three only say how much is *due*; whatever is behind (a slice that
//! did not fill) is due at once, and the caller bounds one child's size, so that catching up never
//! becomes one large order.
//!
//! Source: R. Almgren, N. Chriss, "Optimal execution of portfolio transactions", 2001: with no view
//! on the price and linear costs the equal pace is optimal. Its risk-averse, front-loaded curves can
//! be given as a VWAP curve.

use serde::{Deserialize, Serialize};
use values::{Nanos, Quantity};

/// Most parts of a volume curve.
pub const CURVE_MAX: usize = 32;

/// How much usually trades in each of equal parts of the time, relative to each other.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<u16>", into = "Vec<u16>")]
pub struct Curve {
    weights: [u16; CURVE_MAX],
    count: u8,
}

impl From<Vec<u16>> for Curve {
    /// What is beyond [`CURVE_MAX`] is left out.
    fn from(given: Vec<u16>) -> Self {
        let mut weights = [0; CURVE_MAX];
        for (kept, weight) in weights.iter_mut().zip(&given) {
            *kept = *weight;
        }
        Self { weights, count: given.len().min(CURVE_MAX) as u8 }
    }
}

impl From<Curve> for Vec<u16> {
    fn from(curve: Curve) -> Self {
        curve.weights().to_vec()
    }
}

impl Curve {
    /// The parts.
    pub fn weights(&self) -> &[u16] {
        &self.weights[..usize::from(self.count)]
    }

    /// Whether something is to be sent at all.
    pub fn is_sound(&self) -> bool {
        self.weights().iter().any(|weight| *weight > 0)
    }

    /// `quantity` times the share of the curve that lies before `part` of `whole`, straight lines
    /// in between.
    fn until(&self, quantity: i64, part: i64, whole: i64) -> i64 {
        let (part, whole) = (i128::from(part.clamp(0, whole)), i128::from(whole.max(1)));
        let total: i128 = self.weights().iter().map(|weight| i128::from(*weight)).sum();
        let scaled = part * i128::from(self.count);
        let (full, rest) = ((scaled / whole) as usize, scaled % whole);
        let before: i128 = self.weights().iter().take(full).map(|w| i128::from(*w)).sum();
        let within = self.weights().get(full).map_or(0, |weight| i128::from(*weight) * rest);
        let done = i128::from(quantity) * (before * whole + within);
        (done / (total.max(1) * whole)) as i64
    }
}

/// When something is to be sent.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// From then on.
    pub start_ns: Nanos,
    /// Not after.
    pub end_ns: Nanos,
    /// One slice each.
    pub interval_ns: Nanos,
}

impl Window {
    /// How many slices there are.
    fn slices(&self) -> i64 {
        let length_ns = (self.end_ns - self.start_ns).max(1);
        (length_ns + self.interval_ns - 1) / self.interval_ns.max(1)
    }

    /// The slices that have begun, the first at the start.
    fn begun(&self, now_ns: Nanos) -> i64 {
        if now_ns < self.start_ns {
            return 0;
        }
        ((now_ns - self.start_ns) / self.interval_ns.max(1) + 1).min(self.slices())
    }

    /// The size of an equal slice, rounded up.
    pub fn slice(&self, quantity: Quantity) -> Quantity {
        Quantity((quantity.0 + self.slices() - 1) / self.slices().max(1))
    }
}

/// Equal slices.
pub fn twap(quantity: Quantity, window: &Window, now_ns: Nanos) -> Quantity {
    let part = i128::from(quantity.0) * i128::from(window.begun(now_ns));
    Quantity((part / i128::from(window.slices().max(1))) as i64)
}

/// Slices as large as the curve says for their interval.
pub fn vwap(quantity: Quantity, window: &Window, curve: &Curve, now_ns: Nanos) -> Quantity {
    Quantity(curve.until(quantity.0, window.begun(now_ns), window.slices()))
}

/// A share of what has traded since the start, our own trades included.
pub fn participation(quantity: Quantity, traded: i128, share_ppm: u32) -> Quantity {
    let due = traded.max(0) * i128::from(share_ppm) / 1_000_000;
    Quantity(i64::try_from(due).unwrap_or(i64::MAX).min(quantity.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: Window = Window { start_ns: 100, end_ns: 200, interval_ns: 25 };

    #[test]
    fn equal_slices_begin_at_the_start_and_are_all_due_with_the_last() {
        let at = |now_ns| twap(Quantity(10), &WINDOW, now_ns).0;
        assert_eq!([99, 100, 124, 125, 150, 175, 200, 900].map(at), [0, 2, 2, 5, 7, 10, 10, 10]);
        assert_eq!(WINDOW.slice(Quantity(10)), Quantity(3));
    }

    #[test]
    fn curve_decides_how_much_of_the_time_is_worth_how_much() {
        let curve = Curve::from(vec![1, 0, 3]);
        let window = Window { start_ns: 0, end_ns: 60, interval_ns: 10 };
        let at = |now_ns| vwap(Quantity(400), &window, &curve, now_ns).0;
        assert_eq!([-1, 0, 10, 20, 30, 40, 50].map(at), [0, 50, 100, 100, 100, 250, 400]);
    }

    #[test]
    fn participation_follows_the_tape_up_to_the_whole() {
        let at = |traded| participation(Quantity(50), traded, 100_000).0;
        assert_eq!([0, 9, 10, 499, 500, 10_000].map(at), [0, 0, 1, 49, 50, 50]);
    }

    proptest! {
        #[test]
        fn due_never_falls_and_ends_at_the_whole(
            quantity in 1i64..1_000_000_000_000_000,
            length in 1i64..100_000_000_000_000,
            interval in 1i64..10_000_000_000_000,
            weights in proptest::collection::vec(0u16.., 1..=CURVE_MAX),
            times in proptest::collection::vec(-10i64..110, 2..20),
        ) {
            let window = Window { start_ns: 1_000, end_ns: 1_000 + length, interval_ns: interval };
            let curve = Curve::from(weights);
            prop_assume!(curve.is_sound());
            let quantity = Quantity(quantity);
            let mut times = times;
            times.sort_unstable();
            let mut last = (0, 0);
            for percent in times {
                let now_ns = 1_000 + (i128::from(length) * i128::from(percent) / 100) as i64;
                let due = (
                    twap(quantity, &window, now_ns).0,
                    vwap(quantity, &window, &curve, now_ns).0,
                );
                prop_assert!(due.0 >= last.0 && due.1 >= last.1);
                last = due;
            }
            prop_assert_eq!(twap(quantity, &window, window.end_ns), quantity);
            prop_assert_eq!(vwap(quantity, &window, &curve, window.end_ns), quantity);
        }
    }
}
