//! Time in; reflexes and due questions out.

use crate::engine::{Engine, Freshness, MarketState};
use crate::market::MarketStatus;
use crate::order::OrderState;
use crate::output::{Output, Reflex};
use crate::request::Request;
use values::{MarketId, Nanos, VenueId};

/// An order without any answer for this long is of unknown fate. Well above a slow answer (the
/// 99.9th percentile of a healthy venue is below 300 ms), well below what a person would wait.
const ORDER_ANSWER_WAIT_NS: Nanos = 1_000_000_000;
/// A stale channel that claims to be connected is dropped after this.
const RECONNECT_AFTER_NS: Nanos = 1_000_000_000;
/// And again at most this often: a reconnect storm hurts a venue that is coming back.
const RECONNECT_EVERY_NS: Nanos = 5_000_000_000;

impl Engine {
    /// Time passed.
    pub(crate) fn guard(&mut self, now_ns: Nanos, outputs: &mut Vec<Output>) {
        self.guard_strategies(now_ns, outputs);
        for index in 0..self.venues.len() {
            let venue = VenueId(index as u8);
            self.guard_freshness(now_ns, venue, outputs);
            self.guard_user_stream(now_ns, venue, outputs);
            let state = &mut self.venues[index];
            state.rate.tick(now_ns);
            let reflex = state.breaker.tick(now_ns);
            self.note(venue, reflex, outputs);
        }
        self.tick_guardians(now_ns, outputs);
        self.update_equities(now_ns);
        for index in 0..self.orders.open().len() {
            let order = &self.orders.open()[index];
            if order.state == OrderState::Submitted
                && now_ns - order.sent_ns >= ORDER_ANSWER_WAIT_NS
            {
                let (id, venue) = (order.new.client_order_id, self.venue_of(order.new.market));
                self.lose(now_ns, id);
                let reflex = self.breaker_failed(now_ns, venue, id);
                self.note(venue, reflex, outputs);
            }
        }
        self.guard_breaks(now_ns, outputs);
        self.work(now_ns, outputs);
    }

    /// Cancel-on-disconnect: fills would go unseen for too long.
    fn guard_user_stream(&mut self, now_ns: Nanos, venue: VenueId, outputs: &mut Vec<Output>) {
        let limit_ns = self.config.execution.user_lost_cancel_ns;
        let state = &mut self.venues[venue.index()];
        if state.user_lost_ns.is_some_and(|since_ns| now_ns - since_ns >= limit_ns) {
            state.user_lost_ns = None;
            if self.open_orders(venue).next().is_some() {
                self.note(venue, Some(Reflex::UserLost), outputs);
                self.cancel_all(now_ns, Some(venue));
            }
        }
    }

    /// The stale-market reflex: nothing of ours rests where we cannot see.
    fn guard_freshness(&mut self, now_ns: Nanos, venue: VenueId, outputs: &mut Vec<Output>) {
        let limit_ns = self.config.venues[venue.index()].stale_after_ns;
        let (mut is_fresh, mut oldest_ns, mut is_up) = (true, now_ns, true);
        self.each_market_of(venue, |state| {
            if state.market.status() == MarketStatus::Live {
                state.fresh_ns = state.fresh_ns.max(state.market.last_frame_ns());
            }
            is_up &= state.market.status() != MarketStatus::Down;
            is_fresh &= state.market.status() == MarketStatus::Live;
            oldest_ns = oldest_ns.min(state.fresh_ns);
        });
        let age_ns = now_ns - oldest_ns;
        let state = &mut self.venues[venue.index()];
        match state.freshness {
            Freshness::Fresh if age_ns > limit_ns => {
                state.freshness = Freshness::Stale;
                state.reconnect_ns = oldest_ns + RECONNECT_AFTER_NS;
                self.note(venue, Some(Reflex::StaleMarket), outputs);
                self.cancel_all(now_ns, Some(venue));
            }
            Freshness::Stale if is_fresh && age_ns <= limit_ns => {
                state.freshness = Freshness::Fresh;
                self.note(venue, Some(Reflex::FreshMarket), outputs);
            }
            Freshness::Never if is_fresh && age_ns <= limit_ns => {
                state.freshness = Freshness::Fresh;
            }
            // Nothing seen since the start, but orders of the life before may rest there.
            Freshness::Never if age_ns > limit_ns => self.cancel_all(now_ns, Some(venue)),
            Freshness::Stale if is_up && now_ns >= state.reconnect_ns => {
                state.reconnect_ns = now_ns + RECONNECT_EVERY_NS;
                outputs.push(Output::Reconnect(venue));
            }
            _ => {}
        }
    }

    /// Wishes every open order cancelled, at one venue or everywhere.
    pub(crate) fn cancel_all(&mut self, now_ns: Nanos, venue: Option<VenueId>) {
        for order in self.orders.open_mut() {
            let at = self.config.markets[order.new.market.index()].venue;
            if venue.is_none_or(|venue| venue.0 == at) && !order.state.is_terminal() {
                order.cancel.want(now_ns);
            }
        }
    }

    /// Asks what is wanted and due: orders first, balances last, so that on an ordered connection
    /// the balance is the youngest.
    pub(crate) fn ask(&mut self, now_ns: Nanos, outputs: &mut Vec<Output>) {
        for order in self.orders.open_mut() {
            let (market, client_order_id) = (order.new.market, order.new.client_order_id);
            if order.cancel.poll(now_ns) {
                outputs.push(Output::Cancel { market, client_order_id });
            }
            if order.state == OrderState::Unknown {
                order.query.want(now_ns);
            }
            if order.query.poll(now_ns) {
                outputs.push(Output::QueryOrder { market, client_order_id });
            }
        }
        for (index, state) in self.markets.iter_mut().enumerate() {
            let market = MarketId(index as u8);
            if state.snapshot.poll(now_ns) {
                outputs.push(Output::FetchSnapshot(market));
            }
            if state.open_orders.poll(now_ns) {
                outputs.push(Output::FetchOpenOrders(market));
            }
            if state.my_trades.poll(now_ns) {
                let from_id = state.fills.complete_until();
                outputs.push(Output::FetchMyTrades { market, from_id });
            }
        }
        for (index, state) in self.venues.iter_mut().enumerate() {
            if state.account.poll(now_ns) {
                outputs.push(Output::FetchAccount(VenueId(index as u8)));
            }
        }
    }

    /// A fetch of a market failed: ask again later.
    pub(crate) fn retry(
        &mut self,
        now_ns: Nanos,
        market: MarketId,
        pick: fn(&mut MarketState) -> &mut Request,
        not_before_ns: Nanos,
    ) {
        if let Some(state) = self.markets.get_mut(market.index()) {
            pick(state).failed(now_ns, not_before_ns);
        }
    }
}
