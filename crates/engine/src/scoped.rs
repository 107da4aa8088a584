//! A strategy's intent in; sent on, or denied by the limit of some scope, out.
//!
//! The market's own limits come first (`risk`), then the strategy's, then exposure and loss of the
//! account, the venue, the instrument and the strategy. An order that makes a position smaller is
//! never denied by an exposure or a loss: it is the way out.

use crate::engine::Engine;
use crate::event::{RequestFailure, Side};
use crate::guardian::is_own_fault;
use crate::limits::{LimitKind, LimitName, Scope};
use crate::output::{NewOrder, Output, Reflex};
use crate::reason::DenialReason;
use crate::risk::{PlaceIntent, is_outside, reduces, verdict};
use values::{ClientOrderId, MarketId, Nanos, Quantity, StrategyId, notional};

/// Stands for an intent that was denied and so never got an id.
const NO_ORDER: ClientOrderId = ClientOrderId { run: 0, number: 0 };

/// An order that a strategy, or a kept order of it, asks for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Where.
    pub market: MarketId,
    /// Whose.
    pub strategy: StrategyId,
    /// The kept order that it is a part of; 0 for none.
    pub parent: u32,
    /// What.
    pub intent: PlaceIntent,
}

/// The codes of a scope: gross, net, loss, daily loss, drawdown.
struct Codes {
    gross: DenialReason,
    net: DenialReason,
    loss: DenialReason,
    daily: DenialReason,
    drawdown: DenialReason,
}

fn codes(scope: Scope) -> Codes {
    use DenialReason as R;
    let [gross, net, loss, daily, drawdown] = match scope {
        Scope::Venue(_) => {
            [R::GrossVenue, R::NetVenue, R::LossVenue, R::DailyVenue, R::DrawdownVenue]
        }
        Scope::Instrument(_) => [
            R::GrossInstrument,
            R::NetInstrument,
            R::LossInstrument,
            R::DailyInstrument,
            R::DrawdownInstrument,
        ],
        Scope::Strategy(_) => [
            R::GrossStrategy,
            R::NetStrategy,
            R::LossStrategy,
            R::DailyStrategy,
            R::DrawdownStrategy,
        ],
        Scope::Account | Scope::Market(_) => {
            [R::GrossAccount, R::NetAccount, R::LossLimit, R::DailyAccount, R::DrawdownAccount]
        }
    };
    Codes { gross, net, loss, daily, drawdown }
}

impl Engine {
    /// Sends an order that passes every check; a denial is counted, recorded and held against the
    /// strategy, and so is what observe-only would have denied.
    pub(crate) fn place_checked(
        &mut self,
        now_ns: Nanos,
        asked: &Asked,
        outputs: &mut Vec<Output>,
    ) -> Result<(), DenialReason> {
        let Asked { market, strategy, parent, ref intent } = *asked;
        let mut observed: u128 = 0;
        let passed = self.judge(now_ns, asked, &mut |reason| observed |= 1 << reason as u32);
        self.report_observed(observed, market, strategy, outputs);
        match passed {
            Ok(()) => self.place(now_ns, market, strategy, parent, intent, outputs),
            Err(reason) => self.deny(now_ns, asked, reason, outputs),
        }
        passed
    }

    /// Counts and records a denial, and holds it against the strategy that asked; a kept order is
    /// tried again by the core, which is nobody's fault.
    pub(crate) fn deny(
        &mut self,
        now_ns: Nanos,
        asked: &Asked,
        reason: DenialReason,
        outputs: &mut Vec<Output>,
    ) {
        let Asked { market, strategy, parent, .. } = *asked;
        self.counters.deny(reason);
        outputs.push(Output::Denied { market, strategy, reason });
        if parent == 0 && is_own_fault(reason) {
            self.strategy_failed(now_ns, strategy, NO_ORDER, outputs);
        }
    }

    fn report_observed(
        &mut self,
        mut observed: u128,
        market: MarketId,
        strategy: StrategyId,
        outputs: &mut Vec<Output>,
    ) {
        for &reason in DenialReason::ALL {
            if observed == 0 {
                break;
            }
            if observed & (1 << reason as u32) != 0 {
                observed &= !(1 << reason as u32);
                self.counters.observe(reason);
                outputs.push(Output::Observed { market, strategy, reason });
            }
        }
    }

    /// Whether an order would be denied now, and why.
    pub fn denial_of(&self, now_ns: Nanos, asked: &Asked) -> Option<DenialReason> {
        self.judge(now_ns, asked, &mut |_| {}).err()
    }

    /// Whether an order that never arrived may not be sent again. It is still counted as open.
    pub(crate) fn forbids_again(&self, now_ns: Nanos, asked: &Asked) -> bool {
        let Asked { market, ref intent, .. } = *asked;
        let mut situation = self.situation(now_ns, market);
        match intent.side {
            Side::Buy => situation.buying.0 -= intent.quantity.0,
            Side::Sell => situation.selling.0 -= intent.quantity.0,
        }
        situation.orders_open = situation.orders_open.saturating_sub(1);
        let passed = verdict(intent, &situation, &self.config.limits, |_| {});
        let more = PlaceIntent { quantity: Quantity::ZERO, ..*intent };
        let more = Asked { intent: more, ..*asked };
        let is_way_out = reduces(intent, &situation);
        passed.and_then(|()| self.judge_scopes(now_ns, &more, is_way_out, &mut |_| {})).is_err()
    }

    fn judge(
        &self,
        now_ns: Nanos,
        asked: &Asked,
        observe: &mut dyn FnMut(DenialReason),
    ) -> Result<(), DenialReason> {
        if self.is_data_only(self.venue_of(asked.market)) {
            return Err(DenialReason::VenueDataOnly);
        }
        let situation = self.situation_of(now_ns, asked.market, asked.parent, asked.intent.side);
        verdict(&asked.intent, &situation, &self.config.limits, &mut *observe)?;
        self.judge_scopes(now_ns, asked, reduces(&asked.intent, &situation), observe)
    }

    fn judge_scopes(
        &self,
        now_ns: Nanos,
        asked: &Asked,
        is_way_out: bool,
        observe: &mut dyn FnMut(DenialReason),
    ) -> Result<(), DenialReason> {
        let Asked { market, strategy, ref intent, .. } = *asked;
        let limits = &self.config.limits;
        let mut deny = |denied: bool, reason: DenialReason| {
            if denied && limits.observes(reason) {
                observe(reason);
            } else if denied {
                return Err(reason);
            }
            Ok(())
        };
        self.judge_strategy(now_ns, market, strategy, intent, &mut deny)?;
        // Profit and loss there would be counted in the wrong currency.
        let is_unpriced = self.quote_rate(market).is_none() && !is_way_out;
        deny(is_unpriced, DenialReason::ExposureUnpriced)?;
        let config = &self.config.markets[market.index()];
        let instrument = Scope::Instrument(config.instrument);
        let name = LimitName { scope: instrument, kind: LimitKind::PositionMax };
        if let Some(most) = self.config.limit(name) {
            let worst = self.worst_of(instrument, intent);
            deny(worst > most && worst > 0, DenialReason::PositionInstrument)?;
        }
        for scope in [Scope::Account, Scope::Venue(config.venue), instrument] {
            self.judge_scope(scope, market, intent, is_way_out, &mut deny)?;
        }
        let own = Scope::Strategy(strategy.0);
        let (buying, selling) = self.open_in(own, market);
        let held = i128::from(
            self.markets[market.index()].by_strategy[usize::from(strategy.0)].quantity().0,
        );
        let after = match intent.side {
            Side::Buy => held + buying,
            Side::Sell => selling - held,
        } + i128::from(intent.quantity.0);
        self.judge_scope(own, market, intent, after <= 0, &mut deny)
    }

    /// What the strategy alone is watched for.
    fn judge_strategy(
        &self,
        now_ns: Nanos,
        market: MarketId,
        strategy: StrategyId,
        intent: &PlaceIntent,
        deny: &mut impl FnMut(bool, DenialReason) -> Result<(), DenialReason>,
    ) -> Result<(), DenialReason> {
        let guardian = &self.guardians[usize::from(strategy.0)];
        deny(guardian.is_stopped(), DenialReason::StrategyThrottled)?;
        let is_open = guardian.breaker().is_some_and(|breaker| !breaker.lets_pass());
        deny(is_open, DenialReason::StrategyBreakerOpen)?;
        let limits = &self.config.limits;
        let Some(own) = limits.of(Scope::Strategy(strategy.0)) else { return Ok(()) };
        for (&kind, &most) in own {
            match kind {
                LimitKind::QuantityMax => {
                    deny(i128::from(intent.quantity.0) > most, DenialReason::QuantityStrategy)?;
                }
                LimitKind::NotionalMax => deny(
                    notional(intent.price, intent.quantity).0 > most,
                    DenialReason::NotionalStrategy,
                )?,
                LimitKind::CollarPpm => {
                    let reference = self.markets[market.index()].market.microprice();
                    let ppm = u32::try_from(most).unwrap_or(u32::MAX);
                    let is_far = reference.is_none_or(|r| is_outside(intent.price, r, ppm));
                    deny(is_far, DenialReason::CollarStrategy)?;
                }
                LimitKind::OrderRate => {
                    deny(guardian.rate(now_ns) as i128 >= most, DenialReason::RateStrategy)?;
                }
                LimitKind::DuplicatesMax => {
                    let window_ns = limits.duplicate_window_ns;
                    let found = guardian.duplicates(now_ns, window_ns, market, intent);
                    deny(found as i128 >= most, DenialReason::RateDuplicate)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Exposure and loss of one scope.
    fn judge_scope(
        &self,
        scope: Scope,
        market: MarketId,
        intent: &PlaceIntent,
        is_way_out: bool,
        deny: &mut impl FnMut(bool, DenialReason) -> Result<(), DenialReason>,
    ) -> Result<(), DenialReason> {
        let Some(limits) = self.config.limits.of(scope).filter(|limits| !limits.is_empty()) else {
            return Ok(());
        };
        if is_way_out {
            return Ok(());
        }
        let codes = codes(scope);
        let (gross, net) = (limits.get(&LimitKind::GrossMax), limits.get(&LimitKind::NetMax));
        if gross.is_some() || net.is_some() {
            let after = self.exposure_with(scope, Some((market, intent)));
            deny(after.is_unpriced, DenialReason::ExposureUnpriced)?;
            deny(gross.is_some_and(|most| after.gross.0 > *most), codes.gross)?;
            let side = match intent.side {
                Side::Buy => after.long,
                Side::Sell => after.short,
            };
            deny(net.is_some_and(|most| side.0 > *most), codes.net)?;
        }
        let profit = self.profit_of(scope);
        let equity = &self.equities[self.equity_index(scope)];
        let lost =
            |kind: LimitKind, loss: i128| limits.get(&kind).is_some_and(|most| loss >= *most);
        deny(lost(LimitKind::LossMax, -profit.0), codes.loss)?;
        deny(lost(LimitKind::DailyLossMax, -equity.of_day(profit).0), codes.daily)?;
        deny(lost(LimitKind::DrawdownMax, equity.drawdown(profit).0), codes.drawdown)
    }

    /// The position of a scope on the intent's side, should it and everything open there fill.
    fn worst_of(&self, scope: Scope, intent: &PlaceIntent) -> i128 {
        let mut worst = i128::from(intent.quantity.0);
        for (market, position) in self.positions(scope) {
            let (buying, selling) = self.open_in(scope, market);
            worst += match intent.side {
                Side::Buy => i128::from(position.quantity().0) + buying,
                Side::Sell => selling - i128::from(position.quantity().0),
            };
        }
        worst
    }

    pub(crate) fn equity_index(&self, scope: Scope) -> usize {
        let venues = self.config.venues.len();
        match scope {
            Scope::Account | Scope::Market(_) => 0,
            Scope::Venue(index) => 1 + usize::from(index),
            Scope::Instrument(index) => 1 + venues + usize::from(index),
            Scope::Strategy(index) => {
                1 + venues + self.config.instruments_count() + usize::from(index)
            }
        }
    }

    pub(crate) fn update_equities(&mut self, now_ns: Nanos) {
        for (index, scope) in self.config.scopes().enumerate() {
            if matches!(scope, Scope::Market(_)) {
                break;
            }
            let profit = self.profit_of(scope);
            self.equities[index].update(now_ns, profit);
        }
    }

    pub(crate) fn reserve_guardians(&mut self) {
        for index in 0..self.guardians.len() {
            let scope = Scope::Strategy(index as u8);
            let of = |kind| self.config.limit(LimitName { scope, kind });
            let counts = [LimitKind::OrderRate, LimitKind::DuplicatesMax];
            let counts_orders = counts.into_iter().any(|kind| of(kind).is_some());
            let most = of(LimitKind::ExecutionsMax).and_then(|most| usize::try_from(most).ok());
            self.guardians[index].reserve(counts_orders, most);
        }
    }

    /// The venue refused an order of a strategy, or it got lost.
    pub(crate) fn strategy_refused(
        &mut self,
        now_ns: Nanos,
        new: &NewOrder,
        failure: RequestFailure,
        is_answer: bool,
        outputs: &mut Vec<Output>,
    ) {
        let guardian = &mut self.guardians[usize::from(new.strategy.0)];
        if is_answer {
            let reflex = guardian.answered(now_ns, new.client_order_id);
            self.note_strategy(new.strategy, reflex, outputs);
        } else if matches!(failure, RequestFailure::Refused { .. }) {
            self.strategy_failed(now_ns, new.strategy, new.client_order_id, outputs);
        } else {
            guardian.lost(new.client_order_id);
        }
    }

    fn strategy_failed(
        &mut self,
        now_ns: Nanos,
        strategy: StrategyId,
        id: ClientOrderId,
        outputs: &mut Vec<Output>,
    ) {
        let config = self.config.limits.strategy_breaker.as_ref();
        let reflex = self.guardians[usize::from(strategy.0)].failed(now_ns, id, config);
        self.note_strategy(strategy, reflex, outputs);
    }

    pub(crate) fn strategy_answered(
        &mut self,
        now_ns: Nanos,
        id: ClientOrderId,
        outputs: &mut Vec<Output>,
    ) {
        let Some(strategy) = self.orders.get(id).map(|order| order.new.strategy) else { return };
        let reflex = self.guardians[usize::from(strategy.0)].answered(now_ns, id);
        self.note_strategy(strategy, reflex, outputs);
    }

    /// A strategy traded: perhaps once too often in the same way.
    pub(crate) fn strategy_executed(
        &mut self,
        now_ns: Nanos,
        new: &NewOrder,
        outputs: &mut Vec<Output>,
    ) {
        self.update_equities(now_ns);
        let scope = Scope::Strategy(new.strategy.0);
        let name = LimitName { scope, kind: LimitKind::ExecutionsMax };
        let Some(most) = self.config.limit(name) else { return };
        let window_ns = self.config.limits.execution_window_ns;
        let guardian = &mut self.guardians[usize::from(new.strategy.0)];
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if !guardian.executed(now_ns, window_ns, most, new.market, new.side) {
            return;
        }
        if self.config.limits.observes(DenialReason::StrategyThrottled) {
            self.counters.observe(DenialReason::StrategyThrottled);
            return;
        }
        guardian.stop();
        self.note_strategy(new.strategy, Some(Reflex::StrategyStopped), outputs);
        self.cancel_strategy(now_ns, new.strategy);
    }

    pub(crate) fn tick_guardians(&mut self, now_ns: Nanos, outputs: &mut Vec<Output>) {
        for index in 0..self.guardians.len() {
            let reflex = self.guardians[index].tick(now_ns);
            self.note_strategy(StrategyId(index as u8), reflex, outputs);
        }
    }

    pub(crate) fn guardians_restarted(&mut self, now_ns: Nanos) {
        for guardian in &mut self.guardians {
            guardian.restarted(now_ns, self.config.limits.strategy_breaker.as_ref());
        }
    }

    fn note_strategy(
        &mut self,
        strategy: StrategyId,
        reflex: Option<Reflex>,
        outputs: &mut Vec<Output>,
    ) {
        if let Some(reflex) = reflex {
            self.counters.act_on_strategy(strategy, reflex);
            outputs.push(Output::StrategyReflex { strategy, reflex });
        }
    }

    fn cancel_strategy(&mut self, now_ns: Nanos, strategy: StrategyId) {
        for order in self.orders.open_mut() {
            if order.new.strategy == strategy && !order.state.is_terminal() {
                order.cancel.want(now_ns);
            }
        }
    }
}
