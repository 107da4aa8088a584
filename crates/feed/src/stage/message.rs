//! The messages of `stage.proto`, field by field; `test_stage_messages.py` compares both.

use engine::event::{Side, TimeInForce};
use engine::output::NewOrder;
use prost::Message;

/// The journal has got as far as this entry.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Advanced {
    /// The entry.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    /// Its time.
    #[prost(int64, tag = "2")]
    pub ts_ns: i64,
    /// Kind of its input.
    #[prost(uint32, tag = "3")]
    pub kind: u32,
    /// When the market frame came, monotonic; 0 for any other input.
    #[prost(int64, tag = "4")]
    pub tick_ns: i64,
    /// When this was sent, monotonic.
    #[prost(int64, tag = "5")]
    pub sent_ns: i64,
}

/// A new order.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Order {
    /// Of the client order id.
    #[prost(uint32, tag = "1")]
    pub run: u32,
    /// Of the client order id.
    #[prost(uint32, tag = "2")]
    pub number: u32,
    /// Position in the configuration's markets.
    #[prost(uint32, tag = "3")]
    pub market: u32,
    /// Position in the configuration's strategies.
    #[prost(uint32, tag = "4")]
    pub strategy: u32,
    /// 0 buy, 1 sell.
    #[prost(uint32, tag = "5")]
    pub side: u32,
    /// Times 1e9.
    #[prost(int64, tag = "6")]
    pub price: i64,
    /// Times 1e9.
    #[prost(int64, tag = "7")]
    pub quantity: i64,
    /// As numbered in the schema.
    #[prost(uint32, tag = "8")]
    pub time_in_force: u32,
}

impl From<&NewOrder> for Order {
    fn from(new: &NewOrder) -> Order {
        Order {
            run: new.client_order_id.run,
            number: new.client_order_id.number,
            market: u32::from(new.market.0),
            strategy: u32::from(new.strategy.0),
            side: u32::from(new.side == Side::Sell),
            price: new.price.0,
            quantity: new.quantity.0,
            time_in_force: match new.time_in_force {
                TimeInForce::PostOnly => 0,
                TimeInForce::GoodTillCancel => 1,
                TimeInForce::ImmediateOrCancel => 2,
                TimeInForce::FillOrKill => 3,
            },
        }
    }
}

/// What an entry of the journal made the sender want.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Orders {
    /// The entry.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    /// As in [`Advanced`].
    #[prost(int64, tag = "2")]
    pub tick_ns: i64,
    /// When each stage before sent its part, monotonic.
    #[prost(int64, repeated, tag = "3")]
    pub sent_ns: Vec<i64>,
    /// The orders.
    #[prost(message, repeated, tag = "4")]
    pub orders: Vec<Order>,
}

/// An input that the execution stage received.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Fact {
    /// The last `Started` entry that the sender knows.
    #[prost(uint64, tag = "1")]
    pub session: u64,
    /// Kind of the input; 0 asks for a new session.
    #[prost(uint32, tag = "2")]
    pub kind: u32,
    /// As in the journal.
    #[prost(bytes = "vec", tag = "3")]
    pub payload: Vec<u8>,
}

/// Where we stand in one market; amounts are decimal text.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Position {
    /// The venue's name.
    #[prost(string, tag = "1")]
    pub venue: String,
    /// The venue's symbol.
    #[prost(string, tag = "2")]
    pub symbol: String,
    /// Signed.
    #[prost(string, tag = "3")]
    pub quantity: String,
    /// Price that it is valued at.
    #[prost(string, tag = "4")]
    pub mark: String,
    /// Realised profit.
    #[prost(string, tag = "5")]
    pub realised: String,
    /// Fees paid.
    #[prost(string, tag = "6")]
    pub fees: String,
    /// Executions.
    #[prost(uint64, tag = "7")]
    pub fills: u64,
}

/// Where we stand after an entry.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Positions {
    /// The entry.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
    /// Its time.
    #[prost(int64, tag = "2")]
    pub ts_ns: i64,
    /// `active`, `reducing` or `halted`.
    #[prost(string, tag = "3")]
    pub trading_state: String,
    /// Over all markets.
    #[prost(string, tag = "4")]
    pub realised: String,
    /// Over all markets.
    #[prost(string, tag = "5")]
    pub unrealised: String,
    /// Each market.
    #[prost(message, repeated, tag = "6")]
    pub positions: Vec<Position>,
}
