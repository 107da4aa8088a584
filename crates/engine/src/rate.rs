//! Times of sent orders in; whether one more may go within the last second out.
//!
//! A sliding window, not a token bucket: a bucket lets twice the rate through around a refill, and
//! venues count sliding seconds. A lease is a temporary tightening that ends by itself inside the
//! core, so that nobody has to loosen a limit: a healer that dies leaves nothing behind.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use values::Nanos;

const SECOND_NS: Nanos = 1_000_000_000;
/// Leases at one time per venue; more would mean that a healer leaks them.
pub const LEASES_MAX: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lease {
    id: String,
    per_second: u32,
    until_ns: Nanos,
}

/// One venue's limit of new orders a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRate {
    configured: u32,
    sent_ns: VecDeque<Nanos>,
    leases: Vec<Lease>,
}

impl OrderRate {
    /// Nothing sent yet.
    pub fn new(configured: u32) -> Self {
        let sent_ns = VecDeque::with_capacity(configured as usize + 1);
        Self { configured, sent_ns, leases: Vec::new() }
    }

    /// Another configured rate; leases stay.
    pub fn configure(&mut self, configured: u32) {
        self.configured = configured;
        self.sent_ns.reserve((configured as usize + 1).saturating_sub(self.sent_ns.len()));
        while self.sent_ns.len() > configured as usize {
            self.sent_ns.pop_front();
        }
    }

    /// Orders a second allowed now.
    pub fn limit(&self, now_ns: Nanos) -> u32 {
        let running = self.leases.iter().filter(|lease| now_ns < lease.until_ns);
        running.map(|lease| lease.per_second).min().unwrap_or(self.configured).min(self.configured)
    }

    /// Whether one more order may go now.
    pub fn lets_pass(&self, now_ns: Nanos) -> bool {
        let recent = self.sent_ns.iter().rev().take_while(|sent| **sent > now_ns - SECOND_NS);
        recent.count() < self.limit(now_ns) as usize
    }

    /// An order is being sent.
    pub fn sent(&mut self, now_ns: Nanos) {
        if self.sent_ns.len() >= self.configured as usize {
            self.sent_ns.pop_front();
        }
        self.sent_ns.push_back(now_ns);
    }

    /// Whether a lease of this rate would be taken: only a real tightening is.
    pub fn takes_lease(&self, per_second: u32, id: &str) -> bool {
        let has_room = self.leases.len() < LEASES_MAX || self.leases.iter().any(|l| l.id == id);
        (1..self.configured).contains(&per_second) && has_room
    }

    /// Tightens until `until_ns`; the same id again replaces its own lease.
    pub fn lease(&mut self, id: &str, per_second: u32, until_ns: Nanos) {
        self.release(id);
        self.leases.push(Lease { id: id.to_owned(), per_second, until_ns });
    }

    /// Ends a lease early.
    pub fn release(&mut self, id: &str) {
        self.leases.retain(|lease| lease.id != id);
    }

    /// Forgets leases that have run out.
    pub fn tick(&mut self, now_ns: Nanos) {
        if !self.leases.is_empty() {
            self.leases.retain(|lease| now_ns < lease.until_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_beyond_the_rate_waits_until_the_oldest_is_a_second_old() {
        let mut rate = OrderRate::new(3);
        for now_ns in [0, 10, 20] {
            assert!(rate.lets_pass(now_ns));
            rate.sent(now_ns);
        }
        assert!(!rate.lets_pass(20));
        assert!(!rate.lets_pass(SECOND_NS - 1));
        assert!(rate.lets_pass(SECOND_NS));
    }

    #[test]
    fn lease_tightens_and_lapses_by_itself_or_by_release() {
        let mut rate = OrderRate::new(10);
        assert!(!rate.takes_lease(10, "a"), "not lower than configured");
        assert!(!rate.takes_lease(0, "a"));
        assert!(rate.takes_lease(5, "a"));
        rate.lease("a", 5, 100);
        rate.lease("b", 2, 50);
        assert_eq!((rate.limit(0), rate.limit(50), rate.limit(100)), (2, 5, 10));
        rate.release("b");
        assert_eq!(rate.limit(0), 5);
        rate.tick(100);
        assert_eq!(rate, OrderRate::new(10));
    }
}
