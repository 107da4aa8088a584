//! What has been counted since the run began; part of the state, so a restart goes on counting.

use crate::output::Reflex;
use crate::reason::DenialReason;
use serde::{Deserialize, Serialize};

/// How many kinds of reflexes there are.
const REFLEXES: usize = 7;

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
    denied: [u64; DenialReason::ALL.len()],
}

impl Counters {
    pub(crate) fn new(venues: usize) -> Self {
        Self {
            venues: vec![VenueCounters::default(); venues],
            kills: 0,
            denied: [0; DenialReason::ALL.len()],
        }
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
