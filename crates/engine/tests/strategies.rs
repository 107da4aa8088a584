//! Both strategies in random markets with random positions and orders of their own.

mod desk;

use desk::{LOT, TICK, market};
use engine::event::{Level, Side, TimeInForce};
use engine::order::Order;
use engine::output::NewOrder;
use engine::risk::{Intent, PlaceIntent};
use engine::strategy::{View, market_maker, momentum};
use proptest::prelude::*;
use values::{ClientOrderId, MarketId, Price, Quantity, SCALE, StrategyId};

fn own(number: u32, strategy: u8, side: Side, price: i64) -> Order {
    let new = NewOrder {
        client_order_id: ClientOrderId { run: 1, number },
        market: MarketId(0),
        strategy: StrategyId(strategy),
        side,
        price: Price(price),
        quantity: Quantity(3 * LOT),
        time_in_force: TimeInForce::PostOnly,
    };
    Order::new(new, 0)
}

fn places(intents: &[Intent]) -> Vec<PlaceIntent> {
    let places = intents.iter().filter_map(|intent| match intent {
        Intent::Place(place) | Intent::Route(place) => Some(*place),
        _ => None,
    });
    places.collect()
}

proptest! {
    #[test]
    fn quotes_never_take_never_meet_and_never_pass_the_limit(
        bid in 1_000_000i64..2_000_000,
        spread in 1i64..500,
        held in -30i64..=30,
        half_spread_ppm in 1u32..2_000,
        skew_ppm in 0u32..5_000,
        others in proptest::collection::vec((any::<bool>(), 900_000i64..2_100_000), 0..3),
        is_active in any::<bool>(),
    ) {
        let limits = market(0);
        let orders: Vec<Order> = others
            .iter()
            .enumerate()
            .map(|(index, (buys, price))| {
                let side = if *buys { Side::Buy } else { Side::Sell };
                own(index as u32, 1, side, price * TICK)
            })
            .collect();
        let level = |price: i64| Level { price: Price(price * TICK), quantity: Quantity(SCALE) };
        let view = View {
            now_ns: 0,
            market: MarketId(0),
            strategy: StrategyId(0),
            limits: &limits,
            bid: level(bid),
            ask: level(bid + spread),
            microprice: Price((2 * bid + spread) * TICK / 2),
            is_update: true,
            is_active,
            position: Quantity(held * LOT),
            position_all_venues: Quantity(held * LOT),
            position_market: Quantity(held * LOT),
            open_all_venues: 0,
            orders: &orders,
            book: &engine::book::Book::new(),
        };
        let settings = market_maker::Settings {
            half_spread_ppm,
            quantity: Quantity(12 * LOT),
            skew_ppm,
            requote_ppm: 50,
        };
        let mut intents = Vec::new();
        market_maker::quote(&settings, &view, &mut intents);
        let quotes = places(&intents);
        for quote in &quotes {
            prop_assert_eq!(quote.price.0 % TICK, 0);
            prop_assert_eq!(quote.time_in_force, TimeInForce::PostOnly);
            let size = if is_active { 12 * LOT } else { 3 * LOT };
            prop_assert!(quote.quantity <= Quantity(size));
            prop_assert!(quote.quantity <= view.room(quote.side));
            let (best, opposite) = match quote.side {
                Side::Buy => (-quote.price.0, Side::Sell),
                Side::Sell => (quote.price.0, Side::Buy),
            };
            let touch = if quote.side == Side::Buy { -view.ask.price.0 } else { view.bid.price.0 };
            prop_assert!(best > touch, "takes");
            if let Some(own) = view.own_best(opposite) {
                let own = if quote.side == Side::Buy { -own.0 } else { own.0 };
                prop_assert!(best > own, "meets our own order");
            }
        }
        if let [first, second] = quotes[..] {
            prop_assert!(first.price < second.price);
        }
        prop_assert!(held < 30 || quotes.iter().all(|quote| quote.side == Side::Sell));
    }

    #[test]
    fn momentum_never_takes_through_our_own_quotes_nor_holds_more_than_its_size(
        steps in proptest::collection::vec(-60i64..60, 50..300),
        own_distance in 0i64..40,
    ) {
        let limits = market(0);
        let mut memory = momentum::Memory::new(3, 12, 1, 1);
        let settings = momentum::Settings {
            trigger_ppm: 20,
            quantity: Quantity(8 * LOT),
            cooldown_ns: 3,
        };
        let (mut bid, mut held) = (1_000_000i64, 0i64);
        for (turn, step) in steps.iter().enumerate() {
            bid += step;
            let orders = [
                own(1, 1, Side::Buy, (bid - own_distance) * TICK),
                own(2, 1, Side::Sell, (bid + 2 + own_distance) * TICK),
            ];
            let level = |price: i64| Level { price: Price(price * TICK), quantity: Quantity(SCALE) };
            let view = View {
                now_ns: turn as i64,
                market: MarketId(0),
                strategy: StrategyId(0),
                limits: &limits,
                bid: level(bid),
                ask: level(bid + 2),
                microprice: Price((bid + 1) * TICK),
                is_update: true,
                is_active: true,
                position: Quantity(held),
                position_all_venues: Quantity(held),
                position_market: Quantity(held),
                open_all_venues: 0,
                orders: &orders,
                book: &engine::book::Book::new(),
            };
            let mut intents = Vec::new();
            momentum::take(&settings, &mut memory, &view, &mut intents);
            for order in places(&intents) {
                prop_assert_eq!(order.price.0 % TICK, 0);
                match order.side {
                    Side::Buy => {
                        prop_assert!(order.price >= view.ask.price && order.price < orders[1].new.price);
                        held += order.quantity.0;
                    }
                    Side::Sell => {
                        prop_assert!(order.price <= view.bid.price && order.price > orders[0].new.price);
                        held -= order.quantity.0;
                    }
                }
            }
            prop_assert!(held.abs() <= 8 * LOT);
        }
    }
}
