//! Recorded sessions played through decoder and market: every figure of an independent program has
//! to come out, injected faults have to be noticed, and a new snapshot has to lead back to the
//! right book.

use engine::cross_check::Top;
use engine::event::{Event, Level, Side};
use engine::market::{Change, Diff, Market, MarketStatus};
use feed::binance::{Decoder, Frame, Instrument};
use feed::recording::Recording;
use serde_json::Value;
use std::path::{Path, PathBuf};
use values::{MarketId, Nanos, Price, VenueId, notional};

const SPOT: &str = "binance_spot_btcusdt_202408";
const USD_M: &str = "binance_usdm_btcusdt_202408";
const COIN_M: &str = "binance_coinm_btcusd_perp_202408";

/// The folder of recordings, if this machine has it.
fn folder() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("PRUNELLA_DATA").map_or(default, PathBuf::from).join("market");
    if data.is_dir() {
        return Some(data);
    }
    println!("skipped: no recordings in {} (set PRUNELLA_DATA)", data.display());
    None
}

struct Session {
    frames: Vec<(Nanos, Vec<u8>)>,
    expected: Value,
}

fn session(name: &str) -> Option<Session> {
    let folder = folder()?;
    let all: Value =
        serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let expected = all[name].clone();
    let files: Vec<PathBuf> = expected["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| folder.join(file.as_str().unwrap()))
        .collect();
    let mut recording = Recording::open(&files).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = recording.next().unwrap() {
        frames.push((frame.ts_ns, frame.bytes.to_vec()));
    }
    Some(Session { frames, expected })
}

fn decoder(name: &str) -> Decoder {
    let (symbol, base, quote) =
        if name == COIN_M { ("BTCUSD_PERP", "BTC", "USD") } else { ("BTCUSDT", "BTC", "USDT") };
    let instrument = Instrument {
        market: MarketId(0),
        symbol: symbol.into(),
        base: base.into(),
        quote: quote.into(),
    };
    Decoder::new(VenueId(0), vec![instrument])
}

/// A market that is fed frames, and what a program that only counts would say of them.
struct Player {
    decoder: Decoder,
    market: Market,
    malformed: u64,
    trade_base: i128,
    trade_quote: i128,
    buyer_is_maker: u64,
    /// Frame numbers at which the market gave its book up, and why.
    given_up: Vec<(usize, Change)>,
}

impl Player {
    fn new(name: &str) -> Self {
        let mut market = Market::new();
        market.on_channel_up(1);
        Self {
            decoder: decoder(name),
            market,
            malformed: 0,
            trade_base: 0,
            trade_quote: 0,
            buyer_is_maker: 0,
            given_up: Vec::new(),
        }
    }

    fn play(&mut self, number: usize, now_ns: Nanos, bytes: &[u8]) -> Change {
        let Ok(frame) = self.decoder.market(bytes) else {
            self.malformed += 1;
            let change = self.market.on_malformed();
            return self.note(number, change);
        };
        let change = match frame {
            Frame::Event(Event::DepthDiff {
                first_update_id,
                final_update_id,
                previous_update_id,
                bids,
                asks,
                ..
            }) => {
                let diff =
                    Diff { first_update_id, final_update_id, previous_update_id, bids, asks };
                self.market.on_diff(now_ns, &diff)
            }
            Frame::Event(Event::DepthSnapshot { last_update_id, bids, asks, .. }) => {
                self.market.on_snapshot(last_update_id, bids, asks)
            }
            Frame::Event(Event::BookTicker { update_id, bid, ask, .. }) => {
                self.market.on_ticker(now_ns, Top { update_id, bid, ask })
            }
            Frame::Event(Event::Trade { trade_id, price, quantity, buyer_is_maker, .. }) => {
                self.market.on_trade(now_ns, trade_id);
                self.trade_base += i128::from(quantity.0);
                self.trade_quote += notional(price, quantity).0;
                self.buyer_is_maker += u64::from(buyer_is_maker);
                Change::None
            }
            other => panic!("frame {number}: {other:?}"),
        };
        self.note(number, change)
    }

    fn note(&mut self, number: usize, change: Change) -> Change {
        if matches!(change, Change::Gap | Change::Crossed | Change::Contradicted) {
            self.given_up.push((number, change));
        }
        change
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn best(market: &Market) -> [[String; 2]; 2] {
    let text = |level: Level| [level.price.to_string(), level.quantity.to_string()];
    let (bid, ask) = market.book().top().unwrap();
    [text(bid), text(ask)]
}

/// Trailing zeros of the reference figures are how the venue writes them, not part of the number.
fn plain(text: &str) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').into()
    } else {
        text.into()
    }
}

fn agrees_with_the_reference(name: &str) {
    let Some(Session { frames, expected }) = session(name) else { return };
    let mut player = Player::new(name);
    for (number, (now_ns, bytes)) in frames.iter().enumerate() {
        player.play(number, *now_ns, bytes);
    }
    let (market, counters) = (&player.market, player.market.counters());
    assert_eq!(player.malformed, 0);
    assert_eq!(market.status(), MarketStatus::Live);
    for (field, found) in [
        ("depth_events", counters.diffs),
        ("book_tickers", counters.tickers),
        ("trades", counters.trades),
        ("trade_id_gaps", counters.trade_gaps),
        ("buyer_is_maker", player.buyer_is_maker),
        ("final_update_id", market.last_update_id()),
        ("dropped_before_snapshot", counters.diffs_before_snapshot),
        ("applied", counters.diffs_applied),
        ("levels", counters.levels),
        ("gaps", counters.gaps),
        ("crossed", counters.crossed),
        ("ticker_differs", market.cross_check().differs),
    ] {
        assert_eq!(Some(found), expected[field].as_u64(), "{name}: {field}");
    }
    assert_eq!((counters.tickers_refused, counters.trades_old, counters.resyncs), (0, 0, 0));
    // The reference leaves up to five states at the ends uncompared; ours, those after which no
    // ticker came. None may differ that does not differ there.
    let check = market.cross_check();
    let waiting = check.waiting() as u64;
    assert!(waiting <= 2, "{name}: {waiting} states wait");
    assert_eq!(check.equal + check.differs + waiting, counters.diffs_applied);
    let reference = expected["ticker_equal"].as_u64().unwrap();
    assert!(check.equal.abs_diff(reference) <= 5, "{name}: {} equal, {reference}", check.equal);
    let levels = [market.book().depth(Side::Buy), market.book().depth(Side::Sell)];
    assert_eq!(serde_json::json!(levels), expected["final_levels"]);
    for (side, found) in best(market).iter().enumerate() {
        for (part, found) in found.iter().enumerate() {
            assert_eq!(found, &plain(expected["final_top"][side][part].as_str().unwrap()));
        }
    }
    assert_eq!(Some(hex(&market.book().digest()).as_str()), expected["final_book_sha256"].as_str());
    let money = |raw| values::Money(raw).to_string();
    for (field, raw) in
        [("trade_base_volume", player.trade_base), ("trade_quote_volume", player.trade_quote)]
    {
        assert_eq!(money(raw), plain(expected[field].as_str().unwrap()), "{name}: {field}");
    }
    let (first, last) = (frames.first().unwrap().0, frames.last().unwrap().0);
    assert_eq!(Some(first), expected["first_ts"].as_i64());
    assert_eq!(Some(last), expected["last_ts"].as_i64());
}

#[test]
fn spot_session_gives_every_figure_of_the_reference() {
    agrees_with_the_reference(SPOT);
}

#[test]
fn usd_m_session_gives_every_figure_of_the_reference() {
    agrees_with_the_reference(USD_M);
}

#[test]
fn coin_m_session_gives_every_figure_of_the_reference() {
    agrees_with_the_reference(COIN_M);
}

#[test]
fn session_without_its_snapshot_never_goes_live() {
    let Some(Session { frames, .. }) = session(SPOT) else { return };
    let mut player = Player::new(SPOT);
    for (number, (now_ns, bytes)) in frames.iter().enumerate() {
        if !bytes.starts_with(b"{\"lastUpdateId\"") {
            player.play(number, *now_ns, bytes);
            assert_eq!(
                (player.market.status(), player.market.top()),
                (MarketStatus::Buffering, None)
            );
        }
    }
    assert!(player.market.counters().diffs_dropped > 5_000, "bounded, and counted");
}

/// A snapshot as the venue would give it, of the whole book that a clean twin has.
fn snapshot_of(twin: &Market) -> (u64, Vec<Level>, Vec<Level>) {
    let levels = |side| twin.book().levels(side).collect();
    (twin.last_update_id(), levels(Side::Buy), levels(Side::Sell))
}

fn is_depth(bytes: &[u8]) -> bool {
    bytes.windows(8).take(40).any(|window| window.starts_with(b"@depth"))
}

/// Plays a session with one fault at depth frame `at`, beside a clean twin from whose book the
/// snapshots come. Gives how many depth frames later the fault was noticed; `None` is never.
fn noticed_after(
    name: &str,
    frames: &[(Nanos, Vec<u8>)],
    at: usize,
    fault: impl Fn(&[u8], &[u8]) -> Vec<Vec<u8>>,
) -> Option<usize> {
    let (mut clean, mut faulty) = (Player::new(name), Player::new(name));
    let depth: Vec<usize> =
        (0..frames.len()).filter(|&number| is_depth(&frames[number].1)).collect();
    let (first, second) = (depth[at], depth[at + 1]);
    let end = depth[at + 200];
    let mut noticed = None;
    let mut asked_at = None;
    for (number, (now_ns, bytes)) in frames.iter().enumerate().take(end) {
        let before = faulty.given_up.len();
        clean.play(number, *now_ns, bytes);
        let mut needs = false;
        if number == first {
            for bytes in fault(bytes, &frames[second].1) {
                needs |= faulty.play(number, *now_ns, &bytes).needs_snapshot();
            }
        } else if number == second && fault(b"", b"").is_empty() {
            // The fault already played this one.
        } else {
            needs |= faulty.play(number, *now_ns, bytes).needs_snapshot();
        }
        if number > first && needs || number == first && faulty.given_up.len() > before {
            asked_at = Some(number);
        }
        if faulty.given_up.len() > before && number >= first {
            noticed.get_or_insert(depth.iter().filter(|&&d| d > first && d <= number).count());
        }
        // The snapshot comes some frames after it was asked for.
        if asked_at.is_some_and(|asked| number == asked + 25) {
            let (id, bids, asks) = snapshot_of(&clean.market);
            let refused = faulty.market.on_snapshot(id, &bids, &asks).needs_snapshot();
            asked_at = refused.then_some(number);
        }
    }
    if noticed.is_some() {
        assert_eq!(faulty.market.status(), MarketStatus::Live, "{name}: led back");
        assert_eq!(faulty.market.book().digest(), clean.market.book().digest(), "{name}");
        assert_eq!(faulty.market.last_update_id(), clean.market.last_update_id());
    }
    noticed
}

/// Changes one digit of a number that follows `marker`.
fn corrupt(bytes: &[u8], marker: &[u8], skip: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let found = bytes.windows(marker.len()).position(|window| window == marker).unwrap();
    let digit = &mut bytes[found + marker.len() + skip];
    assert!(digit.is_ascii_digit());
    *digit = if *digit == b'9' { b'1' } else { *digit + 1 };
    bytes
}

#[test]
fn dropped_swapped_and_truncated_frames_are_noticed_at_once_and_healed() {
    for name in [SPOT, USD_M, COIN_M] {
        let Some(Session { frames, .. }) = session(name) else { return };
        for at in [30, 500, 3_000] {
            let dropped = noticed_after(name, &frames, at, |_, next| {
                if next.is_empty() { vec![Vec::new()] } else { Vec::new() }
            });
            assert_eq!(dropped, Some(1), "{name}: dropped at {at}");
            let swapped = noticed_after(name, &frames, at, |this, next| {
                if this.is_empty() { Vec::new() } else { vec![next.to_vec(), this.to_vec()] }
            });
            assert_eq!(swapped, Some(0), "{name}: swapped at {at}");
            for part in [1, 2, 3] {
                let cut = noticed_after(name, &frames, at, |this, _| {
                    vec![this[..this.len() * part / 4].to_vec()]
                });
                assert_eq!(cut, Some(0), "{name}: truncated at {at}");
            }
        }
    }
}

#[test]
fn repeated_frames_do_no_harm() {
    for name in [SPOT, USD_M, COIN_M] {
        let Some(Session { frames, .. }) = session(name) else { return };
        let mut player = Player::new(name);
        let mut clean = Player::new(name);
        for (number, (now_ns, bytes)) in frames.iter().enumerate().take(20_000) {
            clean.play(number, *now_ns, bytes);
            player.play(number, *now_ns, bytes);
            if number % 3 == 0 {
                player.play(number, *now_ns, bytes);
            }
        }
        assert_eq!(player.given_up, []);
        assert!(player.market.counters().diffs_old > 0 && player.market.counters().trades_old > 0);
        assert_eq!(player.market.book().digest(), clean.market.book().digest());
    }
}

#[test]
fn corrupted_update_numbers_are_noticed_and_healed() {
    for name in [SPOT, USD_M, COIN_M] {
        let Some(Session { frames, .. }) = session(name) else { return };
        for at in [30, 500, 3_000] {
            for skip in 0..11 {
                for marker in [&b"\"U\":"[..], b"\"u\":"] {
                    let after = noticed_after(name, &frames, at, |this, _| {
                        if this.is_empty() {
                            return vec![Vec::new()];
                        }
                        vec![corrupt(this, marker, skip)]
                    });
                    // A futures `U` is not part of the chain: wrong, it can do no harm.
                    let harmless = name != SPOT && marker == b"\"U\":";
                    assert!(
                        harmless || after.is_some_and(|after| after <= 9),
                        "{name} {at} {skip} {after:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn wrong_price_at_the_top_is_noticed_by_the_ticker_or_as_crossed() {
    let Some(Session { frames, .. }) = session(SPOT) else { return };
    let mut player = Player::new(SPOT);
    let mut numbers = frames.iter().enumerate().take(40_000);
    for (number, (now_ns, bytes)) in numbers.by_ref() {
        player.play(number, *now_ns, bytes);
        if number > 5_000 && is_depth(bytes) {
            break;
        }
    }
    // One digit of the best bid went wrong: it sits a little too high, but below the best ask's
    // neighbours it would cross, so that only the ticker can tell.
    let (bid, _) = player.market.book().top().unwrap();
    let (id, mut bids, asks) = snapshot_of(&player.market);
    bids[0] = Level { price: Price(bid.price.0 - 1_000_000_000), quantity: bid.quantity };
    player.market.on_malformed();
    player.market.on_snapshot(id, &bids, &asks);
    assert_eq!(player.market.status(), MarketStatus::Live);
    let noticed = numbers.find_map(|(number, (now_ns, bytes))| {
        matches!(player.play(number, *now_ns, bytes), Change::Contradicted | Change::Crossed)
            .then_some(number)
    });
    let differs = player.market.cross_check().differs;
    assert!(noticed.is_some() || differs > 0, "noticed {noticed:?}, differs {differs}");
}
