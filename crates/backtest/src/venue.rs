//! Market data and our orders in; the reports that a venue would send out.
//!
//! The strangers' book is that of the same frames, at the venue's own time. Our orders are not in
//! it: they stand beside it, each with its place in the queue, and what we take from strangers stays
//! taken until the market tells that level anew.

use crate::course::{After, Depth};
use crate::events::{Head, Kind};
use crate::queue::{Place, QueueModel};
use engine::event::{Charge, Execution, Level, OrderReport, Side, TimeInForce, VenueOrderStatus};
use engine::output::NewOrder;
use std::collections::BTreeMap;
use values::{ClientOrderId, Money, Price, Quantity, notional};

/// "Order would immediately match and take."
pub const WOULD_TAKE: i32 = -2010;
/// "Unknown order sent" with a cancel.
pub const NOTHING_TO_CANCEL: i32 = -2011;
/// "Order does not exist."
pub const NO_SUCH_ORDER: i32 = -2013;

/// What trading costs, parts per million of price times quantity; negative is a rebate.
#[derive(Copy, Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Fees {
    /// Of the resting side.
    pub maker_ppm: i32,
    /// Of the taking side.
    pub taker_ppm: i32,
}

impl Fees {
    fn of(self, price: Price, quantity: Quantity, is_maker: bool) -> Money {
        let ppm = if is_maker { self.maker_ppm } else { self.taker_ppm };
        Money(notional(price, quantity).0 * i128::from(ppm) / 1_000_000)
    }
}

/// What the venue says.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// On an order of ours.
    Report(OrderReport),
    /// A new order or a cancel is refused.
    Refused {
        /// Which.
        id: ClientOrderId,
        /// Whether it was a cancel.
        is_cancel: bool,
        /// The code.
        code: i32,
    },
}

#[derive(Copy, Clone, Debug)]
struct Resting {
    new: NewOrder,
    number: u64,
    filled: i64,
    place: Place,
    /// The strangers' quantity at its price, as last told.
    level: i64,
}

impl Resting {
    fn remaining(&self) -> i64 {
        self.new.quantity.0 - self.filled
    }
}

/// One simulated market.
pub struct SimMarket {
    /// What the last frame left of the strangers' book.
    after: After,
    fees: Fees,
    model: QueueModel,
    own: Vec<Resting>,
    /// Taken by us since the level was last told.
    taken: Vec<(Side, Price, i64)>,
    /// What has ended, for later questions.
    ended: BTreeMap<ClientOrderId, OrderReport>,
    numbers: u64,
    trades: u64,
    position: i64,
    /// What trading paid (positive) or took (negative), fees taken off.
    cash: i128,
}

impl SimMarket {
    /// A market before its first frame.
    pub fn new(fees: Fees, model: QueueModel) -> SimMarket {
        SimMarket {
            after: After::default(),
            fees,
            model,
            own: Vec::new(),
            taken: Vec::new(),
            ended: BTreeMap::new(),
            numbers: 0,
            trades: 0,
            position: 0,
            cash: 0,
        }
    }

    /// What we hold there, raw.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// What trading paid in the quote currency, fees taken off, raw.
    pub fn cash(&self) -> i128 {
        self.cash
    }

    /// What the last frame left of the strangers' book.
    pub fn after(&self) -> After {
        self.after
    }

    /// A frame about all markets of the connection, after which no book is right.
    pub fn lose_book(&mut self) {
        self.after = After::default();
    }

    /// A whole book as a depth request is answered; `None` while there is none.
    pub fn snapshot(&self, depth: &mut Depth<'_>) -> Option<(u64, Vec<Level>, Vec<Level>)> {
        (self.after.update_id != 0).then(|| {
            let book = depth.book(self.after);
            let side = |side| book.levels(side).collect();
            (self.after.update_id, side(Side::Buy), side(Side::Sell))
        })
    }

    /// One frame and what it leaves of the book; what it does to our orders is appended to `said`.
    #[inline]
    pub fn take(&mut self, head: &Head, after: After, depth: &mut Depth<'_>, said: &mut Vec<Said>) {
        self.after = after;
        if self.taken.is_empty() && self.own.is_empty() {
            return;
        }
        let (bids, asks) = depth.events.sides(head);
        if !self.taken.is_empty() {
            let is_told = |price: Price, levels: &[Level]| levels.iter().any(|l| l.price == price);
            self.taken.retain(|(side, price, _)| match (head.kind, side) {
                (Kind::Trade, _) => true,
                (_, Side::Buy) => !is_told(*price, bids),
                (_, Side::Sell) => !is_told(*price, asks),
            });
        }
        if !self.own.is_empty() {
            self.serve(head, depth, said);
        }
    }

    fn serve(&mut self, head: &Head, depth: &mut Depth<'_>, said: &mut Vec<Said>) {
        let (bids, asks) = depth.events.sides(head);
        match head.kind {
            Kind::Trade => return self.trade(bids[0], head.buyer_is_maker, said),
            Kind::Snapshot => {
                for index in 0..self.own.len() {
                    let Resting { new, level, .. } = self.own[index];
                    let now = self.resting_at(new.side, new.price, depth);
                    self.own[index].place.level_told(self.model, level, now);
                    (self.own[index].level, ()) = (now, self.own[index].place.settle());
                }
            }
            Kind::Diff | Kind::Ticker => {
                for order in &mut self.own {
                    let levels = if order.new.side == Side::Buy { bids } else { asks };
                    if let Some(told) = levels.iter().find(|l| l.price == order.new.price) {
                        order.place.level_told(self.model, order.level, told.quantity.0);
                        order.level = told.quantity.0;
                    } else if head.kind == Kind::Ticker
                        && better(order.new.side, order.new.price, levels[0].price)
                    {
                        // The best price is behind ours: no stranger is left at ours.
                        order.place.level_told(self.model, order.level, 0);
                        order.level = 0;
                    }
                    if head.kind == Kind::Diff {
                        order.place.settle();
                    }
                }
            }
            Kind::Up | Kind::Down | Kind::Malformed => return,
        }
        self.crossed(said);
    }

    /// A stranger whose price reaches ours is served by us, with what he showed.
    fn crossed(&mut self, said: &mut Vec<Said>) {
        let Some((bid, ask)) = self.after.top else { return };
        for index in (0..self.own.len()).rev() {
            let order = self.own[index].new;
            let other = if order.side == Side::Buy { ask } else { bid };
            if reaches(order.side, order.price, other.price) {
                let left = other.quantity.0 - self.taken_at(opposite(order.side), other.price);
                let filled = left.min(self.own[index].remaining());
                if filled > 0 {
                    self.note_taken(opposite(order.side), other.price, filled);
                    self.fill(index, filled, said);
                }
            }
        }
    }

    /// A public trade reaches those of ours that stand in front of it, best price first.
    fn trade(&mut self, traded: Level, buyer_is_maker: bool, said: &mut Vec<Said>) {
        let side = if buyer_is_maker { Side::Buy } else { Side::Sell };
        let mut left = traded.quantity.0;
        let mut reached: Vec<usize> = (0..self.own.len())
            .filter(|index| {
                let new = &self.own[*index].new;
                new.side == side && reaches(side, new.price, traded.price)
            })
            .collect();
        reached.sort_by_key(|index| {
            let price = self.own[*index].new.price.0;
            if side == Side::Buy { -price } else { price }
        });
        let mut fills = Vec::new();
        for index in reached {
            let order = &mut self.own[index];
            // A trade at a worse price than ours was served by us first, were we there for real.
            let reach =
                if order.new.price == traded.price { order.place.level_traded(left) } else { left };
            let filled = reach.min(order.remaining());
            if filled > 0 {
                left -= filled;
                fills.push((order.new.client_order_id, filled));
            }
        }
        for (id, filled) in fills {
            let at = self.own.iter().position(|order| order.new.client_order_id == id);
            self.fill(at.expect("it was just found"), filled, said);
        }
    }

    fn fill(&mut self, index: usize, quantity: i64, said: &mut Vec<Said>) {
        let order = &mut self.own[index];
        order.filled += quantity;
        let status = if order.remaining() == 0 {
            VenueOrderStatus::Filled
        } else {
            VenueOrderStatus::PartiallyFilled
        };
        let order = *order;
        if status == VenueOrderStatus::Filled {
            self.own.remove(index);
        }
        let execution = self.execute(&order.new, order.new.price, quantity, true);
        self.report(&order.new, order.number, status, order.filled, Some(execution), said);
    }

    fn execute(
        &mut self,
        new: &NewOrder,
        price: Price,
        quantity: i64,
        is_maker: bool,
    ) -> Execution {
        self.trades += 1;
        self.position += if new.side == Side::Buy { quantity } else { -quantity };
        let quantity = Quantity(quantity);
        let fee = self.fees.of(price, quantity, is_maker);
        let value = notional(price, quantity).0;
        self.cash -= if new.side == Side::Buy { value } else { -value };
        self.cash -= fee.0;
        let charge = Charge::quote(fee);
        Execution { trade_id: self.trades, price, quantity, fee, charge, is_maker }
    }

    fn report(
        &mut self,
        new: &NewOrder,
        number: u64,
        status: VenueOrderStatus,
        filled: i64,
        execution: Option<Execution>,
        said: &mut Vec<Said>,
    ) {
        let report = OrderReport {
            client_order_id: new.client_order_id,
            venue_order_id: number,
            status,
            cumulative_quantity: Quantity(filled),
            execution,
        };
        if !matches!(status, VenueOrderStatus::New | VenueOrderStatus::PartiallyFilled) {
            self.ended.insert(new.client_order_id, OrderReport { execution: None, ..report });
        }
        said.push(Said::Report(report));
    }

    /// An order arrives.
    pub fn place(&mut self, new: &NewOrder, depth: &mut Depth<'_>, said: &mut Vec<Said>) {
        let id = new.client_order_id;
        let refuse = |code| Said::Refused { id, is_cancel: false, code };
        let Some((bid, ask)) = self.after.top else {
            // Without a book nothing can be matched; a venue in that state refuses.
            said.push(refuse(WOULD_TAKE));
            return;
        };
        let other = if new.side == Side::Buy { ask } else { bid };
        let takes = reaches(new.side, new.price, other.price);
        if new.time_in_force == TimeInForce::PostOnly && takes {
            said.push(refuse(WOULD_TAKE));
            return;
        }
        self.numbers += 1;
        let number = self.numbers;
        self.report(new, number, VenueOrderStatus::New, 0, None, said);
        let mut filled = 0;
        if takes {
            let swept = self.sweep(new, depth);
            let found: i64 = swept.iter().map(|(_, quantity)| quantity).sum();
            let is_whole = found == new.quantity.0;
            let is_killed = new.time_in_force == TimeInForce::FillOrKill && !is_whole;
            for (price, quantity) in swept.into_iter().filter(|_| !is_killed) {
                filled += quantity;
                self.note_taken(opposite(new.side), price, quantity);
                let execution = self.execute(new, price, quantity, false);
                let is_done = filled == new.quantity.0;
                let status = if is_done {
                    VenueOrderStatus::Filled
                } else {
                    VenueOrderStatus::PartiallyFilled
                };
                self.report(new, number, status, filled, Some(execution), said);
            }
        }
        if filled == new.quantity.0 {
            return;
        }
        if matches!(new.time_in_force, TimeInForce::PostOnly | TimeInForce::GoodTillCancel) {
            let level = self.resting_at(new.side, new.price, depth);
            let place = Place::behind(level);
            self.own.push(Resting { new: *new, number, filled, place, level });
        } else {
            self.report(new, number, VenueOrderStatus::Expired, filled, None, said);
        }
    }

    /// What an arriving order would take, price by price.
    fn sweep(&self, new: &NewOrder, depth: &mut Depth<'_>) -> Vec<(Price, i64)> {
        let other = opposite(new.side);
        let Some((bid, ask)) = self.after.top else { return Vec::new() };
        let top = if other == Side::Buy { bid } else { ask };
        // The ticker may be newer than the book: what it has consumed is not there any more.
        let book = depth.book(self.after).levels(other);
        let behind = book.filter(|level| better(other, top.price, level.price));
        let mut left = new.quantity.0;
        let mut found = Vec::new();
        for level in core::iter::once(top).chain(behind) {
            if left == 0 || !reaches(new.side, new.price, level.price) {
                break;
            }
            let quantity = (level.quantity.0 - self.taken_at(other, level.price)).min(left);
            if quantity > 0 {
                found.push((level.price, quantity));
                left -= quantity;
            }
        }
        found
    }

    /// A cancel arrives.
    pub fn cancel(&mut self, id: ClientOrderId, said: &mut Vec<Said>) {
        let found = self.own.iter().position(|order| order.new.client_order_id == id);
        let Some(index) = found else {
            said.push(Said::Refused { id, is_cancel: true, code: NOTHING_TO_CANCEL });
            return;
        };
        let order = self.own.remove(index);
        let status = VenueOrderStatus::Canceled;
        self.report(&order.new, order.number, status, order.filled, None, said);
    }

    /// What became of an order; `None` when the venue has never heard of it.
    pub fn query(&self, id: ClientOrderId) -> Option<OrderReport> {
        let rests = self.own.iter().find(|order| order.new.client_order_id == id);
        rests.map(resting_report).or_else(|| self.ended.get(&id).copied())
    }

    /// All that rests.
    pub fn open_orders(&self) -> Vec<OrderReport> {
        self.own.iter().map(resting_report).collect()
    }

    /// Strangers' quantity at a price.
    fn resting_at(&self, side: Side, price: Price, depth: &mut Depth<'_>) -> i64 {
        if let Some((bid, ask)) = self.after.top {
            let top = if side == Side::Buy { bid } else { ask };
            if top.price == price {
                return top.quantity.0;
            }
            if better(side, price, top.price) {
                return 0;
            }
        }
        depth.book(self.after).quantity(side, price).0
    }

    fn taken_at(&self, side: Side, price: Price) -> i64 {
        let found = self.taken.iter().find(|(of, at, _)| (*of, *at) == (side, price));
        found.map_or(0, |(_, _, quantity)| *quantity)
    }

    fn note_taken(&mut self, side: Side, price: Price, quantity: i64) {
        match self.taken.iter_mut().find(|(of, at, _)| (*of, *at) == (side, price)) {
            Some((_, _, taken)) => *taken += quantity,
            None => self.taken.push((side, price, quantity)),
        }
    }
}

fn resting_report(order: &Resting) -> OrderReport {
    OrderReport {
        client_order_id: order.new.client_order_id,
        venue_order_id: order.number,
        status: if order.filled > 0 {
            VenueOrderStatus::PartiallyFilled
        } else {
            VenueOrderStatus::New
        },
        cumulative_quantity: Quantity(order.filled),
        execution: None,
    }
}

fn opposite(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}

/// Whether an order on `side` with `limit` may trade at `price`.
fn reaches(side: Side, limit: Price, price: Price) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}

/// Whether `one` is nearer to the other side than `other`.
fn better(side: Side, one: Price, other: Price) -> bool {
    match side {
        Side::Buy => one > other,
        Side::Sell => one < other,
    }
}
