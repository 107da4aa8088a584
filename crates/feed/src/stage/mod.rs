//! What the five processes of the split topology tell one another: orders and facts in, bytes out.
//!
//! The market process sequences and journals every input. The others follow its journal with cores
//! of their own and act only for their stage; what goes between them is small (see
//! `proto/prunella/trading/runtime/stage.proto`).

mod agreement;
mod message;
mod socket;
mod wire;
mod zmtp;

pub use agreement::{Agreement, Told};
pub use message::{Advanced, Fact, Order, Orders, Position, Positions};
pub use socket::Socket;
pub use wire::{Kind, Wire};

use values::Nanos;

/// An order older than this does not leave any more: the market that it was for is gone. It is well
/// below the venues' receive window, so that an order of unknown fate can be asked for safely.
pub const ORDER_AGE_NS_MAX: Nanos = 250_000_000;

/// Which of the five.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Market data in, the journal and its numbers out.
    Market,
    /// Strategies: proposes orders.
    Signal,
    /// Checks: passes on what its own core has decided as well.
    Risk,
    /// Orders to the venues, their answers back.
    Execution,
    /// Positions and profit.
    Position,
}

impl Stage {
    /// The name in settings and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Market => "market",
            Self::Signal => "signal",
            Self::Risk => "risk",
            Self::Execution => "execution",
            Self::Position => "position",
        }
    }

    /// The stage of that name.
    pub fn parse(name: &str) -> Option<Stage> {
        [Self::Market, Self::Signal, Self::Risk, Self::Execution, Self::Position]
            .into_iter()
            .find(|stage| stage.name() == name)
    }
}

/// First byte of a bell: who must hear of the entry at once. The others read it with a later one.
pub mod topic {
    /// A market frame: `signal`.
    pub const FRAME: u8 = b'f';
    /// A market frame that gives `execution` something to do besides new orders, which are told.
    pub const WORK: u8 = b'w';
    /// Everything else, each 10 ms at least: everybody.
    pub const OTHER: u8 = b'o';
}

impl Stage {
    /// Topics of the bells that it hears; a wake-up for each entry would cost the others more than
    /// reading some entries later, on processors that all five share.
    pub fn topics(self) -> &'static [u8] {
        match self {
            Self::Market => &[],
            Self::Signal => &[topic::FRAME, topic::OTHER],
            Self::Execution => &[topic::WORK, topic::OTHER],
            Self::Risk | Self::Position => &[topic::OTHER],
        }
    }
}

/// The ends of a stage's `ZeroMQ` sockets.
pub struct Ends {
    /// The journal's numbers: published by `market`, heard by all others.
    pub stream: Socket,
    /// What comes in: facts at `market`, orders at `risk` and `execution`.
    pub inlet: Option<Socket>,
    /// What goes out: orders of `signal` and `risk`, facts of `execution`, positions.
    pub outlet: Option<Socket>,
}
