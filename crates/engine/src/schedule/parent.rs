//! What was asked for in; where it stands, what it has cost, and what it keeps reserved out.

use super::pace::{Curve, Window};
use crate::config::CoreConfig;
use crate::event::{Execution, Side, TimeInForce};
use crate::reason::DenialReason;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use values::{MarketId, Money, Nanos, Price, Quantity, SCALE, StrategyId};

/// Parents at one time; a person or strategy that needs more has lost count of them.
pub const PARENTS_OPEN_MAX: usize = 64;
/// Ended parents kept for status and late fills.
pub const PARENTS_CLOSED_KEPT: usize = 64;

/// Which price a stop waits for.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerOn {
    /// The last public trade.
    Trade,
    /// The middle between best bid and best offer: not moved by a single odd trade.
    Mid,
}

/// How an order is worked off.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Style {
    /// At the limit or better.
    Limit {
        /// How long.
        time_in_force: TimeInForce,
    },
    /// Now, at most `slippage_ppm` from the middle; refused when too little rests within that.
    Market {
        /// The bound.
        slippage_ppm: u32,
    },
    /// Held by us until the price reaches `trigger`; then at the limit if there is one, else as
    /// `Market`, again and again until done.
    Stop {
        /// Sells at or below, buys at or above.
        trigger: Price,
        /// Of what.
        on: TriggerOn,
        /// The bound of each attempt.
        slippage_ppm: u32,
    },
    /// At the limit, showing `display` at a time.
    Iceberg {
        /// Size of one child.
        display: Quantity,
    },
    /// Equal slices.
    Twap {
        /// When.
        window: Window,
        /// The bound of each child.
        slippage_ppm: u32,
    },
    /// Slices along a curve.
    Vwap {
        /// When.
        window: Window,
        /// The bound of each child.
        slippage_ppm: u32,
        /// How much usually trades when.
        curve: Curve,
    },
    /// A share of what trades.
    Pov {
        /// When.
        window: Window,
        /// The bound of each child.
        slippage_ppm: u32,
        /// The share.
        share_ppm: u32,
    },
}

impl Style {
    /// The stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Limit { .. } => "limit",
            Self::Market { .. } => "market",
            Self::Stop { .. } => "stop",
            Self::Iceberg { .. } => "iceberg",
            Self::Twap { .. } => "twap",
            Self::Vwap { .. } => "vwap",
            Self::Pov { .. } => "pov",
        }
    }

    /// When a schedule runs.
    pub fn window(&self) -> Option<&Window> {
        match self {
            Self::Twap { window, .. } | Self::Vwap { window, .. } | Self::Pov { window, .. } => {
                Some(window)
            }
            _ => None,
        }
    }
}

/// An order that the core keeps.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParentSpec {
    /// Any market of the instrument; the only one when `is_pinned`.
    pub market: MarketId,
    /// Whether it may go to that market alone; else it is routed.
    pub is_pinned: bool,
    /// Buy or sell.
    pub side: Side,
    /// All of it, positive.
    pub quantity: Quantity,
    /// Never at a worse price.
    pub limit: Option<Price>,
    /// How.
    pub style: Style,
    /// Only as far as it makes a position smaller; ends when there is none.
    pub reduce_only: bool,
    /// Stop when the average is worse than the arrival price by more than this; 0 is never.
    pub worse_ppm_max: u32,
    /// Largest child of a schedule; zero is three equal slices.
    pub child_max: Quantity,
}

impl ParentSpec {
    /// Whether a part of it may be sent to this market.
    #[inline]
    pub fn may_go_to(&self, market: MarketId, config: &CoreConfig) -> bool {
        self.market == market
            || !self.is_pinned && config.is_same_instrument(self.market.index(), market.index())
    }

    /// What makes it impossible to work, in words for a person.
    pub fn problem(&self, config: &CoreConfig) -> Option<&'static str> {
        let Some(market) = config.markets.get(self.market.index()) else {
            return Some("there is no such market");
        };
        if self.quantity.0 <= 0 || self.quantity.0 % market.lot.0 != 0 {
            return Some("expected a quantity above 0, in whole lots of the market");
        }
        if self.limit.is_some_and(|limit| limit.0 <= 0 || limit.0 % market.tick.0 != 0) {
            return Some("expected a limit price above 0, on the market's tick grid");
        }
        if self.child_max.0 < 0 {
            return Some("expected a largest child of 0 or more");
        }
        let needs_limit = matches!(self.style, Style::Limit { .. } | Style::Iceberg { .. });
        if needs_limit && self.limit.is_none() {
            return Some("expected a limit price");
        }
        if let Some(window) = self.style.window()
            && (window.interval_ns <= 0 || window.end_ns <= window.start_ns)
        {
            return Some("expected an end after the start, and an interval above 0");
        }
        match self.style {
            Style::Stop { trigger, .. } if trigger.0 <= 0 => Some("expected a trigger above 0"),
            Style::Iceberg { display } if display.0 <= 0 || display.0 % market.lot.0 != 0 => {
                Some("expected a display above 0, in whole lots of the market")
            }
            Style::Vwap { curve, .. } if !curve.is_sound() => {
                Some("expected a curve with at least one part above 0")
            }
            Style::Pov { share_ppm, .. } if share_ppm == 0 || share_ppm > 1_000_000 => {
                Some("expected a share above 0 and up to 1,000,000 parts per million")
            }
            _ => None,
        }
    }
}

/// Where a parent stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ParentState {
    /// For its trigger or its start.
    Waiting,
    /// Sends children.
    Working,
    /// Sends none until resumed.
    Paused,
    /// Ends as soon as its last child has.
    Ending,
    /// Nothing more will be sent.
    Done,
}

/// Every legal move of a parent.
pub const PARENT_TRANSITIONS: [(ParentState, &[ParentState]); 5] = [
    (
        ParentState::Waiting,
        &[ParentState::Working, ParentState::Paused, ParentState::Ending, ParentState::Done],
    ),
    (
        ParentState::Working,
        &[ParentState::Waiting, ParentState::Paused, ParentState::Ending, ParentState::Done],
    ),
    (
        ParentState::Paused,
        &[ParentState::Waiting, ParentState::Working, ParentState::Ending, ParentState::Done],
    ),
    (ParentState::Ending, &[ParentState::Done]),
    (ParentState::Done, &[]),
];

impl ParentState {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Working => "working",
            Self::Paused => "paused",
            Self::Ending => "ending",
            Self::Done => "done",
        }
    }

    /// Whether the table allows this move.
    pub fn may_become(self, next: Self) -> bool {
        PARENT_TRANSITIONS.iter().any(|(from, to)| *from == self && to.contains(&next))
    }
}

/// Why a parent ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndReason {
    /// All of it is filled.
    Filled,
    /// Somebody cancelled it.
    Canceled,
    /// Its time is over, or the rest of an order that takes at once.
    Expired,
    /// The average became worse than allowed.
    Slippage,
    /// The position that it was to make smaller is gone.
    PositionClosed,
    /// The venue rejected its child.
    Rejected,
    /// We refused to send it.
    Denied(DenialReason),
}

impl EndReason {
    /// The stable name; a denial's is its code.
    pub fn name(self) -> &'static str {
        match self {
            Self::Filled => "filled",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Slippage => "slippage",
            Self::PositionClosed => "position_closed",
            Self::Rejected => "rejected",
            Self::Denied(reason) => reason.code(),
        }
    }
}

/// An order that is being worked off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// Its number in this run, from 1.
    pub id: u32,
    /// Whose.
    pub strategy: StrategyId,
    /// What was asked for, as last amended.
    pub spec: ParentSpec,
    /// Where it stands.
    pub state: ParentState,
    /// Why it ended or is ending.
    pub end: Option<EndReason>,
    /// When it was taken in.
    pub made_ns: Nanos,
    /// The middle of the market when it began to work; zero before.
    pub arrival: Price,
    /// Filled by its children.
    pub filled: Quantity,
    /// Children sent.
    pub children: u32,
    /// The last reason for which a child was denied.
    pub denied: Option<DenialReason>,
    /// Kept free under the position limit for it.
    pub reserved: Quantity,
    /// Not before this is a child sent.
    pub next_ns: Nanos,
    /// What had been traded in its markets when it began.
    pub(super) traded_before: i128,
    /// Price times quantity of its fills, 1e-18.
    value: i128,
    fees: i128,
}

impl Parent {
    pub(super) fn new(id: u32, strategy: StrategyId, spec: ParentSpec, now_ns: Nanos) -> Self {
        Self {
            id,
            strategy,
            spec,
            state: ParentState::Waiting,
            end: None,
            made_ns: now_ns,
            arrival: Price::ZERO,
            filled: Quantity::ZERO,
            children: 0,
            denied: None,
            reserved: Quantity::ZERO,
            next_ns: now_ns,
            traded_before: 0,
            value: 0,
            fees: 0,
        }
    }

    /// The average price of its fills.
    pub fn average(&self) -> Option<Price> {
        (self.filled.0 > 0).then(|| Price((self.value / i128::from(self.filled.0)) as i64))
    }

    /// Fees of its fills, quote currency.
    pub fn fees(&self) -> Money {
        Money(self.fees)
    }

    /// How much worse than the arrival price its average is, parts per million; negative is better.
    pub fn slippage_ppm(&self) -> Option<i64> {
        let (average, arrival) = (self.average()?, self.arrival);
        let away = i128::from(average.0) - i128::from(arrival.0);
        let worse = if self.spec.side == Side::Buy { away } else { -away };
        (arrival.0 > 0).then(|| (worse * 1_000_000 / i128::from(arrival.0)) as i64)
    }

    /// What is worth its fills at the average, quote currency.
    pub fn value(&self) -> Money {
        Money(self.value / i128::from(SCALE))
    }

    pub(super) fn fill(&mut self, execution: &Execution) {
        self.filled.0 = self.filled.0.saturating_add(execution.quantity.0);
        let value = i128::from(execution.price.0) * i128::from(execution.quantity.0);
        self.value = self.value.saturating_add(value);
        self.fees = self.fees.saturating_add(execution.fee.0);
    }

    /// Whether its average is worse than it may be.
    pub(super) fn is_too_dear(&self) -> bool {
        let most = i64::from(self.spec.worse_ppm_max);
        most > 0 && self.slippage_ppm().is_some_and(|worse| worse > most)
    }
}

/// All parents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parents {
    pub(super) open: Vec<Parent>,
    pub(super) closed: VecDeque<Parent>,
    made: u32,
}

impl Parents {
    /// Those that may still send something; oldest first.
    pub fn open(&self) -> &[Parent] {
        &self.open
    }

    /// The latest ended ones; oldest first.
    pub fn closed(&self) -> impl DoubleEndedIterator<Item = &Parent> {
        self.closed.iter()
    }

    /// The number that the next one will have.
    pub fn next_id(&self) -> u32 {
        self.made + 1
    }

    /// Whether no further one may be taken in.
    pub fn is_full(&self) -> bool {
        self.open.len() >= PARENTS_OPEN_MAX
    }

    /// An open one by its number.
    pub fn get(&self, id: u32) -> Option<&Parent> {
        self.open.iter().find(|parent| parent.id == id)
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Parent> {
        self.open.iter_mut().find(|parent| parent.id == id)
    }

    pub(super) fn add(&mut self, strategy: StrategyId, spec: ParentSpec, now_ns: Nanos) -> u32 {
        self.made += 1;
        self.open.push(Parent::new(self.made, strategy, spec, now_ns));
        self.made
    }

    /// Takes the memory that trading will need.
    pub(crate) fn reserve(&mut self) {
        self.open.reserve(PARENTS_OPEN_MAX.saturating_sub(self.open.len()));
        self.closed.reserve(PARENTS_CLOSED_KEPT.saturating_sub(self.closed.len()));
    }

    /// Books a child's fill, also of a parent that has ended.
    pub(crate) fn fill(&mut self, id: u32, execution: &Execution) {
        let mut all = self.open.iter_mut().chain(&mut self.closed);
        if let Some(parent) = all.find(|parent| parent.id == id) {
            parent.fill(execution);
        }
    }

    /// What is kept free for held orders of a side in a market: the whole of each that may go
    /// there, because nobody knows yet which venue will be best when its time comes.
    #[inline]
    pub(crate) fn reserved(&self, config: &CoreConfig, market: MarketId, side: Side) -> i64 {
        let own = self.open.iter().filter(|parent| parent.spec.side == side);
        let here = own.filter(|parent| parent.spec.may_go_to(market, config));
        here.fold(0, |sum, parent| sum.saturating_add(parent.reserved.0))
    }

    /// What one of them keeps free in a market.
    pub(crate) fn reserved_by(&self, id: u32, market: MarketId, config: &CoreConfig) -> Quantity {
        let own = self.get(id).filter(|parent| parent.spec.may_go_to(market, config));
        own.map_or(Quantity::ZERO, |parent| parent.reserved)
    }

    /// Changes what was asked for.
    pub(crate) fn change(&mut self, id: u32, change: impl FnOnce(&mut Parent)) {
        if let Some(parent) = self.get_mut(id) {
            change(parent);
        }
    }

    /// Moves one on; false when the table does not allow it.
    pub(crate) fn advance(&mut self, id: u32, next: ParentState) -> bool {
        let Some(parent) = self.get_mut(id) else { return false };
        let may = parent.state.may_become(next);
        if may {
            parent.state = next;
        }
        may
    }

    /// Takes an ended one out of the way.
    pub(super) fn close(&mut self, id: u32) {
        let Some(index) = self.open.iter().position(|parent| parent.id == id) else { return };
        let parent = self.open.remove(index);
        if self.closed.len() == PARENTS_CLOSED_KEPT {
            self.closed.pop_front();
        }
        self.closed.push_back(parent);
    }
}
