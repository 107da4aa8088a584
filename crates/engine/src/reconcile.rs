//! A venue's open orders, trades and balances in; agreement with ours, or a break, out.
//!
//! Runs whenever the user stream comes up: whatever happened while nobody listened is fetched
//! before the first new order. A venue is reconciled when each of our open orders has been spoken
//! of, the trade history has been read from the last complete id on, the base balance has moved by
//! exactly our position, and no order of ours rests there that we do not know. An order of unknown
//! fate does not hold the venue up: its exposure stays reserved and it is asked for until it ends.

use crate::engine::{Engine, Freshness};
use crate::event::{OrderReport, OwnTrade, VenueOrderStatus};
use crate::order::OrderState;
use crate::output::Output;
use crate::strategy::StrategyState;
use serde::{Deserialize, Serialize};
use values::{MarketId, Nanos, Quantity, VenueId};

/// Position checks that may fail in a row before it is a break: a fill between the trade history
/// and the balance makes one fail, and heals with the next.
const MISMATCHES_MAX: u32 = 4;
/// A trade history of this length may be cut by the venue's page size: ask for the rest.
const TRADES_PAGE: usize = 500;

/// How far a venue's reconciliation is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// For the user stream.
    Waiting,
    /// Asked; not all agree yet.
    Running,
    /// A difference stays; checked again and again, no trading there.
    Broken,
    /// All agree.
    Reconciled,
}

impl Engine {
    /// A new process life: nothing that was asked will be answered, nothing is connected.
    pub(crate) fn restarted(&mut self, now_ns: Nanos) {
        self.is_shutting_down = false;
        for (venue, config) in self.venues.iter_mut().zip(&self.config.venues) {
            venue.breaker.forget_probe(now_ns, &config.breaker());
            venue.is_user_up = false;
            venue.user_lost_ns = Some(now_ns);
            venue.stage = Stage::Waiting;
            venue.freshness = Freshness::Never;
            venue.account.reset();
        }
        self.guardians_restarted(now_ns);
        for market in &mut self.markets {
            market.market.on_channel_down();
            market.fresh_ns = now_ns;
            market.snapshot.reset();
            market.open_orders.reset();
            market.my_trades.reset();
        }
        for index in 0..self.markets.len() {
            for strategy in &mut self.strategies {
                strategy.forget(MarketId(index as u8));
            }
        }
        for strategy in &mut self.strategies {
            if let StrategyState::External(breaker) = strategy {
                breaker.restarted(now_ns);
            }
        }
        for index in 0..self.orders.open().len() {
            let order = &mut self.orders.open_mut()[index];
            order.query.reset();
            order.cancel.forget_asked(now_ns);
            let id = order.new.client_order_id;
            self.lose(now_ns, id);
        }
    }

    /// Asks the venue for everything anew.
    pub(crate) fn begin_reconciliation(&mut self, now_ns: Nanos, venue: VenueId) {
        let state = &mut self.venues[venue.index()];
        state.stage = Stage::Running;
        state.mismatches = 0;
        state.has_foreign = false;
        state.account.renew(now_ns);
        self.each_market_of(venue, |market| {
            market.is_agreed = false;
            market.open_orders.renew(now_ns);
            market.my_trades.renew(now_ns);
        });
        for order in self.orders.open_mut() {
            if self.config.markets[order.new.market.index()].venue == venue.0 {
                order.is_unconfirmed = true;
                order.query.settle();
                order.query.want(now_ns);
            }
        }
    }

    /// What rests at the venue.
    pub(crate) fn on_open_orders(
        &mut self,
        now_ns: Nanos,
        market: MarketId,
        reports: &[OrderReport],
        outputs: &mut Vec<Output>,
    ) {
        let venue = self.venue_of(market);
        let mut has_foreign = false;
        for report in reports {
            if self.orders.get(report.client_order_id).is_some() {
                self.on_report(now_ns, venue, report, outputs);
            } else if matches!(
                report.status,
                VenueOrderStatus::New | VenueOrderStatus::PartiallyFilled
            ) {
                has_foreign = true;
                self.counters.venues[venue.index()].foreign += 1;
                let client_order_id = report.client_order_id;
                outputs.push(Output::Cancel { market, client_order_id });
            }
        }
        self.venues[venue.index()].has_foreign = has_foreign;
        let open_orders = &mut self.markets[market.index()].open_orders;
        if open_orders.answered() && has_foreign {
            // Ask again after a pause, until they are gone.
            open_orders.want(now_ns);
            open_orders.failed(now_ns, 0);
        }
        self.finish_reconciliation(venue, outputs);
    }

    /// What traded, from the last complete trade id on.
    pub(crate) fn on_my_trades(
        &mut self,
        now_ns: Nanos,
        market: MarketId,
        trades: &[OwnTrade],
        outputs: &mut Vec<Output>,
    ) {
        let is_answer = self.markets[market.index()].my_trades.answered();
        let mut is_complete = true;
        for trade in trades {
            let trade_id = trade.execution.trade_id;
            let is_new = !self.markets[market.index()].fills.contains(trade_id);
            let execution = is_new.then_some(trade.execution);
            let applied =
                self.orders.apply_trade(market, trade.venue_order_id, trade.side, execution);
            if let Some(applied) = applied {
                self.markets[market.index()].fills.insert(trade_id);
                self.take_in(now_ns, market, &applied, outputs);
            } else if is_new && self.orders.has_nameless(market) {
                // It may belong to an order whose venue id we do not know yet: not complete here.
                is_complete = false;
            }
            if is_complete && is_answer {
                self.markets[market.index()].fills.complete(trade_id.saturating_add(1));
            }
        }
        let is_missing = self.orders.is_missing_fills(market);
        let my_trades = &mut self.markets[market.index()].my_trades;
        if is_answer && is_complete && trades.len() >= TRADES_PAGE {
            my_trades.want(now_ns);
        } else if is_answer && (!is_complete || is_missing) {
            // The history lags behind, or a trade waits for its order's name: ask after a pause.
            my_trades.want(now_ns);
            my_trades.failed(now_ns, 0);
        }
        self.finish_reconciliation(self.venue_of(market), outputs);
    }

    /// Our balance: it must have moved by exactly our position.
    pub(crate) fn on_account(
        &mut self,
        now_ns: Nanos,
        market: MarketId,
        base: Quantity,
        outputs: &mut Vec<Output>,
    ) {
        let venue = self.venue_of(market);
        self.venues[venue.index()].account.answered();
        let state = &mut self.markets[market.index()];
        let position = state.position.quantity().0;
        let baseline = *state.baseline.get_or_insert(Quantity(base.0.saturating_sub(position)));
        let moved = base.0.saturating_sub(baseline.0);
        state.is_agreed = moved == position;
        if state.is_agreed {
            self.finish_reconciliation(venue, outputs);
            return;
        }
        // It counts only when nothing that could explain it is still to be told.
        let is_explained = state.my_trades.is_wanted()
            || self.orders.open().iter().any(|order| {
                order.new.market == market
                    && (order.state == OrderState::Unknown
                        || order.is_unconfirmed
                        || order.is_missing_fills())
            });
        state.my_trades.want(now_ns);
        let state = &mut self.venues[venue.index()];
        state.account.want(now_ns);
        state.account.failed(now_ns, 0);
        state.mismatches += u32::from(!is_explained);
        if !is_explained && state.mismatches == MISMATCHES_MAX && state.stage != Stage::Waiting {
            state.stage = Stage::Broken;
            self.counters.venues[venue.index()].breaks += 1;
            let difference = Quantity(position.saturating_sub(moved));
            outputs.push(Output::Break { market, difference });
        }
    }

    /// The venue contradicts what we know: record it and compare everything anew.
    pub(crate) fn open_break(
        &mut self,
        now_ns: Nanos,
        market: MarketId,
        difference: Quantity,
        outputs: &mut Vec<Output>,
    ) {
        let venue = self.venue_of(market);
        self.counters.venues[venue.index()].breaks += 1;
        outputs.push(Output::Break { market, difference });
        if self.venues[venue.index()].stage == Stage::Reconciled {
            self.begin_reconciliation(now_ns, venue);
        }
    }

    /// Somebody reports an order of ours that we do not know: look what rests there.
    pub(crate) fn on_foreign(&mut self, now_ns: Nanos, venue: VenueId) {
        if let Some(counters) = self.counters.venues.get_mut(venue.index()) {
            counters.foreign += 1;
            self.each_market_of(venue, |market| market.open_orders.want(now_ns));
        }
    }

    /// Declares the venue reconciled once nothing is open any more.
    pub(crate) fn finish_reconciliation(&mut self, venue: VenueId, outputs: &mut Vec<Output>) {
        let state = &self.venues[venue.index()];
        if !matches!(state.stage, Stage::Running | Stage::Broken)
            || state.has_foreign
            || state.account.is_wanted()
        {
            return;
        }
        let mut markets = self.markets.iter().zip(&self.config.markets);
        let agree = markets.all(|(market, config)| {
            config.venue != venue.0
                || (market.is_agreed
                    && !market.open_orders.is_wanted()
                    && !market.my_trades.is_wanted())
        });
        let is_unconfirmed = self.orders.open().iter().any(|order| {
            order.is_unconfirmed && self.config.markets[order.new.market.index()].venue == venue.0
        });
        if agree && !is_unconfirmed {
            let state = &mut self.venues[venue.index()];
            state.stage = Stage::Reconciled;
            state.mismatches = 0;
            outputs.push(Output::Reconciled(venue));
        }
    }
}
