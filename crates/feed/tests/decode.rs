//! What a venue says and what the core is told: the real forms of Binance's documentation, keys in
//! any order, and damage of every kind.

use engine::event::{
    Charge, Event, Execution, FeeAsset, Level, OrderReport, OwnTrade, Purpose, RequestFailure,
    Side, VenueOrderStatus,
};
use feed::binance::{Answer, Decoder, Frame, Instrument};
use proptest::prelude::*;
use values::{Asset, ClientOrderId, MarketId, Money, Price, Quantity, VenueId};

const VENUE: VenueId = VenueId(1);
const MARKET: MarketId = MarketId(3);
const OURS: ClientOrderId = ClientOrderId { run: 17, number: 42 };

fn decoder() -> Decoder {
    let instrument = Instrument {
        market: MARKET,
        symbol: "BTCUSDT".into(),
        base: "BTC".into(),
        quote: "USDT".into(),
    };
    Decoder::new(VENUE, vec![instrument])
}

fn raw(text: &str) -> i64 {
    Price::parse(text.as_bytes()).unwrap().0
}

fn level(price: &str, quantity: &str) -> Level {
    Level { price: Price(raw(price)), quantity: Quantity(raw(quantity)) }
}

const DEPTH: &str = r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":189,"u":202,"b":[["61737.63000000","0.00000000"],["61730.17","12"]],"a":[["61837.64000000","1.54698000"]]}}"#;
const DEPTH_FUTURES: &str = r#"{"a":[["61837.6","1"]],"b":[],"pu":180,"u":202,"U":189,"s":"BTCUSDT","T":1723161255200,"E":1723161255208,"e":"depthUpdate"}"#;
const TICKER: &str = r#"{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}"#;
const TRADE: &str = r#"{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}"#;
const SNAPSHOT: &str =
    r#"{"lastUpdateId":160,"bids":[["61837.63","1.5"],["61837.00","2"]],"asks":[["61838","3"]]}"#;
const REPORT: &str = r#"{"subscriptionId":0,"event":{"e":"executionReport","E":1723161255343,"s":"BTCUSDT","c":"PRN-17-42","S":"BUY","o":"LIMIT","f":"GTC","q":"1.00000000","p":"61837.63000000","P":"0.00000000","F":"0.00000000","g":-1,"C":"","x":"TRADE","X":"PARTIALLY_FILLED","r":"NONE","i":4293153,"l":"0.25000000","z":"0.75000000","L":"61837.60000000","n":"0.00025000","N":"BTC","T":1723161255342,"t":77,"v":3,"I":8641984,"w":true,"m":true,"M":false,"O":1723161255300,"Z":"0.1","Y":"0.1","Q":"0.0","W":1723161255300,"V":"NONE"}}"#;
const PLACED: &str = r#"{"symbol":"BTCUSDT","orderId":28,"orderListId":-1,"clientOrderId":"PRN-17-42","transactTime":1507725176595,"price":"0.00000000","origQty":"10.00000000","executedQty":"10.00000000","origQuoteOrderQty":"0.000000","cummulativeQuoteQty":"10.00000000","status":"FILLED","timeInForce":"GTC","type":"LIMIT","side":"SELL","workingTime":1507725176595,"fills":[{"price":"4000.00000000","qty":"1.00000000","commission":"4.00000000","commissionAsset":"USDT","tradeId":56},{"price":"3999.00000000","qty":"9.00000000","commission":"0.00900000","commissionAsset":"BTC","tradeId":57}],"selfTradePreventionMode":"NONE"}"#;
const CANCELLED: &str = r#"{"symbol":"BTCUSDT","origClientOrderId":"PRN-17-42","orderId":4,"orderListId":-1,"clientOrderId":"cancelMyOrder1","transactTime":1684804350068,"price":"2.00000000","origQty":"1.00000000","executedQty":"0.00000000","status":"CANCELED","timeInForce":"GTC","type":"LIMIT","side":"BUY"}"#;
const OPEN_ORDERS: &str = r#"[{"symbol":"BTCUSDT","orderId":1,"clientOrderId":"PRN-17-42","price":"0.1","origQty":"1.0","executedQty":"0.5","status":"PARTIALLY_FILLED","isWorking":true},{"symbol":"BTCUSDT","orderId":2,"clientOrderId":"web_1234","executedQty":"0.0","status":"NEW"}]"#;
const MY_TRADES: &str = r#"[{"symbol":"BTCUSDT","id":28457,"orderId":100234,"orderListId":-1,"price":"4.00000100","qty":"12.00000000","quoteQty":"48.000012","commission":"10.10000000","commissionAsset":"BNB","time":1499865549590,"isBuyer":false,"isMaker":true,"isBestMatch":true}]"#;
const ACCOUNT: &str = r#"{"makerCommission":15,"commissionRates":{"maker":"0.00150000"},"canTrade":true,"balances":[{"asset":"BTC","free":"4723846.89208129","locked":"0.5"},{"asset":"LTC","free":"1","locked":"0"},{"asset":"USDT","free":"1000000.00000000","locked":"20"}],"permissions":["SPOT"],"uid":354937868}"#;

fn order(frame: &Frame<'_>) -> OrderReport {
    match frame {
        Frame::Event(Event::Order { venue: VENUE, report }) => *report,
        other => panic!("expected a report, found {other:?}"),
    }
}

/// Every event of a reply, with reports, trades and failures told apart; and whether it was whole.
#[derive(Debug, Default, PartialEq)]
struct Told {
    reports: Vec<OrderReport>,
    trades: Vec<OwnTrade>,
    failures: Vec<RequestFailure>,
    balances: Vec<(Quantity, Money)>,
    snapshots: Vec<(u64, Vec<Level>, Vec<Level>)>,
    whole: bool,
}

fn reply(decoder: &mut Decoder, purpose: Purpose, status: u16, body: &[u8]) -> Told {
    let mut told = Told::default();
    let answer = Answer { purpose, status, retry_after_ns: 0, bytes: body };
    let outcome = decoder.reply(&answer, |event| match event {
        Event::Order { report, .. } => told.reports.push(report),
        Event::OpenOrders { reports, .. } => told.reports.extend_from_slice(reports),
        Event::MyTrades { trades, .. } => told.trades.extend_from_slice(trades),
        Event::Failed { failure, .. } => told.failures.push(failure),
        Event::Account { base, quote, .. } => told.balances.push((base, quote)),
        Event::DepthSnapshot { last_update_id, bids, asks, .. } => {
            told.snapshots.push((last_update_id, bids.to_vec(), asks.to_vec()));
        }
        other => panic!("unexpected {other:?}"),
    });
    told.whole = outcome.is_ok();
    told
}

#[test]
fn spot_and_futures_depth_are_read_wrapped_or_bare_in_any_order() {
    let mut decoder = decoder();
    assert_eq!(
        decoder.market(DEPTH.as_bytes()),
        Ok(Frame::Event(Event::DepthDiff {
            market: MARKET,
            first_update_id: 189,
            final_update_id: 202,
            previous_update_id: None,
            bids: &[level("61737.63", "0"), level("61730.17", "12")],
            asks: &[level("61837.64", "1.54698")],
            ts_event_ns: 1_723_161_255_208_000_000,
        }))
    );
    assert_eq!(
        decoder.market(DEPTH_FUTURES.as_bytes()),
        Ok(Frame::Event(Event::DepthDiff {
            market: MARKET,
            first_update_id: 189,
            final_update_id: 202,
            previous_update_id: Some(180),
            bids: &[],
            asks: &[level("61837.6", "1")],
            ts_event_ns: 1_723_161_255_208_000_000,
        }))
    );
}

#[test]
fn tickers_trades_and_snapshots_are_read() {
    let mut decoder = decoder();
    assert_eq!(
        decoder.market(TICKER.as_bytes()),
        Ok(Frame::Event(Event::BookTicker {
            market: MARKET,
            update_id: 50_093_239_212,
            bid: level("61837.63", "3.78826"),
            ask: level("61837.64", "1.54698"),
        }))
    );
    assert_eq!(
        decoder.market(TRADE.as_bytes()),
        Ok(Frame::Event(Event::Trade {
            market: MARKET,
            trade_id: 3_735_683_259,
            price: Price(raw("61837.63")),
            quantity: Quantity(raw("0.02")),
            buyer_is_maker: true,
            ts_event_ns: 1_723_161_255_343_000_000,
        }))
    );
    let told = reply(&mut decoder, Purpose::Snapshot(MARKET), 200, SNAPSHOT.as_bytes());
    let bids = vec![level("61837.63", "1.5"), level("61837", "2")];
    assert_eq!(told.snapshots, [(160, bids, vec![level("61838", "3")])]);
}

#[test]
fn answers_to_subscriptions_and_foreign_frames_are_told_apart() {
    let mut decoder = decoder();
    for (text, expected) in [
        (r#"{"result":null,"id":7}"#, Frame::Accepted { id: Some(7) }),
        (
            r#"{"error":{"code":2,"msg":"Invalid request"},"id":7}"#,
            Frame::Refused { id: Some(7), code: 2 },
        ),
        (r#"{"e":"serverShutdown","E":1}"#, Frame::Closing),
        (r#"{"e":"kline","E":1,"s":"BTCUSDT","k":{"t":1}}"#, Frame::Other),
        (r#"{"u":4,"s":"ETHUSDT","b":"1","B":"1","a":"2","A":"1"}"#, Frame::Other),
    ] {
        assert_eq!(decoder.market(text.as_bytes()), Ok(expected), "{text}");
    }
    for (text, expected) in [
        (
            r#"{"id":3,"status":200,"result":{"subscriptionId":0},"rateLimits":[]}"#,
            Frame::Accepted { id: Some(3) },
        ),
        (
            r#"{"id":3,"status":400,"error":{"code":-1021,"msg":"Timestamp"}}"#,
            Frame::Refused { id: Some(3), code: -1021 },
        ),
        (r#"{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":1}}"#, Frame::Closing),
        (
            r#"{"event":{"e":"outboundAccountPosition","E":1,"u":1,"B":[{"a":"BTC","f":"1","l":"0"}]}}"#,
            Frame::Other,
        ),
        (
            r#"{"e":"listStatus","E":1,"s":"BTCUSDT","g":2,"c":"OCO","l":"EXEC_STARTED","L":"EXECUTING","O":[{"s":"BTCUSDT","i":17,"c":"x"}]}"#,
            Frame::Other,
        ),
    ] {
        assert_eq!(decoder.user(text.as_bytes()), Ok(expected), "{text}");
    }
}

#[test]
fn frames_that_lack_or_falsify_a_field_are_refused() {
    let mut decoder = decoder();
    for (frame, from, to) in [
        (DEPTH, "\"U\":189,", ""),
        (DEPTH, "\"u\":202", "\"u\":188"),
        (DEPTH, ",\"a\":[[\"61837.64000000\",\"1.54698000\"]]", ""),
        (DEPTH, "61730.17", "-61730.17"),
        (DEPTH, "\"12\"", "\"-12\""),
        (DEPTH, "\"12\"", "\"1x2\""),
        (DEPTH, "\"61730.17\",", ""),
        (DEPTH, "\"s\":\"BTCUSDT\",", ""),
        (DEPTH, "202", "2e2"),
        (DEPTH, "202", "99999999999999999999"),
        (TICKER, "\"B\":\"3.78826000\",", ""),
        (TICKER, "3.78826000", "3.7882600000001"),
        (TRADE, "true,\"M\"", "1,\"M\""),
        (TRADE, "\"p\":\"61837.63000000\",", ""),
    ] {
        let broken = frame.replacen(from, to, 1);
        assert_ne!(broken, frame);
        assert!(decoder.market(broken.as_bytes()).is_err(), "{broken}");
    }
    assert!(decoder.market(b"{}").is_err());
    assert_eq!(decoder.market(b"[1,2]").map_err(|error| error.position), Err(0));
}

#[test]
fn execution_report_carries_the_fill_with_its_fee_in_the_quote_currency() {
    let report = order(&decoder().user(REPORT.as_bytes()).unwrap());
    let expected = OrderReport {
        client_order_id: OURS,
        venue_order_id: 4_293_153,
        status: VenueOrderStatus::PartiallyFilled,
        cumulative_quantity: Quantity(raw("0.75")),
        execution: Some(Execution {
            trade_id: 77,
            price: Price(raw("61837.6")),
            quantity: Quantity(raw("0.25")),
            fee: Money(i128::from(raw("15.4594"))),
            charge: Charge { asset: FeeAsset::Base, amount: Money(i128::from(raw("0.00025"))) },
            is_maker: true,
        }),
    };
    assert_eq!(report, expected);
}

#[test]
fn report_of_a_cancel_is_about_the_order_that_was_cancelled() {
    let text = REPORT
        .replace("\"c\":\"PRN-17-42\"", "\"c\":\"cancel-9\"")
        .replace("\"C\":\"\"", "\"C\":\"PRN-17-42\"")
        .replace("\"x\":\"TRADE\"", "\"x\":\"CANCELED\"")
        .replace("PARTIALLY_FILLED", "CANCELED")
        .replace("\"t\":77", "\"t\":-1")
        .replace("\"N\":\"BTC\"", "\"N\":null");
    let report = order(&decoder().user(text.as_bytes()).unwrap());
    assert_eq!((report.client_order_id, report.execution), (OURS, None));
    assert_eq!(report.status, VenueOrderStatus::Canceled);
    let foreign = REPORT.replace("PRN-17-42", "web_1");
    assert_eq!(decoder().user(foreign.as_bytes()), Ok(Frame::Other));
}

#[test]
fn placed_order_reports_each_fill_and_then_its_state() {
    let mut decoder = decoder();
    let told = reply(&mut decoder, Purpose::Place(OURS), 200, PLACED.as_bytes());
    let [first, last] = told.reports[..] else { panic!("{told:?}") };
    assert_eq!(
        (first.status, last.status),
        (VenueOrderStatus::PartiallyFilled, VenueOrderStatus::Filled)
    );
    assert_eq!(
        (first.cumulative_quantity, last.cumulative_quantity),
        (Quantity(raw("1")), Quantity(raw("10")))
    );
    assert_eq!(first.execution.unwrap().fee, Money(i128::from(raw("4"))));
    assert_eq!(last.execution.unwrap().fee, Money(i128::from(raw("35.991"))));
    assert_eq!(last.execution.unwrap().trade_id, 57);
    let resting =
        PLACED.replace("FILLED", "NEW").replace("\"executedQty\":\"10.", "\"executedQty\":\"0.");
    let start = resting.find("[{").unwrap();
    let resting = format!("{}[]}}", &resting[..start]);
    let told = reply(&mut decoder, Purpose::Place(OURS), 200, resting.as_bytes());
    assert_eq!(told.reports.len(), 1);
    assert_eq!((told.reports[0].status, told.reports[0].execution), (VenueOrderStatus::New, None));
}

#[test]
fn cancel_open_orders_trades_and_account_are_read() {
    let mut decoder = decoder();
    let told = reply(&mut decoder, Purpose::Cancel(OURS), 200, CANCELLED.as_bytes());
    assert_eq!(told.reports[0].client_order_id, OURS);
    assert_eq!(told.reports[0].status, VenueOrderStatus::Canceled);
    let told = reply(&mut decoder, Purpose::OpenOrders(MARKET), 200, OPEN_ORDERS.as_bytes());
    assert_eq!(told.reports.len(), 1, "only ours: {told:?}");
    let told = reply(&mut decoder, Purpose::MyTrades(MARKET), 200, MY_TRADES.as_bytes());
    assert_eq!((told.trades[0].venue_order_id, told.trades[0].side), (100_234, Side::Sell));
    let execution = told.trades[0].execution;
    assert_eq!(execution.fee, Money::ZERO, "BNB has no price here");
    let asset = FeeAsset::Other(Asset::new(b"BNB"));
    assert_eq!(execution.charge, Charge { asset, amount: Money(i128::from(raw("10.1"))) });
    let told = reply(&mut decoder, Purpose::Account(VENUE), 200, ACCOUNT.as_bytes());
    let quote = Money(i128::from(raw("1000020")));
    assert_eq!(told.balances, [(Quantity(raw("4723847.39208129")), quote)]);
}

#[test]
fn status_and_code_decide_what_is_known_of_a_request() {
    use RequestFailure::{Refused, Throttled, Unknown};
    let mut decoder = decoder();
    for (status, body, expected, whole) in [
        (400, r#"{"code":-2010,"msg":"insufficient balance"}"#, Refused { code: -2010 }, true),
        (400, r#"{"code":-1007,"msg":"Timeout"}"#, Unknown, true),
        (400, r#"{"code":-1006,"msg":"Unexpected"}"#, Unknown, true),
        (403, "<html>no</html>", Unknown, false),
        (429, "", Throttled { retry_after_ns: 1_000_000_000 }, true),
        (418, "{}", Throttled { retry_after_ns: 1_000_000_000 }, true),
        (503, r#"{"code":-1007,"msg":"Timeout"}"#, Unknown, true),
        (500, "", Unknown, true),
        (200, "{\"symbol\":\"BTC", Unknown, false),
        (200, "{}", Unknown, false),
    ] {
        let told = reply(&mut decoder, Purpose::Place(OURS), status, body.as_bytes());
        assert_eq!((&told.failures[..], told.whole), (&[expected][..], whole), "{status} {body}");
    }
}

/// One of the real frames with bytes changed, dropped or repeated.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let frames = [
        DEPTH,
        DEPTH_FUTURES,
        TICKER,
        TRADE,
        SNAPSHOT,
        REPORT,
        PLACED,
        CANCELLED,
        OPEN_ORDERS,
        MY_TRADES,
        ACCOUNT,
    ];
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
    (prop::sample::select(frames.to_vec()), prop::collection::vec(change, 0..4)).prop_map(
        |(frame, changes)| {
            let mut bytes = frame.as_bytes().to_vec();
            for (index, byte, kind) in changes {
                if bytes.is_empty() {
                    break;
                }
                let at = index.index(bytes.len());
                match kind {
                    0 => bytes[at] = byte,
                    1 => drop(bytes.remove(at)),
                    2 => bytes.insert(at, byte),
                    _ => bytes.truncate(at),
                }
            }
            bytes
        },
    )
}

fn read_as_everything(bytes: &[u8]) {
    let mut decoder = decoder();
    let _ = decoder.market(bytes);
    let _ = decoder.user(bytes);
    for purpose in [
        Purpose::Snapshot(MARKET),
        Purpose::Place(OURS),
        Purpose::OpenOrders(MARKET),
        Purpose::MyTrades(MARKET),
        Purpose::Account(VENUE),
    ] {
        for status in [200, 400] {
            let told = reply(&mut decoder, purpose, status, bytes);
            assert!(told.whole || !told.failures.is_empty(), "a broken reply tells of it");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn damaged_frames_never_panic(bytes in damaged()) {
        read_as_everything(&bytes);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_as_everything(&bytes);
    }

    #[test]
    fn what_a_full_parser_refuses_is_refused(bytes in damaged()) {
        if serde_json::from_slice::<serde_json::Value>(&bytes).is_err()
            // We do not check strings for UTF-8, lone surrogates or numbers beyond f64.
            && bytes.is_ascii() && !bytes.windows(2).any(|pair| pair == b"\\u")
            && !bytes.windows(2).any(|two| two[0].is_ascii_digit() && two[1] | 32 == b'e')
        {
            prop_assert!(decoder().market(&bytes).is_err());
            prop_assert!(decoder().user(&bytes).is_err());
        }
    }
}
