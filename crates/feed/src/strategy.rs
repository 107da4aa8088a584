//! What the core sees in, as a strategy's own process is told it; what that process says out.
//!
//! Both directions are flat `i64`, little-endian, so that a reader in any language needs no library
//! and nothing is copied level by level. The first number is the kind.
//!
//! To the strategy: book `1 market now bid bid_quantity ask ask_quantity position orders`, then for
//! each of its open orders `id sells price remaining`; trade `2 market now price quantity
//! seller_took`; fill `3 market now id sells price quantity fee position`; timer `4 0 now`.
//!
//! From the strategy: up `1`, down `2`, alive `3`, intents `4 asked`, then for each
//! `0 market sells price quantity life` (place) or `1 market id 0 0 0` (cancel).

use engine::Engine;
use engine::event::{Side, StrategyTold, TimeInForce};
use engine::risk::{Intent, PlaceIntent};
use values::{ClientOrderId, MarketId, Nanos, Price, Quantity, StrategyId};

/// Kinds of messages to a strategy.
pub const BOOK: i64 = 1;
/// A public trade.
pub const TRADE: i64 = 2;
/// A fill of its own order.
pub const FILL: i64 = 3;
/// Time passed.
pub const TIMER: i64 = 4;
/// It is connected.
pub const UP: [u8; 8] = 1_i64.to_le_bytes();
/// It is gone.
pub const DOWN: [u8; 8] = 2_i64.to_le_bytes();

const WISH: usize = 6;

/// A client order id as one number.
pub fn number_of(id: ClientOrderId) -> i64 {
    (i64::from(id.run) << 32) | i64::from(id.number)
}

/// Appends numbers as bytes.
pub fn put(message: &mut Vec<u8>, numbers: &[i64]) {
    message.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

/// Writes a market as it stands over what `message` held; false while there is no book.
pub fn write_book(
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
        (2, 0) => Some(StrategyTold::Down),
        (3, 0) => Some(StrategyTold::Alive),
        (4, left) if left % WISH == 1 => {
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
