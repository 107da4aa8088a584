//! A found difference in; the rule of its class at work, or the venue escalated, out.
//!
//! The periodic comparison runs beside trading: it asks what a reconciliation asks, and only what
//! stays different becomes a break. What a race could explain (an order that is listed before its
//! report has come, a trade of the history before the stream has told it) is suspected first, and
//! is a break only when the stream has not explained it within [`GRACE_NS`].

use crate::breaks::{About, BreakClass, BreakState, EndedBy, Found, REPAIR_NS};
use crate::engine::Engine;
use crate::event::OrderReport;
use crate::order::{Contradiction, OrderState};
use crate::output::Output;
use crate::reconcile::Stage;
use crate::request::REQUEST_LIFE_NS;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use values::{ClientOrderId, MarketId, Nanos, Quantity, VenueId};

/// By when the user stream must have told what a question brought first: several times the slowest
/// healthy answer, well below the time between two comparisons.
pub const GRACE_NS: Nanos = 2_000_000_000;
/// Suspicions at most; with more, the oldest is decided at once.
const SUSPECTED_MAX: usize = 64;

/// What a race may explain yet.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Suspected {
    /// Works in our books and is not in the venue's list.
    Order(ClientOrderId),
    /// The history told a trade that the stream has not.
    Trade { trade_id: u64, quantity: Quantity },
}

/// One suspicion.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Suspicion {
    at_ns: Nanos,
    market: MarketId,
    what: Suspected,
}

/// All suspicions, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspicions(VecDeque<Suspicion>);

impl Suspicions {
    /// Takes the memory that trading will need.
    pub fn reserve(&mut self) {
        self.0.reserve(SUSPECTED_MAX.saturating_sub(self.0.len()));
    }
}

impl Engine {
    /// Time passed: suspicions become breaks, rules run out of time, comparisons fall due.
    pub(crate) fn guard_breaks(&mut self, now_ns: Nanos, outputs: &mut Vec<Output>) {
        while self.suspicions.0.front().is_some_and(|first| now_ns - first.at_ns >= GRACE_NS) {
            self.decide_oldest(now_ns, outputs);
        }
        self.watch_fills(now_ns, outputs);
        let overdue = self.breaks.open().iter().find(|found| {
            found.state == BreakState::Open
                && now_ns - found.opened_ns >= REPAIR_NS
                && self.venues[found.venue.index()].stage != Stage::Waiting
        });
        if let Some((id, venue)) = overdue.map(|found| (found.id, found.venue)) {
            self.escalate(now_ns, id, venue, outputs);
        }
        let every_ns = self.config.reconcile_every_ns;
        for index in 0..self.venues.len() {
            let state = &self.venues[index];
            let is_due = every_ns > 0 && now_ns - state.compared_ns >= every_ns;
            if is_due && state.stage == Stage::Reconciled && !state.is_comparing {
                self.begin_comparison(now_ns, VenueId(index as u8));
            }
        }
    }

    /// Fills that a venue counts and does not tell, neither by the stream nor by its history, are a
    /// break once [`REPAIR_NS`] have passed: until then the history may lag behind.
    fn watch_fills(&mut self, now_ns: Nanos, outputs: &mut Vec<Output>) {
        for index in 0..self.orders.open().len() {
            let order = &mut self.orders.open_mut()[index];
            if !order.is_missing_fills() {
                order.missing_since_ns = 0;
            } else if order.missing_since_ns == 0 {
                order.missing_since_ns = now_ns;
            } else if now_ns - order.missing_since_ns >= REPAIR_NS {
                let new = order.new;
                let found = Found {
                    class: BreakClass::FillMissed,
                    venue: self.venue_of(new.market),
                    market: Some(new.market),
                    about: About::Order(new.client_order_id),
                    ours: self.orders.open()[index].filled.0.into(),
                    theirs: self.orders.open()[index].reported.0.into(),
                };
                self.found(now_ns, &found, outputs);
            }
        }
    }

    /// Asks the venue for everything while trading goes on.
    fn begin_comparison(&mut self, now_ns: Nanos, venue: VenueId) {
        let state = &mut self.venues[venue.index()];
        state.is_comparing = true;
        state.compared_ns = now_ns;
        state.account.renew(now_ns);
        self.each_market_of(venue, |market| {
            market.is_agreed = false;
            market.open_orders.renew(now_ns);
            market.my_trades.renew(now_ns);
        });
    }

    /// Records a difference that is not known yet.
    pub(crate) fn found(&mut self, now_ns: Nanos, found: &Found, outputs: &mut Vec<Output>) {
        if let Some(new) = self.breaks.open_new(now_ns, found) {
            let Found { class, venue, market, about, ours, theirs } = *found;
            let id = new.id;
            self.counters.venues[venue.index()].breaks += 1;
            outputs.push(Output::Break { id, class, venue, market, about, ours, theirs });
        } else if self.breaks.is_full() {
            self.only_cancel(now_ns, found.venue);
        }
    }

    /// No rule helps: the venue only cancels from now on, until both agree or a person accepts.
    pub(crate) fn escalate(
        &mut self,
        now_ns: Nanos,
        id: u32,
        venue: VenueId,
        outputs: &mut Vec<Output>,
    ) {
        let Some(found) = self.breaks.open_mut().iter_mut().find(|found| found.id == id) else {
            return;
        };
        if found.state == BreakState::Open {
            found.state = BreakState::Escalated;
            outputs.push(Output::BreakMoved { id, state: BreakState::Escalated });
            self.only_cancel(now_ns, venue);
        }
    }

    fn only_cancel(&mut self, now_ns: Nanos, venue: VenueId) {
        match self.venues[venue.index()].stage {
            Stage::Waiting | Stage::Broken => return,
            Stage::Reconciled => self.begin_reconciliation(now_ns, venue),
            Stage::Running => {}
        }
        self.venues[venue.index()].stage = Stage::Broken;
        self.cancel_all(now_ns, Some(venue));
    }

    /// Ends every lasting break of which that is true.
    pub(crate) fn end_breaks(
        &mut self,
        now_ns: Nanos,
        by: EndedBy,
        outputs: &mut Vec<Output>,
        is_it: impl Fn(&crate::breaks::Break) -> bool,
    ) {
        if self.breaks.open().is_empty() {
            return;
        }
        while let Some(id) = self.breaks.end(now_ns, by, &is_it) {
            outputs.push(Output::BreakMoved { id, state: BreakState::Ended(by) });
        }
    }

    /// The venue has spoken of an order: it is missing no more.
    pub(crate) fn is_found(
        &mut self,
        now_ns: Nanos,
        id: ClientOrderId,
        by: EndedBy,
        outputs: &mut Vec<Output>,
    ) {
        self.end_breaks(now_ns, by, outputs, |found| {
            found.class == BreakClass::OrderMissing && found.about == About::Order(id)
        });
    }

    /// The venue contradicts what we know: record it and compare everything anew.
    pub(crate) fn contradicted(
        &mut self,
        now_ns: Nanos,
        market: MarketId,
        class: BreakClass,
        said: &Contradiction,
        outputs: &mut Vec<Output>,
    ) {
        let venue = self.venue_of(market);
        let found = Found {
            class,
            venue,
            market: Some(market),
            about: About::Order(said.id),
            ours: said.ours.0.into(),
            theirs: said.theirs.0.into(),
        };
        self.found(now_ns, &found, outputs);
        if self.venues[venue.index()].stage == Stage::Reconciled {
            self.begin_reconciliation(now_ns, venue);
        }
    }

    /// The venue's list of a market against ours, in both directions.
    pub(crate) fn compare_orders(
        &mut self,
        now_ns: Nanos,
        market: MarketId,
        reports: &[OrderReport],
        outputs: &mut Vec<Output>,
    ) {
        let lists = |id: ClientOrderId| reports.iter().any(|report| report.client_order_id == id);
        self.end_breaks(now_ns, EndedBy::OpenOrders, outputs, |found| {
            found.class == BreakClass::UnknownOrder
                && found.market == Some(market)
                && !matches!(found.about, About::Order(id) if lists(id))
        });
        let venue = &self.venues[self.venue_of(market).index()];
        if venue.stage != Stage::Reconciled || !venue.is_comparing {
            return;
        }
        // What was on its way when the venue wrote its list cannot be in it.
        let sent_by_ns = venue.compared_ns - REQUEST_LIFE_NS;
        for index in 0..self.orders.open().len() {
            let order = &self.orders.open()[index];
            let id = order.new.client_order_id;
            let works = matches!(order.state, OrderState::Accepted | OrderState::PartiallyFilled);
            let is_old = order.sent_ns <= sent_by_ns;
            if works && is_old && order.new.market == market && !lists(id) {
                self.suspect(now_ns, market, Suspected::Order(id), outputs);
            }
        }
    }

    /// The history told a trade first, with the stream up: the stream has yet to tell it.
    pub(crate) fn expect_told(
        &mut self,
        now_ns: Nanos,
        market: MarketId,
        (trade_id, quantity): (u64, Quantity),
        outputs: &mut Vec<Output>,
    ) {
        if self.venues[self.venue_of(market).index()].stage == Stage::Reconciled {
            self.suspect(now_ns, market, Suspected::Trade { trade_id, quantity }, outputs);
        }
    }

    /// The stream has told a trade that was known.
    pub(crate) fn was_told(&mut self, market: MarketId, trade: u64) {
        self.suspicions.0.retain(|suspicion| {
            suspicion.market != market
                || !matches!(suspicion.what, Suspected::Trade { trade_id, .. } if trade_id == trade)
        });
    }

    /// Everything at a venue is asked anew, so nothing of it is suspected any more.
    pub(crate) fn forget_suspicions(&mut self, venue: VenueId) {
        let markets = &self.config.markets;
        self.suspicions.0.retain(|found| markets[found.market.index()].venue != venue.0);
    }

    fn suspect(
        &mut self,
        at_ns: Nanos,
        market: MarketId,
        what: Suspected,
        outputs: &mut Vec<Output>,
    ) {
        if self.suspicions.0.len() >= SUSPECTED_MAX {
            self.decide_oldest(at_ns, outputs);
        }
        self.suspicions.0.push_back(Suspicion { at_ns, market, what });
    }

    fn decide_oldest(&mut self, now_ns: Nanos, outputs: &mut Vec<Output>) {
        let Some(Suspicion { market, what, .. }) = self.suspicions.0.pop_front() else { return };
        let venue = self.venue_of(market);
        let found = |class, about, ours: Quantity, theirs: Quantity| Found {
            class,
            venue,
            market: Some(market),
            about,
            ours: ours.0.into(),
            theirs: theirs.0.into(),
        };
        match what {
            Suspected::Order(id) => {
                let Some(order) = self.orders.get_open_mut(id) else { return };
                if !matches!(order.state, OrderState::Accepted | OrderState::PartiallyFilled) {
                    return;
                }
                let rest = Quantity(order.new.quantity.0.saturating_sub(order.filled.0));
                order.query.want(now_ns);
                let about = About::Order(id);
                let found = found(BreakClass::OrderMissing, about, rest, Quantity::ZERO);
                self.found(now_ns, &found, outputs);
            }
            Suspected::Trade { trade_id, quantity } => {
                let about = About::Trade(trade_id);
                let found = found(BreakClass::FillMissed, about, Quantity::ZERO, quantity);
                self.found(now_ns, &found, outputs);
                self.end_breaks(now_ns, EndedBy::TradeHistory, outputs, |it| {
                    it.about == about && it.market == Some(market)
                });
            }
        }
    }

    /// The fills that were missing have been told.
    pub(crate) fn are_told(&mut self, now_ns: Nanos, id: ClientOrderId, outputs: &mut Vec<Output>) {
        self.end_breaks(now_ns, EndedBy::TradeHistory, outputs, |found| {
            found.class == BreakClass::FillMissed && found.about == About::Order(id)
        });
    }

    /// A person says that a balance has moved by other means than trading, or that fills which the
    /// venue counts did not happen.
    pub(crate) fn accept_break(&mut self, now_ns: Nanos, id: u32, outputs: &mut Vec<Output>) {
        let Some(found) = self.breaks.open().iter().find(|found| found.id == id) else { return };
        let (venue, difference) = (found.venue, found.theirs.saturating_sub(found.ours));
        if let About::Balance(asset) = found.about
            && let Some(balance) = self.venues[venue.index()].balances.get_mut(asset)
        {
            balance.accept(difference);
        }
        if let About::Order(id) = found.about {
            self.orders.accept_filled(id);
        }
        self.end_breaks(now_ns, EndedBy::Person, outputs, |found| found.id == id);
        if self.venues[venue.index()].stage != Stage::Waiting {
            self.begin_reconciliation(now_ns, venue);
        }
    }
}
