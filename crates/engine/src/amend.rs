//! A person's change of an order that the core keeps in; the changed order out.
//!
//! Amending is cancel-replace: the specification changes at once, a child that no longer fits is
//! cancelled, and the next one goes out when the old one's end is proven and its fills are counted.
//! See `schedule/work.rs` for why that cannot double.

use crate::command::CommandRefusal;
use crate::engine::Engine;
use crate::event::Amendment;
use crate::output::Output;
use crate::schedule::{EndReason, ParentSpec, ParentState};
use values::{MarketId, Nanos, Price};

impl Engine {
    /// Why an order cannot be taken in.
    pub(crate) fn submit_refusal(&self, spec: &ParentSpec) -> Option<CommandRefusal> {
        if self.parents.is_full() {
            return Some(CommandRefusal::OrdersFull);
        }
        if let Some(problem) = spec.problem(&self.config) {
            return Some(CommandRefusal::OrderInvalid(problem));
        }
        let mut markets = (0..self.markets.len()).map(|index| MarketId(index as u8));
        let is_served = markets.any(|market| {
            spec.may_go_to(market, &self.config) && !self.is_data_only(self.venue_of(market))
        });
        (!is_served).then_some(CommandRefusal::VenueDataOnly)
    }

    /// Why an order cannot be changed so.
    pub(crate) fn amend_refusal(&self, id: u32, change: &Amendment) -> Option<CommandRefusal> {
        let Some(parent) = self.parents.get(id) else { return Some(CommandRefusal::OrderUnknown) };
        changed(parent.spec, change).problem(&self.config).map(CommandRefusal::OrderInvalid)
    }

    /// Why an order cannot be paused, resumed or cancelled.
    pub(crate) fn move_refusal(&self, id: u32, next: ParentState) -> Option<CommandRefusal> {
        match self.parents.get(id) {
            None => Some(CommandRefusal::OrderUnknown),
            Some(parent) => (!parent.state.may_become(next)).then_some(CommandRefusal::OrderState),
        }
    }

    pub(crate) fn amend(
        &mut self,
        now_ns: Nanos,
        id: u32,
        change: &Amendment,
        outputs: &mut Vec<Output>,
    ) {
        self.parents.change(id, |parent| parent.spec = changed(parent.spec, change));
        self.work_one(now_ns, id, outputs);
    }

    pub(crate) fn pause(&mut self, now_ns: Nanos, id: u32, outputs: &mut Vec<Output>) {
        self.turn(now_ns, id, ParentState::Paused, outputs);
    }

    /// On where it was: before its start or trigger, or at work.
    pub(crate) fn unpause(&mut self, now_ns: Nanos, id: u32, outputs: &mut Vec<Output>) {
        let Some(parent) = self.parents.get(id) else { return };
        let has_begun = parent.arrival > Price::ZERO || parent.children > 0;
        let next = if has_begun { ParentState::Working } else { ParentState::Waiting };
        if parent.state == ParentState::Paused {
            self.turn(now_ns, id, next, outputs);
        }
    }

    pub(crate) fn cancel_parent(&mut self, now_ns: Nanos, id: u32, outputs: &mut Vec<Output>) {
        self.begin_end(now_ns, id, EndReason::Canceled, outputs);
    }

    fn turn(&mut self, now_ns: Nanos, id: u32, next: ParentState, outputs: &mut Vec<Output>) {
        if self.parents.advance(id, next) {
            outputs.push(Output::Parent { id, state: next, end: None });
            self.work_one(now_ns, id, outputs);
        }
    }
}

fn changed(mut spec: ParentSpec, change: &Amendment) -> ParentSpec {
    spec.limit = change.limit.or(spec.limit);
    spec.quantity = change.quantity.unwrap_or(spec.quantity);
    if let (crate::schedule::Style::Stop { trigger, .. }, Some(moved)) =
        (&mut spec.style, change.trigger)
    {
        *trigger = moved;
    }
    spec
}
