//! Intents in, checked orders out; the venue's reports and failures in, order states and positions out.

use crate::breaker::Breaker;
use crate::breaks::{BreakClass, EndedBy};
use crate::engine::Engine;
use crate::event::{Execution, OrderReport, Purpose, RequestFailure, Side, TimeInForce};
use crate::market::MarketStatus;
use crate::order::{Applied, Contradiction, OPEN_RESERVED, Order, OrderState};
use crate::output::{NewOrder, Output, Reflex};
use crate::position::signed;
use crate::reconcile::Stage;
use crate::request::REQUEST_LIFE_NS;
use crate::risk::{Intent, PlaceIntent, Situation, TradingState};
use crate::routing::Want;
use crate::schedule::ParentState;
use crate::scoped::Asked;
use crate::strategy::View;
use values::{ClientOrderId, MarketId, Money, Nanos, Quantity, StrategyId, VenueId};

/// A strategy tries the same side again only after this: a refused quote would otherwise be
/// refused again with every book update and spend the order rate.
const RETRY_NS: Nanos = 250_000_000;
/// "Order would immediately match and take", and also "insufficient balance".
const NEW_ORDER_REJECTED: i32 = -2010;
/// "Order does not exist."
pub(crate) const NO_SUCH_ORDER: i32 = -2013;
/// A latency beyond this tells of an outage, which other gates see to.
const LATENCY_NS_MAX: Nanos = 1_000_000_000;
/// One over the weight of a new answer in the running latency.
const LATENCY_WEIGHT: Nanos = 8;
/// Added to the receive window before "does not exist" is believed: the two clocks differ.
const CLOCK_MARGIN_NS: Nanos = 1_000_000_000;

impl Engine {
    /// Lets every strategy look at a market and carries out what it wants.
    pub(crate) fn look(
        &mut self,
        now_ns: Nanos,
        id: MarketId,
        is_update: bool,
        outputs: &mut Vec<Output>,
    ) {
        let state = &mut self.markets[id.index()];
        if state.market.status() != MarketStatus::Live {
            return;
        }
        let Some((bid, ask)) = state.market.top() else { return };
        let Some(microprice) = state.market.microprice() else { return };
        state.mark = microprice;
        let venue = self.venue_of(id);
        if self.is_data_only(venue) {
            return;
        }
        let instrument = self.config.markets[id.index()].instrument;
        let mut intents = core::mem::take(&mut self.intents);
        for index in 0..self.strategies.len() {
            if !self.config.strategies[index].trades(instrument) {
                continue;
            }
            let state = &self.markets[id.index()];
            let view = View {
                now_ns,
                market: id,
                strategy: StrategyId(index as u8),
                limits: &self.config.markets[id.index()],
                bid,
                ask,
                microprice,
                is_update,
                is_active: venue == self.active_venue,
                position: state.by_strategy[index].quantity(),
                position_all_venues: self.held.get(index, instrument),
                position_market: state.position.quantity(),
                open_all_venues: self.orders.open_count(index, instrument),
                orders: self.orders.open(),
                book: state.market.book(),
            };
            self.strategies[index].look(&self.config.strategies[index].kind, &view, &mut intents);
            for intent in intents.drain(..) {
                self.execute(now_ns, id, StrategyId(index as u8), &intent, outputs);
            }
        }
        self.intents = intents;
    }

    pub(crate) fn execute(
        &mut self,
        now_ns: Nanos,
        market: MarketId,
        strategy: StrategyId,
        intent: &Intent,
        outputs: &mut Vec<Output>,
    ) {
        let intent = match intent {
            Intent::Cancel(id) => {
                if let Some(order) = self.orders.get_open_mut(*id) {
                    order.cancel.want(now_ns);
                    if order.cancel.poll(now_ns) {
                        outputs.push(Output::Cancel { market, client_order_id: *id });
                    }
                }
                return;
            }
            Intent::Place(intent) => intent,
            Intent::Route(intent) => {
                return self.route_intent(now_ns, market, strategy, *intent, outputs);
            }
            Intent::Work(spec) => {
                self.submit(now_ns, strategy, *spec, outputs);
                return;
            }
            Intent::EndWork(id) => {
                if self.parents.get(*id).is_some_and(|parent| parent.strategy == strategy) {
                    self.cancel_parent(now_ns, *id, outputs);
                }
                return;
            }
        };
        let slot = self.retry_slot(strategy, market, intent.side);
        if now_ns < self.retry_ns[slot] {
            return;
        }
        let asked = Asked { market, strategy, parent: 0, intent: *intent };
        if self.place_checked(now_ns, &asked, outputs).is_err() {
            self.retry_ns[slot] = now_ns + RETRY_NS;
        }
    }

    /// An order whose venue the strategy leaves open.
    fn route_intent(
        &mut self,
        now_ns: Nanos,
        market: MarketId,
        strategy: StrategyId,
        intent: PlaceIntent,
        outputs: &mut Vec<Output>,
    ) {
        let slot = self.retry_slot(strategy, market, intent.side);
        if now_ns < self.retry_ns[slot] {
            return;
        }
        let (is_pinned, reduce_only) = (false, false);
        let want = Want { strategy, parent: 0, market, is_pinned, reduce_only, intent };
        if self.route_order(now_ns, &want, outputs).is_err() {
            self.retry_ns[slot] = now_ns + RETRY_NS;
        }
    }

    pub(crate) fn place(
        &mut self,
        now_ns: Nanos,
        market: MarketId,
        strategy: StrategyId,
        parent: u32,
        intent: &PlaceIntent,
        outputs: &mut Vec<Output>,
    ) {
        self.orders_made += 1;
        let new = NewOrder {
            client_order_id: ClientOrderId { run: self.config.run, number: self.orders_made },
            market,
            strategy,
            side: intent.side,
            price: intent.price,
            quantity: intent.quantity,
            time_in_force: intent.time_in_force,
        };
        let venue = self.venue_of(market).index();
        self.venues[venue].breaker.sent(new.client_order_id);
        self.venues[venue].rate.sent(now_ns);
        let guardian = &mut self.guardians[usize::from(strategy.0)];
        guardian.sent(now_ns, new.client_order_id, market, intent);
        self.counters.venues[venue].submitted += 1;
        self.orders.insert(Order { parent, ..Order::new(new, now_ns) });
        outputs.push(Output::Place(new));
    }

    /// What the risk check looks at, for an intent in this market now.
    pub(crate) fn situation(&self, now_ns: Nanos, market: MarketId) -> Situation<'_> {
        let state = &self.markets[market.index()];
        let venue = &self.venues[self.venue_of(market).index()];
        let mut buying = self.parents.reserved(&self.config, market, Side::Buy);
        let mut selling = self.parents.reserved(&self.config, market, Side::Sell);
        let mut orders_open = 0;
        for order in self.orders.open().iter().filter(|order| order.new.market == market) {
            orders_open += 1;
            match order.new.side {
                Side::Buy => buying = buying.saturating_add(order.exposure().0),
                Side::Sell => selling = selling.saturating_add(order.exposure().0),
            }
        }
        if self.orders.open().len() >= OPEN_RESERVED {
            orders_open = usize::MAX;
        }
        Situation {
            limits: &self.config.markets[market.index()],
            state: if venue.is_halted || self.is_shutting_down {
                TradingState::Halted
            } else {
                self.state
            },
            is_reconciled: venue.stage == Stage::Reconciled,
            is_user_up: venue.is_user_up,
            is_fresh: self.is_fresh(now_ns, market),
            breaker_passes: venue.breaker.lets_pass(),
            rate_passes: now_ns >= venue.held_until_ns && venue.rate.lets_pass(now_ns),
            reference: state.market.microprice().filter(|price| price.0 > 0),
            position: state.position.quantity(),
            buying: Quantity(buying),
            selling: Quantity(selling),
            orders_open,
            profit: self.profit(),
            loss_max: self.config.loss_max,
        }
    }

    /// Whether a market's book is in step and young enough.
    pub(crate) fn is_fresh(&self, now_ns: Nanos, market: MarketId) -> bool {
        let state = &self.markets[market.index()];
        let limit = self.config.venues[self.venue_of(market).index()].stale_after_ns;
        state.market.status() == MarketStatus::Live
            && state.market.age_ns(now_ns).is_some_and(|age| age <= limit)
    }

    /// The venue's word on an order.
    pub(crate) fn on_report(
        &mut self,
        now_ns: Nanos,
        venue: VenueId,
        report: &OrderReport,
        outputs: &mut Vec<Output>,
    ) {
        let id = report.client_order_id;
        let known =
            self.orders.get(id).map(|order| (order.new.market, order.sent_ns, order.parent));
        let Some((market, sent_ns, parent)) = known else {
            self.on_foreign(now_ns, venue);
            return;
        };
        if self.venue_of(market) != venue {
            return;
        }
        let fills = &mut self.markets[market.index()].fills;
        let execution = report.execution.filter(|execution| fills.insert(execution.trade_id));
        let is_repeated = report.execution.is_some() && execution.is_none();
        self.counters.venues[venue.index()].fills_repeated += u64::from(is_repeated);
        if let (true, Some(known)) = (is_repeated, report.execution) {
            self.was_told(market, known.trade_id);
        }
        let Some(applied) = self.orders.apply(report, execution) else { return };
        if let Some(order) = self.orders.get_open_mut(id) {
            order.query.settle();
        }
        if applied.is_first_word {
            self.answered_after(venue, now_ns - sent_ns);
        }
        let reflex = self.venues[venue.index()].breaker.succeeded(now_ns, id);
        self.note(venue, reflex, outputs);
        self.take_in(now_ns, market, &applied, outputs);
        self.strategy_answered(now_ns, id, outputs);
        self.is_found(now_ns, id, EndedBy::OrderReport, outputs);
        self.finish_reconciliation(now_ns, venue, outputs);
        if applied.ended.is_some() {
            if parent > 0 {
                self.child_ended(now_ns, parent, applied.ended, outputs);
            }
            self.look(now_ns, market, false, outputs);
        }
    }

    /// A child of an order that the core keeps has ended: what is left of it may go on.
    fn child_ended(
        &mut self,
        now_ns: Nanos,
        parent: u32,
        ended: Option<OrderState>,
        outputs: &mut Vec<Output>,
    ) {
        if ended == Some(OrderState::Rejected) {
            self.child_rejected(now_ns, parent, outputs);
        }
        self.work_one(now_ns, parent, outputs);
    }

    /// A venue's order latency: the average over the last dozen or so orders, so that one slow
    /// answer does not send everything elsewhere.
    fn answered_after(&mut self, venue: VenueId, took_ns: Nanos) {
        let took_ns = took_ns.clamp(0, LATENCY_NS_MAX);
        let latency_ns = &mut self.venues[venue.index()].latency_ns;
        *latency_ns = if *latency_ns == 0 {
            took_ns
        } else {
            *latency_ns + (took_ns - *latency_ns) / LATENCY_WEIGHT
        };
    }

    /// Books what a report or a trade brought.
    pub(crate) fn take_in(
        &mut self,
        now_ns: Nanos,
        market: MarketId,
        applied: &Applied,
        outputs: &mut Vec<Output>,
    ) {
        let venue = self.venue_of(market);
        let counters = &mut self.counters.venues[venue.index()];
        counters.acknowledged += u64::from(applied.is_first_word);
        match applied.ended {
            Some(OrderState::Filled) => counters.filled += 1,
            Some(OrderState::Rejected) => counters.rejected += 1,
            Some(OrderState::Canceled | OrderState::Expired) => counters.ended_unfilled += 1,
            _ => {}
        }
        if let Some(fill) = applied.fill {
            let new = fill.order;
            let fee = self.fee_of(market, &fill.execution);
            let done = Execution { fee: fee.value.unwrap_or(Money::ZERO), ..fill.execution };
            self.counters.venues[venue.index()].fills += 1;
            let state = &mut self.markets[market.index()];
            state.position.fill(new.side, done.price, done.quantity, &fee);
            let strategy = &mut state.by_strategy[usize::from(new.strategy.0)];
            strategy.fill(new.side, done.price, done.quantity, &fee);
            let traded = (done.price, done.quantity);
            let assets = (state.base, state.quote);
            self.venues[venue.index()].balances.fill(assets, new.side, traded, &fee);
            let instrument = self.config.markets[market.index()].instrument;
            self.held.fill(new.strategy, instrument, signed(new.side, done.quantity));
            if fill.parent > 0 {
                self.parents.fill(fill.parent, &done);
            }
            outputs.push(Output::Filled {
                market,
                client_order_id: new.client_order_id,
                side: new.side,
                price: done.price,
                quantity: done.quantity,
                fee: done.fee,
            });
            self.strategy_executed(now_ns, &new, outputs);
            if !applied.is_missing_fills {
                self.are_told(now_ns, new.client_order_id, outputs);
            }
        }
        let state = &mut self.markets[market.index()];
        if applied.is_missing_fills || state.fills.is_filling() {
            state.my_trades.want(now_ns);
        }
        if let Some(said) = applied.contradiction {
            let class = BreakClass::ContradictingReport;
            self.contradicted(now_ns, market, class, &said, outputs);
        }
    }

    /// A request did not get a plain answer.
    pub(crate) fn on_failure(
        &mut self,
        now_ns: Nanos,
        venue: VenueId,
        purpose: Purpose,
        failure: RequestFailure,
        outputs: &mut Vec<Output>,
    ) {
        let not_before_ns = match failure {
            RequestFailure::Throttled { retry_after_ns } => now_ns.saturating_add(retry_after_ns),
            _ => now_ns,
        };
        if let Some(state) = self.venues.get_mut(venue.index()) {
            state.held_until_ns = state.held_until_ns.max(not_before_ns);
        } else {
            return;
        }
        match purpose {
            Purpose::Place(id) => self.on_place_failed(now_ns, id, failure, outputs),
            Purpose::Cancel(id) => {
                self.on_cancel_failed(now_ns, id, failure, not_before_ns, outputs);
            }
            Purpose::QueryOrder(id) => {
                self.on_query_failed(now_ns, id, failure, not_before_ns, outputs);
            }
            Purpose::Snapshot(id) => self.retry(now_ns, id, |m| &mut m.snapshot, not_before_ns),
            Purpose::OpenOrders(id) => {
                self.retry(now_ns, id, |m| &mut m.open_orders, not_before_ns);
            }
            Purpose::MyTrades(id) => self.retry(now_ns, id, |m| &mut m.my_trades, not_before_ns),
            Purpose::Account(id) => {
                if let Some(state) = self.venues.get_mut(id.index()) {
                    state.account.failed(now_ns, not_before_ns);
                }
            }
        }
    }

    fn on_place_failed(
        &mut self,
        now_ns: Nanos,
        id: ClientOrderId,
        failure: RequestFailure,
        outputs: &mut Vec<Output>,
    ) {
        let Some(order) = self.orders.get_open_mut(id) else { return };
        let (new, parent, filled) = (order.new, order.parent, order.filled);
        let is_acknowledged = order.is_acknowledged;
        let venue = self.venue_of(new.market);
        // A quote that would have taken tells of the market, not of the venue's health.
        let is_answer = new.time_in_force == TimeInForce::PostOnly
            && failure == (RequestFailure::Refused { code: NEW_ORDER_REJECTED });
        if failure == RequestFailure::Unknown {
            if !is_acknowledged {
                self.lose(now_ns, id);
            }
        } else if is_acknowledged {
            let said = Contradiction { id, ours: filled, theirs: Quantity::ZERO };
            let class = BreakClass::ContradictingReport;
            self.contradicted(now_ns, new.market, class, &said, outputs);
        } else if failure == RequestFailure::Withdrawn {
            self.withdraw(now_ns, new, outputs);
        } else if self.orders.advance(id, OrderState::Rejected) {
            self.counters.venues[venue.index()].rejected += 1;
            if parent > 0 {
                self.child_ended(now_ns, parent, Some(OrderState::Rejected), outputs);
            }
        }
        let slot = self.retry_slot(new.strategy, new.market, new.side);
        self.retry_ns[slot] = now_ns + RETRY_NS;
        self.strategy_refused(now_ns, &new, failure, is_answer, outputs);
        if failure == RequestFailure::Withdrawn {
            // Our own act: no word on the venue's health, but a probe that never left is over.
            let config = self.config.venues[venue.index()].breaker();
            self.venues[venue.index()].breaker.withdrawn(now_ns, id, &config);
            return;
        }
        let reflex = if is_answer {
            self.venues[venue.index()].breaker.succeeded(now_ns, id)
        } else {
            self.breaker_failed(now_ns, venue, id)
        };
        self.note(venue, reflex, outputs);
    }

    fn on_cancel_failed(
        &mut self,
        now_ns: Nanos,
        id: ClientOrderId,
        failure: RequestFailure,
        not_before_ns: Nanos,
        outputs: &mut Vec<Output>,
    ) {
        let Some(order) = self.orders.get_open_mut(id) else { return };
        order.cancel.failed(now_ns, not_before_ns);
        let market = order.new.market;
        if let RequestFailure::Refused { .. } = failure {
            // It is filled, cancelled already, or not there yet: ask.
            order.query.want(now_ns);
            return;
        }
        let venue = self.venue_of(market);
        let reflex = self.breaker_failed(now_ns, venue, id);
        self.note(venue, reflex, outputs);
    }

    fn on_query_failed(
        &mut self,
        now_ns: Nanos,
        id: ClientOrderId,
        failure: RequestFailure,
        not_before_ns: Nanos,
        outputs: &mut Vec<Output>,
    ) {
        let Some(order) = self.orders.get_open_mut(id) else { return };
        let market = order.new.market;
        order.query.failed(now_ns, not_before_ns);
        if failure != (RequestFailure::Refused { code: NO_SUCH_ORDER }) {
            return;
        }
        order.is_unconfirmed = false;
        let rest = Quantity(order.new.quantity.0.saturating_sub(order.filled.0));
        let sent_ns = order.sent_ns;
        let is_acknowledged = order.is_acknowledged;
        let venue = self.venue_of(market);
        let window_ns = self.config.venues[venue.index()].receive_window_ns;
        // Until the window ends the order may still sit in a socket's buffer and arrive; and this
        // may be the answer to a question that was asked a request's life ago.
        if now_ns > sent_ns + window_ns + CLOCK_MARGIN_NS + REQUEST_LIFE_NS {
            if !is_acknowledged && self.resend(now_ns, id, outputs) {
                return;
            }
            if !is_acknowledged && self.orders.advance(id, OrderState::NotReceived) {
                self.counters.venues[venue.index()].not_received += 1;
                // It may have been the breaker's probe, which would wait for its answer for ever.
                let reflex = self.breaker_failed(now_ns, venue, id);
                self.note(venue, reflex, outputs);
            } else if is_acknowledged {
                // The venue has confirmed it once and denies it now. It cannot be working there.
                self.orders.advance(id, OrderState::Expired);
                let said = Contradiction { id, ours: rest, theirs: Quantity::ZERO };
                self.contradicted(now_ns, market, BreakClass::OrderMissing, &said, outputs);
            }
        }
        self.finish_reconciliation(now_ns, venue, outputs);
    }

    /// Sends an order again under its own id, which provably never arrived: when it is still wanted,
    /// passes every check, and has not been sent too often. Only a resting part of a kept order is:
    /// one that takes was meant for a market that is gone, and a quote is made anew.
    fn resend(&mut self, now_ns: Nanos, id: ClientOrderId, outputs: &mut Vec<Output>) -> bool {
        let Some(order) = self.orders.get_open_mut(id) else { return false };
        let (new, resends) = (order.new, order.resends);
        let is_resting =
            matches!(new.time_in_force, TimeInForce::GoodTillCancel | TimeInForce::PostOnly);
        let is_wanted = is_resting
            && !order.cancel.is_wanted()
            && resends < self.config.execution.resends_max
            && self.parents.get(order.parent).is_some_and(|parent| {
                parent.state == ParentState::Working && parent.spec.limit == Some(new.price)
            });
        if !is_wanted {
            return false;
        }
        let NewOrder { side, price, quantity, time_in_force, market, .. } = new;
        let intent = PlaceIntent { side, price, quantity, time_in_force };
        let asked = Asked { market, strategy: new.strategy, parent: 0, intent };
        if self.forbids_again(now_ns, &asked) || !self.orders.advance(id, OrderState::Submitted) {
            return false;
        }
        if let Some(order) = self.orders.get_open_mut(id) {
            order.resends += 1;
            order.sent_ns = now_ns;
            order.query.settle();
        }
        let venue = self.venue_of(market).index();
        self.venues[venue].breaker.sent(id);
        self.venues[venue].rate.sent(now_ns);
        outputs.push(Output::Place(new));
        true
    }

    /// An order's fate is unknown from now on: keep its exposure, ask.
    pub(crate) fn lose(&mut self, now_ns: Nanos, id: ClientOrderId) {
        if !self.orders.advance(id, OrderState::Unknown) {
            return;
        }
        if let Some(order) = self.orders.get_open_mut(id) {
            order.query.want(now_ns);
            let venue = self.config.markets[order.new.market.index()].venue;
            self.counters.venues[usize::from(venue)].became_unknown += 1;
        }
    }

    pub(crate) fn breaker_failed(
        &mut self,
        now_ns: Nanos,
        venue: VenueId,
        id: ClientOrderId,
    ) -> Option<Reflex> {
        let breaker: &mut Breaker = &mut self.venues[venue.index()].breaker;
        breaker.failed(now_ns, id, &self.config.venues[venue.index()].breaker())
    }

    /// Counts and records a reflex, if there was one.
    pub(crate) fn note(
        &mut self,
        venue: VenueId,
        reflex: Option<Reflex>,
        outputs: &mut Vec<Output>,
    ) {
        if let Some(reflex) = reflex {
            self.counters.act(venue.index(), reflex);
            outputs.push(Output::Reflex { venue: Some(venue), reflex });
        }
    }

    fn retry_slot(&self, strategy: StrategyId, market: MarketId, side: Side) -> usize {
        let by_market = usize::from(strategy.0) * self.markets.len() + market.index();
        by_market * 2 + usize::from(side == Side::Sell)
    }
}
