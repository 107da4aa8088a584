//! The journal and the core that goes with it: our own, or one that another process writes.

use super::machine::LoopError;
use crate::core::Core;
use crate::input::Input;
use crate::replica::Replica;
use engine::event::Channel;
use engine::model::Model;
use engine::output::Output;
use journal::Writer;
use values::{Nanos, VenueId};

/// Journal and core.
#[expect(clippy::large_enum_variant, reason = "there is one of it")]
pub(super) enum Records {
    /// This process decides the order of the inputs.
    Own { journal: Writer, core: Core },
    /// Another one does; its first entry has been applied.
    Followed(Box<Replica>),
}

/// What the shell must know of an entry that was followed.
#[derive(Copy, Clone, Debug)]
pub(super) struct Followed {
    pub seq: u64,
    pub ts_ns: Nanos,
    /// A new life of the core began.
    pub is_started: bool,
    /// The venue announced the end of the user stream.
    pub ends_user_stream: Option<VenueId>,
}

impl Records {
    #[inline]
    pub(super) fn core(&self) -> &Core {
        match self {
            Self::Own { core, .. } => core,
            Self::Followed(replica) => replica.core().expect("its first entry has been applied"),
        }
    }

    /// Hands over the model of the promotion that comes next, where this process journals it.
    pub(super) fn make_ready(&mut self, model: Box<Model>) {
        if let Self::Own { core, .. } = self {
            core.make_ready(model);
        }
    }

    /// The last entry that the core has seen.
    #[inline]
    pub(super) fn last_seq(&self) -> u64 {
        match self {
            Self::Own { journal, .. } => journal.last_seq(),
            Self::Followed(replica) => replica.last_seq(),
        }
    }

    /// The chain up to it.
    pub(super) fn chain(&self) -> [u8; 32] {
        match self {
            Self::Own { journal, .. } => journal.chain(),
            Self::Followed(replica) => replica.chain(),
        }
    }

    /// Makes everything durable.
    pub(super) fn sync(&mut self) -> Result<(), LoopError> {
        match self {
            Self::Own { journal, .. } => Ok(journal.sync()?),
            Self::Followed(_) => Ok(()),
        }
    }

    /// Applies the next entry that another process has written.
    pub(super) fn follow(
        &mut self,
        outputs: &mut Vec<Output>,
    ) -> Result<Option<Followed>, LoopError> {
        outputs.clear();
        let Self::Followed(replica) = self else { return Ok(None) };
        let mut found = None;
        replica.follow(1, |step| {
            outputs.extend_from_slice(step.outputs);
            let ends_user_stream = match *step.input {
                Input::Frame { venue, channel: Channel::User, .. } if step.core.is_closing() => {
                    Some(venue)
                }
                _ => None,
            };
            found = Some(Followed {
                seq: step.seq,
                ts_ns: step.ts_ns,
                is_started: matches!(step.input, Input::Started),
                ends_user_stream,
            });
        })?;
        Ok(found)
    }
}
