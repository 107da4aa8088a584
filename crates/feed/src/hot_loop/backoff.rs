//! Failures in, waiting times out: doubling with jitter from a seeded generator.

use values::Nanos;

/// First wait: a process that restarts is back within some hundred milliseconds.
const FIRST_NS: Nanos = 50_000_000;
/// Longest wait for most: what a venue that came back may be left unused.
pub(super) const LONGEST_NS: Nanos = 2_000_000_000;

/// A small seeded generator (splitmix64): for jitter, masks and handshake keys, not for secrets.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn mask(&mut self) -> [u8; 4] {
        ((self.next() >> 32) as u32).to_ne_bytes()
    }

    pub(super) fn nonce(&mut self) -> [u8; 16] {
        (u128::from(self.next()) << 64 | u128::from(self.next())).to_ne_bytes()
    }
}

/// How long to wait before the next attempt.
#[derive(Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Half to the whole of a doubling span, so that clients of one venue do not come back at once.
    pub(super) fn failed(&mut self, random: &mut Random, longest_ns: Nanos) -> Nanos {
        let span = (FIRST_NS << self.failures.min(16)).min(longest_ns);
        self.failures += 1;
        span / 2 + (random.next() % (span as u64 / 2 + 1)) as Nanos
    }

    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }
}

/// First pause between two wishes for the same book; one that is lost again at once waits so long.
const PACE_FIRST_NS: Nanos = 1_000_000_000;
/// Longest pause: venues count subscriptions (OKX: 480 an hour and connection).
const PACE_LONGEST_NS: Nanos = 60_000_000_000;
/// After so long without a wish the pauses are short again.
const PACE_CALM_NS: Nanos = 2 * PACE_LONGEST_NS;

/// How often something may be asked for that keeps failing: the first time at once.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    next_ns: Nanos,
    pause_ns: Nanos,
}

impl Pace {
    /// Whether now; true counts as done.
    pub(super) fn allows(&mut self, now_ns: Nanos) -> bool {
        if now_ns < self.next_ns {
            return false;
        }
        let is_calm = now_ns - self.next_ns > PACE_CALM_NS;
        self.pause_ns = if is_calm || self.pause_ns == 0 {
            PACE_FIRST_NS
        } else {
            (self.pause_ns * 2).min(PACE_LONGEST_NS)
        };
        self.next_ns = now_ns + self.pause_ns;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wished_all_the_time_is_done_at_once_then_ever_more_seldom() {
        const SECOND_NS: Nanos = 1_000_000_000;
        let mut pace = Pace::default();
        let start = 1_000 * SECOND_NS;
        let done: Vec<Nanos> =
            (0..400).filter(|second| pace.allows(start + second * SECOND_NS)).collect();
        assert_eq!(done, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363]);
        let later = start + 1_000 * SECOND_NS;
        assert!(pace.allows(later) && !pace.allows(later) && pace.allows(later + SECOND_NS));
    }

    #[test]
    fn waits_double_up_to_the_longest_and_start_anew_after_success() {
        let (mut backoff, mut random) = (Backoff::default(), Random::new(7));
        for power in 0..40 {
            let span = (FIRST_NS << power.min(16)).min(LONGEST_NS);
            let wait = backoff.failed(&mut random, LONGEST_NS);
            assert!(wait >= span / 2 && wait <= span, "attempt {power}: {wait} of {span}");
        }
        backoff.succeeded();
        assert!(backoff.failed(&mut random, LONGEST_NS) <= FIRST_NS);
    }
}
