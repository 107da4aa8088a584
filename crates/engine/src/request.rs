//! A question to a venue that must be answered in the end: wanted, asked, answered or asked again.
//!
//! One small record serves snapshots, open orders, trades, balances, order queries and cancels. None
//! of them changes anything when repeated, so a lost answer is cured by asking again with back-off.
//! New orders are not requests in this sense.
//!
//! Each has a salt, made from what it is about. It lengthens every pause by up to a quarter: orders
//! that failed together, or engines that met the same outage, do not ask again together. It is no
//! randomness: a replay waits just as long.

use serde::{Deserialize, Serialize};
use values::Nanos;

/// By when the shell gives the answer to a request or reports it lost; an answer that comes later
/// is to be dropped, because it would describe a time before the question that replaced it.
pub const REQUEST_LIFE_NS: Nanos = 2_000_000_000;
/// After how long a question without either is asked again; only heals a shell that forgot one.
pub const ANSWER_WAIT_NS: Nanos = 5_000_000_000;
/// First pause after a failure; shorter would hammer a venue that is already in trouble.
pub const BACKOFF_NS: Nanos = 100_000_000;
/// Longest pause; longer would leave an order of unknown fate unasked for too long.
pub const BACKOFF_NS_MAX: Nanos = 3_200_000_000;

/// A pause is lengthened by less than this part of itself: enough to spread a burst over many
/// timer ticks, too little to matter to whoever waits.
const JITTER_PART: Nanos = 4;

/// One kind of question about one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    wanted: bool,
    pending: bool,
    next_ns: Nanos,
    backoff_ns: Nanos,
    /// Answers still to come that were asked before the last [`Request::renew`].
    outdated: u32,
    salt: u64,
}

impl Default for Request {
    fn default() -> Self {
        Self::about(0)
    }
}

impl Request {
    /// Nothing wanted yet; `salt` tells it from others of its kind.
    pub fn about(salt: u64) -> Self {
        Self {
            wanted: false,
            pending: false,
            next_ns: 0,
            backoff_ns: BACKOFF_NS,
            outdated: 0,
            salt,
        }
    }

    /// As it was at first.
    pub fn reset(&mut self) {
        *self = Self::about(self.salt);
    }

    /// An answer is wanted; an answer that is already on its way will do.
    pub fn want(&mut self, now_ns: Nanos) {
        if !self.wanted {
            self.wanted = true;
            self.backoff_ns = BACKOFF_NS;
            if !self.pending {
                self.next_ns = now_ns;
            }
        }
    }

    /// The shell has asked by itself; asked again when no answer comes.
    pub fn asked(&mut self, now_ns: Nanos) {
        self.want(now_ns);
        self.pending = true;
        self.next_ns = now_ns + ANSWER_WAIT_NS;
    }

    /// A **new** answer is wanted: one asked earlier may describe a time before now.
    pub fn renew(&mut self, now_ns: Nanos) {
        if self.pending {
            self.outdated += 1;
        }
        let outdated = self.outdated;
        *self = Self { wanted: true, next_ns: now_ns, outdated, ..Self::about(self.salt) };
    }

    /// The process that asked is gone: no answer will come.
    pub fn forget_asked(&mut self, now_ns: Nanos) {
        self.pending = false;
        self.outdated = 0;
        self.next_ns = now_ns;
    }

    /// Whether to ask now; true counts as asked.
    pub fn poll(&mut self, now_ns: Nanos) -> bool {
        if !self.wanted || now_ns < self.next_ns {
            return false;
        }
        self.pending = true;
        self.next_ns = now_ns + ANSWER_WAIT_NS;
        true
    }

    /// An answer came; false when it answers an outdated question.
    pub fn answered(&mut self) -> bool {
        if self.outdated > 0 {
            self.outdated -= 1;
            return false;
        }
        self.wanted = false;
        self.pending = false;
        self.backoff_ns = BACKOFF_NS;
        true
    }

    /// The matter settled itself, such as by a pushed report.
    pub fn settle(&mut self) {
        self.wanted = false;
        self.pending = false;
        self.backoff_ns = BACKOFF_NS;
    }

    /// No answer, or one that does not settle the matter: asked again after a doubling pause, not
    /// before `not_before_ns`; either a little later, by its jitter.
    pub fn failed(&mut self, now_ns: Nanos, not_before_ns: Nanos) {
        if self.outdated > 0 {
            self.outdated -= 1;
            return;
        }
        self.pending = false;
        self.next_ns =
            (now_ns + self.backoff_ns).max(not_before_ns).saturating_add(self.jitter_ns());
        self.backoff_ns = (self.backoff_ns * 2).min(BACKOFF_NS_MAX);
    }

    /// From salt and pause alone, below a [`JITTER_PART`]th of the pause.
    fn jitter_ns(&self) -> Nanos {
        let mixed = mix(self.salt ^ self.backoff_ns.unsigned_abs());
        (mixed % (self.backoff_ns / JITTER_PART).unsigned_abs().max(1)) as Nanos
    }

    /// Whether an answer is still wanted.
    pub fn is_wanted(&self) -> bool {
        self.wanted
    }
}

/// Spreads close numbers over all numbers.
///
/// Source: the finaliser of `SplitMix64`; G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom
/// number generators", 2014.
fn mix(salt: u64) -> u64 {
    let mut mixed = salt.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn requests_that_failed_together_are_asked_again_apart_and_each_the_same_way_again() {
        let pause = |salt| {
            let mut request = Request::about(salt);
            request.want(0);
            assert!(request.poll(0));
            request.failed(0, 0);
            (0..100_000).find(|at_ns| request.clone().poll(at_ns * 10_000)).expect("asked again")
        };
        let pauses: BTreeSet<Nanos> = (0..20).map(pause).collect();
        assert!(pauses.len() >= 15, "{pauses:?}");
        assert!((0..20).all(|salt| pause(salt) == pause(salt)));
        let (first, last) = (BACKOFF_NS / 10_000, BACKOFF_NS * 5 / 4 / 10_000);
        assert!(pauses.iter().all(|pause| (first..=last).contains(pause)), "{pauses:?}");
    }

    #[test]
    fn failure_is_asked_again_with_doubling_pauses() {
        let mut request = Request::default();
        assert!(!request.poll(0), "nobody wants it");
        request.want(0);
        assert!(request.poll(0));
        assert!(!request.poll(1), "one at a time");
        let mut now_ns = 10;
        for pause in [BACKOFF_NS, 2 * BACKOFF_NS, 4 * BACKOFF_NS] {
            request.failed(now_ns, 0);
            let latest_ns = now_ns + pause + pause / JITTER_PART;
            assert!(!request.poll(now_ns + pause - 1));
            assert!(request.poll(latest_ns));
            now_ns = latest_ns + 10;
        }
        assert!(request.answered());
        assert!(!request.is_wanted());
    }

    #[test]
    fn answer_to_an_outdated_question_settles_nothing() {
        let mut request = Request::default();
        request.want(0);
        assert!(request.poll(0));
        request.renew(5);
        assert!(request.poll(5));
        assert!(!request.answered(), "this one describes time 0");
        assert!(request.is_wanted());
        assert!(request.answered());
    }

    #[test]
    fn lost_answer_is_asked_again() {
        let mut request = Request::default();
        request.want(0);
        assert!(request.poll(0));
        assert!(request.poll(ANSWER_WAIT_NS));
    }
}
