//! What is known of a venue in; whether it can be traded with, and every reason against it, out.

use serde::Serialize;
use std::collections::VecDeque;
use values::Nanos;

/// Gaps of the feed are counted over this time.
const GAP_WINDOW_NS: Nanos = 60_000_000_000;
/// One gap heals in a fraction of a second; so many in a window are a venue or a network in trouble.
const GAPS_MAX: u64 = 3;
/// The venue's clock and ours: beyond it receive windows and staleness by the venue's time suffer.
const CLOCK_OFFSET_NS_MAX: Nanos = 500_000_000;

/// How a venue does.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// Nothing is known against it.
    Healthy,
    /// It can be traded with, or will be within moments.
    Degraded,
    /// No order can be sent there.
    Down,
}

/// Why a venue is not healthy, worst first.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    /// The venue shut us out (HTTP 418).
    Ban,
    /// A connection is gone and being opened again.
    Reconnecting,
    /// The account's events do not come.
    UserStreamDown,
    /// Market data is too old.
    Stale,
    /// Orders failed in a row; none are sent for a while.
    BreakerOpen,
    /// Orders and position are being compared with the venue's.
    Reconciling,
    /// The venue refuses a subscription, so that something is missing.
    SubscriptionRefused,
    /// A book is being fetched anew.
    Resyncing,
    /// The venue said "too many requests", or nearly did.
    Throttled,
    /// Market data has gaps again and again.
    GapRate,
    /// The venue's clock and ours differ.
    ClockOffset,
}

impl Reason {
    fn state(self) -> State {
        match self {
            Self::Ban
            | Self::Reconnecting
            | Self::UserStreamDown
            | Self::Stale
            | Self::BreakerOpen
            | Self::Reconciling => State::Down,
            Self::SubscriptionRefused
            | Self::Resyncing
            | Self::Throttled
            | Self::GapRate
            | Self::ClockOffset => State::Degraded,
        }
    }
}

/// What is known of a venue.
#[derive(Copy, Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact, named")]
pub(super) struct Facts {
    pub is_banned: bool,
    pub is_connected: bool,
    pub is_user_up: bool,
    pub is_stale: bool,
    pub is_breaker_open: bool,
    pub is_reconciled: bool,
    pub is_refused: bool,
    pub is_resyncing: bool,
    pub is_throttled: bool,
    pub gaps_in_window: u64,
    pub clock_offset_ns: Nanos,
}

/// The state and its reasons.
pub(super) fn judge(facts: &Facts) -> (State, Vec<Reason>) {
    let reasons: Vec<Reason> = [
        (facts.is_banned, Reason::Ban),
        (!facts.is_connected, Reason::Reconnecting),
        (!facts.is_user_up, Reason::UserStreamDown),
        (facts.is_stale, Reason::Stale),
        (facts.is_breaker_open, Reason::BreakerOpen),
        (!facts.is_reconciled, Reason::Reconciling),
        (facts.is_refused, Reason::SubscriptionRefused),
        (facts.is_resyncing, Reason::Resyncing),
        (facts.is_throttled, Reason::Throttled),
        (facts.gaps_in_window >= GAPS_MAX, Reason::GapRate),
        (facts.clock_offset_ns.saturating_abs() > CLOCK_OFFSET_NS_MAX, Reason::ClockOffset),
    ]
    .into_iter()
    .filter_map(|(is_so, reason)| is_so.then_some(reason))
    .collect();
    let worst = reasons.iter().map(|reason| reason.state()).max();
    (worst.unwrap_or(State::Healthy), reasons)
}

/// How many gaps a venue's feed had in the last minute.
#[derive(Default)]
pub(super) struct Gaps {
    counts: VecDeque<(Nanos, u64)>,
}

impl Gaps {
    /// Takes in the count since the start; gives the gaps of the window.
    pub(super) fn observe(&mut self, now_ns: Nanos, total: u64) -> u64 {
        if self.counts.back().is_none_or(|(_, last)| *last != total) {
            self.counts.push_back((now_ns, total));
        }
        while self.counts.len() > 1 && now_ns - self.counts[1].0 > GAP_WINDOW_NS {
            self.counts.pop_front();
        }
        // The oldest entry counts as the level before the window, once it is old enough.
        total - self.counts.front().map_or(total, |(_, first)| *first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Facts = Facts {
        is_banned: false,
        is_connected: true,
        is_user_up: true,
        is_stale: false,
        is_breaker_open: false,
        is_reconciled: true,
        is_refused: false,
        is_resyncing: false,
        is_throttled: false,
        gaps_in_window: 0,
        clock_offset_ns: 0,
    };

    #[test]
    fn each_fact_gives_its_reason_and_the_worst_decides() {
        assert_eq!(judge(&GOOD), (State::Healthy, vec![]));
        for (facts, state, reason) in [
            (Facts { is_banned: true, ..GOOD }, State::Down, Reason::Ban),
            (Facts { is_connected: false, ..GOOD }, State::Down, Reason::Reconnecting),
            (Facts { is_user_up: false, ..GOOD }, State::Down, Reason::UserStreamDown),
            (Facts { is_stale: true, ..GOOD }, State::Down, Reason::Stale),
            (Facts { is_breaker_open: true, ..GOOD }, State::Down, Reason::BreakerOpen),
            (Facts { is_reconciled: false, ..GOOD }, State::Down, Reason::Reconciling),
            (Facts { is_refused: true, ..GOOD }, State::Degraded, Reason::SubscriptionRefused),
            (Facts { is_resyncing: true, ..GOOD }, State::Degraded, Reason::Resyncing),
            (Facts { is_throttled: true, ..GOOD }, State::Degraded, Reason::Throttled),
            (Facts { gaps_in_window: 3, ..GOOD }, State::Degraded, Reason::GapRate),
            (Facts { clock_offset_ns: -600_000_000, ..GOOD }, State::Degraded, Reason::ClockOffset),
        ] {
            assert_eq!(judge(&facts), (state, vec![reason]));
        }
        let both = Facts { is_throttled: true, is_user_up: false, ..GOOD };
        assert_eq!(judge(&both), (State::Down, vec![Reason::UserStreamDown, Reason::Throttled]));
    }

    #[test]
    fn gaps_are_counted_over_a_minute_and_forgotten_after_it() {
        let (mut gaps, second) = (Gaps::default(), 1_000_000_000);
        assert_eq!(gaps.observe(0, 5), 0, "those before we looked");
        assert_eq!(gaps.observe(10 * second, 6), 1);
        assert_eq!(gaps.observe(20 * second, 8), 3);
        assert_eq!(gaps.observe(69 * second, 8), 3);
        assert_eq!(gaps.observe(71 * second, 8), 2);
        assert_eq!(gaps.observe(81 * second, 8), 0);
    }
}
