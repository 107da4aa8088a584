//! A command in; a changed trading state out. What only tightens is always taken.

use crate::engine::Engine;
use crate::event::Command;
use crate::output::{Output, Reflex};
use crate::risk::TradingState;
use values::{Nanos, VenueId};

/// Why a command is not carried out: `CATEGORY_CONDITION`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum CommandRefusal {
    /// There is no such venue.
    VenueUnknown,
    /// The rate is not lower than the configured one, or below 1.
    RateNotLower,
}

impl CommandRefusal {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::VenueUnknown => "VENUE_UNKNOWN",
            Self::RateNotLower => "RATE_NOT_LOWER",
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
            Command::CancelAll(venue) => self.cancel_all(now_ns, *venue),
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
        }
    }
}
