//! Stand-in until the real book is merged.
use crate::event::Level;
use serde::{Deserialize, Serialize};
use values::{Nanos, Price};
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Market {
    status: MarketStatus,
    last: Nanos,
    top: Option<(L, L)>,
}
#[derive(Copy, Clone, Debug, PartialEq, Serialize, Deserialize)]
struct L(i64, i64);
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MarketStatus {
    Down,
    Buffering,
    Live,
}
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Change {
    None,
    Updated,
    NeedsSnapshot,
    Gap,
    Crossed,
}
impl Market {
    pub fn new() -> Self {
        Self { status: MarketStatus::Down, last: 0, top: None }
    }
    pub fn on_channel_up(&mut self, now: Nanos) {
        self.status = MarketStatus::Buffering;
        self.last = now;
    }
    pub fn on_channel_down(&mut self) {
        self.status = MarketStatus::Down;
        self.top = None;
    }
    pub fn on_heartbeat(&mut self, now: Nanos) {
        self.last = now;
    }
    pub fn on_diff(
        &mut self,
        now: Nanos,
        _: u64,
        _: u64,
        _: Option<u64>,
        bids: &[Level],
        asks: &[Level],
    ) -> Change {
        self.last = now;
        if self.status != MarketStatus::Live {
            return Change::NeedsSnapshot;
        }
        if let (Some(b), Some(a)) = (bids.first(), asks.first()) {
            self.top = Some((L(b.price.0, b.quantity.0), L(a.price.0, a.quantity.0)));
            return Change::Updated;
        }
        Change::None
    }
    pub fn on_snapshot(&mut self, now: Nanos, _: u64, bids: &[Level], asks: &[Level]) -> Change {
        if self.status == MarketStatus::Down {
            return Change::None;
        }
        self.status = MarketStatus::Live;
        self.on_diff(now, 0, 0, None, bids, asks)
    }
    pub fn on_ticker(&mut self, now: Nanos, _: u64, bid: Level, ask: Level) -> Change {
        if self.status != MarketStatus::Live {
            self.last = now;
            return Change::None;
        }
        self.on_diff(now, 0, 0, None, &[bid], &[ask])
    }
    pub fn on_trade(&mut self, now: Nanos) {
        self.last = now;
    }
    pub fn status(&self) -> MarketStatus {
        self.status
    }
    pub fn last_frame_ns(&self) -> Nanos {
        self.last
    }
    pub fn age_ns(&self, now: Nanos) -> Option<Nanos> {
        Some(now - self.last)
    }
    pub fn top(&self) -> Option<(Level, Level)> {
        self.top.map(|(b, a)| {
            let f = |l: L| Level { price: Price(l.0), quantity: values::Quantity(l.1) };
            (f(b), f(a))
        })
    }
    pub fn microprice(&self) -> Option<Price> {
        self.top().map(|(b, a)| Price(i64::midpoint(b.price.0, a.price.0)))
    }
}
