//! What contradicts our books in; breaks with their class, both sides' word and their end out.
//!
//! Each class has its rule, which repairs it without a person. A rule has [`REPAIR_NS`]; what is open
//! then, and what no rule can explain, is escalated: the venue only cancels until both agree or a
//! person accepts the difference. Bounded: open breaks by a table, ended ones by a ring.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use values::{Asset, ClientOrderId, MarketId, Nanos, VenueId};

/// How long a rule may take: several times the longest pause between two questions.
pub const REPAIR_NS: Nanos = 30_000_000_000;
/// Open breaks at most; further ones are counted and escalate their venue at once.
pub const OPEN_MAX: usize = 256;
/// Ended breaks kept, to be shown.
pub const CLOSED_KEPT: usize = 256;

/// What kind of difference.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BreakClass {
    /// An order of ours rests there that we do not know. Rule: it is cancelled.
    UnknownOrder,
    /// An order of ours should rest there and does not. Rule: the venue is asked for its fate.
    OrderMissing,
    /// A trade of ours that the stream never told, or fills that the venue counts and nobody tells.
    /// Rule: booked from the trade history.
    FillMissed,
    /// The balance of a traded asset has not moved by our position. Rule: none; escalated.
    PositionDiffers,
    /// The balance of a quote currency has not moved by what trading paid. Rule: none; escalated.
    CashDiffers,
    /// A report that cannot be. Rule: facts are taken, then everything is compared anew.
    ContradictingReport,
}

impl BreakClass {
    /// Every class, in order.
    pub const ALL: [Self; 6] = [
        Self::UnknownOrder,
        Self::OrderMissing,
        Self::FillMissed,
        Self::PositionDiffers,
        Self::CashDiffers,
        Self::ContradictingReport,
    ];

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownOrder => "unknown_order",
            Self::OrderMissing => "order_missing",
            Self::FillMissed => "fill_missed",
            Self::PositionDiffers => "position_differs",
            Self::CashDiffers => "cash_differs",
            Self::ContradictingReport => "contradicting_report",
        }
    }
}

/// What it is about.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum About {
    /// An order.
    Order(ClientOrderId),
    /// A trade, by the venue's number.
    Trade(u64),
    /// A balance.
    Balance(Asset),
}

/// What ended a break.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndedBy {
    /// The venue's list of open orders.
    OpenOrders,
    /// The venue's word on the order.
    OrderReport,
    /// The trade history.
    TradeHistory,
    /// A balance that agrees.
    Balance,
    /// Everything was compared anew and agrees.
    Reconciliation,
    /// A person accepted the difference.
    Person,
}

impl EndedBy {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenOrders => "open_orders",
            Self::OrderReport => "order_report",
            Self::TradeHistory => "trade_history",
            Self::Balance => "balance",
            Self::Reconciliation => "reconciliation",
            Self::Person => "person",
        }
    }
}

/// Where a break stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BreakState {
    /// Its rule is at work.
    Open,
    /// The rule did not help, or there is none: the venue only cancels.
    Escalated,
    /// Ended.
    Ended(EndedBy),
}

impl BreakState {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Escalated => "escalated",
            Self::Ended(EndedBy::Person) => "accepted",
            Self::Ended(_) => "repaired",
        }
    }
}

/// A difference as it is found.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub class: BreakClass,
    pub venue: VenueId,
    pub market: Option<MarketId>,
    pub about: About,
    pub ours: i128,
    pub theirs: i128,
}

/// One difference between our books and a venue's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Break {
    /// Its number, from 1.
    pub id: u32,
    /// What kind.
    pub class: BreakClass,
    /// Where.
    pub venue: VenueId,
    /// In which market, unless it is about a balance.
    pub market: Option<MarketId>,
    /// About what.
    pub about: About,
    /// What we have, raw 1e-9: filled, traded or held.
    pub ours: i128,
    /// What the venue says, raw 1e-9.
    pub theirs: i128,
    /// Since when.
    pub opened_ns: Nanos,
    /// Until when; 0 while it lasts.
    pub closed_ns: Nanos,
    /// Where it stands.
    pub state: BreakState,
}

impl Break {
    /// Whether a person may accept it: a balance can move by itself, and a venue can count fills
    /// that it never tells. Everything else has an answer, which the venue must give.
    pub fn is_acceptable(&self) -> bool {
        match self.class {
            BreakClass::PositionDiffers | BreakClass::CashDiffers => true,
            BreakClass::FillMissed => matches!(self.about, About::Order(_)),
            _ => false,
        }
    }
}

/// All breaks that last, and the latest that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breaks {
    open: Vec<Break>,
    closed: VecDeque<Break>,
    last_id: u32,
    opened: [u64; BreakClass::ALL.len()],
    unrecorded: u64,
}

impl Breaks {
    /// Takes the memory that trading will need.
    pub fn reserve(&mut self) {
        self.open.reserve(OPEN_MAX.saturating_sub(self.open.len()));
        self.closed.reserve(CLOSED_KEPT.saturating_sub(self.closed.len()));
    }

    /// Those that last, oldest first.
    pub fn open(&self) -> &[Break] {
        &self.open
    }

    /// The latest that ended, oldest first.
    pub fn closed(&self) -> impl DoubleEndedIterator<Item = &Break> {
        self.closed.iter()
    }

    /// How many of a class were opened since the run began.
    pub fn opened(&self, class: BreakClass) -> u64 {
        self.opened[class as usize]
    }

    /// How many of a class last.
    pub fn lasting(&self, class: BreakClass) -> usize {
        self.open.iter().filter(|found| found.class == class).count()
    }

    /// How many had no room in the table.
    pub fn unrecorded(&self) -> u64 {
        self.unrecorded
    }

    /// Notes a difference; `None` when it is known already, or there is no room.
    pub(crate) fn open_new(&mut self, now_ns: Nanos, found: &Found) -> Option<&Break> {
        let Found { class, venue, market, about, ours, theirs } = *found;
        let is_it = |known: &&mut Break| {
            (known.class, known.venue, known.market, known.about) == (class, venue, market, about)
        };
        if let Some(known) = self.open.iter_mut().find(is_it) {
            (known.ours, known.theirs) = (ours, theirs);
            return None;
        }
        if self.is_full() {
            self.unrecorded += 1;
            return None;
        }
        self.last_id += 1;
        self.opened[class as usize] += 1;
        let (id, state) = (self.last_id, BreakState::Open);
        let (opened_ns, closed_ns) = (now_ns, 0);
        self.open.push(Break {
            id,
            class,
            venue,
            market,
            about,
            ours,
            theirs,
            opened_ns,
            closed_ns,
            state,
        });
        self.open.last()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.open.len() >= OPEN_MAX
    }

    pub(crate) fn open_mut(&mut self) -> &mut [Break] {
        &mut self.open
    }

    /// Ends the first lasting break of which that is true; its number.
    pub(crate) fn end(
        &mut self,
        now_ns: Nanos,
        by: EndedBy,
        is_it: impl Fn(&Break) -> bool,
    ) -> Option<u32> {
        let index = self.open.iter().position(is_it)?;
        let mut ended = self.open.remove(index);
        (ended.state, ended.closed_ns) = (BreakState::Ended(by), now_ns);
        if self.closed.len() >= CLOSED_KEPT {
            self.closed.pop_front();
        }
        let id = ended.id;
        self.closed.push_back(ended);
        Some(id)
    }
}
