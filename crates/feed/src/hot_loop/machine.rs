//! An input in; it is journaled, then applied, then its outputs are handed on. In this order, always.
//!
//! Where another process keeps the journal, the input is sent there, and comes back as its entry.

use super::clock::CoreClock;
use super::gate::Gate;
use super::link::{self, Bell, Link};
use super::records::{Followed, Records};
use crate::core::CoreError;
use crate::histogram::Histogram;
use crate::input::{HEADER_SIZE_MAX, Input};
use crate::net::{monotonic_ns, wall_ns};
use crate::stage::topic;
use engine::event::Channel;
use engine::output::Output;
use engine::strategy::onnx::signal;
use journal::JournalError;
use onnxruntime::Session;
use values::Nanos;

/// Why the hot loop ends against its will.
#[derive(Debug, thiserror::Error)]
pub enum LoopError {
    /// An input could not be made durable, so nothing may follow from it.
    #[error("the journal failed, trading stopped: {0}")]
    Journal(#[from] JournalError),
    /// Our own bug.
    #[error("entry {seq}: {source}")]
    Core {
        /// The journal's entry.
        seq: u64,
        /// What is wrong.
        source: CoreError,
    },
    /// The operating system refused something that every loop needs.
    #[error("the hot loop cannot {doing}: {source}")]
    System {
        /// The verb.
        doing: &'static str,
        /// The system's word.
        source: std::io::Error,
    },
    /// The journal belongs to another configuration.
    #[error("{0}")]
    Config(String),
}

/// How long things take, since the process began.
#[derive(Default)]
pub(super) struct Latencies {
    pub processing: Histogram,
    pub risk: Histogram,
    pub inference: Histogram,
    pub tick_to_order: Histogram,
}

/// Journal and core.
pub(super) struct Machine {
    /// By strategy: what computes a model that the core does not.
    pub sessions: Vec<Option<Session>>,
    /// Dropped before the journal whose entries it waits for.
    pub gate: Gate,
    pub records: Records,
    pub link: Link,
    pub outputs: Vec<Output>,
    pub latencies: Latencies,
    last_ns: Nanos,
    pub clock: CoreClock,
    pub entries: u64,
    pub bytes: u64,
}

impl Machine {
    pub(super) fn new(records: Records, last_ns: Nanos) -> Machine {
        let outputs = Vec::with_capacity(256);
        let latencies = Latencies::default();
        let clock = CoreClock::new(monotonic_ns(), wall_ns(), last_ns);
        let (gate, link, sessions) = (Gate::open(), Link::None, Vec::new());
        Machine {
            sessions,
            gate,
            records,
            link,
            outputs,
            latencies,
            last_ns,
            clock,
            entries: 0,
            bytes: 0,
        }
    }

    /// Journals and applies one input; `outputs` then holds what is to be done. Returns the time
    /// that the entry carries: the clock's, but never before the entry before.
    #[inline]
    pub(super) fn take(&mut self, now_ns: Nanos, input: &Input<'_>) -> Result<u64, LoopError> {
        let start_ns = monotonic_ns();
        let now_ns = now_ns.max(self.last_ns);
        let is_market = matches!(input, Input::Frame { channel: Channel::Market, .. });
        let mut header = [0; HEADER_SIZE_MAX];
        let payload = input.payload(&mut header);
        let Records::Own { journal, core } = &mut self.records else {
            self.outputs.clear();
            self.link.tell(input.kind(), payload);
            return Ok(self.records.last_seq());
        };
        self.last_ns = now_ns;
        let seq = journal.append(now_ns, input.kind(), &payload)?;
        let bell = Bell::new(if is_market { topic::FRAME } else { topic::OTHER }, seq, now_ns);
        let bell = bell.of(input.kind(), if is_market { start_ns } else { 0 });
        self.link.ring(bell, &self.gate);
        self.entries += 1;
        self.bytes += (payload[0].len() + payload[1].len() + journal::ENTRY_OVERHEAD) as u64;
        self.outputs.clear();
        let mut decoded_ns = 0;
        let inferences = core.engine().inferences();
        core.apply_probed(now_ns, input, &mut self.outputs, || decoded_ns = monotonic_ns())
            .map_err(|source| LoopError::Core { seq, source })?;
        if is_market {
            if self.outputs.iter().any(link::is_work) {
                self.link.ring(bell.on(topic::WORK), &self.gate);
            }
            let end_ns = monotonic_ns();
            self.latencies.processing.record(end_ns - start_ns);
            // The core has no clock, so that the checks' time is that of the whole step in which
            // they ran: an upper bound.
            let is_checked =
                |output: &Output| matches!(output, Output::Place(_) | Output::Denied { .. });
            if self.outputs.iter().any(is_checked) {
                self.latencies.risk.record(end_ns - decoded_ns);
            }
            // The same for a model's figures and its answer.
            if core.engine().inferences() != inferences {
                self.latencies.inference.record(end_ns - decoded_ns);
            }
        }
        Ok(seq)
    }

    /// Asks ONNX Runtime for what the core wants to know, and journals and applies the answer;
    /// `outputs` is then as after `take`. False when nothing was wanted.
    #[inline]
    pub(super) fn answer(&mut self) -> Result<bool, LoopError> {
        let Records::Own { core, .. } = &self.records else { return Ok(false) };
        let Some((strategy, market, row)) = core.engine().asked() else { return Ok(false) };
        let start_ns = monotonic_ns();
        let session = self.sessions.get_mut(usize::from(strategy.0)).and_then(Option::as_mut);
        // No number stops the strategy, with a code that says so.
        let signal =
            session.map_or(f32::NAN, |session| session.infer(row).map_or(f32::NAN, signal));
        let bits = signal.to_bits();
        self.take(self.last_ns, &Input::Score { strategy, market, bits })?;
        self.latencies.inference.record(monotonic_ns() - start_ns);
        Ok(true)
    }

    /// Journals an input that changes nothing in the core.
    pub(super) fn record(&mut self, now_ns: Nanos, input: &Input<'_>) -> Result<(), LoopError> {
        self.last_ns = now_ns.max(self.last_ns);
        let mut header = [0; HEADER_SIZE_MAX];
        let payload = input.payload(&mut header);
        let Records::Own { journal, .. } = &mut self.records else { return Ok(()) };
        let seq = journal.append(self.last_ns, input.kind(), &payload)?;
        self.entries += 1;
        let bell = Bell::new(topic::OTHER, seq, self.last_ns).of(input.kind(), 0);
        self.link.ring(bell, &self.gate);
        Ok(())
    }

    /// Applies the next entry of somebody else's journal; `outputs` then holds what is to be done.
    pub(super) fn follow(&mut self) -> Result<Option<Followed>, LoopError> {
        let found = self.records.follow(&mut self.outputs)?;
        if let Some(found) = &found {
            self.last_ns = found.ts_ns;
            self.entries += 1;
        }
        Ok(found)
    }

    /// Core time now.
    #[inline]
    pub(super) fn now_ns(&self) -> Nanos {
        self.clock.at(monotonic_ns())
    }

    pub(super) fn last_ns(&self) -> Nanos {
        self.last_ns
    }
}
