//! Frames of venues that are only looked at, through the core, take no memory in the steady state.

use engine::config::{CoreConfig, MarketConfig, VenueConfig};
use engine::event::{Channel, Purpose};
use engine::market::MarketStatus;
use engine::protocol::Protocol;
use feed::core::Core;
use feed::input::Input;
use std::fmt::Write as _;
use values::{MarketId, Money, Price, Quantity, VenueId};

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

const T: &str = "2026-08-09T21:05:48.228568804Z";
const VENUES: [(Protocol, &str); 5] = [
    (Protocol::BinanceSpot, "BTCUSDT"),
    (Protocol::Coinbase, "BTC-USD"),
    (Protocol::Kraken, "BTC/USD"),
    (Protocol::Okx, "BTC-USDT"),
    (Protocol::Bitstamp, "btcusd"),
];

fn config() -> CoreConfig {
    let venue = |(index, &(protocol, _)): (usize, &(Protocol, &str))| VenueConfig {
        name: format!("{protocol:?}"),
        stale_after_ns: 250_000_000,
        receive_window_ns: 2_000_000_000,
        order_rate_per_second: 8,
        breaker_failures: 5,
        breaker_window_ns: 2_000_000_000,
        breaker_backoff_ns: 500_000_000,
        breaker_backoff_ns_max: 8_000_000_000,
        protocol,
        is_data_only: index > 0,
    };
    let market = |(venue, &(_, symbol)): (u8, &(Protocol, &str))| MarketConfig {
        venue,
        symbol: symbol.into(),
        base: "BTC".into(),
        quote: "USD".into(),
        tick: Price(10_000_000),
        lot: Quantity(10_000),
        ..MarketConfig::default()
    };
    CoreConfig {
        run: 1,
        venues: VENUES.iter().enumerate().map(venue).collect(),
        markets: (0..).zip(&VENUES).map(market).collect(),
        loss_max: Money(1 << 80),
        ..CoreConfig::default()
    }
}

/// CRC32 as Kraken uses it.
fn crc32(text: &str) -> u32 {
    !text.bytes().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 }
        })
    })
}

/// The frame number `n` of a venue; the first is the whole book where the stream brings it.
fn write_frame(text: &mut String, protocol: Protocol, n: u64) {
    let is_first = n == 1;
    let (size, kind) = (n % 7 + 1, if is_first { "snapshot" } else { "update" });
    let _ = match protocol {
        Protocol::Coinbase => write!(
            text,
            r#"{{"channel":"l2_data","timestamp":"{T}","sequence_num":{n},"events":[{{"type":"{kind}","product_id":"BTC-USD","updates":[{{"side":"bid","price_level":"100.5","new_quantity":"{size}"}},{{"side":"offer","price_level":"101.5","new_quantity":"2"}}]}}]}}"#
        ),
        Protocol::Kraken => {
            let sum = crc32(&format!("10152000000001005{size}00000000"));
            let asks = if is_first { r#"{"price":101.5,"qty":2.00000000}"# } else { "" };
            write!(
                text,
                r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"BTC/USD","bids":[{{"price":100.5,"qty":{size}.00000000}}],"asks":[{asks}],"checksum":{sum},"timestamp":"{T}"}}]}}"#
            )
        }
        Protocol::Okx => {
            let previous = if is_first { -1 } else { n as i64 - 1 };
            write!(
                text,
                r#"{{"arg":{{"channel":"books","instId":"BTC-USDT"}},"action":"{kind}","data":[{{"asks":[["101.5","2","0","1"]],"bids":[["100.5","{size}","0","1"]],"ts":"1723161255208","checksum":0,"seqId":{n},"prevSeqId":{previous}}}]}}"#
            )
        }
        _ => write!(
            text,
            r#"{{"data":{{"timestamp":"1","microtimestamp":"{}","bids":[["100.5","{size}"]],"asks":[["101.5","2"]]}},"channel":"diff_order_book_btcusd","event":"data"}}"#,
            1_723_161_255_208_000 + n
        ),
    };
}

#[test]
fn books_of_all_venues_are_kept_without_taking_memory() {
    let mut core = Core::new(config()).unwrap();
    let (mut outputs, mut text) = (Vec::with_capacity(64), String::with_capacity(4_096));
    for index in 1..VENUES.len() as u8 {
        let (venue, channel) = (VenueId(index), Channel::Market);
        core.apply(1, &Input::ChannelUp { venue, channel }, &mut outputs).unwrap();
    }
    let (mut counted, mut now_ns) = (0, 1);
    for n in 1..=5_000_u64 {
        for (index, (protocol, _)) in VENUES.iter().enumerate().skip(1) {
            text.clear();
            write_frame(&mut text, *protocol, n);
            let (venue, channel) = (VenueId(index as u8), Channel::Market);
            now_ns += 1_000;
            outputs.clear();
            let before = allocation::taken();
            let input = Input::Frame { venue, channel, bytes: text.as_bytes() };
            core.apply(now_ns, &input, &mut outputs).unwrap();
            if n > 100 {
                counted += allocation::taken() - before;
            } else if n == 1 && *protocol == Protocol::Bitstamp {
                let book = r#"{"microtimestamp":"1723161255208001","bids":[["100.5","1"]],"asks":[["101.5","2"]]}"#;
                let purpose = Purpose::Snapshot(MarketId(index as u8));
                let (status, retry_after_ns, bytes) = (200, 0, book.as_bytes());
                let reply = Input::Reply { venue, purpose, status, retry_after_ns, bytes };
                core.apply(now_ns, &reply, &mut outputs).unwrap();
            }
        }
    }
    assert_eq!(counted, 0);
    for index in 1..VENUES.len() as u8 {
        let market = core.engine().market(MarketId(index));
        assert_eq!(market.status(), MarketStatus::Live, "{:?}", VENUES[usize::from(index)]);
        assert_eq!(market.counters().resyncs, 0);
        assert!(market.counters().diffs_applied > 4_900, "{:?}", market.counters());
    }
}
