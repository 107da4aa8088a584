//! A venue's open orders, trades and balances in; agreement with ours, or a break, out.
//!
//! Runs whenever the user stream comes up: whatever happened while nobody listened is fetched
//! before the first new order; and every so often beside trading (`repair`). A venue is reconciled when each of our open orders has been spoken
//! of, the trade history has been read from the last complete id on, each balance has moved by
//! exactly what we traded and paid, and no order of ours rests there that we do not know. An order of unknown
//! fate does not hold the venue up: its exposure stays reserved and it is asked for until it ends.

use crate::breaks::{About, Break, BreakClass, EndedBy, Found};
use crate::engine::{Engine, Freshness};
use crate::event::{OrderReport, OwnTrade, VenueOrderStatus};
use crate::order::OrderState;
use crate::output::Output;
use crate::repair::Suspicions;
use crate::strategy::StrategyState;
use serde::{Deserialize, Serialize};
use values::{Asset, MarketId, Money, Nanos, Quantity, VenueId};

/// Checks of a balance that may fail in a row by the same amount before it is a break: a fill
/// between the trade history and the balance makes one fail, and the next fill by another amount.
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
            venue.is_comparing = false;
            venue.freshness = Freshness::Never;
            venue.account.reset();
        }
        self.suspicions = Suspicions::default();
        self.suspicions.reserve();
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
        state.has_foreign = false;
        state.is_comparing = false;
        state.account.renew(now_ns);
        self.forget_suspicions(venue);
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
                let found = Found {
                    class: BreakClass::UnknownOrder,
                    venue,
                    market: Some(market),
                    about: About::Order(client_order_id),
                    ours: 0,
                    theirs: report.cumulative_quantity.0.into(),
                };
                self.found(now_ns, &found, outputs);
            }
        }
        self.venues[venue.index()].has_foreign = has_foreign;
        let open_orders = &mut self.markets[market.index()].open_orders;
        let is_answer = open_orders.answered();
        if is_answer && has_foreign {
            // Ask again after a pause, until they are gone.
            open_orders.want(now_ns);
            open_orders.failed(now_ns, 0);
        }
        if is_answer {
            self.compare_orders(now_ns, market, reports, outputs);
        }
        self.finish_reconciliation(now_ns, venue, outputs);
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
                if let (Some(fill), Some(_)) = (applied.fill, applied.ended) {
                    let id = fill.order.client_order_id;
                    self.is_found(now_ns, id, EndedBy::TradeHistory, outputs);
                }
                if is_new {
                    let quantity = trade.execution.quantity;
                    self.expect_told(now_ns, market, (trade_id, quantity), outputs);
                }
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
        self.finish_reconciliation(now_ns, self.venue_of(market), outputs);
    }

    /// Our balances: each must have moved by exactly what we traded and paid. One answer comes market
    /// by market.
    pub(crate) fn on_account(
        &mut self,
        now_ns: Nanos,
        market: MarketId,
        (base, quote): (Quantity, Money),
        outputs: &mut Vec<Output>,
    ) {
        let venue = self.venue_of(market);
        let is_first = self.config.markets.iter().position(|config| config.venue == venue.0)
            == Some(market.index());
        let state = &mut self.venues[venue.index()];
        if is_first {
            state.is_answer_current = state.account.answered();
        }
        if !state.is_answer_current {
            return;
        }
        let assets = [self.markets[market.index()].base, self.markets[market.index()].quote];
        let mut agree = true;
        for (asset, theirs) in assets.into_iter().zip([i128::from(base.0), quote.0]) {
            agree &= self.compare_balance(now_ns, venue, asset, theirs, outputs);
        }
        self.markets[market.index()].is_agreed = agree;
        if agree {
            self.finish_reconciliation(now_ns, venue, outputs);
        }
    }

    /// One balance against ours; whether they agree. A difference is a break only when it stays and
    /// nothing that could explain it is still to be told.
    fn compare_balance(
        &mut self,
        now_ns: Nanos,
        venue: VenueId,
        asset: Asset,
        theirs: i128,
        outputs: &mut Vec<Output>,
    ) -> bool {
        let is_explained = self.may_be_told(venue);
        let state = &mut self.venues[venue.index()];
        let Some(balance) = state.balances.get_mut(asset) else { return true };
        let is_traded = balance.is_traded;
        let Some(ours) = balance.compare(theirs) else {
            self.end_breaks(now_ns, EndedBy::Balance, outputs, |found| {
                found.venue == venue && found.about == About::Balance(asset)
            });
            return true;
        };
        state.account.want(now_ns);
        state.account.failed(now_ns, 0);
        let is_break = !is_explained
            && balance.differs(theirs.saturating_sub(ours)) >= MISMATCHES_MAX
            && state.stage != Stage::Waiting;
        self.each_market_of(venue, |market| market.my_trades.want(now_ns));
        if is_break {
            let class =
                if is_traded { BreakClass::PositionDiffers } else { BreakClass::CashDiffers };
            let (market, about) = (None, About::Balance(asset));
            self.found(now_ns, &Found { class, venue, market, about, ours, theirs }, outputs);
            let same = |found: &&Break| found.venue == venue && found.about == about;
            if let Some(id) = self.breaks.open().iter().find(same).map(|found| found.id) {
                self.escalate(now_ns, id, venue, outputs);
            }
        }
        false
    }

    /// Whether something is still to be told that would move a balance.
    fn may_be_told(&self, venue: VenueId) -> bool {
        let mut markets = self.markets.iter().zip(&self.config.markets);
        let is_asked =
            markets.any(|(state, config)| config.venue == venue.0 && state.my_trades.is_wanted());
        is_asked
            || self.orders.open().iter().any(|order| {
                self.venue_of(order.new.market) == venue
                    && (order.state == OrderState::Unknown
                        || order.is_unconfirmed
                        || order.is_missing_fills())
            })
    }

    /// Somebody reports an order of ours that we do not know: look what rests there.
    pub(crate) fn on_foreign(&mut self, now_ns: Nanos, venue: VenueId) {
        if let Some(counters) = self.counters.venues.get_mut(venue.index()) {
            counters.foreign += 1;
            self.each_market_of(venue, |market| market.open_orders.want(now_ns));
        }
    }

    /// Declares the venue reconciled once nothing is open any more.
    pub(crate) fn finish_reconciliation(
        &mut self,
        now_ns: Nanos,
        venue: VenueId,
        outputs: &mut Vec<Output>,
    ) {
        let state = &self.venues[venue.index()];
        let is_at_work = matches!(state.stage, Stage::Running | Stage::Broken)
            || (state.stage == Stage::Reconciled && state.is_comparing);
        if !is_at_work || state.has_foreign || state.account.is_wanted() {
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
            if !state.is_comparing {
                state.compared_ns = now_ns;
                self.end_breaks(now_ns, EndedBy::Reconciliation, outputs, |found| {
                    found.venue == venue
                });
            }
            let state = &mut self.venues[venue.index()];
            state.stage = Stage::Reconciled;
            state.is_comparing = false;
            self.counters.venues[venue.index()].comparisons += 1;
            outputs.push(Output::Reconciled(venue));
        }
    }
}
