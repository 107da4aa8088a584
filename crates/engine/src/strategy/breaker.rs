//! What is heard of a strategy's own process in; whether its intents are taken out.
//!
//! A user's strategy may loop, crash, answer late or flood. None of that may touch the engine, and
//! none of it may leave orders resting that nobody looks after: the breaker opens, its orders are
//! cancelled, its intents are refused. When the back-off is over and the process is there again, one
//! answer in time closes it; another fault doubles the back-off.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use values::Nanos;

const SECOND_NS: Nanos = 1_000_000_000;

/// When the breaker opens, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patience {
    /// An answer later than this after the update that it answers is a fault.
    pub budget_ns: Nanos,
    /// Silence longer than this is a fault.
    pub heartbeat_ns: Nanos,
    /// More intents than this within a second are a fault.
    pub intents_per_second: u32,
    /// First back-off; doubles.
    pub backoff_ns: Nanos,
    /// Longest back-off.
    pub backoff_ns_max: Nanos,
}

/// Why it opened.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The process is gone: it ended, crashed or raised an exception.
    Gone,
    /// It says nothing any more: it loops or hangs.
    Silent,
    /// It answered too late.
    Late,
    /// It wants too much at once.
    Flood,
}

impl Fault {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Silent => "silent",
            Self::Late => "late",
            Self::Flood => "flood",
        }
    }
}

/// Whether intents are taken.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Gate {
    /// No process yet.
    Waiting,
    /// Yes.
    Closed,
    /// None, until the back-off is over.
    Open(Fault),
    /// The next answer in time closes it.
    HalfOpen,
}

impl Gate {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Closed => "closed",
            Self::Open(_) => "open",
            Self::HalfOpen => "half_open",
        }
    }

    /// Why it is open, if it is.
    pub fn fault(self) -> Option<Fault> {
        match self {
            Self::Open(fault) => Some(fault),
            _ => None,
        }
    }
}

/// The breaker of one strategy that runs in a process of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyBreaker {
    patience: Patience,
    gate: Gate,
    is_up: bool,
    heard_ns: Nanos,
    until_ns: Nanos,
    backoff_ns: Nanos,
    trips: u64,
    recent_ns: VecDeque<Nanos>,
}

impl StrategyBreaker {
    /// Before its process is there.
    pub fn new(patience: &Patience) -> Self {
        Self {
            gate: Gate::Waiting,
            is_up: false,
            heard_ns: 0,
            until_ns: 0,
            backoff_ns: patience.backoff_ns,
            trips: 0,
            recent_ns: VecDeque::with_capacity(patience.intents_per_second as usize + 1),
            patience: patience.clone(),
        }
    }

    /// What it lets through.
    pub fn gate(&self) -> Gate {
        self.gate
    }

    /// How often it has opened.
    pub fn trips(&self) -> u64 {
        self.trips
    }

    /// The engine's own process begins anew, so the strategy's has to connect again; when it does
    /// not, nobody looks after its orders.
    pub fn restarted(&mut self, now_ns: Nanos) {
        self.is_up = false;
        if matches!(self.gate, Gate::Closed | Gate::HalfOpen) {
            (self.gate, self.heard_ns) = (Gate::Waiting, now_ns);
        }
    }

    /// The process is there. After a fault it waits for the back-off all the same.
    pub fn up(&mut self, now_ns: Nanos) -> Option<Gate> {
        (self.is_up, self.heard_ns) = (true, now_ns);
        (self.gate == Gate::Waiting).then(|| self.become_gate(Gate::Closed))
    }

    /// The process is gone.
    pub fn down(&mut self, now_ns: Nanos) -> Option<Gate> {
        self.is_up = false;
        (self.gate != Gate::Waiting).then(|| self.open(now_ns, Fault::Gone)).flatten()
    }

    /// It says that it lives.
    pub fn heard(&mut self, now_ns: Nanos) {
        self.heard_ns = now_ns;
    }

    /// It answers the update of `asked_ns` with this many intents.
    pub fn answered(&mut self, now_ns: Nanos, asked_ns: Nanos, intents: usize) -> Option<Gate> {
        self.heard_ns = now_ns;
        if now_ns - asked_ns > self.patience.budget_ns {
            return self.open(now_ns, Fault::Late);
        }
        let most = self.patience.intents_per_second as usize;
        while self.recent_ns.front().is_some_and(|sent| *sent <= now_ns - SECOND_NS) {
            self.recent_ns.pop_front();
        }
        if self.recent_ns.len() + intents > most {
            self.recent_ns.clear();
            return self.open(now_ns, Fault::Flood);
        }
        self.recent_ns.extend(core::iter::repeat_n(now_ns, intents));
        (self.gate == Gate::HalfOpen).then(|| {
            self.backoff_ns = self.patience.backoff_ns;
            self.become_gate(Gate::Closed)
        })
    }

    /// Time passed.
    pub fn tick(&mut self, now_ns: Nanos) -> Option<Gate> {
        match self.gate {
            Gate::Closed | Gate::HalfOpen if !self.is_heard(now_ns) => {
                self.open(now_ns, Fault::Silent)
            }
            // It was there before the engine began anew, and has not come back.
            Gate::Waiting if self.heard_ns > 0 && !self.is_heard(now_ns) => {
                self.open(now_ns, Fault::Gone)
            }
            Gate::Open(_) if self.is_up && now_ns >= self.until_ns && self.is_heard(now_ns) => {
                Some(self.become_gate(Gate::HalfOpen))
            }
            _ => None,
        }
    }

    fn is_heard(&self, now_ns: Nanos) -> bool {
        now_ns - self.heard_ns <= self.patience.heartbeat_ns
    }

    /// `None` when it was open already; the first fault is the one that is told.
    fn open(&mut self, now_ns: Nanos, fault: Fault) -> Option<Gate> {
        if matches!(self.gate, Gate::Open(_)) {
            return None;
        }
        self.trips += 1;
        self.until_ns = now_ns + self.backoff_ns;
        self.backoff_ns = (self.backoff_ns * 2).min(self.patience.backoff_ns_max);
        Some(self.become_gate(Gate::Open(fault)))
    }

    fn become_gate(&mut self, gate: Gate) -> Gate {
        self.gate = gate;
        gate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> StrategyBreaker {
        let mut breaker = StrategyBreaker::new(&Patience {
            budget_ns: 10,
            heartbeat_ns: 100,
            intents_per_second: 3,
            backoff_ns: 50,
            backoff_ns_max: 80,
        });
        assert_eq!(breaker.up(0), Some(Gate::Closed));
        breaker
    }

    #[test]
    fn each_fault_opens_it_and_an_answer_in_time_closes_it_again() {
        let mut late = breaker();
        assert_eq!(late.answered(11, 0, 1), Some(Gate::Open(Fault::Late)));
        assert_eq!(late.answered(12, 12, 1), None, "refused until the back-off is over");
        assert_eq!(late.tick(60), None);
        assert_eq!(late.tick(61), Some(Gate::HalfOpen));
        assert_eq!(late.answered(62, 60, 0), Some(Gate::Closed));
        assert_eq!(breaker().answered(1, 0, 4), Some(Gate::Open(Fault::Flood)));
        assert_eq!(breaker().tick(101), Some(Gate::Open(Fault::Silent)));
        assert_eq!(breaker().down(1), Some(Gate::Open(Fault::Gone)));
    }

    #[test]
    fn another_fault_doubles_the_back_off_up_to_its_limit() {
        let mut breaker = breaker();
        breaker.answered(11, 0, 0);
        assert_eq!(breaker.tick(61), Some(Gate::HalfOpen));
        assert_eq!(breaker.answered(80, 61, 0), Some(Gate::Open(Fault::Late)));
        breaker.heard(159);
        assert_eq!(breaker.tick(159), None, "80 now, not 50");
        assert_eq!(breaker.tick(160), Some(Gate::HalfOpen));
    }

    #[test]
    fn an_engine_that_begins_anew_waits_for_one_heartbeat_for_the_process() {
        let mut back = breaker();
        back.restarted(1_000);
        assert_eq!((back.gate(), back.tick(1_100)), (Gate::Waiting, None));
        assert_eq!(back.up(1_100), Some(Gate::Closed));
        let mut away = breaker();
        away.restarted(1_000);
        assert_eq!(away.tick(1_101), Some(Gate::Open(Fault::Gone)));
        assert_eq!(away.trips(), 1);
    }

    #[test]
    fn a_process_that_is_gone_is_not_half_open_until_it_is_back() {
        let mut breaker = breaker();
        breaker.down(1);
        assert_eq!(breaker.tick(1_000), None);
        assert_eq!(breaker.up(1_000), None);
        assert_eq!(breaker.tick(1_001), Some(Gate::HalfOpen));
    }
}
