//! Outcomes of order requests in; whether new orders may go to a venue out.
//!
//! A venue that refuses or swallows orders is not helped by more of them. After `failures` within
//! `window` the breaker opens: nothing passes. When the back-off is over it is half-open: exactly
//! one probe order passes. If that is answered well the breaker closes, else it opens again for
//! twice as long. A relapse within the window after closing continues the doubling, so that a venue
//! that answers single probes but falls over under load is left alone for longer and longer.
//!
//! Why a count in a window, not an error ratio: at a few orders a second a ratio needs seconds of
//! samples before it means anything, and by then money is committed to orders of unknown fate.
//!
//! Source: M. Nygard, *Release It!*, 2nd edition (2018), chapter 5, "Circuit Breaker".

use crate::limits::BreakerConfig;
use crate::output::Reflex;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use values::{ClientOrderId, Nanos};

/// What the breaker lets through.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BreakerState {
    /// Everything.
    Closed,
    /// One probe.
    HalfOpen {
        /// The probe, when under way.
        probe: Option<ClientOrderId>,
    },
    /// Nothing.
    Open {
        /// Until when.
        until_ns: Nanos,
    },
}

/// The breaker of a venue or of a strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaker {
    state: BreakerState,
    failures: VecDeque<Nanos>,
    backoff_ns: Nanos,
    closed_ns: Nanos,
}

impl Breaker {
    /// A closed breaker.
    pub fn new(config: &BreakerConfig) -> Self {
        Self {
            state: BreakerState::Closed,
            failures: VecDeque::with_capacity(config.failures as usize + 1),
            backoff_ns: config.backoff_ns,
            closed_ns: Nanos::MIN / 2,
        }
    }

    /// What it lets through.
    pub fn state(&self) -> BreakerState {
        self.state
    }

    /// Whether one more new order may pass.
    pub fn lets_pass(&self) -> bool {
        matches!(self.state, BreakerState::Closed | BreakerState::HalfOpen { probe: None })
    }

    /// An order is being sent; in half-open it is the probe.
    pub fn sent(&mut self, id: ClientOrderId) {
        if let BreakerState::HalfOpen { probe } = &mut self.state {
            *probe = Some(id);
        }
    }

    /// The venue answered an order request plainly.
    pub fn succeeded(&mut self, now_ns: Nanos, id: ClientOrderId) -> Option<Reflex> {
        if self.state != (BreakerState::HalfOpen { probe: Some(id) }) {
            return None;
        }
        self.state = BreakerState::Closed;
        self.closed_ns = now_ns;
        self.failures.clear();
        Some(Reflex::BreakerClosed)
    }

    /// An order request was refused, throttled or swallowed.
    pub fn failed(
        &mut self,
        now_ns: Nanos,
        id: ClientOrderId,
        config: &BreakerConfig,
    ) -> Option<Reflex> {
        match self.state {
            BreakerState::Open { .. } => None,
            BreakerState::HalfOpen { probe } => {
                (probe == Some(id)).then(|| self.open(now_ns, config))
            }
            BreakerState::Closed => {
                self.failures.push_back(now_ns);
                while self.failures.front().is_some_and(|t| *t <= now_ns - config.window_ns) {
                    self.failures.pop_front();
                }
                (self.failures.len() >= config.failures as usize).then(|| {
                    if now_ns - self.closed_ns > config.window_ns {
                        self.backoff_ns = config.backoff_ns;
                    }
                    self.open(now_ns, config)
                })
            }
        }
    }

    /// Time passed.
    pub fn tick(&mut self, now_ns: Nanos) -> Option<Reflex> {
        match self.state {
            BreakerState::Open { until_ns } if now_ns >= until_ns => {
                self.state = BreakerState::HalfOpen { probe: None };
                Some(Reflex::BreakerHalfOpen)
            }
            _ => None,
        }
    }

    /// An order that was counted as sent never left: a probe among them would be waited for in vain.
    pub fn withdrawn(&mut self, now_ns: Nanos, id: ClientOrderId, config: &BreakerConfig) {
        if self.state == (BreakerState::HalfOpen { probe: Some(id) }) {
            self.forget_probe(now_ns, config);
        }
    }

    /// The process began anew: a probe that was under way may never be told of, and a breaker that
    /// waits for it would stay shut for ever.
    pub fn forget_probe(&mut self, now_ns: Nanos, config: &BreakerConfig) {
        if matches!(self.state, BreakerState::HalfOpen { probe: Some(_) }) {
            self.open(now_ns, config);
        }
    }

    /// A probe got lost, which tells nothing: another one may go.
    pub fn release_probe(&mut self, id: ClientOrderId) {
        if self.state == (BreakerState::HalfOpen { probe: Some(id) }) {
            self.state = BreakerState::HalfOpen { probe: None };
        }
    }

    fn open(&mut self, now_ns: Nanos, config: &BreakerConfig) -> Reflex {
        self.state = BreakerState::Open { until_ns: now_ns + self.backoff_ns };
        self.backoff_ns = (self.backoff_ns * 2).min(config.backoff_ns_max);
        self.failures.clear();
        Reflex::BreakerOpened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> BreakerConfig {
        BreakerConfig { failures: 3, window_ns: 1_000, backoff_ns: 100, backoff_ns_max: 300 }
    }

    fn id(number: u32) -> ClientOrderId {
        ClientOrderId { run: 1, number }
    }

    fn tripped(config: &BreakerConfig) -> Breaker {
        let mut breaker = Breaker::new(config);
        assert_eq!(breaker.failed(0, id(1), config), None);
        assert_eq!(breaker.failed(1, id(2), config), None);
        assert_eq!(breaker.failed(2, id(3), config), Some(Reflex::BreakerOpened));
        breaker
    }

    #[test]
    fn failures_spread_wider_than_the_window_leave_it_closed() {
        let config = config();
        let mut breaker = Breaker::new(&config);
        for n in 0..20 {
            assert_eq!(breaker.failed(i64::from(n) * 500, id(n), &config), None);
        }
        assert!(breaker.lets_pass());
    }

    #[test]
    fn restart_with_a_probe_under_way_opens_and_probes_again() {
        let config = config();
        let mut breaker = tripped(&config);
        breaker.tick(102);
        breaker.sent(id(4));
        breaker.forget_probe(200, &config);
        assert!(!breaker.lets_pass());
        assert_eq!(breaker.tick(200 + 300), Some(Reflex::BreakerHalfOpen));
        assert!(breaker.lets_pass(), "another probe may pass");
    }

    #[test]
    fn open_breaker_probes_once_and_closes_on_a_good_answer() {
        let config = config();
        let mut breaker = tripped(&config);
        assert!(!breaker.lets_pass());
        assert_eq!(breaker.tick(101), None);
        assert_eq!(breaker.tick(102), Some(Reflex::BreakerHalfOpen));
        assert!(breaker.lets_pass());
        breaker.sent(id(4));
        assert!(!breaker.lets_pass(), "one probe only");
        assert_eq!(breaker.succeeded(110, id(3)), None, "a late answer is not the probe's");
        assert_eq!(breaker.succeeded(110, id(4)), Some(Reflex::BreakerClosed));
        assert!(breaker.lets_pass());
    }

    #[test]
    fn failed_probe_doubles_the_back_off_to_its_limit() {
        let config = config();
        let mut breaker = tripped(&config);
        let mut now_ns = 2;
        for (n, backoff_ns) in [(4, 100), (5, 200), (6, 300), (7, 300)] {
            assert_eq!(breaker.state(), BreakerState::Open { until_ns: now_ns + backoff_ns });
            now_ns += backoff_ns;
            assert_eq!(breaker.tick(now_ns), Some(Reflex::BreakerHalfOpen));
            breaker.sent(id(n));
            assert_eq!(breaker.failed(now_ns, id(n), &config), Some(Reflex::BreakerOpened));
        }
    }

    #[test]
    fn relapse_soon_after_closing_keeps_doubling_and_a_late_one_starts_afresh() {
        let config = config();
        for (pause_ns, backoff_ns) in [(10, 200), (5_000, 100)] {
            let mut breaker = tripped(&config);
            breaker.tick(200);
            breaker.sent(id(4));
            breaker.succeeded(200, id(4));
            let now_ns = 200 + pause_ns;
            for n in 5..8 {
                breaker.failed(now_ns, id(n), &config);
            }
            assert_eq!(breaker.state(), BreakerState::Open { until_ns: now_ns + backoff_ns });
        }
    }
}
