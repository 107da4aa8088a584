//! One venue with one market, and the frames that make its book live.

use engine::config::{CoreConfig, MarketConfig, VenueConfig};
use engine::event::{Channel, Purpose};
use feed::input::Input;
use values::{MarketId, Money, Price, Quantity, VenueId};

pub const VENUE: VenueId = VenueId(0);
pub const MARKET: MarketId = MarketId(0);

pub fn config() -> CoreConfig {
    CoreConfig {
        run: 17,
        venues: vec![VenueConfig {
            name: "primary".into(),
            stale_after_ns: 250_000_000,
            receive_window_ns: 2_000_000_000,
            order_rate_per_second: 8,
            breaker_failures: 5,
            breaker_window_ns: 2_000_000_000,
            breaker_backoff_ns: 500_000_000,
            breaker_backoff_ns_max: 8_000_000_000,
            protocol: engine::protocol::Protocol::default(),
            is_data_only: false,
        }],
        markets: vec![MarketConfig {
            venue: 0,
            symbol: "BTCUSDT".into(),
            base: "BTC".into(),
            quote: "USDT".into(),
            tick: Price(10_000_000),
            lot: Quantity(10_000),
            quantity_min: Quantity(10_000),
            quantity_max: Quantity(1_000_000_000),
            notional_min: Money(0),
            notional_max: Money(1 << 80),
            position_max: Quantity(1_000_000_000),
            collar_ppm: 5_000,
            orders_open_max: 4,
            ..MarketConfig::default()
        }],
        strategies: Vec::new(),
        loss_max: Money(1 << 80),
        ..CoreConfig::default()
    }
}

pub fn frame(bytes: &[u8]) -> Input<'_> {
    Input::Frame { venue: VENUE, channel: Channel::Market, bytes }
}

/// The inputs of a book that goes live.
pub fn live() -> [Input<'static>; 3] {
    [
        Input::ChannelUp { venue: VENUE, channel: Channel::Market },
        frame(br#"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":5,"u":11,"b":[],"a":[]}"#),
        Input::Reply {
            venue: VENUE,
            purpose: Purpose::Snapshot(MARKET),
            status: 200,
            retry_after_ns: 0,
            bytes: br#"{"lastUpdateId":10,"bids":[["100.00","1"]],"asks":[["100.02","1"]]}"#,
        },
    ]
}
