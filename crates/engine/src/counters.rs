//! What has been counted since the run began; part of the state, so a restart goes on counting.

use crate::output::Reflex;
use crate::reason::DenialReason;
use serde::{Deserialize, Serialize};
use values::StrategyId;

/// How many kinds of reflexes there are.
const REFLEXES: usize = 11;

/// Counts of one venue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueCounters {
    /// Orders handed to the shell.
    pub submitted: u64,
    /// Orders of which the venue has spoken.
    pub acknowledged: u64,
    /// Orders filled in full.
    pub filled: u64,
    /// Executions.
    pub fills: u64,
    /// Orders refused by the venue.
    pub rejected: u64,
    /// Orders cancelled or expired.
    pub ended_unfilled: u64,
    /// Times that an order's fate became unknown.
    pub became_unknown: u64,
    /// Orders that never reached the venue.
    pub not_received: u64,
    /// Executions told again and counted once.
    pub fills_repeated: u64,
    /// Orders of ours found at the venue that we do not know.
    pub foreign: u64,
    /// Comparisons of everything that ended in agreement.
    pub comparisons: u64,
    /// Breaks opened.
    pub breaks: u64,
    /// Times that the breaker opened.
    pub breaker_trips: u64,
    reflexes: [u64; REFLEXES],
}

impl VenueCounters {
    /// How often a reflex acted here.
    pub fn reflex(&self, reflex: Reflex) -> u64 {
        self.reflexes[reflex as usize]
    }
}

/// All counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// By venue.
    pub venues: Vec<VenueCounters>,
    /// Times that the kill switch was thrown.
    pub kills: u64,
    denied: Vec<u64>,
    observed: Vec<u64>,
    strategies: Vec<[u64; REFLEXES]>,
}

impl Counters {
    pub(crate) fn new(venues: usize, strategies: usize) -> Self {
        Self {
            venues: vec![VenueCounters::default(); venues],
            kills: 0,
            denied: vec![0; DenialReason::ALL.len()],
            observed: vec![0; DenialReason::ALL.len()],
            strategies: vec![[0; REFLEXES]; strategies],
        }
    }

    /// How many intents would have been denied for a reason that only counts.
    pub fn observed(&self, reason: DenialReason) -> u64 {
        self.observed[reason as usize]
    }

    pub(crate) fn observe(&mut self, reason: DenialReason) {
        self.observed[reason as usize] += 1;
    }

    /// How often a reflex acted on a strategy.
    pub fn strategy_reflex(&self, strategy: StrategyId, reflex: Reflex) -> u64 {
        self.strategies[usize::from(strategy.0)][reflex as usize]
    }

    pub(crate) fn act_on_strategy(&mut self, strategy: StrategyId, reflex: Reflex) {
        self.strategies[usize::from(strategy.0)][reflex as usize] += 1;
    }

    /// How many intents were denied for a reason.
    pub fn denied(&self, reason: DenialReason) -> u64 {
        self.denied[reason as usize]
    }

    pub(crate) fn deny(&mut self, reason: DenialReason) {
        self.denied[reason as usize] += 1;
    }

    pub(crate) fn act(&mut self, venue: usize, reflex: Reflex) {
        self.venues[venue].reflexes[reflex as usize] += 1;
        self.venues[venue].breaker_trips += u64::from(reflex == Reflex::BreakerOpened);
    }
}
