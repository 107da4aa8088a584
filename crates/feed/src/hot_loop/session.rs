//! Inputs by hand in; what the core wants, and the time that it took, out.
//!
//! The same machine as in live trading (journal, decode, step, encode), without the sockets: what a
//! recording measures is what the hot loop does between `read` and `write`.

use super::machine::{LoopError, Machine};
use super::performing::encode;
use super::records::Records;
use super::voice::Voice;
use crate::binance::Requests;
use crate::core::Core;
use crate::input::Input;
use crate::net::monotonic_ns;
use engine::config::CoreConfig;
use engine::event::{Channel, Purpose};
use engine::output::Output;
use journal::Writer;
use std::path::Path;
use values::{Nanos, VenueId};

/// A core on a journal, fed by hand.
pub(super) struct Session {
    machine: Machine,
    voices: Vec<Voice>,
    request: Vec<u8>,
    /// Outputs of the last input.
    pub(super) outputs: Vec<Output>,
}

impl Session {
    /// A session that begins an empty journal in `dir`.
    ///
    /// # Errors
    /// The journal cannot be made, or the configuration cannot be traded with.
    pub(super) fn new(
        config: CoreConfig,
        dir: &Path,
        requests: Vec<Requests>,
        now_ns: Nanos,
    ) -> Result<Session, LoopError> {
        let (mut journal, _) = Writer::open(dir, journal::Options::default())?;
        let voices = requests
            .into_iter()
            .enumerate()
            .map(|(index, requests)| Voice::trading(requests, &config, VenueId(index as u8)))
            .collect();
        let bytes = serde_json::to_vec(&config).expect("plain data always encodes");
        journal.append(now_ns, Input::Config(&bytes).kind(), &[&bytes])?;
        let core = Core::new(config).map_err(LoopError::Config)?;
        Ok(Session {
            machine: Machine::new(Records::Own { journal, core }, now_ns),
            voices,
            request: Vec::with_capacity(1024),
            outputs: Vec::with_capacity(256),
        })
    }

    /// Takes in a market frame. Returns the nanoseconds until the frame was done, and until the
    /// first new order's bytes were there, if one came of it.
    ///
    /// # Errors
    /// The journal failed.
    #[inline]
    pub(super) fn frame(
        &mut self,
        now_ns: Nanos,
        venue: VenueId,
        bytes: &[u8],
    ) -> Result<(i64, Option<i64>), LoopError> {
        let start_ns = monotonic_ns();
        self.machine.take(now_ns, &Input::Frame { venue, channel: Channel::Market, bytes })?;
        let mut order_ns = None;
        for output in &self.machine.outputs {
            let config = self.machine.records.core().engine().config();
            let encoded = encode(output, config, &self.voices, now_ns, &mut self.request);
            if let (Some((_, Purpose::Place(_))), None) = (encoded, order_ns) {
                order_ns = Some(monotonic_ns() - start_ns);
            }
        }
        let done_ns = monotonic_ns() - start_ns;
        core::mem::swap(&mut self.outputs, &mut self.machine.outputs);
        Ok((done_ns, order_ns))
    }

    /// Takes in any other input; `outputs` then holds what the core wants.
    ///
    /// # Errors
    /// The journal failed.
    pub(super) fn input(&mut self, now_ns: Nanos, input: &Input<'_>) -> Result<(), LoopError> {
        self.machine.take(now_ns, input)?;
        core::mem::swap(&mut self.outputs, &mut self.machine.outputs);
        Ok(())
    }

    /// Ends the journal with a check of the state.
    ///
    /// # Errors
    /// The journal failed.
    pub(super) fn finish(mut self, now_ns: Nanos) -> Result<[u8; 32], LoopError> {
        let state_hash = self.machine.records.core().engine().state_hash();
        self.machine.record(now_ns, &Input::Check { state_hash })?;
        Ok(state_hash)
    }

    /// The core's views.
    pub(super) fn core(&self) -> &Core {
        self.machine.records.core()
    }
}
