//! The state of every venue that trades an instrument in; its offers, and the routed orders, out.

use super::{LEVELS_MAX, Manner, OFFERS_MAX, Offer, choose};
use crate::engine::Engine;
use crate::event::{Level, Side, TimeInForce};
use crate::output::{NewOrder, Output};
use crate::reason::DenialReason;
use crate::risk::{PlaceIntent, Situation};
use crate::scoped::Asked;
use crate::strategy::{parts_per_million, tick_down, tick_up};
use values::{MarketId, Nanos, Price, Quantity, StrategyId, VenueId};

const SECOND_NS: i128 = 1_000_000_000;
const NO_LEVEL: Level = Level { price: Price::ZERO, quantity: Quantity::ZERO };

/// An order that wants to go out.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Whose.
    pub strategy: StrategyId,
    /// The schedule or order that it is a part of; 0 for none.
    pub parent: u32,
    /// Any market of the instrument; the only one when `is_pinned`.
    pub market: MarketId,
    /// Whether it may go to that market alone.
    pub is_pinned: bool,
    /// Whether it may only make a position smaller.
    pub reduce_only: bool,
    /// Side, limit price, quantity and time in force.
    pub intent: PlaceIntent,
}

impl Want {
    pub(crate) fn asked(&self, market: MarketId, intent: PlaceIntent) -> Asked {
        Asked { market, strategy: self.strategy, parent: self.parent, intent }
    }

    fn manner(&self) -> Manner {
        match self.intent.time_in_force {
            TimeInForce::ImmediateOrCancel => Manner::Take,
            TimeInForce::FillOrKill => Manner::TakeWhole,
            TimeInForce::GoodTillCancel | TimeInForce::PostOnly => Manner::Rest,
        }
    }
}

/// The offers of one decision.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Offers {
    all: [Offer; OFFERS_MAX],
    count: usize,
}

impl Offers {
    pub(crate) fn as_slice(&self) -> &[Offer] {
        &self.all[..self.count]
    }
}

impl Engine {
    /// Sends an order to where it is cheapest, in parts if that is cheaper; with the record of what
    /// every venue offered. `Err` with the reason when nothing was sent.
    pub(crate) fn route_order(
        &mut self,
        now_ns: Nanos,
        want: &Want,
        outputs: &mut Vec<Output>,
    ) -> Result<Quantity, DenialReason> {
        let mut offers = self.offers(now_ns, want);
        choose(
            want.intent.side,
            want.intent.quantity,
            want.manner(),
            &mut offers.all[..offers.count],
        );
        if offers.as_slice().iter().all(|offer| offer.share == Quantity::ZERO) {
            let reason = why_not(want, &offers);
            self.deny(now_ns, &want.asked(want.market, want.intent), reason, outputs);
            return Err(reason);
        }
        self.record(want, &offers, outputs);
        let (mut placed, mut denied) = (Quantity::ZERO, DenialReason::QuantityLimit);
        for offer in offers.as_slice().iter().filter(|offer| offer.share > Quantity::ZERO) {
            let intent = PlaceIntent { price: offer.limit, quantity: offer.share, ..want.intent };
            // A second part may find the room gone that both counted on.
            match self.place_checked(now_ns, &want.asked(offer.market, intent), outputs) {
                Ok(()) => placed.0 += offer.share.0,
                Err(reason) => denied = reason,
            }
        }
        if placed == Quantity::ZERO { Err(denied) } else { Ok(placed) }
    }

    /// What every venue offered for an order whose venue was named: the record that routing would
    /// have left. Right after the step that sent it the books are still those of the decision; what
    /// the order itself takes up does not count at its own market, where it was sent.
    pub fn compare(&self, now_ns: Nanos, order: &NewOrder) -> Vec<Output> {
        let NewOrder { strategy, market, side, price, quantity, time_in_force, .. } = *order;
        let intent = PlaceIntent { side, price, quantity, time_in_force };
        let want =
            Want { strategy, parent: 0, market, is_pinned: false, reduce_only: false, intent };
        let decision = order.client_order_id.number;
        let mut offers = self.offers(now_ns, &want);
        for offer in &mut offers.all[..offers.count] {
            if offer.market == market {
                (offer.share, offer.obstacle) = (quantity, None);
            }
        }
        let all = offers.as_slice().iter();
        all.map(|offer| self.offered(decision, &want, offer)).collect()
    }

    /// Where a new order stands in the price comparison: the microprice of its market, or of the
    /// first venue that has one.
    pub fn reference(&self, market: MarketId) -> Option<Price> {
        let own = self.markets[market.index()].market.microprice();
        own.or_else(|| {
            (0..self.markets.len())
                .filter(|&index| self.config.is_same_instrument(index, market.index()))
                .find_map(|index| self.markets[index].market.microprice())
        })
    }

    fn record(&self, want: &Want, offers: &Offers, outputs: &mut Vec<Output>) {
        let decision = self.orders_made + 1;
        for offer in offers.as_slice() {
            outputs.push(self.offered(decision, want, offer));
        }
    }

    fn offered(&self, decision: u32, want: &Want, offer: &Offer) -> Output {
        let reference = self.reference(want.market).unwrap_or(want.intent.price);
        let PlaceIntent { side, quantity, .. } = want.intent;
        let cost_ppm = offer.cost_ppm(side, want.manner(), quantity, reference);
        Output::Offered {
            decision,
            market: offer.market,
            bid: offer.bid.price,
            ask: offer.ask.price,
            depth: offer.depth(),
            fee_ppm: offer.fee_ppm,
            latency_ns: offer.latency_ns,
            cost_ppm,
            score_ppm: cost_ppm.saturating_add(offer.penalty_ppm),
            obstacle: offer.obstacle,
            share: offer.share,
        }
    }

    pub(crate) fn offers(&self, now_ns: Nanos, want: &Want) -> Offers {
        let empty = Offer {
            market: want.market,
            obstacle: None,
            bid: NO_LEVEL,
            ask: NO_LEVEL,
            limit: want.intent.price,
            levels: [NO_LEVEL; LEVELS_MAX],
            sendable: Quantity::ZERO,
            least: Quantity::ZERO,
            lot: Quantity::ZERO,
            fee_ppm: 0,
            latency_ns: 0,
            penalty_ppm: 0,
            is_active: false,
            share: Quantity::ZERO,
        };
        let mut offers = Offers { all: [empty; OFFERS_MAX], count: 0 };
        for index in 0..self.markets.len() {
            let is_candidate = if want.is_pinned {
                index == want.market.index()
            } else {
                self.config.is_same_instrument(index, want.market.index())
            };
            if is_candidate && offers.count < OFFERS_MAX {
                offers.all[offers.count] = self.offer(now_ns, MarketId(index as u8), want, &empty);
                offers.count += 1;
            }
        }
        offers
    }

    fn offer(&self, now_ns: Nanos, market: MarketId, want: &Want, empty: &Offer) -> Offer {
        let (state, limits) = (&self.markets[market.index()], &self.config.markets[market.index()]);
        let venue = self.venue_of(market);
        let (side, manner) = (want.intent.side, want.manner());
        let mut offer = Offer { market, is_active: venue == self.active_venue, ..*empty };
        offer.lot = limits.lot;
        offer.latency_ns = self.venues[venue.index()].latency_ns;
        let fees = self.config.fees(venue.index());
        let fee_ppm = if manner == Manner::Rest { fees.maker_ppm } else { fees.taker_ppm };
        offer.fee_ppm = fee_ppm.into();
        offer.penalty_ppm = self.penalty_ppm(market, side, offer.latency_ns);
        if let Some((bid, ask)) = state.market.top() {
            (offer.bid, offer.ask) = (bid, ask);
        }
        let own = self.own_best(market, opposite(side));
        offer.limit =
            limit_there(want, limits.tick, if manner == Manner::Rest { None } else { own });
        let limit = offer.limit;
        let is_within = |price: Price| match side {
            Side::Buy => price <= limit,
            Side::Sell => price >= limit,
        };
        let resting = state.market.book().levels(opposite(side));
        let within = resting.take(LEVELS_MAX).take_while(|level| is_within(level.price));
        for (kept, level) in offer.levels.iter_mut().zip(within) {
            *kept = level;
        }
        self.size(now_ns, want, &mut offer);
        let crosses_own = manner == Manner::Rest && own.is_some_and(is_within);
        if self.is_switched_away(venue) && !want.is_pinned {
            offer.obstacle = Some(DenialReason::RouteSwitched);
        } else if crosses_own {
            offer.obstacle = Some(DenialReason::RouteOwnOrder);
        } else if offer.obstacle.is_none()
            && manner != Manner::Rest
            && offer.levels[0].quantity == Quantity::ZERO
        {
            offer.obstacle = Some(DenialReason::DepthInsufficient);
        }
        offer
    }

    /// How much may be sent there, and the check that is in the way of that.
    fn size(&self, now_ns: Nanos, want: &Want, offer: &mut Offer) {
        let limits = &self.config.markets[offer.market.index()];
        let (side, parent) = (want.intent.side, want.parent);
        let situation = self.situation_of(now_ns, offer.market, parent, side);
        let room = room(&situation, want.intent.side);
        let price = offer.limit.0.max(1);
        let by_value = limits.notional_max.0 * i128::from(values::SCALE) / i128::from(price);
        let mut most = want.intent.quantity.0.min(room.0).min(limits.quantity_max.0);
        if want.reduce_only {
            most = most.min(self.closable_at(offer.market, want.strategy, side).0);
        }
        let most = most.min(i64::try_from(by_value).unwrap_or(i64::MAX)).max(0);
        offer.sendable = Quantity(most - most % limits.lot.0);
        let value_least = limits.notional_min.0 * i128::from(values::SCALE) / i128::from(price);
        let least = i64::try_from(value_least).unwrap_or(i64::MAX).max(limits.quantity_min.0);
        offer.least = Quantity(least);
        let is_divisible = want.manner() == Manner::Take && offer.sendable.0 > 0;
        let quantity = if is_divisible { offer.sendable } else { want.intent.quantity };
        let intent = PlaceIntent { price: offer.limit, quantity, ..want.intent };
        offer.obstacle = self.denial_of(now_ns, &want.asked(offer.market, intent));
        if want.reduce_only && offer.sendable == Quantity::ZERO {
            offer.obstacle = offer.obstacle.or(Some(DenialReason::NothingToReduce));
        }
    }

    /// The situation without what this very order has reserved for itself.
    pub(crate) fn situation_of(
        &self,
        now_ns: Nanos,
        market: MarketId,
        parent: u32,
        side: Side,
    ) -> Situation<'_> {
        let mut situation = self.situation(now_ns, market);
        let reserved = self.parents.reserved_by(parent, market, &self.config).0;
        match side {
            Side::Buy => situation.buying.0 -= reserved,
            Side::Sell => situation.selling.0 -= reserved,
        }
        situation
    }

    /// A switch away from the primary sends everything to the venue switched to, until it is
    /// switched back; while the primary is active, all venues compete.
    fn is_switched_away(&self, venue: VenueId) -> bool {
        self.active_venue != VenueId(0) && venue != self.active_venue
    }

    fn penalty_ppm(&self, market: MarketId, side: Side, latency_ns: Nanos) -> i64 {
        let settings = &self.config.execution;
        let latency = i128::from(settings.latency_ppm_per_s) * i128::from(latency_ns) / SECOND_NS;
        let most = self.config.markets[market.index()].position_max.0.max(1);
        let held = self.markets[market.index()].position.quantity().0.clamp(-most, most);
        let held = if side == Side::Buy { held } else { -held };
        let inventory = i128::from(settings.inventory_ppm) * i128::from(held) / i128::from(most);
        (latency + inventory) as i64
    }

    /// The best price of our own orders on a side of a market.
    fn own_best(&self, market: MarketId, side: Side) -> Option<Price> {
        let own = self.orders.open().iter();
        let prices = own
            .filter(|order| order.new.market == market && order.new.side == side)
            .map(|order| order.new.price);
        if side == Side::Buy { prices.max() } else { prices.min() }
    }

    /// The worst price within `slippage_ppm` of the middle of the market, on its tick grid.
    pub(crate) fn protection(
        &self,
        market: MarketId,
        side: Side,
        slippage_ppm: u32,
    ) -> Option<Price> {
        let middle = self.reference(market)?.0;
        let tick = self.config.markets[market.index()].tick;
        let away = parts_per_million(middle, i64::from(slippage_ppm));
        Some(Price(match side {
            Side::Buy => tick_down(middle + away, tick),
            Side::Sell => tick_up(middle - away, tick),
        }))
    }
}

/// The limit on this market's tick grid, and for a taking order short of our own resting ones.
fn limit_there(want: &Want, tick: Price, own: Option<Price>) -> Price {
    let limit = want.intent.price.0;
    Price(match want.intent.side {
        Side::Buy => {
            let limit = tick_down(limit, tick);
            own.map_or(limit, |own| limit.min(own.0 - tick.0))
        }
        Side::Sell => {
            let limit = tick_up(limit, tick);
            own.map_or(limit, |own| limit.max(own.0 + tick.0))
        }
    })
}

fn opposite(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}

/// How much more may be bought or sold before the position limit, open orders counted.
fn room(at: &Situation<'_>, side: Side) -> Quantity {
    let (position, open) = match side {
        Side::Buy => (at.position.0, at.buying.0),
        Side::Sell => (at.position.0.saturating_neg(), at.selling.0),
    };
    let most = at.limits.position_max.0;
    Quantity(most.saturating_sub(position).saturating_sub(open).max(0))
}

/// The reason of the market that was named or is active; else the first one's.
fn why_not(want: &Want, offers: &Offers) -> DenialReason {
    let all = offers.as_slice();
    let first = all.iter().find(|offer| offer.is_active && offer.obstacle.is_some());
    let first = first.or_else(|| all.iter().find(|offer| offer.obstacle.is_some()));
    first.and_then(|offer| offer.obstacle).unwrap_or(if want.manner() == Manner::Rest {
        DenialReason::QuantityLimit
    } else {
        DenialReason::DepthInsufficient
    })
}
