//! Durations in, percentiles and cumulative counts out; fixed memory, no allocation.
//!
//! Log-linear buckets as in `HdrHistogram`: every power of two is cut into 32 equal parts, so a
//! value is kept within 3 %.

const PARTS_BITS: u32 = 5;
const PARTS: usize = 1 << PARTS_BITS;
/// Up to 2^36 ns, 69 s; longer ones count as that.
const POWERS: usize = 36 - PARTS_BITS as usize;
const BUCKETS: usize = (POWERS + 1) * PARTS;

/// Counts of durations in nanoseconds.
#[derive(Clone)]
pub struct Histogram {
    counts: Box<[u64; BUCKETS]>,
    count: u64,
    sum_ns: u64,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), count: 0, sum_ns: 0, max_ns: 0 }
    }
}

impl Histogram {
    /// Counts one duration; a negative one (a clock that stepped) counts as zero.
    #[inline]
    pub fn record(&mut self, duration_ns: i64) {
        let duration_ns = duration_ns.max(0) as u64;
        self.counts[bucket(duration_ns)] += 1;
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(duration_ns);
        self.max_ns = self.max_ns.max(duration_ns);
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Sum of all durations.
    pub fn sum_ns(&self) -> u64 {
        self.sum_ns
    }

    /// The longest, exact.
    pub fn max_ns(&self) -> u64 {
        self.max_ns
    }

    /// The duration that `per_mille` of a thousand do not exceed, within 3 %; 0 when empty.
    pub fn quantile_ns(&self, per_mille: u64) -> u64 {
        let rank = (self.count * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper(index).min(self.max_ns);
            }
        }
        self.max_ns
    }

    /// How many lasted at most `bound_ns` (as far as buckets tell).
    pub fn count_up_to(&self, bound_ns: u64) -> u64 {
        self.counts
            .iter()
            .enumerate()
            .take_while(|(index, _)| upper(*index) <= bound_ns)
            .map(|(_, count)| count)
            .sum()
    }
}

fn bucket(value: u64) -> usize {
    if value < PARTS as u64 {
        return value as usize;
    }
    let power = value.ilog2() - PARTS_BITS;
    let part = (value >> power) as usize & (PARTS - 1);
    ((power as usize + 1) * PARTS + part).min(BUCKETS - 1)
}

/// The largest value of a bucket.
fn upper(index: usize) -> u64 {
    let (power, part) = (index / PARTS, (index % PARTS) as u64);
    if power == 0 { part } else { ((PARTS as u64 + part + 1) << (power - 1)) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quantiles_are_within_three_percent_of_the_sorted_values(
            mut values in proptest::collection::vec(0i64..60_000_000_000, 1..200),
            per_mille in 1u64..=1000,
        ) {
            let mut histogram = Histogram::default();
            for value in &values {
                histogram.record(*value);
            }
            values.sort_unstable();
            let rank = (values.len() as u64 * per_mille).div_ceil(1000).max(1) as usize - 1;
            let (exact, found) = (values[rank] as u64, histogram.quantile_ns(per_mille));
            prop_assert!(found >= exact && found <= exact + exact / 31 + 1, "{found} for {exact}");
            prop_assert_eq!(histogram.count_up_to(u64::MAX), values.len() as u64);
        }
    }

    #[test]
    fn empty_histogram_answers_zero() {
        assert_eq!(Histogram::default().quantile_ns(999), 0);
    }
}
