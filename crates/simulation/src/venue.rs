//! What the core sends in; what a venue does with it and says about it, in the venue's own words, out.
//!
//! The truth of a run lies here: orders, trades and balances as they really are. How the venue
//! treats orders and answers is set by [`Manners`], in chances of a thousand.

use crate::dice::Dice;
use engine::event::{Side, VenueOrderStatus};
use engine::output::NewOrder;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use values::{ClientOrderId, Money, Nanos, Price, Quantity, SCALE};

/// Milliseconds in nanoseconds.
pub const MS: Nanos = 1_000_000;
/// What each fill costs, in the quote currency, raw.
const FEE: i64 = 5;
/// The base balance before the first trade, raw.
const ENDOWMENT: i64 = 10 * SCALE;
const CASH_ENDOWMENT: i128 = 1_000_000 * SCALE as i128;
const TICK: i64 = SCALE / 100;
const LOT: i64 = SCALE / 100_000;

/// How a venue treats us; each a chance of a thousand, tried in this order.
#[derive(Copy, Clone, Debug, Default)]
pub struct Manners {
    /// Takes the order, and the answer is lost.
    pub answer_lost: u32,
    /// The answer is lost, and the order arrives late, within its window.
    pub arrives_late: u32,
    /// The order never arrives.
    pub swallowed: u32,
    /// Takes the order and says 503.
    pub server_error: u32,
    /// Refuses.
    pub refused: u32,
    /// Says 429.
    pub throttled: u32,
    /// Fills the order before it answers, the answer without the fill.
    pub fills_at_once: u32,
    /// Loses any other answer.
    pub query_lost: u32,
    /// Says a thing twice.
    pub repeats: u32,
    /// Each turn, fills a resting order.
    pub fills: u32,
    /// Each turn, ends a resting order.
    pub expires: u32,
}

/// An order as it truly is.
#[derive(Clone, Debug)]
pub struct Real {
    /// As it came.
    pub new: NewOrder,
    /// The venue's id.
    pub number: u64,
    /// The state.
    pub status: VenueOrderStatus,
    /// Filled so far.
    pub done: i64,
}

impl Real {
    /// Whether it rests.
    pub fn is_open(&self) -> bool {
        matches!(self.status, VenueOrderStatus::New | VenueOrderStatus::PartiallyFilled)
    }
}

/// One of our trades.
#[derive(Clone, Debug)]
pub struct Trade {
    id: u64,
    order: u64,
    side: Side,
    price: Price,
    quantity: i64,
}

/// A venue as it truly is.
#[derive(Debug)]
pub struct Venue {
    /// Everything that ever arrived.
    pub orders: BTreeMap<ClientOrderId, Real>,
    /// Everything that ever traded.
    pub trades: Vec<Trade>,
    /// How it treats us.
    pub manners: Manners,
    /// Those of the orders that may rest, and sums over the trades: lives are long.
    resting: Vec<ClientOrderId>,
    held: i64,
    paid: i128,
    update_id: u64,
    bid: i64,
}

impl Default for Venue {
    fn default() -> Self {
        let bid = 60_000 * SCALE;
        Self {
            orders: BTreeMap::new(),
            trades: Vec::new(),
            manners: Manners::default(),
            resting: Vec::new(),
            held: 0,
            paid: 0,
            update_id: 100,
            bid,
        }
    }
}

fn word(status: VenueOrderStatus) -> &'static str {
    match status {
        VenueOrderStatus::New => "NEW",
        VenueOrderStatus::PartiallyFilled => "PARTIALLY_FILLED",
        VenueOrderStatus::Filled => "FILLED",
        VenueOrderStatus::Canceled => "CANCELED",
        VenueOrderStatus::Rejected => "REJECTED",
        VenueOrderStatus::Expired => "EXPIRED",
    }
}

impl Venue {
    /// An order arrives.
    ///
    /// # Panics
    /// It has arrived before: an order was doubled.
    pub fn arrive(&mut self, new: NewOrder) {
        let number = 5_000 + self.orders.len() as u64;
        let real = Real { new, number, status: VenueOrderStatus::New, done: 0 };
        let before = self.orders.insert(new.client_order_id, real);
        assert!(before.is_none(), "order {} was sent twice", new.client_order_id);
        self.resting.retain(|id| self.orders[id].is_open());
        self.resting.push(new.client_order_id);
    }

    /// The market moves; the frame that tells of it.
    pub fn tick(&mut self, ticks: i64) -> String {
        let (old_bid, old_ask) = (self.bid, self.bid + 2 * TICK);
        self.bid += ticks * TICK;
        self.update_id += 1;
        let mut text = format!(
            r#"{{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":{0},"u":{0},"b":["#,
            self.update_id
        );
        let side = |text: &mut String, old: i64, new: i64| {
            if old != new {
                let _ = write!(text, r#"["{}","0"],"#, Price(old));
            }
            let _ = write!(text, r#"["{}","1"]"#, Price(new));
        };
        side(&mut text, old_bid, self.bid);
        text.push_str(r#"],"a":["#);
        side(&mut text, old_ask, self.bid + 2 * TICK);
        text.push_str("]}");
        text
    }

    /// The answer to a depth request.
    pub fn depth(&self) -> String {
        format!(
            r#"{{"lastUpdateId":{},"bids":[["{}","1"]],"asks":[["{}","1"]]}}"#,
            self.update_id,
            Price(self.bid),
            Price(self.bid + 2 * TICK)
        )
    }

    /// An order as REST answers tell it.
    pub fn order(&self, id: ClientOrderId) -> String {
        let real = &self.orders[&id];
        format!(
            r#"{{"symbol":"BTCUSDT","orderId":{},"clientOrderId":"{id}","executedQty":"{}","status":"{}"}}"#,
            real.number,
            Quantity(real.done),
            word(real.status)
        )
    }

    /// The user stream's report on an order, with its last trade if it is about one.
    pub fn report(&self, id: ClientOrderId, is_trade: bool) -> String {
        let real = &self.orders[&id];
        let kind = if is_trade { "TRADE" } else { "NEW" };
        let mut text = format!(
            r#"{{"e":"executionReport","s":"BTCUSDT","c":"{id}","x":"{kind}","X":"{}","i":{},"z":"{}""#,
            word(real.status),
            real.number,
            Quantity(real.done)
        );
        if let Some(trade) = self.trades.last().filter(|_| is_trade) {
            let _ = write!(
                text,
                r#","l":"{}","L":"{}","n":"{}","N":"USDT","t":{},"m":true"#,
                Quantity(trade.quantity),
                trade.price,
                Price(FEE),
                trade.id
            );
        }
        text.push('}');
        text
    }

    /// What rests.
    pub fn open_orders(&self) -> String {
        let open: Vec<String> = self.open().into_iter().map(|id| self.order(id)).collect();
        format!("[{}]", open.join(","))
    }

    /// Our trades from an id on, one page.
    pub fn my_trades(&self, from_id: u64) -> String {
        let begin = self.trades.partition_point(|trade| trade.id < from_id);
        let page = self.trades[begin..].iter().take(500);
        let page = page.map(|trade| {
            format!(
                r#"{{"id":{},"orderId":{},"price":"{}","qty":"{}","commission":"{}","commissionAsset":"USDT","isBuyer":{},"isMaker":true}}"#,
                trade.id,
                trade.order,
                trade.price,
                Quantity(trade.quantity),
                Price(FEE),
                trade.side == Side::Buy
            )
        });
        format!("[{}]", page.collect::<Vec<_>>().join(","))
    }

    /// Our balances.
    pub fn account(&self) -> String {
        let base = Quantity(ENDOWMENT + self.position());
        let cash = Money(CASH_ENDOWMENT + self.cash().0);
        format!(
            r#"{{"balances":[{{"asset":"BTC","free":"{base}","locked":"0"}},{{"asset":"USDT","free":"{cash}","locked":"0"}}]}}"#
        )
    }

    /// What we truly hold.
    pub fn position(&self) -> i64 {
        self.held
    }

    /// What trading truly paid, less fees.
    pub fn cash(&self) -> Money {
        let fees = i128::from(FEE) * self.trades.len() as i128;
        Money(self.paid / i128::from(SCALE) - fees)
    }

    /// Ids of what rests.
    pub fn open(&self) -> Vec<ClientOrderId> {
        self.resting.iter().copied().filter(|id| self.orders[id].is_open()).collect()
    }

    /// Fills some or all of an order.
    pub fn fill(&mut self, id: ClientOrderId, dice: &mut Dice) {
        let real = self.orders.get_mut(&id).expect("known");
        let rest = (real.new.quantity.0 - real.done) / LOT;
        let quantity =
            if dice.roll(2) == 0 { rest } else { 1 + dice.roll(rest as u64) as i64 } * LOT;
        real.done += quantity;
        let is_done = real.done == real.new.quantity.0;
        real.status =
            if is_done { VenueOrderStatus::Filled } else { VenueOrderStatus::PartiallyFilled };
        let signed = if real.new.side == Side::Buy { quantity } else { -quantity };
        self.held += signed;
        self.paid -= i128::from(real.new.price.0) * i128::from(signed);
        self.trades.push(Trade {
            id: self.trades.last().map_or(1, |last| last.id) + 1 + dice.roll(3),
            order: real.number,
            side: real.new.side,
            price: real.new.price,
            quantity,
        });
    }

    /// The worst position on a side, with everything that rests filled.
    pub fn worst(&self, side: Side) -> i64 {
        let held = if side == Side::Buy { self.position() } else { -self.position() };
        let resting = self.resting.iter().map(|id| &self.orders[id]);
        let resting = resting.filter(|real| real.is_open() && real.new.side == side);
        held + resting.map(|real| real.new.quantity.0 - real.done).sum::<i64>()
    }
}
