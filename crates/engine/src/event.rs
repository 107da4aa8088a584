//! What the core is told: decoded market data, venue answers, commands and time.

use crate::level3::OrderChange;
use crate::market::BookPart;
use crate::risk::Intent;
use crate::schedule::ParentSpec;
use values::{Asset, ClientOrderId, MarketId, Nanos, Price, Quantity, StrategyId, VenueId};

/// One price level; quantity zero removes it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Level {
    /// Where.
    pub price: Price,
    /// How much rests there in all.
    pub quantity: Quantity,
}

/// The sockets that we hold with a venue.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Public market data.
    Market,
    /// Our own orders and fills.
    User,
}

/// Buy or sell.
#[derive(
    Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum Side {
    /// Buys.
    Buy,
    /// Sells.
    Sell,
}

/// How long an order may rest.
#[derive(Copy, Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum TimeInForce {
    /// Rests until cancelled, and never takes (`LIMIT_MAKER`).
    PostOnly,
    /// Rests until cancelled.
    GoodTillCancel,
    /// Takes what it can at once; the rest is cancelled.
    ImmediateOrCancel,
    /// Takes all of it at once, or nothing.
    FillOrKill,
}

/// An order's state in the venue's words.
#[derive(Copy, Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum VenueOrderStatus {
    /// `NEW`.
    New,
    /// `PARTIALLY_FILLED`.
    PartiallyFilled,
    /// `FILLED`.
    Filled,
    /// `CANCELED`.
    Canceled,
    /// `REJECTED`.
    Rejected,
    /// `EXPIRED` or `EXPIRED_IN_MATCH`.
    Expired,
}

/// What a fee was paid in.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum FeeAsset {
    /// The currency that prices are in.
    Quote,
    /// What was traded.
    Base,
    /// A third one, such as a venue's own coin.
    Other(Asset),
}

/// A fee as the venue took it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// In what.
    pub asset: FeeAsset,
    /// How much of it, raw 1e-9, positive is paid.
    pub amount: values::Money,
}

impl Charge {
    /// A fee in the quote currency.
    pub fn quote(amount: values::Money) -> Self {
        Self { asset: FeeAsset::Quote, amount }
    }
}

/// One execution: part of an order that traded.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// The venue's trade id; unique per market.
    pub trade_id: u64,
    /// Price of this execution.
    pub price: Price,
    /// Quantity of this execution, positive.
    pub quantity: Quantity,
    /// Fee in the quote currency, raw 1e-9, positive is paid; zero when it was paid in a third
    /// asset, which the core values.
    pub fee: values::Money,
    /// What was really paid.
    pub charge: Charge,
    /// Whether we were resting.
    pub is_maker: bool,
}

/// The venue's word on one of our orders: an answer, a report on the user stream, or a query.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct OrderReport {
    /// Our id.
    pub client_order_id: ClientOrderId,
    /// The venue's id.
    pub venue_order_id: u64,
    /// The state.
    pub status: VenueOrderStatus,
    /// All that was filled so far.
    pub cumulative_quantity: Quantity,
    /// The execution that this report is about, if any.
    pub execution: Option<Execution>,
}

/// One of our own trades, as the trade history tells it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct OwnTrade {
    /// The venue's id of the order.
    pub venue_order_id: u64,
    /// What traded.
    pub execution: Execution,
    /// Which side we were.
    pub side: Side,
}

/// Why a request to a venue did not give a plain answer.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum RequestFailure {
    /// A definite refusal: HTTP 4xx with the venue's error code; nothing happened.
    Refused {
        /// The venue's code, such as -2010.
        code: i32,
    },
    /// HTTP 429 or 418: refused, and to be left alone for a while.
    Throttled {
        /// How long, from `Retry-After`, in nanoseconds.
        retry_after_ns: Nanos,
    },
    /// HTTP 5xx, a timeout or a lost connection: the fate is **unknown**.
    Unknown,
    /// The order was taken back before it was sent: it never left, for certain.
    Withdrawn,
}

/// What a request was about.
#[derive(
    Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum Purpose {
    /// A depth snapshot of a market.
    Snapshot(MarketId),
    /// A new order.
    Place(ClientOrderId),
    /// A cancel of one order.
    Cancel(ClientOrderId),
    /// A query of one order by our id.
    QueryOrder(ClientOrderId),
    /// All open orders of a market.
    OpenOrders(MarketId),
    /// Our trades of a market from a trade id on.
    MyTrades(MarketId),
    /// Balances.
    Account(VenueId),
}

/// A command, already authenticated by the shell.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Command {
    /// Halt and cancel everything; latched.
    Kill,
    /// No new orders, at one venue or everywhere.
    Halt(Option<VenueId>),
    /// Only orders that make a position smaller.
    Reduce,
    /// Trade again.
    Resume,
    /// Cancel working orders, at one venue or everywhere.
    CancelAll(Option<VenueId>),
    /// Make this the active venue.
    SwitchVenue(VenueId),
    /// Lower the order rate for a while.
    SetOrderRate {
        /// Where.
        venue: VenueId,
        /// New orders a second, at least 1.
        per_second: u32,
        /// Until when.
        until_ns: Nanos,
        /// Whose.
        lease: String,
    },
    /// End such a lease early.
    ReleaseLease(String),
    /// Stop cleanly: cancel everything, then no more orders (the process is going down).
    Shutdown,
    /// Take in an order of a person.
    Submit(ParentSpec),
    /// Change one.
    Amend {
        /// Which.
        id: u32,
        /// What changes.
        change: Amendment,
    },
    /// Cancel one.
    CancelOrder(u32),
    /// Let one rest.
    PauseOrder(u32),
    /// Let it go on.
    ResumeOrder(u32),
    /// Put a limit's value in force; a looser one needs a person's signature.
    SetLimit {
        /// Which.
        name: crate::limits::LimitName,
        /// The new value: a count, or raw 1e-9.
        value: i128,
        /// Who signed it, when somebody did; the shell has verified the signature.
        signed: Option<SignedAct>,
    },
    /// A person lets a strategy go on that the throttle of repeated executions has stopped.
    Rearm {
        /// Which strategy.
        strategy: values::StrategyId,
        /// The person's name.
        actor: String,
        /// Why.
        reason: String,
    },
    /// A person accepts a difference: a balance has moved by other means than trading, or fills that
    /// the venue counts and never tells did not happen.
    AcceptBreak {
        /// Which break.
        id: u32,
        /// The person's name.
        actor: String,
        /// Why.
        reason: String,
    },
    /// Let a strategy go on with other parameters of the same kind.
    SetParameters {
        /// Which strategy.
        strategy: values::StrategyId,
        /// What it does from now on.
        kind: crate::config::StrategyKind,
    },
}

/// What of an order that the core keeps is to change; what is not given stays.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Amendment {
    /// A new limit price.
    pub limit: Option<Price>,
    /// A new quantity, all told: what is filled already counts.
    pub quantity: Option<Quantity>,
    /// A new trigger of a stop.
    pub trigger: Option<Price>,
}

/// What a strategy's own process says, or what is heard of it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum StrategyTold<'a> {
    /// It is connected.
    Up,
    /// It is gone.
    Down,
    /// It lives and wants nothing.
    Alive,
    /// What it wants.
    Intents {
        /// The core's time of the update that it answers.
        asked_ns: Nanos,
        /// Where, and what.
        wishes: &'a [(MarketId, Intent)],
    },
}

/// A person's signature over one act.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SignedAct {
    /// Whose key it was, by its name in the file of allowed keys.
    pub person: String,
    /// Makes the act good once.
    pub nonce: String,
    /// Until when it is good.
    pub until_ns: Nanos,
    /// Ed25519 over the act's text, hexadecimal.
    pub signature: String,
}

/// What happened. Every event has been journaled as raw bytes before the core is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Changed levels of a book; absolute quantities.
    DepthDiff {
        /// Which book.
        market: MarketId,
        /// `U`.
        first_update_id: u64,
        /// `u`.
        final_update_id: u64,
        /// `pu`, futures only.
        previous_update_id: Option<u64>,
        /// Bid levels.
        bids: &'a [Level],
        /// Ask levels.
        asks: &'a [Level],
        /// Venue's event time.
        ts_event_ns: Nanos,
    },
    /// A whole book down to some depth, best first.
    DepthSnapshot {
        /// Which book.
        market: MarketId,
        /// `lastUpdateId`.
        last_update_id: u64,
        /// Bid levels, best first.
        bids: &'a [Level],
        /// Ask levels, best first.
        asks: &'a [Level],
    },
    /// A public trade.
    Trade {
        /// Where.
        market: MarketId,
        /// The venue's number.
        trade_id: u64,
        /// At what price.
        price: Price,
        /// How much.
        quantity: Quantity,
        /// Whether the seller took.
        buyer_is_maker: bool,
        /// Venue's event time.
        ts_event_ns: Nanos,
    },
    /// The best bid and offer.
    BookTicker {
        /// Where.
        market: MarketId,
        /// Numbered like the book's updates.
        update_id: u64,
        /// Best bid.
        bid: Level,
        /// Best offer.
        ask: Level,
    },
    /// The venue answered a ping on a channel: alive, though the market may be quiet.
    Heartbeat {
        /// Who.
        venue: VenueId,
        /// On which socket.
        channel: Channel,
    },
    /// A new process life begins: whatever was in flight is of unknown fate, no socket is up.
    Started,
    /// A frame could not be read, so something was missed.
    Malformed {
        /// From whom.
        venue: VenueId,
        /// On which socket.
        channel: Channel,
    },
    /// A socket is connected and subscribed.
    ChannelUp {
        /// With whom.
        venue: VenueId,
        /// Which socket.
        channel: Channel,
    },
    /// A socket is gone.
    ChannelDown {
        /// With whom.
        venue: VenueId,
        /// Which socket.
        channel: Channel,
    },
    /// The venue's word on an order of ours, pushed or in answer to `Place`, `Cancel`, `QueryOrder`.
    Order {
        /// Who says so.
        venue: VenueId,
        /// What it says.
        report: OrderReport,
    },
    /// A request failed.
    Failed {
        /// With whom.
        venue: VenueId,
        /// What it was about.
        purpose: Purpose,
        /// How.
        failure: RequestFailure,
    },
    /// All our open orders of a market, in answer to `OpenOrders`.
    OpenOrders {
        /// Where.
        market: MarketId,
        /// What rests there.
        reports: &'a [OrderReport],
    },
    /// Our trades of a market, in answer to `MyTrades`, oldest first.
    MyTrades {
        /// Where.
        market: MarketId,
        /// What traded.
        trades: &'a [OwnTrade],
    },
    /// Our balances, in answer to `Account`: total (free and locked) of base and quote.
    Account {
        /// Where.
        venue: VenueId,
        /// Which market's currencies these are.
        market: MarketId,
        /// Total of the base currency.
        base: Quantity,
        /// Total of the quote currency.
        quote: values::Money,
    },
    /// Somebody with the right to says so.
    Command(&'a Command),
    /// Time passed; at least every 10 ms.
    Timer,
    /// A strategy's own process says so.
    Strategy {
        /// Whose.
        strategy: StrategyId,
        /// What it says.
        told: StrategyTold<'a>,
    },
    /// A strategy is to go on with this model.
    Model {
        /// Which strategy.
        strategy: StrategyId,
        /// The model's name in the registry.
        name: &'a str,
        /// The bytes of its ONNX file.
        bytes: &'a [u8],
        /// Whether its scores are computed outside of the core.
        is_outside: bool,
    },
    /// What a model said that is computed outside.
    Score {
        /// Which strategy asked.
        strategy: StrategyId,
        /// About which market.
        market: MarketId,
        /// The bits of the signal, a 32-bit float; no number when nothing could be computed.
        bits: u32,
    },
    /// A message about a book whose snapshot comes in the stream.
    Book {
        /// Which book.
        market: MarketId,
        /// What it says, with its proofs.
        part: BookPart<'a>,
        /// Venue's event time; 0 when the message has none.
        ts_event_ns: Nanos,
    },
    /// The number of a message, from a venue that counts all messages of a connection. Comes before
    /// what the message says.
    Sequenced {
        /// Who counts.
        venue: VenueId,
        /// The message's number.
        number: u64,
        /// The heartbeat's own number, when it is one.
        heartbeat: Option<u64>,
    },
    /// One order of a book told order by order.
    RestingOrder {
        /// Which book.
        market: MarketId,
        /// What happened to it.
        change: OrderChange,
        /// Venue's event time.
        ts_event_ns: Nanos,
    },
    /// A frame that named one instrument and no other could not be read.
    MalformedOf {
        /// Which instrument.
        market: MarketId,
    },
    /// The venue confirmed a subscription to so many levels a side.
    Depth {
        /// Which book.
        market: MarketId,
        /// How many; levels that fall out of it are never removed by the venue.
        depth: usize,
    },
}
