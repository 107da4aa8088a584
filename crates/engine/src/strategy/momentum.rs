//! A market's microprice in; an immediate-or-cancel order in the direction of its move out.
//!
//! Two exponential averages of the microprice, one fast, one slow: when the fast one is ahead by
//! more than `trigger_ppm`, the price moves that way. We then hold up to one `quantity` in that
//! direction, on the active venue, at a protected price. When the direction turns, the first order
//! only takes the old position down to zero; a new one opens after the cool-down, if the move is
//! still there. The position is counted over all venues, so that a switch of venue does not double it.
//!
//! Why averages counted in book updates, not seconds: a quiet market should not forget a move
//! faster than it trades. Why not a regression slope: it needs a window of samples per market for a
//! signal that ranks the same.

use super::{View, parts_per_million, tick_down, tick_up};
use crate::event::{Side, TimeInForce};
use crate::indicator::DecayingMean;
use crate::risk::{Intent, PlaceIntent};
use serde::{Deserialize, Serialize};
use values::{MarketId, Nanos, Price, Quantity};

/// How far beyond the best price we take, at most: deep enough to be filled by the level behind the
/// one that just went, too shallow for a swept book to hurt.
const PROTECTION_PPM: u32 = 300;

/// The strategy's parameters; see `StrategyKind::Momentum`.
#[derive(Copy, Clone, Debug)]
pub struct Settings {
    /// Distance of the averages that triggers.
    pub trigger_ppm: u32,
    /// Order size, and the most that is held.
    pub quantity: Quantity,
    /// Time between two orders.
    pub cooldown_ns: Nanos,
}

/// The averages of one market.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Trend {
    fast: DecayingMean,
    slow: DecayingMean,
    updates: u32,
}

/// What the strategy remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    fast_updates: u32,
    slow_updates: u32,
    trends: Vec<Trend>,
    /// By instrument: one move is seen at every venue that lists it.
    last_order_ns: Vec<Option<Nanos>>,
}

impl Memory {
    /// No averages yet.
    pub fn new(fast_updates: u32, slow_updates: u32, markets: usize, instruments: usize) -> Self {
        let trend = Trend {
            fast: DecayingMean::new(fast_updates),
            slow: DecayingMean::new(slow_updates),
            updates: 0,
        };
        Self {
            fast_updates,
            slow_updates,
            trends: vec![trend; markets],
            last_order_ns: vec![None; instruments],
        }
    }

    /// Goes on with other half-lives; the averages start anew where these differ.
    pub fn set_updates(&mut self, fast_updates: u32, slow_updates: u32) {
        if (self.fast_updates, self.slow_updates) == (fast_updates, slow_updates) {
            return;
        }
        (self.fast_updates, self.slow_updates) = (fast_updates, slow_updates);
        for index in 0..self.trends.len() {
            self.forget(MarketId(index as u8));
        }
    }

    /// Starts a market's averages anew.
    pub fn forget(&mut self, market: MarketId) {
        self.trends[market.index()] = Trend {
            fast: DecayingMean::new(self.fast_updates),
            slow: DecayingMean::new(self.slow_updates),
            updates: 0,
        };
    }
}

/// Updates the averages and appends an order when they say so.
pub fn take(settings: &Settings, memory: &mut Memory, view: &View<'_>, intents: &mut Vec<Intent>) {
    if !view.is_update {
        return;
    }
    let price = view.microprice.to_f64();
    let trend = &mut memory.trends[view.market.index()];
    let (fast, slow) = (trend.fast.update(price), trend.slow.update(price));
    trend.updates = trend.updates.saturating_add(1);
    // Until the slow average has seen its half-life it only echoes the first price.
    if !view.is_active || trend.updates < memory.slow_updates {
        return;
    }
    let lead_ppm = (fast - slow) / slow * 1e6;
    if lead_ppm.abs() <= f64::from(settings.trigger_ppm) {
        return;
    }
    let last_order_ns = &mut memory.last_order_ns[usize::from(view.limits.instrument)];
    let is_cool = last_order_ns.is_none_or(|last_ns| view.now_ns - last_ns >= settings.cooldown_ns);
    // It may have been routed to any venue.
    if !is_cool || view.open_all_venues > 0 {
        return;
    }
    let side = if lead_ppm > 0.0 { Side::Buy } else { Side::Sell };
    let Some(price) = protected_price(view, side) else { return };
    let wanted = missing(settings.quantity, view.position_all_venues, side);
    let quantity = view.sized(side, wanted);
    if quantity > Quantity::ZERO {
        *last_order_ns = Some(view.now_ns);
        intents.push(Intent::Route(PlaceIntent {
            side,
            price,
            quantity,
            time_in_force: TimeInForce::ImmediateOrCancel,
        }));
    }
}

/// How much to trade: down to zero first when we hold the other direction, else up to the size.
pub(super) fn missing(target: Quantity, held: Quantity, side: Side) -> Quantity {
    let ahead = match side {
        Side::Buy => held.0,
        Side::Sell => held.0.saturating_neg(),
    };
    let missing = if ahead < 0 { ahead.saturating_abs().min(target.0) } else { target.0 - ahead };
    Quantity(missing.max(0))
}

/// A limit beyond the best price, but never through our own resting orders; `None` when those are
/// all that there is to take.
pub(super) fn protected_price(view: &View<'_>, side: Side) -> Option<Price> {
    let tick = view.limits.tick;
    let ppm = i64::from(PROTECTION_PPM.min(view.limits.collar_ppm / 2));
    match side {
        Side::Buy => {
            let best = view.ask.price.0;
            let mut limit = tick_down(best + parts_per_million(best, ppm), tick);
            if let Some(own) = view.own_best(Side::Sell) {
                limit = limit.min(own.0 - tick.0);
            }
            (limit >= best).then_some(Price(limit))
        }
        Side::Sell => {
            let best = view.bid.price.0;
            let mut limit = tick_up(best - parts_per_million(best, ppm), tick);
            if let Some(own) = view.own_best(Side::Buy) {
                limit = limit.max(own.0 + tick.0);
            }
            (limit <= best).then_some(Price(limit))
        }
    }
}
