//! A venue's answers in; what we may still ask it, out.
//!
//! The venue counts the weight of all requests from our address and says so in every answer, so
//! that what other programs of this host use is counted as well. Shortly before the limit nothing
//! more is asked; orders and cancels weigh next to nothing and go on. "Too many requests" (429)
//! holds questions for as long as the venue says (new orders are held by the core, which is told);
//! a ban (418) holds everything, because each further request makes it longer.

use crate::http::Response;
use crate::net::wall_ns;
use values::Nanos;

const SECOND_NS: Nanos = 1_000_000_000;
const MINUTE_NS: Nanos = 60 * SECOND_NS;
/// A venue that says "wait" without saying how long.
const HOLD_DEFAULT_NS: Nanos = 10 * SECOND_NS;
/// The rest is kept for orders and cancels, parts in ten.
const QUESTIONS_TENTHS: u32 = 9;

/// What we may ask of one venue.
pub(super) struct Budget {
    weight_per_minute: u32,
    pub used_weight: u32,
    questions_from_ns: Nanos,
    banned_until_ns: Nanos,
}

impl Budget {
    pub(super) fn new(weight_per_minute: u32) -> Budget {
        Budget { weight_per_minute, used_weight: 0, questions_from_ns: 0, banned_until_ns: 0 }
    }

    /// Whether a request may be sent now.
    #[inline]
    pub(super) fn allows(&self, now_ns: Nanos, is_order: bool) -> bool {
        now_ns >= self.banned_until_ns && (is_order || now_ns >= self.questions_from_ns)
    }

    /// Whether the venue has shut us out.
    pub(super) fn is_banned(&self, now_ns: Nanos) -> bool {
        now_ns < self.banned_until_ns
    }

    /// Whether questions wait.
    pub(super) fn is_held(&self, now_ns: Nanos) -> bool {
        now_ns < self.questions_from_ns
    }

    /// Takes in what an answer says of the limits.
    pub(super) fn heard(&mut self, now_ns: Nanos, answer: &Response<'_>) {
        let wait_ns = match answer.retry_after_s {
            0 => HOLD_DEFAULT_NS,
            seconds => Nanos::from(seconds) * SECOND_NS,
        };
        match answer.status {
            418 => self.banned_until_ns = now_ns + wait_ns,
            429 => self.questions_from_ns = self.questions_from_ns.max(now_ns + wait_ns),
            _ => {}
        }
        if answer.used_weight == 0 {
            return;
        }
        self.used_weight = answer.used_weight;
        if self.used_weight >= self.weight_per_minute / 10 * QUESTIONS_TENTHS {
            // The venue counts in minutes of its clock, which is ours but for a second.
            let left_ns = MINUTE_NS - wall_ns() % MINUTE_NS + SECOND_NS;
            self.questions_from_ns = self.questions_from_ns.max(now_ns + left_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after_s: u32, used_weight: u32) -> Response<'static> {
        Response { status, retry_after_s, used_weight, is_kept_alive: true, body: b"" }
    }

    #[test]
    fn weight_near_the_limit_holds_questions_and_not_orders() {
        let mut budget = Budget::new(1_000);
        budget.heard(0, &answer(200, 0, 899));
        assert!(budget.allows(0, false));
        budget.heard(0, &answer(200, 0, 900));
        assert!(!budget.allows(0, false));
        assert!(budget.allows(0, true));
        assert!(budget.allows(62 * SECOND_NS, false), "a minute later at the latest");
    }

    #[test]
    fn refusal_holds_for_as_long_as_the_venue_says_and_a_ban_holds_everything() {
        let mut budget = Budget::new(1_000);
        budget.heard(0, &answer(429, 3, 0));
        assert!(budget.is_held(2 * SECOND_NS) && budget.allows(2 * SECOND_NS, true));
        assert!(budget.allows(3 * SECOND_NS, false));
        budget.heard(0, &answer(418, 120, 0));
        assert!(budget.is_banned(119 * SECOND_NS));
        assert!(!budget.allows(119 * SECOND_NS, true));
        assert!(budget.allows(120 * SECOND_NS, true));
    }
}
