//! Inputs and the time by hand in; what may leave by now out. The hot loop without sockets or clocks.
//!
//! Journal, core, gate and recovery are the hot loop's own, so that a simulation which puts a
//! virtual venue and a disk that breaks around this tries the lines that trade.

use super::gate::{Gate, Held};
use super::machine::{LoopError, Machine};
use super::records::Records;
use super::{Replay, recover};
use crate::core::Core;
use crate::input::Input;
use engine::config::CoreConfig;
use engine::event::Purpose;
use engine::output::Output;
use journal::{Options, snapshot};
use std::path::{Path, PathBuf};
use values::{Nanos, VenueId};

/// A hot loop that somebody else turns.
pub struct ByHand {
    machine: Machine,
    dir: PathBuf,
    options: Options,
    lost: Vec<(VenueId, Purpose)>,
}

impl ByHand {
    /// Recovers from the journal in `dir`, or begins one.
    ///
    /// # Errors
    /// As for the hot loop's own start.
    pub fn open(
        config: CoreConfig,
        dir: &Path,
        options: Options,
        now_ns: Nanos,
        stall_ns: Nanos,
    ) -> Result<(ByHand, Replay), LoopError> {
        let (mut machine, told) = recover(config, dir, options, now_ns)?;
        if let Records::Own { journal, .. } = &mut machine.records
            && options.durability.is_synced()
        {
            machine.gate = Gate::on(journal.commits_by_hand(), stall_ns);
        }
        Ok((ByHand { machine, dir: dir.to_path_buf(), options, lost: Vec::new() }, told))
    }

    /// Journals and applies one input; appends what may leave at once to `leaving`. Returns the
    /// entry's number.
    ///
    /// # Errors
    /// The journal failed: this life is over.
    pub fn take(
        &mut self,
        now_ns: Nanos,
        input: &Input<'_>,
        leaving: &mut Vec<Output>,
    ) -> Result<u64, LoopError> {
        let seq = self.machine.take(now_ns, input)?;
        let Machine { gate, outputs, records, .. } = &mut self.machine;
        let core = records.core();
        for output in outputs.drain(..) {
            let place = match output {
                Output::Place(ref order) => Some((order.market, order.client_order_id)),
                _ => None,
            };
            if let Output::Cancel { client_order_id, market } = output
                && gate.withdraw(client_order_id)
            {
                let venue = VenueId(core.engine().config().markets[market.index()].venue);
                self.lost.push((venue, Purpose::Place(client_order_id)));
            }
            match place {
                Some((market, id)) if gate.holds(Purpose::Place(id)) => {
                    let venue = VenueId(core.engine().config().markets[market.index()].venue);
                    let bytes = serde_json::to_vec(&output).expect("plain data always encodes");
                    gate.hold(now_ns, seq, (venue, Purpose::Place(id)), &bytes, None);
                }
                _ => leaving.push(output),
            }
        }
        Ok(seq)
    }

    /// Appends what became durable to `leaving`; true when the journal has just stalled, and then
    /// nothing leaves that waited.
    ///
    /// # Errors
    /// A sync failed: this life is over.
    pub fn release(&mut self, now_ns: Nanos, leaving: &mut Vec<Output>) -> Result<bool, LoopError> {
        let is_stalled = self.machine.gate.poll(now_ns)?;
        while is_stalled && let Some(withdrawn) = self.machine.gate.withdraw_any() {
            self.lost.push(withdrawn);
        }
        while let Some(held) = self.machine.gate.next(now_ns) {
            let Held::Request { venue, purpose, bytes, .. } = held else { continue };
            match purpose {
                Purpose::Place(id) if self.engine().forbids(now_ns, id).is_some() => {
                    self.lost.push((venue, purpose));
                }
                _ => leaving.push(serde_json::from_slice(&bytes).expect("written above")),
            }
        }
        Ok(is_stalled)
    }

    /// Requests that never left; each is to be taken in as `Lost`.
    pub fn next_lost(&mut self) -> Option<(VenueId, Purpose)> {
        self.lost.pop()
    }

    /// Whether something waits for the disk.
    pub fn wants_sync(&self) -> bool {
        self.machine.gate.is_waiting()
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// The disk refused: this life is over.
    pub fn sync(&mut self) -> Result<(), LoopError> {
        self.machine.records.sync()
    }

    /// Records the state's hash and writes a snapshot.
    ///
    /// # Errors
    /// The journal or the disk failed.
    pub fn snapshot(&mut self, now_ns: Nanos) -> Result<(), LoopError> {
        let state = self.machine.records.core().engine().encode();
        let state_hash = crate::core::hash_state(&state);
        self.machine.record(now_ns, &Input::Check { state_hash })?;
        let (seq, chain) = self.position();
        Ok(snapshot::write_on(self.options.disk, &self.dir, seq, &chain, &state)?)
    }

    /// The last entry and the chain up to it.
    pub fn position(&self) -> (u64, [u8; 32]) {
        (self.machine.records.last_seq(), self.machine.records.chain())
    }

    /// The core.
    pub fn core(&self) -> &Core {
        self.machine.records.core()
    }

    /// The engine's views.
    pub fn engine(&self) -> &engine::Engine {
        self.machine.records.core().engine()
    }
}
