//! Parents and time in; children sent and cancelled out.
//!
//! The rule that keeps an order from doubling: what is sent is the target less what is filled less
//! what is open, and "open" holds every child until the venue has proven its end *and* told all its
//! fills. A child of unknown fate is open. So an amend, a slice of an iceberg, or a stop's second
//! attempt waits for evidence, and between the cancel and the evidence nothing of it works: that is
//! the window which cancel-replace has, and the price for never being filled twice.

use super::pace::{participation, twap, vwap};
use super::parent::{EndReason, Parent, ParentSpec, ParentState, Style};
use crate::engine::Engine;
use crate::event::{Side, TimeInForce};
use crate::output::Output;
use crate::reason::DenialReason;
use crate::risk::PlaceIntent;
use crate::routing::{Offer, Want};
use values::{MarketId, Nanos, Price, Quantity, StrategyId};

/// A child that could not be sent, or did not fill, is tried again after this; shorter would spend
/// the order rate on a market that has not changed.
const RETRY_NS: Nanos = 250_000_000;
/// How many equal slices one child of a schedule may hold at most when it catches up.
const CATCH_UP_SLICES: i64 = 3;

/// A parent's children that are not proven to have ended.
#[derive(Copy, Clone, Debug, Default)]
struct Out {
    count: usize,
    exposure: i64,
}

impl Engine {
    /// The strategy under whose name people trade: it comes after the configured ones.
    pub fn manual(&self) -> StrategyId {
        StrategyId(self.config.strategies.len() as u8)
    }

    /// Takes in a parent; its number, or nothing when there is no room or it cannot be worked.
    pub(crate) fn submit(
        &mut self,
        now_ns: Nanos,
        strategy: StrategyId,
        spec: ParentSpec,
        outputs: &mut Vec<Output>,
    ) -> Option<u32> {
        if self.parents.is_full() || spec.problem(&self.config).is_some() {
            return None;
        }
        let id = self.parents.add(strategy, spec, now_ns);
        outputs.push(Output::Parent { id, state: ParentState::Waiting, end: None });
        self.work_one(now_ns, id, outputs);
        Some(id)
    }

    /// Works on every parent.
    pub(crate) fn work(&mut self, now_ns: Nanos, outputs: &mut Vec<Output>) {
        let mut index = 0;
        while let Some(parent) = self.parents.open().get(index) {
            let id = parent.id;
            self.work_one(now_ns, id, outputs);
            index += usize::from(self.parents.get(id).is_some());
        }
    }

    /// Works on one parent, as far as it goes now.
    pub(crate) fn work_one(&mut self, now_ns: Nanos, id: u32, outputs: &mut Vec<Output>) {
        let Some(parent) = self.parents.get(id).cloned() else { return };
        let out = self.out(id);
        match parent.state {
            ParentState::Waiting => {
                if self.is_to_begin(now_ns, &parent) {
                    self.begin_work(id, outputs);
                    self.work_one(now_ns, id, outputs);
                    return;
                }
                if parent.spec.reduce_only && self.closable(&parent) == Quantity::ZERO {
                    self.finish(id, EndReason::PositionClosed, outputs);
                }
            }
            ParentState::Working => self.go_on(now_ns, &parent, out, outputs),
            ParentState::Paused => self.cancel_children(now_ns, id),
            ParentState::Ending if out.count > 0 => self.cancel_children(now_ns, id),
            ParentState::Ending => {
                let end = parent.end.unwrap_or(EndReason::Canceled);
                self.finish(id, end, outputs);
            }
            ParentState::Done => {}
        }
        self.keep_free(id);
    }

    fn out(&self, id: u32) -> Out {
        let mut out = Out::default();
        for order in self.orders.open().iter().filter(|order| order.parent == id) {
            out.count += 1;
            out.exposure = out.exposure.saturating_add(order.exposure().0);
        }
        out
    }

    fn is_to_begin(&self, now_ns: Nanos, parent: &Parent) -> bool {
        match parent.spec.style {
            Style::Stop { .. } => false,
            _ => parent.spec.style.window().is_none_or(|window| {
                now_ns >= window.start_ns && self.reference(parent.spec.market).is_some()
            }),
        }
    }

    /// The start of the work: from here on prices are compared with the arrival price.
    pub(super) fn begin_work(&mut self, id: u32, outputs: &mut Vec<Output>) {
        let Some(parent) = self.parents.get(id) else { return };
        let arrival = self.reference(parent.spec.market).unwrap_or(Price::ZERO);
        let traded = self.traded(&parent.spec);
        if !self.parents.advance(id, ParentState::Working) {
            return;
        }
        if let Some(parent) = self.parents.get_mut(id) {
            parent.arrival = arrival;
            parent.traded_before = traded;
        }
        outputs.push(Output::Parent { id, state: ParentState::Working, end: None });
    }

    fn go_on(&mut self, now_ns: Nanos, parent: &Parent, out: Out, outputs: &mut Vec<Output>) {
        let (id, spec) = (parent.id, &parent.spec);
        let mut target = spec.quantity.0;
        if spec.reduce_only {
            target = target.min(parent.filled.0.saturating_add(self.closable(parent).0));
        }
        let left = target - parent.filled.0;
        if left <= 0 && out.count == 0 {
            let is_filled = parent.filled >= spec.quantity;
            let end = if is_filled { EndReason::Filled } else { EndReason::PositionClosed };
            return self.finish(id, end, outputs);
        }
        if parent.is_too_dear() {
            return self.begin_end(now_ns, id, EndReason::Slippage, outputs);
        }
        match spec.style {
            Style::Limit {
                time_in_force:
                    time_in_force @ (TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill),
            } => {
                let limit = spec.limit;
                self.once(now_ns, parent, out, limit, time_in_force, outputs);
            }
            Style::Market { slippage_ppm } => {
                let limit = self.child_limit(spec, slippage_ppm);
                let time_in_force = TimeInForce::ImmediateOrCancel;
                self.once(now_ns, parent, out, limit, time_in_force, outputs);
            }
            Style::Limit { time_in_force } => {
                self.rest(now_ns, parent, out, left, time_in_force, outputs);
            }
            Style::Iceberg { display } => {
                let size = left.min(display.0);
                self.rest(now_ns, parent, out, size, TimeInForce::GoodTillCancel, outputs);
            }
            Style::Stop { .. } if spec.limit.is_some() => {
                self.rest(now_ns, parent, out, left, TimeInForce::GoodTillCancel, outputs);
            }
            Style::Stop { slippage_ppm, .. } => {
                self.take(now_ns, parent, out, left, slippage_ppm, outputs);
            }
            Style::Twap { slippage_ppm, .. }
            | Style::Vwap { slippage_ppm, .. }
            | Style::Pov { slippage_ppm, .. } => {
                self.pace(now_ns, parent, out, left, slippage_ppm, outputs);
            }
        }
    }

    /// An order that takes at once: sent once, and over when its parts have ended.
    fn once(
        &mut self,
        now_ns: Nanos,
        parent: &Parent,
        out: Out,
        limit: Option<Price>,
        time_in_force: TimeInForce,
        outputs: &mut Vec<Output>,
    ) {
        if parent.children > 0 {
            if out.count == 0 {
                self.finish(parent.id, EndReason::Expired, outputs);
            }
            return;
        }
        let sent = limit.ok_or(DenialReason::PriceNoReference).and_then(|limit| {
            let want = want(parent, limit, parent.spec.quantity, time_in_force);
            if matches!(parent.spec.style, Style::Market { .. }) {
                self.has_depth(now_ns, &want)?;
            }
            self.send(now_ns, &want, outputs)
        });
        if let Err(reason) = sent {
            self.finish(parent.id, EndReason::Denied(reason), outputs);
        }
    }

    /// Whether all of it rests within the limit, at venues that may be used.
    fn has_depth(&self, now_ns: Nanos, want: &Want) -> Result<(), DenialReason> {
        let offers = self.offers(now_ns, want);
        let able = || offers.as_slice().iter().filter(|offer| offer.obstacle.is_none());
        let sum = |pick: fn(&Offer) -> Quantity| able().map(|offer| pick(offer).0).sum::<i64>();
        let wanted = want.intent.quantity.0;
        let Some(first) = able().next() else { return Ok(()) };
        if sum(Offer::depth) < wanted {
            return Err(DenialReason::DepthInsufficient);
        }
        if sum(|offer| offer.sendable) < wanted {
            // Whatever check is in the way of the whole.
            let asked = want.asked(first.market, want.intent);
            self.denial_of(now_ns, &asked).map_or(Ok(()), Err)?;
        }
        Ok(())
    }

    /// One resting child of `size` at the limit; replaced when it is not what it should be.
    fn rest(
        &mut self,
        now_ns: Nanos,
        parent: &Parent,
        out: Out,
        size: i64,
        time_in_force: TimeInForce,
        outputs: &mut Vec<Output>,
    ) {
        let Some(limit) = parent.spec.limit else { return };
        if out.count > 0 {
            let mut children = self.orders.open().iter().filter(|o| o.parent == parent.id);
            if out.exposure > size || children.any(|order| order.new.price != limit) {
                self.cancel_children(now_ns, parent.id);
            }
            return;
        }
        self.try_send(now_ns, &want(parent, limit, Quantity(size), time_in_force), outputs);
    }

    /// Takes `size` within the slippage bound, now and again until it is done.
    fn take(
        &mut self,
        now_ns: Nanos,
        parent: &Parent,
        out: Out,
        size: i64,
        slippage_ppm: u32,
        outputs: &mut Vec<Output>,
    ) {
        if out.count > 0 {
            return;
        }
        let lot = self.config.markets[parent.spec.market.index()].lot.0;
        let size = Quantity(size - size % lot);
        let Some(limit) = self.child_limit(&parent.spec, slippage_ppm) else { return };
        if size > Quantity::ZERO {
            let time_in_force = TimeInForce::ImmediateOrCancel;
            self.try_send(now_ns, &want(parent, limit, size, time_in_force), outputs);
        }
    }

    /// What is due by now, in children that stay small when it has to catch up.
    fn pace(
        &mut self,
        now_ns: Nanos,
        parent: &Parent,
        out: Out,
        left: i64,
        slippage_ppm: u32,
        outputs: &mut Vec<Output>,
    ) {
        let (spec, quantity) = (&parent.spec, parent.spec.quantity);
        let (due, window) = match &spec.style {
            Style::Twap { window, .. } => (twap(quantity, window, now_ns), window),
            Style::Vwap { window, curve, .. } => (vwap(quantity, window, curve, now_ns), window),
            Style::Pov { window, share_ppm, .. } => {
                let traded = self.traded(spec) - parent.traded_before;
                (participation(quantity, traded, *share_ppm), window)
            }
            _ => return,
        };
        if now_ns >= window.end_ns {
            return self.begin_end(now_ns, parent.id, EndReason::Expired, outputs);
        }
        let child_max = match spec.child_max.0 {
            0 => window.slice(quantity).0.saturating_mul(CATCH_UP_SLICES),
            given => given,
        };
        let behind = due.0.saturating_sub(parent.filled.0).saturating_sub(out.exposure);
        let least = self.config.markets[spec.market.index()].quantity_min.0;
        let size = behind.min(child_max.max(least)).min(left);
        // What is too small for the venue waits until more is due.
        if size >= least {
            self.take(now_ns, parent, out, size, slippage_ppm, outputs);
        }
    }

    /// The bound of a child: the middle plus the slippage, but never worse than the limit.
    fn child_limit(&self, spec: &ParentSpec, slippage_ppm: u32) -> Option<Price> {
        let bound = self.protection(spec.market, spec.side, slippage_ppm)?;
        Some(match (spec.limit, spec.side) {
            (None, _) => bound,
            (Some(limit), Side::Buy) => bound.min(limit),
            (Some(limit), Side::Sell) => bound.max(limit),
        })
    }

    /// Sends a child unless one was just tried; a denial is remembered and tried again later.
    fn try_send(&mut self, now_ns: Nanos, want: &Want, outputs: &mut Vec<Output>) {
        if self.parents.get(want.parent).is_none_or(|parent| now_ns < parent.next_ns) {
            return;
        }
        let sent = self.send(now_ns, want, outputs);
        if let Some(parent) = self.parents.get_mut(want.parent) {
            parent.next_ns = now_ns + RETRY_NS;
            parent.denied = sent.err();
        }
    }

    fn send(
        &mut self,
        now_ns: Nanos,
        want: &Want,
        outputs: &mut Vec<Output>,
    ) -> Result<(), DenialReason> {
        let sent = self.route_order(now_ns, want, outputs)?;
        if let Some(parent) = self.parents.get_mut(want.parent) {
            parent.children += 1;
            parent.reserved.0 = (parent.reserved.0 - sent.0).max(0);
        }
        Ok(())
    }

    /// Lets a parent end: its children are cancelled, and it is done when the last has ended.
    pub(crate) fn begin_end(
        &mut self,
        now_ns: Nanos,
        id: u32,
        end: EndReason,
        outputs: &mut Vec<Output>,
    ) {
        if !self.parents.advance(id, ParentState::Ending) {
            return;
        }
        if let Some(parent) = self.parents.get_mut(id) {
            parent.end = Some(end);
        }
        outputs.push(Output::Parent { id, state: ParentState::Ending, end: Some(end) });
        self.work_one(now_ns, id, outputs);
    }

    fn finish(&mut self, id: u32, end: EndReason, outputs: &mut Vec<Output>) {
        if !self.parents.advance(id, ParentState::Done) {
            return;
        }
        let Some(parent) = self.parents.get_mut(id) else { return };
        let is_filled = parent.filled >= parent.spec.quantity;
        let end = if is_filled { EndReason::Filled } else { end };
        parent.end = Some(end);
        parent.reserved = Quantity::ZERO;
        outputs.push(Output::Parent { id, state: ParentState::Done, end: Some(end) });
        self.parents.close(id);
    }

    /// A command to cancel everything ends every parent too, except a protective one: that can only
    /// make a position smaller, and without it the position would stand alone.
    pub(crate) fn end_parents(
        &mut self,
        now_ns: Nanos,
        venue: Option<values::VenueId>,
        outputs: &mut Vec<Output>,
    ) {
        let mut index = 0;
        while let Some(parent) = self.parents.open().get(index) {
            let (id, spec) = (parent.id, parent.spec);
            let is_protective = spec.reduce_only && matches!(spec.style, Style::Stop { .. });
            let is_there =
                venue.is_none_or(|venue| spec.is_pinned && self.venue_of(spec.market) == venue);
            if is_there && !is_protective {
                self.begin_end(now_ns, id, EndReason::Canceled, outputs);
            }
            index += usize::from(self.parents.get(id).is_some());
        }
    }

    /// The venue refused a child: an order that stands by itself ends, the others try again later.
    pub(crate) fn child_rejected(&mut self, now_ns: Nanos, id: u32, outputs: &mut Vec<Output>) {
        let Some(parent) = self.parents.get_mut(id) else { return };
        parent.next_ns = now_ns + RETRY_NS;
        if matches!(parent.spec.style, Style::Limit { .. } | Style::Iceberg { .. }) {
            self.begin_end(now_ns, id, EndReason::Rejected, outputs);
        }
    }

    fn cancel_children(&mut self, now_ns: Nanos, id: u32) {
        for order in self.orders.open_mut() {
            if order.parent == id && !order.state.is_terminal() {
                order.cancel.want(now_ns);
            }
        }
    }

    /// A stop that may open a position keeps the room for it, so that it is not denied when its
    /// time comes; one that only reduces needs none.
    fn keep_free(&mut self, id: u32) {
        let open = self.out(id).exposure;
        let Some(parent) = self.parents.get_mut(id) else { return };
        let is_kept = matches!(parent.spec.style, Style::Stop { .. }) && !parent.spec.reduce_only;
        let left = parent.spec.quantity.0.saturating_sub(parent.filled.0).saturating_sub(open);
        parent.reserved = Quantity(if is_kept { left.max(0) } else { 0 });
    }

    /// What has traded in the markets of an order, all told.
    fn traded(&self, spec: &ParentSpec) -> i128 {
        let markets = self.markets.iter().enumerate();
        let markets =
            markets.filter(|(index, _)| spec.may_go_to(MarketId(*index as u8), &self.config));
        markets.map(|(_, state)| state.traded).sum()
    }
}

fn want(parent: &Parent, limit: Price, quantity: Quantity, time_in_force: TimeInForce) -> Want {
    let ParentSpec { market, is_pinned, side, reduce_only, .. } = parent.spec;
    Want {
        strategy: parent.strategy,
        parent: parent.id,
        market,
        is_pinned,
        reduce_only,
        intent: PlaceIntent { side, price: limit, quantity, time_in_force },
    }
}
