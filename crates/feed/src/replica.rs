//! An engine's journal in, while it is being written; the same core, one step behind, out.
//!
//! Whoever wants to look (monitors, dashboards, a standby) looks at a replica: it costs the engine
//! nothing, and it cannot differ, because the same inputs make the same state.

use crate::core::{Core, CoreError, read_config};
use crate::hot_loop::{LoopError, restore};
use crate::input::Input;
use engine::order::OrderState;
use engine::output::{NewOrder, Output};
use journal::Reader;
use std::collections::BTreeMap;
use std::path::Path;
use values::{ClientOrderId, Nanos, Quantity};

/// One entry of the journal, applied.
pub struct Step<'a> {
    /// Its number.
    pub seq: u64,
    /// Its time.
    pub ts_ns: Nanos,
    /// What it was.
    pub input: &'a Input<'a>,
    /// What the core asked for and recorded.
    pub outputs: &'a [Output],
    /// Orders whose state or filled quantity changed.
    pub moves: &'a [Move],
    /// The core after it.
    pub core: &'a Core,
}

/// An order that has moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// What was sent.
    pub order: NewOrder,
    /// Where it stands now.
    pub state: OrderState,
    /// How much of it has been executed.
    pub filled: Quantity,
}

/// A core that follows a journal.
pub struct Replica {
    core: Option<Core>,
    reader: Reader,
    outputs: Vec<Output>,
    moves: Vec<Move>,
    /// The open orders as they were after the entry before.
    open: BTreeMap<ClientOrderId, (OrderState, Quantity)>,
}

impl Replica {
    /// Follows the journal in `dir` from its newest good snapshot, or from its beginning.
    ///
    /// # Errors
    /// The journal is damaged.
    pub fn open(dir: &Path) -> Result<Replica, LoopError> {
        let mut replica = Replica {
            core: None,
            reader: Reader::open(dir)?,
            outputs: Vec::with_capacity(256),
            moves: Vec::new(),
            open: BTreeMap::new(),
        };
        if let Some((core, reader)) = restore(dir)? {
            replica.open = positions_of(&core);
            (replica.core, replica.reader) = (Some(core), reader);
        }
        Ok(replica)
    }

    /// The core; none before the journal's first entry.
    pub fn core(&self) -> Option<&Core> {
        self.core.as_ref()
    }

    /// The last entry that was applied.
    pub fn last_seq(&self) -> u64 {
        self.reader.last_seq()
    }

    /// The chain up to and including that entry.
    pub fn chain(&self) -> [u8; 32] {
        self.reader.chain()
    }

    /// Applies what has been written since, at most `entries_max`; how many that was.
    ///
    /// # Errors
    /// Damage, entries of another version, or a state that differs from the engine's.
    pub fn follow(
        &mut self,
        entries_max: usize,
        mut see: impl FnMut(&Step<'_>),
    ) -> Result<usize, LoopError> {
        let Replica { core, reader, outputs, moves, open } = self;
        for count in 0..entries_max {
            let Some(entry) = reader.next()? else { return Ok(count) };
            let fail = |source| LoopError::Core { seq: entry.seq, source };
            let input = Input::parse(entry.kind, entry.payload)
                .map_err(|_| fail(CoreError::Unreadable("an input of this version")))?;
            if core.is_none() {
                *core = Some(begin(&input).map_err(fail)?);
            }
            let Some(core) = core.as_mut() else { continue };
            outputs.clear();
            core.apply(entry.ts_ns, &input, outputs).map_err(fail)?;
            moves.clear();
            if may_move_orders(&input, outputs) {
                compare(core, open, moves);
            }
            let (seq, ts_ns) = (entry.seq, entry.ts_ns);
            see(&Step { seq, ts_ns, input: &input, outputs, moves, core });
        }
        Ok(entries_max)
    }
}

fn begin(input: &Input<'_>) -> Result<Core, CoreError> {
    let Input::Config(bytes) = input else {
        return Err(CoreError::Unreadable("the configuration as the journal's first entry"));
    };
    Core::new(read_config(bytes)?)
        .map_err(|_| CoreError::Unreadable("a configuration that can be traded with"))
}

/// Market data moves an order only by an output; everything else may do so silently.
fn may_move_orders(input: &Input<'_>, outputs: &[Output]) -> bool {
    use engine::event::Channel::Market;
    !matches!(input, Input::Frame { channel: Market, .. } | Input::Heartbeat { .. })
        || outputs.iter().any(|output| matches!(output, Output::Place(_)))
}

fn positions_of(core: &Core) -> BTreeMap<ClientOrderId, (OrderState, Quantity)> {
    let open = core.engine().orders().open().iter();
    open.map(|order| (order.new.client_order_id, (order.state, order.filled))).collect()
}

/// Notes every order that stands elsewhere than before.
fn compare(
    core: &Core,
    before: &mut BTreeMap<ClientOrderId, (OrderState, Quantity)>,
    moves: &mut Vec<Move>,
) {
    let orders = core.engine().orders();
    let now = positions_of(core);
    let mut note = |id: ClientOrderId| {
        if let Some(order) = orders.get(id) {
            moves.push(Move { order: order.new, state: order.state, filled: order.filled });
        }
    };
    for (id, at) in &now {
        if before.get(id) != Some(at) {
            note(*id);
        }
    }
    for id in before.keys().filter(|id| !now.contains_key(id)) {
        note(*id);
    }
    *before = now;
}
