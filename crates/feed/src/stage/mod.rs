//! What the five processes of the split topology tell one another: orders and facts in, bytes out.
//!
//! The market process sequences and journals every input. The others follow its journal with cores
//! of their own and act only for their stage; what goes between them is small (see
//! `proto/prunella/trading/runtime/stage.proto`).

mod agreement;
mod message;
mod socket;

pub use agreement::{Agreement, Told};
pub use message::{Advanced, Fact, Order, Orders, Position, Positions};
pub use socket::{Library, Socket};

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

/// The ends of a stage's `ZeroMQ` sockets.
pub struct Ends {
    /// The journal's numbers: published by `market`, heard by all others.
    pub stream: Socket,
    /// What comes in: facts at `market`, orders at `risk` and `execution`.
    pub inlet: Option<Socket>,
    /// What goes out: orders of `signal` and `risk`, facts of `execution`, positions.
    pub outlet: Option<Socket>,
}
