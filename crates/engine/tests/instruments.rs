//! Several instruments: a strategy trades its own, and positions add up per instrument.

mod desk;

use desk::{Desk, LOT, config, maker, momentum, placed};
use engine::config::CoreConfig;
use engine::event::{Command, Side, VenueOrderStatus};
use values::{MarketId, VenueId};

/// The backup venue lists another instrument than the primary.
fn two_instruments(config: CoreConfig) -> CoreConfig {
    let mut config = CoreConfig { instruments: vec!["BTC".into(), "ETH".into()], ..config };
    config.markets[1].instrument = 1;
    config
}

#[test]
fn strategy_trades_its_instruments_only() {
    for (instruments, expected) in
        [(vec![], vec![0, 1]), (vec![0], vec![0]), (vec![1], vec![1]), (vec![0, 1], vec![0, 1])]
    {
        let mut config = two_instruments(config(vec![maker()]));
        config.strategies[0].instruments = instruments;
        let mut desk = Desk::ready(config);
        let mut traded: Vec<u8> = Vec::new();
        for market in [MarketId(0), MarketId(1)] {
            traded.extend(placed(&desk.tick(market, 1)).iter().map(|new| new.market.0));
        }
        traded.dedup();
        assert_eq!(traded, expected);
    }
}

/// Lets the price rise until the momentum strategy buys; what it bought, in lots.
fn bought(desk: &mut Desk, market: MarketId) -> i64 {
    for _ in 0..40 {
        desk.now_ns += 10_000_000;
        if let Some(new) = placed(&desk.tick(market, 100)).first() {
            assert_eq!(new.side, Side::Buy);
            desk.report(new, VenueOrderStatus::Filled, new.quantity.0, new.quantity.0);
            return new.quantity.0 / LOT;
        }
    }
    0
}

#[test]
fn position_counts_over_venues_for_the_same_instrument_and_not_for_another() {
    for (is_same, expected) in [(true, 0), (false, 8)] {
        let config = config(vec![momentum()]);
        let mut desk = Desk::ready(if is_same { config } else { two_instruments(config) });
        assert_eq!(bought(&mut desk, MarketId(0)), 8);
        desk.command(&Command::SwitchVenue(VenueId(1)));
        assert_eq!(bought(&mut desk, MarketId(1)), expected, "same instrument: {is_same}");
    }
}

#[test]
fn market_of_an_instrument_that_is_not_there_is_refused() {
    let mut config = two_instruments(config(vec![maker()]));
    config.markets[1].instrument = 2;
    assert_eq!(config.problem(), Some("market 1: there is no instrument 2".to_owned()));
}
