//! What the core sees in, as a strategy's own process is told it; what that process says out.
//!
//! Both directions are flat `i64`, little-endian, so that a reader in any language needs no library
//! and nothing is copied level by level. The first number is the kind.
//!
//! To the strategy: book `1 market now bid bid_quantity ask ask_quantity position orders`, then for
//! each of its open orders `id sells price remaining`; trade `2 market now price quantity
//! seller_took`; fill `3 market now id sells price quantity fee position`; timer `4 0 now`.
//!
//! From the strategy: up `1`, down `2` (and then why, in words, padded with spaces), alive `3`, intents `4 asked`, then for each
//! `0 market sells price quantity life` (place) or `1 market id 0 0 0` (cancel).

use crate::core::Traded;
use engine::Engine;
use engine::event::{Side, StrategyTold, TimeInForce};
use engine::risk::{Intent, PlaceIntent};
use values::{ClientOrderId, MarketId, Nanos, Price, Quantity, StrategyId};

/// Kinds of messages to a strategy.
const BOOK: i64 = 1;
/// A public trade.
const TRADE: i64 = 2;
/// A fill of its own order.
const FILL: i64 = 3;
/// Time passed.
const TIMER: i64 = 4;
/// It is connected.
pub const UP: [u8; 8] = 1_i64.to_le_bytes();
/// It is gone.
pub const DOWN: [u8; 8] = 2_i64.to_le_bytes();
/// Its answer: what it wants.
const INTENTS: i64 = 4;

const WISH: usize = 6;

/// A client order id as one number.
pub fn number_of(id: ClientOrderId) -> i64 {
    (i64::from(id.run) << 32) | i64::from(id.number)
}

/// Appends numbers as bytes.
pub(crate) fn put(message: &mut Vec<u8>, numbers: &[i64]) {
    message.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

/// Writes a market as it stands over what `message` held; false while there is no book.
fn write_book(
    message: &mut Vec<u8>,
    engine: &Engine,
    strategy: StrategyId,
    market: MarketId,
    now_ns: Nanos,
) -> bool {
    message.clear();
    let Some((bid, ask)) = engine.market(market).top() else { return false };
    let position = engine.strategy_position(market, strategy).quantity().0;
    let own = engine.orders().open().iter();
    let own = own.filter(|o| o.new.market == market && o.new.strategy == strategy);
    let head = [BOOK, i64::from(market.0), now_ns, bid.price.0, bid.quantity.0, ask.price.0];
    put(message, &head);
    put(message, &[ask.quantity.0, position, 0]);
    let mut orders = 0_i64;
    for order in own {
        orders += 1;
        let sells = i64::from(order.new.side == Side::Sell);
        let id = number_of(order.new.client_order_id);
        put(message, &[id, sells, order.new.price.0, order.exposure().0]);
    }
    message[64..72].copy_from_slice(&orders.to_le_bytes());
    true
}

/// What one strategy has been told, so that it is told only what changed.
pub struct Teller {
    strategy: StrategyId,
    message: Vec<u8>,
    /// The last word on each market.
    told: Vec<Vec<u8>>,
}

/// Where a book's message tells more than kind, market and time.
const CONTENT: usize = 24;

impl Teller {
    /// Nothing is told yet.
    pub fn new(strategy: StrategyId, markets: usize) -> Teller {
        let told = vec![Vec::with_capacity(512); markets];
        Teller { strategy, message: Vec::with_capacity(512), told }
    }

    /// Whom.
    pub fn strategy(&self) -> StrategyId {
        self.strategy
    }

    /// A market as it stands; `None` while it has no book, or stands as it was told.
    pub fn book(&mut self, engine: &Engine, market: MarketId, now_ns: Nanos) -> Option<&[u8]> {
        let Teller { message, told, strategy } = self;
        let told = told.get_mut(market.index())?;
        if !write_book(message, engine, *strategy, market, now_ns)
            || told.as_slice() == &message[CONTENT..]
        {
            return None;
        }
        told.clear();
        told.extend_from_slice(&message[CONTENT..]);
        Some(message.as_slice())
    }

    /// A public trade.
    pub fn trade(&mut self, now_ns: Nanos, traded: &Traded) -> &[u8] {
        let (market, took) = (i64::from(traded.market.0), i64::from(traded.seller_took));
        self.whole(&[TRADE, market, now_ns, traded.price.0, traded.quantity.0, took])
    }

    /// An execution of an order of its own, and what it holds afterwards.
    pub fn fill(&mut self, engine: &Engine, now_ns: Nanos, fill: &OwnFill) -> &[u8] {
        let held = engine.strategy_position(fill.market, self.strategy).quantity().0;
        let (market, id) = (i64::from(fill.market.0), number_of(fill.id));
        let sells = i64::from(fill.side == Side::Sell);
        let (price, quantity) = (fill.price, fill.quantity);
        self.whole(&[FILL, market, now_ns, id, sells, price, quantity, fill.fee, held])
    }

    /// Time passed.
    pub fn timer(&mut self, now_ns: Nanos) -> &[u8] {
        self.whole(&[TIMER, 0, now_ns])
    }

    fn whole(&mut self, numbers: &[i64]) -> &[u8] {
        self.message.clear();
        put(&mut self.message, numbers);
        &self.message
    }
}

/// An execution as a strategy is told it; raw numbers.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct OwnFill {
    /// Where.
    pub market: MarketId,
    /// Of which order.
    pub id: ClientOrderId,
    /// Its side.
    pub side: Side,
    /// At what price.
    pub price: i64,
    /// How much.
    pub quantity: i64,
    /// What it cost.
    pub fee: i64,
}

/// Why a process says that it ends; empty when the message says something else.
pub fn last_words(message: &[u8]) -> String {
    let words = message.strip_prefix(&DOWN).unwrap_or_default();
    String::from_utf8_lossy(words).trim().to_owned()
}

/// Whether a strategy says what it wants.
pub fn is_answer(message: &[u8]) -> bool {
    message.starts_with(&INTENTS.to_le_bytes())
}

/// Reads what a strategy says; wishes are put over what the buffer held. `None` when it is no message
/// of this version.
pub fn read<'w>(bytes: &[u8], wishes: &'w mut Vec<(MarketId, Intent)>) -> Option<StrategyTold<'w>> {
    wishes.clear();
    let (numbers, rest) = bytes.as_chunks::<8>();
    let mut numbers = numbers.iter().map(|bytes| i64::from_le_bytes(*bytes));
    if !rest.is_empty() {
        return None;
    }
    match (numbers.next()?, numbers.len()) {
        (1, 0) => Some(StrategyTold::Up),
        (2, _) => Some(StrategyTold::Down),
        (3, 0) => Some(StrategyTold::Alive),
        (INTENTS, left) if left % WISH == 1 => {
            let asked_ns = numbers.next()?;
            while let Some(kind) = numbers.next() {
                let mut next = || numbers.next();
                let wish = [next()?, next()?, next()?, next()?, next()?];
                wishes.push(read_wish(kind, wish)?);
            }
            Some(StrategyTold::Intents { asked_ns, wishes })
        }
        _ => None,
    }
}

fn read_wish(
    kind: i64,
    [market, a, price, quantity, life]: [i64; 5],
) -> Option<(MarketId, Intent)> {
    let market = MarketId(u8::try_from(market).ok()?);
    let intent = match kind {
        0 => Intent::Place(PlaceIntent {
            side: if a == 0 { Side::Buy } else { Side::Sell },
            price: Price(price),
            quantity: Quantity(quantity),
            time_in_force: match life {
                0 => TimeInForce::PostOnly,
                1 => TimeInForce::GoodTillCancel,
                2 => TimeInForce::ImmediateOrCancel,
                3 => TimeInForce::FillOrKill,
                _ => return None,
            },
        }),
        1 => Intent::Cancel(ClientOrderId { run: (a >> 32) as u32, number: a as u32 }),
        _ => return None,
    };
    Some((market, intent))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(numbers: &[i64]) -> Vec<u8> {
        let mut found = Vec::new();
        put(&mut found, numbers);
        found
    }

    #[test]
    fn intents_are_read_and_anything_else_is_refused() {
        let mut wishes = Vec::new();
        let id = ClientOrderId { run: 7, number: 9 };
        let told = bytes(&[4, 100, 0, 1, 1, 50, 5, 2, 1, 1, number_of(id), 0, 0, 0]);
        let Some(StrategyTold::Intents { asked_ns: 100, wishes }) = read(&told, &mut wishes) else {
            panic!("these are intents");
        };
        let side = Side::Sell;
        let (price, quantity) = (Price(50), Quantity(5));
        let time_in_force = TimeInForce::ImmediateOrCancel;
        let place = PlaceIntent { side, price, quantity, time_in_force };
        let market = MarketId(1);
        assert_eq!(wishes, [(market, Intent::Place(place)), (market, Intent::Cancel(id))]);
        let mut other = Vec::new();
        for wrong in [&[4][..], &[4, 1, 0], &[9], &[], &[4, 1, 0, 300, 0, 1, 1, 0]] {
            assert_eq!(read(&bytes(wrong), &mut other), None, "{wrong:?}");
        }
        assert_eq!(read(&[1, 2, 3], &mut other), None);
        assert_eq!(read(&UP, &mut other), Some(StrategyTold::Up));
    }
}
