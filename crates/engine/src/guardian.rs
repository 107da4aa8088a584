//! A strategy's orders, denials and executions in; whether it may go on out.
//!
//! Two stops. The breaker opens when a strategy keeps asking for what it must not have (a loop, a
//! wrong price, a venue that refuses it), backs off, and lets one order probe. The throttle of
//! repeated executions latches: a strategy that has traded the same way so often without a person
//! stays stopped, over restarts, until a named person re-arms it.

use crate::breaker::Breaker;
use crate::event::Side;
use crate::limits::{BreakerConfig, COUNT_MAX};
use crate::output::Reflex;
use crate::reason::DenialReason;
use crate::risk::PlaceIntent;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use values::{ClientOrderId, MarketId, Nanos, Price, Quantity};

const SECOND_NS: Nanos = 1_000_000_000;
const KEPT: usize = COUNT_MAX as usize;

#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sent {
    at_ns: Nanos,
    market: MarketId,
    side: Side,
    price: Price,
    quantity: Quantity,
}

/// What is watched of one strategy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guardian {
    breaker: Option<Breaker>,
    sent: VecDeque<Sent>,
    /// Times of executions by market and side.
    executed: Vec<VecDeque<Nanos>>,
    is_stopped: bool,
    stops: u64,
}

impl Guardian {
    /// Nothing happened yet.
    pub fn new(breaker: Option<&BreakerConfig>, markets: usize) -> Self {
        Self {
            breaker: breaker.map(Breaker::new),
            sent: VecDeque::new(),
            executed: vec![VecDeque::new(); markets * 2],
            is_stopped: false,
            stops: 0,
        }
    }

    /// Takes the memory that trading will need, for a strategy with such limits.
    pub fn reserve(&mut self, counts_orders: bool, executions_max: Option<usize>) {
        if counts_orders {
            self.sent.reserve((KEPT + 1).saturating_sub(self.sent.len()));
        }
        for times in &mut self.executed {
            let most = executions_max.map_or(0, |most| most + 2);
            times.reserve(most.saturating_sub(times.len()));
        }
    }

    /// The breaker, if the strategy has one.
    pub fn breaker(&self) -> Option<&Breaker> {
        self.breaker.as_ref()
    }

    /// Whether the throttle has stopped it.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// How often the throttle has.
    pub fn stops(&self) -> u64 {
        self.stops
    }

    /// Orders within the last second.
    pub fn rate(&self, now_ns: Nanos) -> usize {
        self.since(now_ns - SECOND_NS).count()
    }

    /// Orders like this one since a window began.
    pub fn duplicates(
        &self,
        now_ns: Nanos,
        window_ns: Nanos,
        market: MarketId,
        intent: &PlaceIntent,
    ) -> usize {
        let is_same = |sent: &&Sent| {
            sent.market == market
                && sent.side == intent.side
                && sent.price == intent.price
                && sent.quantity == intent.quantity
        };
        self.since(now_ns - window_ns).filter(is_same).count()
    }

    fn since(&self, begin_ns: Nanos) -> impl Iterator<Item = &Sent> {
        self.sent.iter().rev().take_while(move |sent| sent.at_ns > begin_ns)
    }

    /// An order is being sent.
    pub fn sent(
        &mut self,
        now_ns: Nanos,
        id: ClientOrderId,
        market: MarketId,
        intent: &PlaceIntent,
    ) {
        if let Some(breaker) = &mut self.breaker {
            breaker.sent(id);
        }
        if self.sent.capacity() == 0 {
            return;
        }
        if self.sent.len() >= KEPT {
            self.sent.pop_front();
        }
        let PlaceIntent { side, price, quantity, .. } = *intent;
        self.sent.push_back(Sent { at_ns: now_ns, market, side, price, quantity });
    }

    /// It executed; whether that was once too often, so that it is stopped from now on.
    pub fn executed(
        &mut self,
        now_ns: Nanos,
        window_ns: Nanos,
        most: usize,
        market: MarketId,
        side: Side,
    ) -> bool {
        let times = &mut self.executed[market.index() * 2 + usize::from(side == Side::Sell)];
        while times.front().is_some_and(|at_ns| *at_ns <= now_ns - window_ns) {
            times.pop_front();
        }
        while times.len() > most {
            times.pop_front();
        }
        times.push_back(now_ns);
        times.len() > most && !self.is_stopped
    }

    /// Stops it until a person re-arms it.
    pub fn stop(&mut self) {
        self.is_stopped = true;
        self.stops += 1;
    }

    /// A person lets it go on; what was counted before counts no more.
    pub fn rearm(&mut self) {
        self.is_stopped = false;
        self.executed.iter_mut().for_each(VecDeque::clear);
    }

    /// The venue took an order of it.
    pub fn answered(&mut self, now_ns: Nanos, id: ClientOrderId) -> Option<Reflex> {
        of_strategy(self.breaker.as_mut()?.succeeded(now_ns, id))
    }

    /// It asked for what it must not have, or the venue refused its order.
    pub fn failed(
        &mut self,
        now_ns: Nanos,
        id: ClientOrderId,
        config: Option<&BreakerConfig>,
    ) -> Option<Reflex> {
        of_strategy(self.breaker.as_mut()?.failed(now_ns, id, config?))
    }

    /// An order of it got lost, which says nothing about the strategy: another one may probe.
    pub fn lost(&mut self, id: ClientOrderId) {
        if let Some(breaker) = &mut self.breaker {
            breaker.release_probe(id);
        }
    }

    /// Time passed.
    pub fn tick(&mut self, now_ns: Nanos) -> Option<Reflex> {
        of_strategy(self.breaker.as_mut()?.tick(now_ns))
    }

    /// A new process life.
    pub fn restarted(&mut self, now_ns: Nanos, config: Option<&BreakerConfig>) {
        if let (Some(breaker), Some(config)) = (&mut self.breaker, config) {
            breaker.forget_probe(now_ns, config);
        }
    }
}

/// Whether a denial is the strategy's own doing: it asked for what no correct one would.
pub fn is_own_fault(reason: DenialReason) -> bool {
    use DenialReason::{
        CollarStrategy, NotionalLimit, NotionalStrategy, PriceCollar, PriceTick, QuantityLimit,
        QuantityStrategy, RateDuplicate, RateStrategy,
    };
    matches!(
        reason,
        PriceCollar
            | PriceTick
            | QuantityLimit
            | NotionalLimit
            | QuantityStrategy
            | NotionalStrategy
            | CollarStrategy
            | RateStrategy
            | RateDuplicate
    )
}

/// A venue breaker's word as a strategy breaker's.
fn of_strategy(reflex: Option<Reflex>) -> Option<Reflex> {
    Some(match reflex? {
        Reflex::BreakerOpened => Reflex::StrategyBreakerOpened,
        Reflex::BreakerHalfOpen => Reflex::StrategyBreakerHalfOpen,
        Reflex::BreakerClosed => Reflex::StrategyBreakerClosed,
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TimeInForce;

    fn intent(side: Side, price: i64, quantity: i64) -> PlaceIntent {
        PlaceIntent {
            side,
            price: Price(price),
            quantity: Quantity(quantity),
            time_in_force: TimeInForce::PostOnly,
        }
    }

    #[test]
    fn only_equal_orders_within_the_window_are_duplicates() {
        let mut guardian = Guardian::new(None, 2);
        guardian.reserve(true, None);
        let (id, here) = (ClientOrderId { run: 1, number: 1 }, MarketId(0));
        let same = intent(Side::Buy, 10, 5);
        for at_ns in [0, 40, 80] {
            guardian.sent(at_ns, id, here, &same);
        }
        for (now_ns, market, asked, expected) in [
            (80, here, same, 3),
            (99, here, same, 3),
            (100, here, same, 2),
            (140, here, same, 1),
            (180, here, same, 0),
            (80, MarketId(1), same, 0),
            (80, here, intent(Side::Sell, 10, 5), 0),
            (80, here, intent(Side::Buy, 11, 5), 0),
            (80, here, intent(Side::Buy, 10, 6), 0),
        ] {
            assert_eq!(guardian.duplicates(now_ns, 100, market, &asked), expected, "{now_ns}");
        }
        assert_eq!(guardian.rate(80), 3);
        assert_eq!(guardian.rate(SECOND_NS + 40), 1);
    }

    #[test]
    fn one_execution_too_many_on_one_side_stops_until_rearmed() {
        let mut guardian = Guardian::new(None, 1);
        guardian.reserve(false, Some(3));
        let mut execute = |now_ns, side| guardian.executed(now_ns, 100, 3, MarketId(0), side);
        assert!(!execute(0, Side::Buy) && !execute(1, Side::Buy) && !execute(2, Side::Buy));
        assert!(!execute(2, Side::Sell), "the other side counts for itself");
        assert!(!execute(100, Side::Buy), "the first is out of the window");
        assert!(execute(100, Side::Buy));
        guardian.stop();
        assert!(guardian.is_stopped() && guardian.stops() == 1);
        guardian.rearm();
        assert!(!guardian.is_stopped());
        assert!(!guardian.executed(101, 100, 3, MarketId(0), Side::Buy));
    }
}
