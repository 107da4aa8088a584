//! An order that has passed its checks but has not left yet in; whether it may still leave, out.
//!
//! An order can wait for a free connection for up to a second. What was allowed when it was checked
//! may be forbidden by then: somebody halted trading, the breaker opened, the user stream fell. So
//! the shell asks again right before it sends, and takes back what may not leave any more.

use crate::breaker::BreakerState;
use crate::engine::Engine;
use crate::event::Side;
use crate::order::OrderState;
use crate::output::{NewOrder, Output};
use crate::reason::DenialReason;
use crate::reconcile::Stage;
use crate::risk::TradingState;
use values::{ClientOrderId, Nanos};

impl Engine {
    /// Why an order that waits may not leave any more; `None` lets it go.
    ///
    /// Only what can change while an order waits is looked at. Price and size were checked when it
    /// was made, and cannot have.
    pub fn forbids(&self, now_ns: Nanos, id: ClientOrderId) -> Option<DenialReason> {
        let Some(order) = self.orders.get(id) else { return Some(DenialReason::StateHalted) };
        let (market, strategy) = (order.new.market, usize::from(order.new.strategy.0));
        let venue = &self.venues[self.venue_of(market).index()];
        let state = if venue.is_halted { TradingState::Halted } else { self.trading_state() };
        let denied = [
            (state == TradingState::Halted, DenialReason::StateHalted),
            (
                state == TradingState::Reducing && !self.only_reduces(&order.new),
                DenialReason::StateReducing,
            ),
            (venue.stage != Stage::Reconciled, DenialReason::StateNotReconciled),
            (!self.is_fresh(now_ns, market), DenialReason::MarketStale),
            (matches!(venue.breaker.state(), BreakerState::Open { .. }), DenialReason::BreakerOpen),
            (!venue.is_user_up, DenialReason::ChannelUserDown),
            (now_ns < venue.held_until_ns, DenialReason::RateOrders),
            (self.guardians[strategy].is_stopped(), DenialReason::StrategyThrottled),
        ];
        let limits = &self.config.limits;
        let mut denied = denied.into_iter();
        denied.find(|(is_so, reason)| *is_so && !limits.observes(*reason)).map(|(_, reason)| reason)
    }

    /// Whether nothing on the order's side can take the position past zero. The order itself is
    /// among the open ones.
    fn only_reduces(&self, new: &NewOrder) -> bool {
        let open = self.orders.open().iter();
        let same = open.filter(|o| o.new.market == new.market && o.new.side == new.side);
        let exposed: i128 = same.map(|order| i128::from(order.exposure().0)).sum();
        let position = i128::from(self.position(new.market).quantity().0);
        exposed + if new.side == Side::Buy { position } else { -position } <= 0
    }

    /// The shell took an order back before it left; for the record it counts as denied.
    pub(crate) fn withdraw(&mut self, now_ns: Nanos, new: NewOrder, outputs: &mut Vec<Output>) {
        let id = new.client_order_id;
        let reason = self.forbids(now_ns, id);
        if !self.orders.advance(id, OrderState::NotReceived) {
            return;
        }
        let venue = self.venue_of(new.market).index();
        self.counters.venues[venue].not_received += 1;
        // Without a reason it was taken back because its own cancel came first.
        if let Some(reason) = reason {
            self.counters.deny(reason);
            outputs.push(Output::Denied { market: new.market, strategy: new.strategy, reason });
        }
    }
}
