//! What each venue offers for one order in; how much of it goes where out. A pure function.
//!
//! Think of buying apples at several stalls that post their prices: one walks to whichever has the
//! cheapest next apple, fee and walk included, until the basket is full. For an order that takes,
//! the books of all venues are merged level by level, each level at its price with the taker fee,
//! what the venue's latency is worth, and a little for the position that we hold there already; the
//! order is cut where the levels are. An order that rests, or that must fill whole, goes to one
//! venue: the cheapest by the same sum. A venue with an obstacle (a check that would deny the order)
//! gets nothing.
//!
//! Rejected: splitting by fixed weights (ignores what rests there now) and a solver over
//! expected fills (its model of hidden liquidity would need data that a first order lacks).

mod offers;

use crate::event::{Level, Side};
use crate::reason::DenialReason;
use values::{MarketId, Nanos, Price, Quantity};

pub use offers::Want;

/// Venues compared for one order; further ones are left out.
pub const OFFERS_MAX: usize = 8;
/// Levels read of each book: an order that eats more than these is larger than its market.
pub const LEVELS_MAX: usize = 10;

const MILLION: i128 = 1_000_000;

/// What one venue offers at the decision.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Where.
    pub market: MarketId,
    /// Why nothing may be sent there; `None` when it may.
    pub obstacle: Option<DenialReason>,
    /// Best bid.
    pub bid: Level,
    /// Best offer.
    pub ask: Level,
    /// The worst price to be paid or taken there.
    pub limit: Price,
    /// What could be taken within the limit, best first; a quantity of zero ends the list.
    pub levels: [Level; LEVELS_MAX],
    /// The most that may be sent there, in whole lots.
    pub sendable: Quantity,
    /// The least that the venue takes.
    pub least: Quantity,
    /// The quantity step.
    pub lot: Quantity,
    /// Fee for what this order would be there, taking or resting.
    pub fee_ppm: i64,
    /// Running estimate of the time from sending to the venue's word.
    pub latency_ns: Nanos,
    /// What latency and the position held there are worth, added to the price.
    pub penalty_ppm: i64,
    /// Whether this is the active venue, which wins a tie.
    pub is_active: bool,
    /// The answer: how much goes there.
    pub share: Quantity,
}

/// How an order wants to be filled.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// At once, where it is cheapest, in parts if that is cheaper.
    Take,
    /// At once and whole.
    TakeWhole,
    /// Resting at its limit.
    Rest,
}

impl Offer {
    /// How much rests within the limit, as far as the levels were read.
    pub fn depth(&self) -> Quantity {
        Quantity(self.levels.iter().map(|level| level.quantity.0).sum())
    }

    /// What the whole quantity would cost there against `reference`, fee included, parts per
    /// million; positive is worse than the reference. What is beyond the levels is counted at the
    /// limit. For a resting order: its limit.
    pub fn cost_ppm(
        &self,
        side: Side,
        manner: Manner,
        quantity: Quantity,
        reference: Price,
    ) -> i64 {
        let average = if manner == Manner::Rest { self.limit.0 } else { self.average(quantity) };
        let away = match side {
            Side::Buy => i128::from(average) - i128::from(reference.0),
            Side::Sell => i128::from(reference.0) - i128::from(average),
        };
        let away_ppm = away * MILLION / i128::from(reference.0.max(1));
        i64::try_from(away_ppm).unwrap_or(i64::MAX).saturating_add(self.fee_ppm)
    }

    fn average(&self, quantity: Quantity) -> i64 {
        let (mut left, mut value) = (quantity.0, 0_i128);
        for level in &self.levels {
            let part = left.min(level.quantity.0);
            value += i128::from(part) * i128::from(level.price.0);
            left -= part;
        }
        value += i128::from(left) * i128::from(self.limit.0);
        (value / i128::from(quantity.0.max(1))) as i64
    }

    /// A price with everything that comes on top of it; smaller is better for both sides.
    fn effective(&self, side: Side, price: Price) -> i128 {
        let extra = i128::from(self.fee_ppm + self.penalty_ppm);
        match side {
            Side::Buy => i128::from(price.0) * (MILLION + extra),
            Side::Sell => -i128::from(price.0) * (MILLION - extra),
        }
    }
}

/// Fills in the shares. Their sum is the quantity unless the venues may not be sent so much.
pub fn choose(side: Side, quantity: Quantity, manner: Manner, offers: &mut [Offer]) {
    for offer in offers.iter_mut() {
        offer.share = Quantity::ZERO;
    }
    match manner {
        Manner::Take => take(side, quantity, offers),
        Manner::TakeWhole => {
            let key = |offer: &Offer| offer.effective(side, Price(offer.average(quantity)));
            give_one(quantity, offers, |offer| offer.depth() >= quantity, key);
        }
        Manner::Rest => {
            give_one(quantity, offers, |_| true, |offer| offer.effective(side, offer.limit));
        }
    }
}

/// All of it to the cheapest venue that may have it.
fn give_one(
    quantity: Quantity,
    offers: &mut [Offer],
    fits: impl Fn(&Offer) -> bool,
    key: impl Fn(&Offer) -> i128,
) {
    let able = offers.iter_mut().filter(|offer| {
        offer.obstacle.is_none() && offer.sendable >= quantity && quantity >= offer.least
    });
    let best = able.filter(|offer| fits(offer)).min_by_key(|offer| (key(offer), !offer.is_active));
    if let Some(best) = best {
        best.share = quantity;
    }
}

fn take(side: Side, quantity: Quantity, offers: &mut [Offer]) {
    let mut is_out = [false; OFFERS_MAX];
    // Each round puts one venue out whose part came out too small, so that it ends.
    for _ in 0..=offers.len() {
        spread(side, quantity, offers, is_out);
        let too_small = offers.iter_mut().enumerate().find(|(index, offer)| {
            !is_out[*index] && offer.share > Quantity::ZERO && offer.share < offer.least
        });
        match too_small {
            Some((index, offer)) => {
                offer.share = Quantity::ZERO;
                is_out[index] = true;
            }
            None => return,
        }
    }
}

/// Goes from level to level, the cheapest of all venues next.
fn spread(side: Side, quantity: Quantity, offers: &mut [Offer], is_out: [bool; OFFERS_MAX]) {
    let mut at = [0; OFFERS_MAX];
    let mut left = quantity.0;
    for offer in offers.iter_mut() {
        offer.share = Quantity::ZERO;
    }
    while left > 0 {
        let next = offers.iter().enumerate().take(OFFERS_MAX).filter_map(|(index, offer)| {
            let level = offer.levels.get(at[index])?;
            let may = offer.obstacle.is_none() && !is_out[index] && offer.share < offer.sendable;
            (may && level.quantity.0 > 0)
                .then(|| (offer.effective(side, level.price), !offer.is_active, index))
        });
        let Some((_, _, index)) = next.min() else { break };
        let offer = &mut offers[index];
        let part = left.min(offer.levels[at[index]].quantity.0);
        let part = part.min(offer.sendable.0 - offer.share.0);
        offer.share.0 += part;
        left -= part;
        at[index] += 1;
    }
    even_out(side, quantity, offers, is_out);
}

/// Whole lots, and what no level was seen for to the cheapest venue: it expires there at worst.
fn even_out(side: Side, quantity: Quantity, offers: &mut [Offer], is_out: [bool; OFFERS_MAX]) {
    for offer in offers.iter_mut() {
        offer.share.0 -= offer.share.0 % offer.lot.0.max(1);
    }
    let mut left = quantity.0 - offers.iter().map(|offer| offer.share.0).sum::<i64>();
    while left > 0 {
        let open = offers.iter_mut().enumerate().filter(|(index, offer)| {
            offer.obstacle.is_none()
                && !is_out[*index]
                && offer.levels[0].quantity.0 > 0
                && left.min(offer.sendable.0 - offer.share.0) >= offer.lot.0.max(1)
        });
        let best = open.min_by_key(|(_, offer)| {
            (offer.effective(side, offer.levels[0].price), !offer.is_active)
        });
        let Some((_, offer)) = best else { return };
        let part = left.min(offer.sendable.0 - offer.share.0);
        let part = part - part % offer.lot.0.max(1);
        offer.share.0 += part;
        left -= part;
    }
}

#[cfg(test)]
mod tests;
