//! Messages of the market and requests of orders take no memory in the steady state.

use engine::cross_check::Top;
use engine::event::{Event, Side, TimeInForce};
use engine::market::{Change, Diff, Market};
use engine::output::NewOrder;
use feed::binance::{Decoder, Frame, Instrument, Requests};
use std::fmt::Write as _;
use values::{ClientOrderId, MarketId, Price, Quantity, StrategyId, VenueId};

#[global_allocator]
static ALLOCATOR: allocation::Counting = allocation::Counting;

fn play(decoder: &mut Decoder, market: &mut Market, bytes: &[u8]) -> Change {
    match decoder.market(bytes) {
        Ok(Frame::Event(Event::DepthDiff {
            first_update_id,
            final_update_id,
            previous_update_id,
            bids,
            asks,
            ..
        })) => {
            let diff = Diff { first_update_id, final_update_id, previous_update_id, bids, asks };
            market.on_diff(1, &diff)
        }
        Ok(Frame::Event(Event::BookTicker { update_id, bid, ask, .. })) => {
            market.on_ticker(1, Top { update_id, bid, ask })
        }
        Ok(Frame::Event(Event::DepthSnapshot { last_update_id, bids, asks, .. })) => {
            market.on_snapshot(last_update_id, bids, asks)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn live_market_and_order_requests_allocate_nothing() {
    let instrument = Instrument {
        market: MarketId(0),
        symbol: "BTCUSDT".into(),
        base: "BTC".into(),
        quote: "USDT".into(),
    };
    let mut decoder = Decoder::new(VenueId(0), vec![instrument]);
    let requests = Requests::new("127.0.0.1:9001", "key", "secret", 5_000_000_000).unwrap();
    let order = NewOrder {
        client_order_id: ClientOrderId { run: 1_723_161_253, number: 42 },
        market: MarketId(0),
        strategy: StrategyId(0),
        side: Side::Buy,
        price: Price(61_837_630_000_000),
        quantity: Quantity(10_000_000),
        time_in_force: TimeInForce::PostOnly,
    };
    let (mut market, mut request) = (Market::new(), Vec::with_capacity(1_024));
    let (mut depth, mut ticker) = (String::with_capacity(1_024), String::with_capacity(1_024));
    market.on_channel_up(1);
    let mut counted = 0;
    for id in 1..=20_000_u64 {
        // Prices wander, so that levels come, go and come again.
        let (bid, ask) = (60_000 - id * 7 % 900, 60_001 + id * 11 % 900);
        let (gone_bid, gone_ask) = (60_000 - (id * 7 + 700) % 900, 60_001 + (id * 11 + 70) % 900);
        depth.clear();
        ticker.clear();
        write!(depth, r#"{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":{id},"u":{id},"b":[["{bid}.5","1.5"],["{gone_bid}.5","0"]],"a":[["{ask}.00000000","0.5"],["{gone_ask}.00","0.0"]]}}}}"#).unwrap();
        let before = allocation::taken();
        play(&mut decoder, &mut market, depth.as_bytes());
        let between = allocation::taken();
        if let Some((bid, ask)) = market.book().top() {
            let (b, a) = (bid.price, ask.price);
            let (bq, aq) = (bid.quantity, ask.quantity);
            write!(
                ticker,
                r#"{{"u":{id},"s":"BTCUSDT","b":"{b}","B":"{bq}","a":"{a}","A":"{aq}"}}"#
            )
            .unwrap();
        }
        assert_eq!(allocation::taken(), between, "the test itself");
        if !ticker.is_empty() {
            play(&mut decoder, &mut market, ticker.as_bytes());
        }
        requests.place(&mut request, "BTCUSDT", &order, 1_723_161_253_937_085_768);
        requests.cancel(&mut request, "BTCUSDT", order.client_order_id, 1_723_161_253_937_085_768);
        if id == 1 {
            let book = r#"{"lastUpdateId":1,"bids":[["50000.5","1"]],"asks":[["70000","1"]]}"#;
            assert_eq!(play(&mut decoder, &mut market, book.as_bytes()), Change::Updated);
        } else if id > 100 {
            counted += allocation::taken() - before;
        }
    }
    assert!(market.counters().diffs_applied > 19_000, "{:?}", market.counters());
    assert_eq!(counted, 0);
}
