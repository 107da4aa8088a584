//! A command in; a changed trading state out. What only tightens is always taken.

use crate::config::StrategyKind;
use crate::engine::Engine;
use crate::event::{Command, SignedAct};
use crate::guardian::Guardian;
use crate::limits::{LimitKind, LimitName, Scope};
use crate::output::{Output, Reflex};
use crate::risk::TradingState;
use crate::schedule::ParentState;
use crate::strategy::StrategyState;
use values::{Nanos, StrategyId, VenueId};

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
    /// A looser value without a signature.
    LimitLooser,
    /// The limit cannot have this value.
    LimitValue,
    /// The signed act has expired.
    ActExpired,
    /// The signed act was done before.
    ActRepeated,
    /// There is no such strategy, or it is not stopped.
    StrategyNotStopped,
    /// Only a named person may, with a reason.
    PersonNeeded,
    /// There is no such break, or none that a person could accept.
    BreakUnknown,
    /// There is no such strategy, or it is of another kind, or in a process of its own.
    ParametersInvalid,
    /// The strategy has these parameters already.
    ParametersSame,
    /// Only market data is taken from the venue.
    VenueDataOnly,
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
            Self::LimitLooser => "LIMIT_LOOSER_UNSIGNED",
            Self::LimitValue => "LIMIT_VALUE_INVALID",
            Self::ActExpired => "ACT_EXPIRED",
            Self::ActRepeated => "ACT_REPEATED",
            Self::StrategyNotStopped => "STRATEGY_NOT_STOPPED",
            Self::PersonNeeded => "PERSON_NEEDED",
            Self::BreakUnknown => "BREAK_UNKNOWN",
            Self::ParametersInvalid => "PARAMETERS_INVALID",
            Self::ParametersSame => "PARAMETERS_SAME",
            Self::VenueDataOnly => "VENUE_DATA_ONLY",
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
            Self::LimitLooser => "a looser limit needs a person's signature",
            Self::LimitValue => "the limit cannot have this value",
            Self::ActExpired => "the signed act has expired",
            Self::ActRepeated => "the signed act was done before",
            Self::StrategyNotStopped => "there is no such strategy, or it is not stopped",
            Self::PersonNeeded => "only a named person may, with a reason",
            Self::BreakUnknown => "there is no lasting break of a balance with this number",
            Self::ParametersInvalid => {
                "there is no such strategy, or it is of another kind, or in a process of its own"
            }
            Self::ParametersSame => "the strategy has these parameters already",
            Self::VenueDataOnly => "only market data is taken from the venue; no order goes there",
        }
    }
}

impl Engine {
    /// Whether a command would be refused now; asked by the shell, so that the reply can say so.
    /// Refused commands change nothing.
    pub fn refusal(&self, now_ns: Nanos, command: &Command) -> Option<CommandRefusal> {
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
            Command::SwitchVenue(venue) if self.is_data_only(*venue) => {
                Some(CommandRefusal::VenueDataOnly)
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
            Command::SetLimit { name, value, signed } => {
                self.limit_refusal(now_ns, *name, *value, signed.as_ref())
            }
            Command::SetParameters { strategy, kind } => self.parameters_refusal(*strategy, kind),
            Command::Rearm { strategy, actor, reason } => {
                let stopped = self.guardians.get(usize::from(strategy.0));
                if !stopped.is_some_and(Guardian::is_stopped) {
                    Some(CommandRefusal::StrategyNotStopped)
                } else if actor.trim().is_empty() || reason.trim().is_empty() {
                    Some(CommandRefusal::PersonNeeded)
                } else {
                    None
                }
            }
            Command::AcceptBreak { id, actor, reason } => {
                let mut lasting = self.breaks.open().iter();
                if !lasting.any(|found| found.id == *id && found.is_acceptable()) {
                    Some(CommandRefusal::BreakUnknown)
                } else if actor.trim().is_empty() || reason.trim().is_empty() {
                    Some(CommandRefusal::PersonNeeded)
                } else {
                    None
                }
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
        if self.refusal(now_ns, command).is_some() {
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
            Command::SetLimit { name, value, signed } => {
                self.acts_done.retain(|(_, until_ns)| *until_ns > now_ns);
                if let Some(act) = signed {
                    self.acts_done.push((act.nonce.clone(), act.until_ns));
                }
                self.set_limit(*name, *value);
            }
            Command::Rearm { strategy, .. } => self.guardians[usize::from(strategy.0)].rearm(),
            Command::AcceptBreak { id, .. } => self.accept_break(now_ns, *id, outputs),
            Command::SetParameters { strategy, kind } => self.set_parameters(*strategy, kind),
        }
    }

    fn parameters_refusal(
        &self,
        strategy: StrategyId,
        kind: &StrategyKind,
    ) -> Option<CommandRefusal> {
        let now = self.config.strategies.get(usize::from(strategy.0)).map(|found| &found.kind);
        match now {
            Some(now) if now == kind => Some(CommandRefusal::ParametersSame),
            Some(now) if now.is_same_sort(kind) && kind.is_in_core() => None,
            _ => Some(CommandRefusal::ParametersInvalid),
        }
    }

    /// What a strategy remembers stays, unless it was gathered by what has changed.
    fn set_parameters(&mut self, strategy: StrategyId, kind: &StrategyKind) {
        let index = usize::from(strategy.0);
        self.config.strategies[index].kind = kind.clone();
        if let (
            StrategyState::Momentum(memory),
            StrategyKind::Momentum { fast_updates, slow_updates, .. },
        ) = (&mut self.strategies[index], kind)
        {
            memory.set_updates(*fast_updates, *slow_updates);
        }
    }

    /// Why a limit may not get a value now.
    fn limit_refusal(
        &self,
        now_ns: Nanos,
        name: LimitName,
        value: i128,
        signed: Option<&SignedAct>,
    ) -> Option<CommandRefusal> {
        let is_there = self.config.limit_names().any(|known| known == name);
        if !is_there || self.config.value_problem(name, value).is_some() {
            return Some(CommandRefusal::LimitValue);
        }
        let Some(act) = signed else {
            let is_tighter = self.config.is_tighter(name, value);
            return (!is_tighter).then_some(CommandRefusal::LimitLooser);
        };
        if act.until_ns <= now_ns {
            return Some(CommandRefusal::ActExpired);
        }
        let is_done = self.acts_done.iter().any(|(nonce, _)| *nonce == act.nonce);
        is_done.then_some(CommandRefusal::ActRepeated)
    }

    fn set_limit(&mut self, name: LimitName, value: i128) {
        self.config.set_limit(name, value);
        if let (Scope::Venue(index), LimitKind::OrderRate) = (name.scope, name.kind) {
            let configured = self.config.venues[usize::from(index)].order_rate_per_second;
            self.venues[usize::from(index)].rate.configure(configured);
        }
        self.reserve();
    }
}
