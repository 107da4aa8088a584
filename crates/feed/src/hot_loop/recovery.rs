//! A journal's folder in; the core as it was at the last entry out, proven on the way.

use super::machine::LoopError;
use crate::core::{Core, read_config};
use crate::input::{Commanded, Input};
use engine::config::CoreConfig;
use engine::event::Command;
use engine::output::{Output, Reflex};
use journal::Reader;
use journal::snapshot::{self, Snapshot};
use std::collections::VecDeque;
use std::path::Path;
use values::{Nanos, StrategyId, VenueId};

/// What a replay did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Snapshot that it began with; 0 is the journal's beginning.
    pub from_seq: u64,
    /// Last entry.
    pub last_seq: u64,
    /// Time of the last entry.
    pub last_ns: Nanos,
    /// Entries applied.
    pub entries: u64,
    /// Of these, frames.
    pub frames: u64,
    /// Orders that the core sent in them.
    pub orders: u64,
    /// The last entry that made the core send an order; 0 for none.
    pub last_order_seq: u64,
    /// State hashes compared, all equal.
    pub checks: u64,
    /// The oldest market data, by the last frame or heartbeat, that an order was sent on.
    pub market_age_ns_max: Nanos,
    /// What the core did by itself to keep the book safe, in order; the oldest are forgotten.
    pub reflexes: VecDeque<(Nanos, Option<VenueId>, Reflex)>,
}

/// Reflexes kept of a replay: a core that acts so often has another problem.
const REFLEXES_MAX: usize = 10_000;

impl Replay {
    fn see(&mut self, core: &Core, seq: u64, now_ns: Nanos, output: &Output) {
        match output {
            Output::Place(order) => {
                self.orders += 1;
                self.last_order_seq = seq;
                let age_ns = core.engine().market(order.market).age_ns(now_ns);
                self.market_age_ns_max = self.market_age_ns_max.max(age_ns.unwrap_or(Nanos::MAX));
            }
            Output::Reflex { venue, reflex } => {
                if self.reflexes.len() == REFLEXES_MAX {
                    self.reflexes.pop_front();
                }
                self.reflexes.push_back((now_ns, *venue, *reflex));
            }
            _ => {}
        }
    }
}

/// Reads and applies the whole journal, or from its newest good snapshot on; `None` when empty. The
/// whole of a pruned journal begins with its oldest snapshot.
///
/// # Errors
/// Damage, entries of another version, or a state hash that differs from the recorded one.
pub fn replay(dir: &Path, from_snapshot: bool) -> Result<Option<(Core, Replay)>, LoopError> {
    replay_with(dir, from_snapshot, |_, _, _, _, _| {})
}

/// The whole journal; `see` looks at every step: the core after it, entry, time, input, outputs.
pub(super) fn replay_seen(
    dir: &Path,
    see: impl FnMut(&Core, u64, Nanos, &Input<'_>, &[Output]),
) -> Result<Option<(Core, Replay)>, LoopError> {
    replay_with(dir, false, see)
}

fn replay_with(
    dir: &Path,
    from_snapshot: bool,
    mut see: impl FnMut(&Core, u64, Nanos, &Input<'_>, &[Output]),
) -> Result<Option<(Core, Replay)>, LoopError> {
    let mut told = Replay::default();
    let mut core = None;
    let mut reader = Reader::open(dir)?;
    let begin = if from_snapshot {
        restore(dir)?
    } else if reader.last_seq() > 0 {
        // The first entries were pruned: the oldest snapshot stands for them.
        let mut found: Vec<_> = snapshot::newest_first(dir)?.collect();
        found.reverse();
        restore_first(dir, found)
    } else {
        None
    };
    if let Some((found, later)) = begin {
        told.from_seq = later.last_seq();
        told.last_seq = told.from_seq;
        (core, reader) = (Some(found), later);
    }
    let mut reader = reader.linked_beside()?;
    let mut outputs: Vec<Output> = Vec::with_capacity(256);
    while let Some(entry) = reader.next()? {
        let fail = |source| LoopError::Core { seq: entry.seq, source };
        let unreadable = |_| fail(crate::core::CoreError::Unreadable("an input of this version"));
        let input = Input::parse(entry.kind, entry.payload).map_err(unreadable)?;
        if core.is_none() {
            let Input::Config(bytes) = input else {
                let expected = "the configuration as the journal's first entry";
                return Err(fail(crate::core::CoreError::Unreadable(expected)));
            };
            let config = read_config(bytes).map_err(fail)?;
            core = Some(Core::new(config).map_err(LoopError::Config)?);
        }
        let Some(core) = &mut core else { continue };
        outputs.clear();
        core.apply(entry.ts_ns, &input, &mut outputs).map_err(fail)?;
        told.entries += 1;
        told.frames += u64::from(matches!(input, Input::Frame { .. }));
        told.checks += u64::from(matches!(input, Input::Check { .. }));
        for output in &outputs {
            told.see(core, entry.seq, entry.ts_ns, output);
        }
        see(core, entry.seq, entry.ts_ns, &input, &outputs);
        (told.last_seq, told.last_ns) = (entry.seq, entry.ts_ns);
    }
    Ok(core.map(|core| (core, told)))
}

/// The newest snapshot that belongs to this journal, and a reader behind it.
pub(crate) fn restore(dir: &Path) -> Result<Option<(Core, Reader)>, LoopError> {
    Ok(restore_first(dir, snapshot::newest_first(dir)?))
}

/// The first of these snapshots that belongs to this journal, and a reader behind it. One of another
/// history, or of another version of the state, gives way to the next.
fn restore_first(
    dir: &Path,
    snapshots: impl IntoIterator<Item = Snapshot>,
) -> Option<(Core, Reader)> {
    for found in snapshots {
        let Ok(reader) = Reader::from(dir, found.seq + 1) else { continue };
        if reader.last_seq() != found.seq || reader.chain() != found.chain {
            continue;
        }
        if let Ok(core) = Core::restore(&found.payload) {
            return Some((core, reader));
        }
    }
    None
}

/// What sets the strategies' parameters as they are configured now, where a journal written with
/// `before` has others: a person's change of the settings is an input like any other.
pub(super) fn other_parameters(before: &CoreConfig, now: &CoreConfig) -> Vec<Commanded> {
    let strategies = before.strategies.iter().zip(&now.strategies).enumerate();
    strategies
        .filter(|(_, (before, now))| before.kind != now.kind && now.kind.is_in_core())
        .map(|(index, (_, now))| Commanded {
            command: Command::SetParameters {
                strategy: StrategyId(index as u8),
                kind: now.kind.clone(),
            },
            actor: "settings".to_owned(),
            reason: "started with these settings".to_owned(),
        })
        .collect()
}

/// Whether a journal written with `before` may be gone on with under `now`: all but the run's
/// number, the limits and the strategies' parameters must be equal, because the state of the core
/// depends on it.
pub(super) fn check_config(before: &CoreConfig, now: &CoreConfig) -> Result<(), LoopError> {
    // Limits in force are the journal's: a looser file must not loosen them by a restart.
    let mut expected = now.without_limits();
    expected.run = before.run;
    for (strategy, known) in expected.strategies.iter_mut().zip(&before.strategies) {
        if strategy.kind.is_same_sort(&known.kind) && known.kind.is_in_core() {
            strategy.kind = known.kind.clone();
        }
    }
    if expected == before.without_limits() {
        return Ok(());
    }
    Err(LoopError::Config(
        "the journal was written with other settings; restore them, or move the journal's folder \
         away to begin a new run"
            .to_owned(),
    ))
}
