//! A command in; a changed trading state out. What only tightens is always taken.

use crate::engine::Engine;
use crate::event::Command;
use crate::output::{Output, Reflex};
use crate::risk::TradingState;
use crate::schedule::ParentState;
use values::{Nanos, VenueId};

/// Why a command is not carried out: `CATEGORY_CONDITION`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum CommandRefusal {
    /// There is no such venue.
    VenueUnknown,
    /// The rate is not lower than the configured one, or below 1.
    RateNotLower,
    /// There is no such order, or it has ended.
    OrderUnknown,
    /// The order cannot be worked like that.
    OrderInvalid(&'static str),
    /// The order is in a state that does not allow it.
    OrderState,
    /// As many orders as the core keeps are open.
    OrdersFull,
}

impl CommandRefusal {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::VenueUnknown => "VENUE_UNKNOWN",
            Self::RateNotLower => "RATE_NOT_LOWER",
            Self::OrderUnknown => "ORDER_UNKNOWN",
            Self::OrderInvalid(_) => "ORDER_INVALID",
            Self::OrderState => "ORDER_STATE",
            Self::OrdersFull => "ORDERS_FULL",
        }
    }

    /// The same for a person.
    pub fn text(self) -> &'static str {
        match self {
            Self::VenueUnknown => "there is no such venue",
            Self::RateNotLower => "expected a rate below the configured one and at least 1",
            Self::OrderUnknown => "there is no such open order",
            Self::OrderInvalid(problem) => problem,
            Self::OrderState => "the order is in a state that does not allow it",
            Self::OrdersFull => "too many orders are open; cancel some first",
        }
    }
}

impl Engine {
    /// Whether a command would be refused now; asked by the shell, so that the reply can say so.
    /// Refused commands change nothing.
    pub fn refusal(&self, command: &Command) -> Option<CommandRefusal> {
        let is_unknown = |venue: VenueId| venue.index() >= self.venues.len();
        match command {
            Command::Halt(Some(venue))
            | Command::CancelAll(Some(venue))
            | Command::SwitchVenue(venue)
            | Command::SetOrderRate { venue, .. }
                if is_unknown(*venue) =>
            {
                Some(CommandRefusal::VenueUnknown)
            }
            Command::SetOrderRate { venue, per_second, lease, .. } => {
                let rate = &self.venues[venue.index()].rate;
                (!rate.takes_lease(*per_second, lease)).then_some(CommandRefusal::RateNotLower)
            }
            Command::Submit(spec) => self.submit_refusal(spec),
            Command::Amend { id, change } => self.amend_refusal(*id, change),
            Command::CancelOrder(id) => self.move_refusal(*id, ParentState::Ending),
            Command::PauseOrder(id) => self.move_refusal(*id, ParentState::Paused),
            Command::ResumeOrder(id) => match self.parents.get(*id) {
                Some(parent) if parent.state != ParentState::Paused => {
                    Some(CommandRefusal::OrderState)
                }
                Some(_) => None,
                None => Some(CommandRefusal::OrderUnknown),
            },
            _ => None,
        }
    }

    pub(crate) fn on_command(
        &mut self,
        now_ns: Nanos,
        command: &Command,
        outputs: &mut Vec<Output>,
    ) {
        if self.refusal(command).is_some() {
            return;
        }
        match command {
            Command::Kill => {
                self.state = TradingState::Halted;
                self.counters.kills += 1;
                outputs.push(Output::Reflex { venue: None, reflex: Reflex::Killed });
                self.end_parents(now_ns, None, outputs);
                self.cancel_all(now_ns, None);
            }
            Command::Halt(None) => self.state = TradingState::Halted,
            Command::Halt(Some(venue)) => self.venues[venue.index()].is_halted = true,
            Command::Reduce => self.state = self.state.max(TradingState::Reducing),
            Command::Resume => {
                self.state = TradingState::Active;
                for venue in &mut self.venues {
                    venue.is_halted = false;
                }
            }
            Command::CancelAll(venue) => {
                self.end_parents(now_ns, *venue, outputs);
                self.cancel_all(now_ns, *venue);
            }
            Command::SwitchVenue(venue) => self.active_venue = *venue,
            Command::SetOrderRate { venue, per_second, until_ns, lease } => {
                self.venues[venue.index()].rate.lease(lease, *per_second, *until_ns);
            }
            Command::ReleaseLease(lease) => {
                for venue in &mut self.venues {
                    venue.rate.release(lease);
                }
            }
            Command::Shutdown => {
                self.is_shutting_down = true;
                self.cancel_all(now_ns, None);
            }
            Command::Submit(spec) => {
                self.submit(now_ns, self.manual(), *spec, outputs);
            }
            Command::Amend { id, change } => self.amend(now_ns, *id, change, outputs),
            Command::CancelOrder(id) => self.cancel_parent(now_ns, *id, outputs),
            Command::PauseOrder(id) => self.pause(now_ns, *id, outputs),
            Command::ResumeOrder(id) => self.unpause(now_ns, *id, outputs),
        }
    }
}
