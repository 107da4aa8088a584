//! Reading the messages of every venue and keeping its book takes no memory once the buffers have
//! grown.

use engine::event::Event;
use engine::market::{Market, MarketStatus};
use engine::protocol::Protocol;
use feed::decoder::MarketDecoder;

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

const MESSAGES: u64 = 5_000;
const WARM_UP: usize = 500;

/// The CRC32 that a book of one bid and one ask has.
fn crc(text: &str) -> u32 {
    let mut hash = flate2::Crc::new();
    hash.update(text.as_bytes());
    hash.sum()
}

/// A message about a book of one bid, whose quantity is `id`, and one ask.
fn message(protocol: Protocol, id: u64) -> String {
    let is_first = id == 1;
    let kind = if is_first { "snapshot" } else { "update" };
    match protocol {
        Protocol::Coinbase => format!(
            r#"{{"channel":"l2_data","timestamp":"2026-08-09T21:05:48.228568804Z","sequence_num":{id},"events":[{{"type":"{kind}","product_id":"A","updates":[{{"side":"bid","price_level":"100.5","new_quantity":"{id}"}},{{"side":"offer","price_level":"101.5","new_quantity":"2"}}]}}]}}"#
        ),
        Protocol::Kraken => {
            let sum = crc(&format!("10152000000001005{id}00000000"));
            format!(
                r#"{{"channel":"book","type":"{kind}","data":[{{"symbol":"A","bids":[{{"price":100.5,"qty":{id}.00000000}}],"asks":[{{"price":101.5,"qty":2.00000000}}],"checksum":{sum},"timestamp":"2026-08-09T21:05:48.228568Z"}}]}}"#
            )
        }
        Protocol::Okx => {
            let previous = if is_first { -1 } else { id as i64 - 1 };
            format!(
                r#"{{"arg":{{"channel":"books","instId":"A"}},"action":"{kind}","data":[{{"asks":[["101.5","2","0","1"]],"bids":[["100.5","{id}","0","1"]],"ts":"1789000000000","checksum":0,"seqId":{id},"prevSeqId":{previous}}}]}}"#
            )
        }
        Protocol::Bitstamp => {
            let channel = if is_first { "order_book_snapshot" } else { "diff_order_book" };
            let time = 1_789_000_000_000_000 + id;
            format!(
                r#"{{"event":"data","channel":"{channel}_a","data":{{"timestamp":"1","microtimestamp":"{time}","bids":[["100.5","{id}"]],"asks":[["101.5","2"]]}}}}"#
            )
        }
        _ => unreachable!("{protocol:?} has a test of its own"),
    }
}

#[test]
fn books_of_every_venue_are_kept_without_taking_memory() {
    for protocol in [Protocol::Coinbase, Protocol::Kraken, Protocol::Okx, Protocol::Bitstamp] {
        let messages: Vec<String> = (1..=MESSAGES).map(|id| message(protocol, id)).collect();
        let mut decoder = MarketDecoder::discovering(protocol);
        let mut market = Market::of(protocol);
        market.on_channel_up(1);
        let mut counted = 0;
        for (count, bytes) in messages.iter().enumerate() {
            let before = allocation::taken();
            let told = decoder.market(bytes.as_bytes(), |event: &Event<'_>| {
                market.on_event(1, event);
            });
            let taken = allocation::taken() - before;
            assert!(told.is_ok(), "{protocol:?}: {told:?}");
            counted += if count > WARM_UP { taken } else { 0 };
        }
        assert_eq!(market.status(), MarketStatus::Live, "{protocol:?}");
        assert!(market.counters().diffs_applied > MESSAGES - 10, "{:?}", market.counters());
        assert_eq!(counted, 0, "{protocol:?}");
    }
}
