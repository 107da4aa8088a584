//! The venue's reports in, each order's state, fills and open exposure out.
//!
//! An order is never forgotten by a timeout: without an answer it is `Unknown`, keeps its exposure
//! and is asked for until evidence ends it. A report that contradicts what we know is taken in as
//! far as it is a fact (a fill is a fill) and reported as a contradiction, never dropped, never a
//! panic. Everything is bounded: open orders by the risk limits, closed ones by a ring.

use crate::config::CoreConfig;
use crate::event::{Execution, OrderReport, Side, VenueOrderStatus};
use crate::output::NewOrder;
use crate::request::Request;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use values::{ClientOrderId, MarketId, Nanos, Quantity};

/// Closed orders kept for late reports. Each takes about 200 bytes; at ten orders a second this is
/// over a minute, and a report that comes later still triggers a new reconciliation.
pub const CLOSED_KEPT: usize = 1_024;
/// Open orders for which memory is taken at the start, so that none is taken while trading.
pub const OPEN_RESERVED: usize = 256;
/// Trade ids remembered per market between two fetches of the trade history.
pub const FILLS_KEPT: usize = 2_048;

/// Where an order stands.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum OrderState {
    /// Handed to the shell; no answer yet.
    Submitted,
    /// Works at the venue.
    Accepted,
    /// Works at the venue, partly filled.
    PartiallyFilled,
    /// Done in full.
    Filled,
    /// Refused by the venue.
    Rejected,
    /// Cancelled, perhaps after a partial fill.
    Canceled,
    /// Ended by the venue, such as the rest of an immediate-or-cancel order.
    Expired,
    /// Sent, fate unknown; exposure stays reserved.
    Unknown,
    /// Never reached the venue, and can no longer.
    NotReceived,
}

use OrderState::{
    Accepted, Canceled, Expired, Filled, NotReceived, PartiallyFilled, Rejected, Submitted, Unknown,
};

/// Every legal move; any other is a contradiction.
pub const TRANSITIONS: [(OrderState, &[OrderState]); 9] = [
    (
        Submitted,
        &[Accepted, PartiallyFilled, Filled, Rejected, Canceled, Expired, Unknown, NotReceived],
    ),
    (
        Unknown,
        // Submitted: sent again under its own id, after proof that it had not arrived.
        &[Submitted, Accepted, PartiallyFilled, Filled, Rejected, Canceled, Expired, NotReceived],
    ),
    (Accepted, &[PartiallyFilled, Filled, Canceled, Expired, Unknown]),
    (PartiallyFilled, &[Filled, Canceled, Expired, Unknown]),
    (Filled, &[]),
    (Rejected, &[]),
    (Canceled, &[]),
    (Expired, &[]),
    (NotReceived, &[]),
];

impl OrderState {
    /// Every state, in order.
    pub const ALL: [Self; 9] = [
        Submitted,
        Accepted,
        PartiallyFilled,
        Filled,
        Rejected,
        Canceled,
        Expired,
        Unknown,
        NotReceived,
    ];

    /// The stable name, for records and status.
    pub fn name(self) -> &'static str {
        match self {
            Submitted => "submitted",
            Accepted => "accepted",
            PartiallyFilled => "partially_filled",
            Filled => "filled",
            Rejected => "rejected",
            Canceled => "canceled",
            Expired => "expired",
            Unknown => "unknown",
            NotReceived => "not_received",
        }
    }

    /// Whether the table allows this move.
    pub fn may_become(self, next: Self) -> bool {
        TRANSITIONS.iter().any(|(from, to)| *from == self && to.contains(&next))
    }

    /// Whether nothing more can happen.
    pub fn is_terminal(self) -> bool {
        matches!(self, Filled | Rejected | Canceled | Expired | NotReceived)
    }
}

impl From<VenueOrderStatus> for OrderState {
    fn from(status: VenueOrderStatus) -> Self {
        match status {
            VenueOrderStatus::New => Accepted,
            VenueOrderStatus::PartiallyFilled => PartiallyFilled,
            VenueOrderStatus::Filled => Filled,
            VenueOrderStatus::Canceled => Canceled,
            VenueOrderStatus::Rejected => Rejected,
            VenueOrderStatus::Expired => Expired,
        }
    }
}

/// One order of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What we sent.
    pub new: NewOrder,
    /// The order that it is a child of; 0 for none.
    pub parent: u32,
    /// How often it was sent again, each time after proof that it had not arrived.
    pub resends: u8,
    /// Where it stands.
    pub state: OrderState,
    /// The venue's id, once told.
    pub venue_order_id: Option<u64>,
    /// Filled by executions that we have seen, each once.
    pub filled: Quantity,
    /// Filled according to the venue's cumulative quantity.
    pub reported: Quantity,
    /// When it was handed to the shell.
    pub sent_ns: Nanos,
    /// Whether the venue has ever spoken of it.
    pub is_acknowledged: bool,
    /// Whether the running reconciliation still waits for the venue's word on it.
    pub is_unconfirmed: bool,
    /// Since when the venue has counted more as filled than anybody told; 0 when all is told.
    pub missing_since_ns: Nanos,
    /// The question what became of it.
    pub query: Request,
    /// The wish to cancel it.
    pub cancel: Request,
}

impl Order {
    /// A new order, just handed to the shell.
    pub fn new(new: NewOrder, now_ns: Nanos) -> Self {
        let ClientOrderId { run, number } = new.client_order_id;
        let salt = u64::from(run) << 32 | u64::from(number);
        Self {
            new,
            parent: 0,
            resends: 0,
            state: Submitted,
            venue_order_id: None,
            filled: Quantity::ZERO,
            reported: Quantity::ZERO,
            sent_ns: now_ns,
            is_acknowledged: false,
            is_unconfirmed: false,
            missing_since_ns: 0,
            query: Request::about(salt),
            cancel: Request::about(!salt),
        }
    }

    /// What may still be added to the position: all of the rest while it may work, and after its
    /// end the fills that the venue counted and we have not seen.
    pub fn exposure(&self) -> Quantity {
        let until = if self.state.is_terminal() { self.reported } else { self.new.quantity };
        Quantity((until.0 - self.filled.0).max(0))
    }

    /// Whether executions are missing.
    pub fn is_missing_fills(&self) -> bool {
        self.filled < self.reported
    }

    /// Whether nothing is left to happen or to learn.
    fn is_settled(&self) -> bool {
        self.state.is_terminal() && !self.is_missing_fills()
    }
}

/// An execution that moved the position.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Whose.
    pub order: NewOrder,
    /// The order that it is a child of; 0 for none.
    pub parent: u32,
    /// What.
    pub execution: Execution,
}

/// A word of the venue that cannot be.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// On which order.
    pub id: ClientOrderId,
    /// What we know to be filled.
    pub ours: Quantity,
    /// What the venue says.
    pub theirs: Quantity,
}

/// What a report did.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// The execution that it brought, when new.
    pub fill: Option<Fill>,
    /// Whether this was the venue's first word on the order.
    pub is_first_word: bool,
    /// The terminal state that it reached by this.
    pub ended: Option<OrderState>,
    /// When the report contradicts what we know.
    pub contradiction: Option<Contradiction>,
    /// Whether executions are missing.
    pub is_missing_fills: bool,
}

/// All open orders, and the latest closed ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTable {
    open: Vec<Order>,
    closed: VecDeque<Order>,
    counts: OpenCounts,
}

/// How many orders each strategy has open in each instrument over all venues, kept so that no book
/// update has to count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct OpenCounts {
    /// By market.
    instrument: Vec<u8>,
    instruments: usize,
    open: Vec<u32>,
}

impl OpenCounts {
    fn at(&mut self, order: &Order) -> Option<&mut u32> {
        let instrument = *self.instrument.get(order.new.market.index())?;
        let slot = order.new.strategy.index() * self.instruments + usize::from(instrument);
        self.open.get_mut(slot)
    }

    fn add(&mut self, order: &Order) {
        if let Some(count) = self.at(order) {
            *count += 1;
        }
    }

    fn remove(&mut self, order: &Order) {
        if let Some(count) = self.at(order) {
            *count -= 1;
        }
    }
}

impl Default for OrderTable {
    fn default() -> Self {
        Self::of(&CoreConfig::default())
    }
}

impl OrderTable {
    /// No orders yet.
    pub fn of(config: &CoreConfig) -> Self {
        let instruments = config.instruments_count();
        let counts = OpenCounts {
            instrument: config.markets.iter().map(|market| market.instrument).collect(),
            instruments,
            open: vec![0; instruments * (config.strategies.len() + 1)],
        };
        let mut table = Self { open: Vec::new(), closed: VecDeque::new(), counts };
        table.reserve();
        table
    }

    /// How many orders a strategy has open in an instrument over all venues.
    pub fn open_count(&self, strategy: usize, instrument: u8) -> usize {
        let slot = strategy * self.counts.instruments + usize::from(instrument);
        self.counts.open.get(slot).map_or(0, |count| *count as usize)
    }

    /// Takes the memory that trading will need.
    pub fn reserve(&mut self) {
        self.open.reserve(OPEN_RESERVED.saturating_sub(self.open.len()));
        self.closed.reserve(CLOSED_KEPT.saturating_sub(self.closed.len()));
    }

    /// Orders that work, are of unknown fate, or miss fills; oldest first.
    pub fn open(&self) -> &[Order] {
        &self.open
    }

    /// The same, to change their requests.
    pub fn open_mut(&mut self) -> &mut [Order] {
        &mut self.open
    }

    /// The latest closed orders, oldest first.
    pub fn closed(&self) -> impl DoubleEndedIterator<Item = &Order> {
        self.closed.iter()
    }

    /// Takes in an order that is being sent.
    pub fn insert(&mut self, order: Order) {
        self.counts.add(&order);
        self.open.push(order);
    }

    /// An order by our id, open or recently closed.
    pub fn get(&self, id: ClientOrderId) -> Option<&Order> {
        match self.find(|order| order.new.client_order_id == id)? {
            Slot::Open(index) => self.open.get(index),
            Slot::Closed(index) => self.closed.get(index),
        }
    }

    /// An open order by our id.
    pub fn get_open_mut(&mut self, id: ClientOrderId) -> Option<&mut Order> {
        self.open.iter_mut().rev().find(|order| order.new.client_order_id == id)
    }

    /// Whether an order of this market has not been given the venue's id yet, so that a trade of
    /// an unknown order may be its.
    pub fn has_nameless(&self, market: MarketId) -> bool {
        self.open.iter().any(|o| o.new.market == market && o.venue_order_id.is_none())
    }

    /// Whether an order of this market misses executions.
    pub fn is_missing_fills(&self, market: MarketId) -> bool {
        self.open.iter().any(|o| o.new.market == market && o.is_missing_fills())
    }

    /// Takes in the venue's word; `execution` is the report's, if its trade id is new to us.
    /// `None` when the order is not ours or long closed.
    pub fn apply(&mut self, report: &OrderReport, execution: Option<Execution>) -> Option<Applied> {
        let slot = self.find(|order| order.new.client_order_id == report.client_order_id)?;
        let (mut order, was_open) = self.take(slot);
        let mut applied = Applied { is_first_word: !order.is_acknowledged, ..Applied::default() };
        order.is_acknowledged = true;
        order.is_unconfirmed = false;
        if order.venue_order_id.is_some_and(|id| id != report.venue_order_id) {
            contradict(&order, report.cumulative_quantity, &mut applied);
        }
        order.venue_order_id.get_or_insert(report.venue_order_id);
        fill(&mut order, execution, &mut applied);
        let is_old = report.cumulative_quantity <= order.reported;
        order.reported = order.reported.max(report.cumulative_quantity);
        if order.reported > order.new.quantity || report.cumulative_quantity < Quantity::ZERO {
            contradict(&order, report.cumulative_quantity, &mut applied);
        }
        advance(&mut order, report, is_old, &mut applied);
        self.put(order, was_open, &mut applied);
        Some(applied)
    }

    /// Takes in a trade of the trade history, if its id is new to us; `None` when it belongs to no
    /// order that we know.
    pub fn apply_trade(
        &mut self,
        market: MarketId,
        venue_order_id: u64,
        side: Side,
        execution: Option<Execution>,
    ) -> Option<Applied> {
        let slot = self.find(|order| {
            order.new.market == market && order.venue_order_id == Some(venue_order_id)
        })?;
        let (mut order, was_open) = self.take(slot);
        let mut applied = Applied::default();
        if order.new.side != side {
            contradict(&order, order.filled, &mut applied);
        }
        fill(&mut order, execution, &mut applied);
        if order.filled > order.reported {
            if order.state.is_terminal() {
                contradict(&order, order.reported, &mut applied);
            }
            order.reported = order.filled;
        }
        if !order.state.is_terminal() && order.filled == order.new.quantity {
            order.state = Filled;
            applied.ended = Some(Filled);
        }
        self.put(order, was_open, &mut applied);
        Some(applied)
    }

    /// Moves an open order without a report: a refusal, a timeout, a process restart. False, and
    /// nothing changed, when the order is not open or the table does not allow the move.
    pub fn advance(&mut self, id: ClientOrderId, next: OrderState) -> bool {
        let Some(index) = self.open.iter().rposition(|o| o.new.client_order_id == id) else {
            return false;
        };
        if !self.open[index].state.may_become(next) {
            return false;
        }
        let (mut order, was_open) = self.take(Slot::Open(index));
        order.state = next;
        self.put(order, was_open, &mut Applied::default());
        true
    }

    /// A person says that what the venue counted and never told did not happen.
    pub fn accept_filled(&mut self, id: ClientOrderId) {
        let Some(index) = self.open.iter().rposition(|o| o.new.client_order_id == id) else {
            return;
        };
        let (mut order, was_open) = self.take(Slot::Open(index));
        order.reported = order.filled;
        self.put(order, was_open, &mut Applied::default());
    }

    fn find(&self, is_it: impl Fn(&Order) -> bool) -> Option<Slot> {
        let open = self.open.iter().rposition(&is_it).map(Slot::Open);
        open.or_else(|| self.closed.iter().rposition(is_it).map(Slot::Closed))
    }

    fn take(&mut self, slot: Slot) -> (Order, Option<usize>) {
        match slot {
            Slot::Open(index) => {
                let order = self.open.remove(index);
                self.counts.remove(&order);
                (order, Some(index))
            }
            Slot::Closed(index) => {
                (self.closed.remove(index).expect("the slot was just found"), None)
            }
        }
    }

    /// Back to where it belongs: open orders keep their place, closed ones go to the ring.
    fn put(&mut self, mut order: Order, was_open: Option<usize>, applied: &mut Applied) {
        applied.is_missing_fills = order.is_missing_fills();
        if order.is_settled() {
            if self.closed.len() == CLOSED_KEPT {
                self.closed.pop_front();
            }
            self.closed.push_back(order);
        } else {
            if order.state.is_terminal() {
                order.cancel.settle();
            }
            self.counts.add(&order);
            self.open.insert(was_open.unwrap_or(self.open.len()), order);
        }
    }
}

#[derive(Copy, Clone)]
enum Slot {
    Open(usize),
    Closed(usize),
}

fn contradict(order: &Order, theirs: Quantity, applied: &mut Applied) {
    let (id, ours) = (order.new.client_order_id, order.filled);
    applied.contradiction = Some(Contradiction { id, ours, theirs });
}

/// A fill is a fact, whatever state the order is in.
fn fill(order: &mut Order, execution: Option<Execution>, applied: &mut Applied) {
    let Some(execution) = execution else { return };
    order.filled = Quantity(order.filled.0.saturating_add(execution.quantity.0));
    applied.fill = Some(Fill { order: order.new, parent: order.parent, execution });
    if order.filled > order.new.quantity {
        contradict(order, order.new.quantity, applied);
    }
}

/// Moves the order to the reported state, or ignores an old report, or finds a contradiction.
fn advance(order: &mut Order, report: &OrderReport, is_old: bool, applied: &mut Applied) {
    let next = OrderState::from(report.status);
    if order.state == next || (order.state == PartiallyFilled && next == Accepted) {
        return;
    }
    if order.state.may_become(next) {
        order.state = next;
        if next.is_terminal() {
            applied.ended = Some(next);
        }
        if next == Filled && report.cumulative_quantity != order.new.quantity {
            contradict(order, report.cumulative_quantity, applied);
        }
        return;
    }
    match order.state {
        // Reports overtake each other: `NEW` after `CANCELED` is only late.
        Filled | Canceled | Expired if is_old && !next.is_terminal() => {}
        // It was to be dead and lives: it counts as working until we know better.
        Rejected | NotReceived => {
            contradict(order, report.cumulative_quantity, applied);
            order.state = next;
        }
        _ => contradict(order, report.cumulative_quantity, applied),
    }
}

/// Which trades of a market have been taken in, so that each fill counts once although it is told
/// in the answer, on the user stream and in the trade history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FillLog {
    /// All our trades below this id have been taken in.
    complete_until: u64,
    /// Those from there on, ascending.
    seen: Vec<u64>,
}

impl Default for FillLog {
    fn default() -> Self {
        Self { complete_until: 0, seen: Vec::with_capacity(FILLS_KEPT) }
    }
}

impl FillLog {
    /// Takes the memory that trading will need.
    pub fn reserve(&mut self) {
        self.seen.reserve(FILLS_KEPT.saturating_sub(self.seen.len()));
    }

    /// Notes a trade; false when it is already in.
    pub fn insert(&mut self, trade_id: u64) -> bool {
        if trade_id < self.complete_until {
            return false;
        }
        let Err(index) = self.seen.binary_search(&trade_id) else { return false };
        self.seen.insert(index, trade_id);
        if self.seen.len() >= FILLS_KEPT {
            self.complete_until = self.seen.remove(0).saturating_add(1);
        }
        true
    }

    /// Whether a trade is already in.
    pub fn contains(&self, trade_id: u64) -> bool {
        trade_id < self.complete_until || self.seen.binary_search(&trade_id).is_ok()
    }

    /// The trade history told all trades below this id.
    pub fn complete(&mut self, until: u64) {
        if until > self.complete_until {
            self.complete_until = until;
            let kept = self.seen.partition_point(|id| *id < until);
            self.seen.drain(..kept);
        }
    }

    /// From which trade id on the history has to be fetched.
    pub fn complete_until(&self) -> u64 {
        self.complete_until
    }

    /// Whether so many trades are remembered that the history should be fetched, to forget them.
    pub fn is_filling(&self) -> bool {
        self.seen.len() >= FILLS_KEPT / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Charge, TimeInForce};
    use values::{Money, Price, StrategyId};

    fn order(number: u32) -> Order {
        let new = NewOrder {
            client_order_id: ClientOrderId { run: 1, number },
            market: MarketId(0),
            strategy: StrategyId(0),
            side: Side::Buy,
            price: Price(100),
            quantity: Quantity(10),
            time_in_force: TimeInForce::GoodTillCancel,
        };
        Order::new(new, 0)
    }

    fn report(number: u32, status: VenueOrderStatus, cumulative: i64, last: i64) -> OrderReport {
        let execution = Execution {
            trade_id: 1,
            price: Price(100),
            quantity: Quantity(last),
            fee: Money::ZERO,
            charge: Charge::quote(Money::ZERO),
            is_maker: true,
        };
        OrderReport {
            client_order_id: ClientOrderId { run: 1, number },
            venue_order_id: 1_000 + u64::from(number),
            status,
            cumulative_quantity: Quantity(cumulative),
            execution: (last > 0).then_some(execution),
        }
    }

    #[test]
    fn every_state_is_in_the_table_and_terminal_states_lead_nowhere() {
        for state in OrderState::ALL {
            let (_, next) = TRANSITIONS.iter().find(|(from, _)| *from == state).expect("listed");
            assert_eq!(next.is_empty(), state.is_terminal(), "{state:?}");
        }
        assert!(!Accepted.may_become(NotReceived), "what the venue took is not absent");
        assert!(!Accepted.may_become(Submitted), "what the venue took is never sent again");
    }

    #[test]
    fn reports_that_cannot_be_are_contradictions_and_never_lose_a_fill() {
        use VenueOrderStatus as V;
        for (first, second, contradicts, filled) in [
            (report(1, V::Canceled, 0, 0), report(1, V::New, 0, 0), false, 0),
            (report(1, V::Canceled, 4, 4), report(1, V::PartiallyFilled, 4, 0), false, 4),
            (report(1, V::Canceled, 0, 0), report(1, V::PartiallyFilled, 3, 3), true, 3),
            (report(1, V::Filled, 10, 10), report(1, V::Canceled, 10, 0), true, 10),
            (report(1, V::New, 0, 0), report(1, V::Filled, 12, 12), true, 12),
            (report(1, V::New, 0, 0), report(1, V::Filled, 9, 9), true, 9),
            (report(1, V::New, 0, 0), report(1, V::Rejected, 0, 0), true, 0),
            (report(1, V::PartiallyFilled, 4, 4), report(1, V::New, 0, 0), false, 4),
        ] {
            let mut table = OrderTable::default();
            table.insert(order(1));
            table.apply(&first, first.execution).expect("ours");
            let applied = table.apply(&second, second.execution).expect("ours");
            assert_eq!(applied.contradiction.is_some(), contradicts, "{first:?} {second:?}");
            let id = first.client_order_id;
            assert_eq!(table.get(id).expect("kept").filled, Quantity(filled));
        }
    }

    #[test]
    fn other_venue_id_for_the_same_order_is_a_contradiction() {
        let mut table = OrderTable::default();
        table.insert(order(1));
        table.apply(&report(1, VenueOrderStatus::New, 0, 0), None);
        let mut other = report(1, VenueOrderStatus::New, 0, 0);
        other.venue_order_id = 7;
        assert!(table.apply(&other, None).is_some_and(|a| a.contradiction.is_some()));
    }

    #[test]
    fn ended_order_stays_open_until_its_fills_are_seen() {
        let mut table = OrderTable::default();
        table.insert(order(1));
        let applied = table.apply(&report(1, VenueOrderStatus::Canceled, 4, 0), None);
        assert!(applied.is_some_and(|a| a.is_missing_fills));
        assert_eq!(table.open()[0].exposure(), Quantity(4), "what may still come");
        let trade = report(1, VenueOrderStatus::Canceled, 4, 4).execution;
        table.apply_trade(MarketId(0), 1_001, Side::Buy, trade);
        assert!(table.open().is_empty());
    }

    #[test]
    fn closed_ring_is_bounded_and_forgets_the_oldest() {
        let mut table = OrderTable::default();
        for number in 0..CLOSED_KEPT as u32 + 10 {
            table.insert(order(number));
            table.apply(&report(number, VenueOrderStatus::Canceled, 0, 0), None);
        }
        assert_eq!(table.closed().count(), CLOSED_KEPT);
        assert!(table.get(ClientOrderId { run: 1, number: 9 }).is_none());
        assert!(table.get(ClientOrderId { run: 1, number: 10 }).is_some());
    }

    #[test]
    fn fill_log_counts_each_trade_once_and_stays_bounded() {
        let mut log = FillLog::default();
        assert!(log.insert(7) && !log.insert(7) && log.insert(3));
        log.complete(5);
        assert_eq!(log.complete_until(), 5);
        assert!(!log.insert(4) && !log.insert(7), "told before");
        for id in 100..100 + 2 * FILLS_KEPT as u64 {
            assert!(log.insert(id));
        }
        assert!(log.seen.len() < FILLS_KEPT);
    }
}
