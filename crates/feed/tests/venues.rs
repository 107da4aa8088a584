//! Recordings of every venue played through the check: each rule holds to the last message, each
//! figure of an independent program comes out, and each injected fault is noticed.

use engine::market::MarketStatus;
use engine::protocol::Protocol;
use feed::check::{Report, check};
use feed::recording::Recording;
use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

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

fn expected(name: &str) -> Option<Value> {
    let text = std::fs::read(folder()?.join("expected.json")).unwrap();
    Some(serde_json::from_slice::<Value>(&text).unwrap()[name].clone())
}

fn report(names: &[&str]) -> Option<Report> {
    let folder = folder()?;
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    Some(check(&paths, None, None).unwrap())
}

fn total(report: &Report, of: impl Fn(&feed::check::InstrumentReport) -> u64) -> u64 {
    report.instruments.iter().map(of).sum()
}

#[test]
fn binance_recordings_agree_to_the_last_book() {
    for name in [
        "binance_spot_btcusdt_202408",
        "binance_usdm_btcusdt_202408",
        "binance_coinm_btcusd_perp_202408",
    ] {
        let Some(expected) = expected(name) else { return };
        let files: Vec<&str> =
            expected["files"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
        let report = report(&files).unwrap();
        let [market] = &report.instruments[..] else { panic!("{name}: one instrument") };
        assert_eq!(Some(market.digest.as_str()), expected["final_book_sha256"].as_str());
        assert_eq!(Some(market.update_id), expected["final_update_id"].as_u64());
        assert_eq!(Some(market.counters.diffs_applied), expected["applied"].as_u64());
        assert_eq!(Some(market.counters.gaps), expected["gaps"].as_u64());
        assert_eq!(report.findings, [] as [String; 0], "{name}");
        let behind = market.clock.unwrap().p50_ns / 1_000_000;
        if name.contains("spot") {
            assert_eq!(report.protocol, "binance_spot");
            assert!(
                report.burst_frames_max >= 770,
                "770 within one tenth of a second by the clock"
            );
            assert!((-1_280..-1_265).contains(&behind), "{behind}");
        } else {
            assert_eq!(report.protocol, "binance_futures");
        }
    }
}

#[test]
fn four_pairs_of_one_connection_are_joined_each_to_its_own_snapshot() {
    let Some(expected) = expected("cryptofeed_BINANCE.jsonl.zst") else { return };
    let report = report(&["cryptofeed_BINANCE.jsonl.zst"]).unwrap();
    assert_eq!(report.instruments.len(), 4);
    assert_eq!(Some(total(&report, |one| one.counters.diffs)), expected["depth_events"].as_u64());
    assert_eq!(total(&report, |one| one.counters.gaps + one.counters.crossed), 0);
    assert_eq!(
        Some(total(&report, |one| one.counters.diffs_applied)),
        expected["usable_after_snapshot"].as_u64()
    );
}

#[test]
fn coinbase_counts_every_message_and_heartbeat() {
    let Some(expected) = expected("cryptofeed_COINBASE.jsonl.zst") else { return };
    let report = report(&["cryptofeed_COINBASE.jsonl.zst"]).unwrap();
    assert_eq!(Some(report.sequence.seen), expected["messages"].as_u64());
    assert_eq!((report.sequence.gaps, report.sequence.old), (0, 0));
    assert_eq!(Some(report.heartbeats.seen), expected["heartbeats"].as_u64());
    assert_eq!((report.heartbeats.gaps, report.heartbeats.old), (0, 0));
    assert_eq!(total(&report, |one| one.counters.crossed), 0);
    let symbols: Vec<&str> = report.instruments.iter().map(|one| one.symbol.as_str()).collect();
    assert_eq!(symbols, ["BTC-USD", "ETH-USD"]);
    assert_eq!(report.findings, [] as [String; 0]);
}

#[test]
fn kraken_and_okx_sum_up_right_after_every_message() {
    for (name, instruments) in
        [("cryptofeed_KRAKEN.jsonl.zst", 10), ("cryptofeed_OKX.jsonl.zst", 3)]
    {
        let Some(expected) = expected(name) else { return };
        let report = report(&[name]).unwrap();
        assert_eq!(report.instruments.len(), instruments, "{name}");
        assert_eq!(
            Some(total(&report, |one| one.counters.checksums_right)),
            expected["checksum_ok"].as_u64(),
            "{name}"
        );
        assert_eq!(total(&report, |one| one.counters.checksums_wrong), 0, "{name}");
        assert!(report.instruments.iter().all(|one| one.status == MarketStatus::Live));
        assert_eq!(report.findings, [] as [String; 0], "{name}");
    }
}

#[test]
fn bitstamp_time_only_rises_and_every_pair_is_joined() {
    let Some(expected) = expected("cryptofeed_BITSTAMP.jsonl.zst") else { return };
    let report = report(&["cryptofeed_BITSTAMP.jsonl.zst"]).unwrap();
    assert_eq!(Some(total(&report, |one| one.counters.diffs)), expected["book_messages"].as_u64());
    assert_eq!(
        Some(total(&report, |one| one.counters.diffs_old)),
        expected["time_not_increasing"].as_u64()
    );
    assert_eq!(total(&report, |one| one.counters.gaps + one.counters.crossed), 0);
    assert_eq!(report.instruments.len(), 10);
    assert!(report.instruments.iter().all(|one| one.status == MarketStatus::Live));
    assert_eq!(report.findings, [] as [String; 0]);
}

#[test]
fn orders_of_a_day_are_followed_with_their_oddities() {
    let name = "bitstamp_l3_btcusd_20150501_part1.log.xz";
    let Some(expected) = expected(name) else { return };
    let report = report(&[name]).unwrap();
    let [market] = &report.instruments[..] else { panic!("one instrument") };
    let orders = market.orders.as_ref().unwrap();
    assert_eq!(Some(orders.created), expected["order_created"].as_u64());
    assert_eq!(Some(orders.changed), expected["order_changed"].as_u64());
    assert_eq!(Some(orders.deleted), expected["order_deleted"].as_u64());
    assert_eq!(Some(market.counters.trades), expected["trade"].as_u64());
    assert_eq!((orders.deleted_unknown, orders.created_twice, orders.changed_late), (178, 0, 0));
    assert_eq!(orders.created_late, 3, "rows 12,096, 25,076 and 31,066");
    assert_eq!(report.protocol, "bitstamp_orders");
    assert_eq!(report.first_ns / 1_000_000, expected["first_ts_ms"].as_i64().unwrap());
    assert_ne!(market.status, MarketStatus::Live, "never whole, so never traded on");
}

#[test]
fn lobster_rows_agree_after_every_message() {
    let name = "lobster_AAPL_2012-06-21_message_10_first1000.csv";
    let Some(report) = report(&[name]) else { return };
    let [market] = &report.instruments[..] else { panic!("one instrument") };
    assert_eq!((market.symbol.as_str(), report.frames), ("AAPL", 999));
    assert_eq!((market.ticker_equal, market.ticker_differs), (999, 0));
    assert_eq!(report.findings, [] as [String; 0]);
}

/// The frames of a recording, to be spoiled.
fn frames(name: &str) -> Option<Vec<(i64, Vec<u8>)>> {
    let mut recording = Recording::open(&[folder()?.join(name)]).unwrap();
    let mut frames = Vec::new();
    while let Some(frame) = recording.next().unwrap() {
        frames.push((frame.ts_ns, frame.bytes.to_vec()));
    }
    Some(frames)
}

fn check_frames(frames: &[(i64, Vec<u8>)]) -> Result<Report, String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("session");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    for (ts_ns, bytes) in frames {
        write!(file, "{ts_ns} ").unwrap();
        file.write_all(bytes).unwrap();
        file.write_all(b"\n").unwrap();
    }
    file.flush().unwrap();
    check(&[path], None, None).map_err(|error| error.to_string())
}

/// Numbers of the frames that change a book, after the first `skip`.
fn books(frames: &[(i64, Vec<u8>)], skip: usize) -> Vec<usize> {
    let has = |bytes: &[u8], text: &str| {
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let is_book = |bytes: &[u8]| {
        has(bytes, r#""l2_data""#) && has(bytes, r#""update""#)
            || has(bytes, r#""c":""#) && has(bytes, r#""book-"#)
            || has(bytes, r#""checksum":"#) && has(bytes, r#""update""#)
            || has(bytes, "depthUpdate")
    };
    let numbers = (0..frames.len()).filter(|&number| is_book(&frames[number].1));
    numbers.skip(skip).collect()
}

const WITH_PROOF: [&str; 4] = [
    "cryptofeed_COINBASE.jsonl.zst",
    "cryptofeed_KRAKEN.jsonl.zst",
    "cryptofeed_OKX.jsonl.zst",
    "binance_usdm_btcusdt_20240808.gz",
];

/// How many of twelve single faults are noticed.
fn noticed(clean: &[(i64, Vec<u8>)], fault: impl Fn(&mut Vec<(i64, Vec<u8>)>, usize)) -> usize {
    let numbers = books(clean, 40);
    let faulty = numbers.iter().step_by(17).take(12).map(|&at| {
        let mut frames = clean.to_vec();
        fault(&mut frames, at);
        frames
    });
    faulty.filter(|frames| check_frames(frames).map_or(true, |found| !found.is_clean())).count()
}

#[test]
fn dropped_and_cut_book_messages_are_noticed() {
    for name in WITH_PROOF {
        let Some(clean) = frames(name) else { return };
        let clean = &clean[..clean.len().min(3_000)];
        let dropped = noticed(clean, |frames, at| {
            frames.remove(at);
        });
        let cut = noticed(clean, |frames, at| {
            let half = frames[at].1.len() / 2;
            frames[at].1.truncate(half);
        });
        // A checksum covers the best levels: a change below them shows when it gets there, if ever.
        let is_summed = name.contains("KRAKEN") || name.contains("OKX");
        assert!(dropped == 12 || is_summed && dropped >= 6, "{name}: {dropped} of 12");
        assert_eq!(cut, 12, "{name}");
    }
}

#[test]
fn swapped_messages_are_told_by_their_numbers() {
    for name in ["cryptofeed_COINBASE.jsonl.zst", "binance_usdm_btcusdt_20240808.gz"] {
        let Some(clean) = frames(name) else { return };
        let clean = &clean[..clean.len().min(3_000)];
        let swapped = noticed(clean, |frames, at| {
            let next = books(frames, 0).into_iter().find(|&number| number > at).unwrap();
            let first = std::mem::take(&mut frames[at].1);
            frames[at].1 = std::mem::replace(&mut frames[next].1, first);
        });
        assert_eq!(swapped, 12, "{name}");
    }
}

#[test]
fn a_corrupted_digit_near_the_top_fails_the_checksum_of_that_instrument_alone() {
    for name in ["cryptofeed_KRAKEN.jsonl.zst", "cryptofeed_OKX.jsonl.zst"] {
        let Some(mut frames) = frames(name) else { return };
        let at = books(&frames, 40)[0];
        let marker: &[u8] = if name.contains("OKX") { br#""checksum":"# } else { br#""c":""# };
        let bytes = &mut frames[at].1;
        let found = bytes.windows(marker.len()).position(|window| window == marker).unwrap();
        let digit = bytes[found..].iter().position(u8::is_ascii_digit).unwrap() + found + 1;
        bytes[digit] = if bytes[digit] == b'9' { b'8' } else { b'9' };
        let report = check_frames(&frames).unwrap();
        let wrong: Vec<_> =
            report.instruments.iter().filter(|one| one.status != MarketStatus::Live).collect();
        let [one] = &wrong[..] else { panic!("{name}: {:?}", report.findings) };
        assert_eq!(one.counters.checksums_wrong, 1, "{name}");
        let others = report.instruments.len() - 1;
        let live = report.instruments.iter().filter(|one| one.status == MarketStatus::Live);
        assert_eq!(live.count(), others, "{name}: the others go on");
    }
}

/// Changes one digit of the price of a message's first level: the first or the last.
fn spoil_price(bytes: &mut [u8], is_first: bool) {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let begins =
        [r#""price_level":""#, r#""b":[[""#, r#""a":[[""#, r#""bids":[[""#, r#""asks":[[""#];
    let at = begins.iter().filter_map(|mark| text.find(mark).map(|at| at + mark.len())).min();
    let begin = at.expect("a level");
    let end = begin + text[begin..].find('"').unwrap();
    let digits: Vec<usize> = (begin..end).filter(|&at| bytes[at].is_ascii_digit()).collect();
    let at = if is_first { digits[0] } else { digits[digits.len() - 1] };
    bytes[at] = if bytes[at] == b'9' { b'8' } else { bytes[at] + 1 };
}

/// Nothing but a checksum or a second witness can tell a wrong price from a right one. The figures
/// say how many of twelve spoiled messages are noticed before 3,000 messages are over.
#[test]
fn a_price_with_a_wrong_digit_is_noticed_as_far_as_a_venue_proves_prices() {
    for (name, first, last) in [
        ("cryptofeed_COINBASE.jsonl.zst", 10, 1),
        ("cryptofeed_KRAKEN.jsonl.zst", 12, 11),
        ("cryptofeed_OKX.jsonl.zst", 8, 8),
        ("binance_usdm_btcusdt_20240808.gz", 1, 0),
        ("binance_spot_btcusdt_20240808.gz", 12, 8),
    ] {
        let Some(clean) = frames(name) else { return };
        let clean = &clean[..clean.len().min(3_000)];
        let found = [true, false]
            .map(|is_first| noticed(clean, |frames, at| spoil_price(&mut frames[at].1, is_first)));
        println!("{name}: {found:?} of 12");
        assert!(found[0] >= first && found[1] >= last, "{name}: {found:?} of 12");
    }
}

#[test]
fn messages_that_come_late_and_together_lose_nothing() {
    for name in [
        "cryptofeed_COINBASE.jsonl.zst",
        "cryptofeed_KRAKEN.jsonl.zst",
        "binance_usdm_btcusdt_20240808.gz",
    ] {
        let Some(mut frames) = frames(name) else { return };
        frames.truncate(6_000);
        let middle = frames.len() / 2;
        let end_ns = frames[middle].0 + 400_000_000;
        for frame in frames[middle..].iter_mut().take_while(|frame| frame.0 < end_ns) {
            frame.0 = end_ns;
        }
        let report = check_frames(&frames).unwrap();
        assert_eq!(report.findings, [] as [String; 0], "{name}: late, in order, none missing");
        let live = report.instruments.iter().filter(|one| one.status == MarketStatus::Live);
        assert_eq!(live.count(), report.instruments.len(), "{name}");
    }
}

#[test]
fn okx_without_a_checksum_is_proved_by_its_numbers_alone() {
    let frame = |at: i64, action: &str, numbers: &str, bid: &str| {
        let text = format!(
            r#"{{"arg":{{"channel":"books","instId":"BTC-USDT"}},"action":"{action}","data":[{{"bids":[["{bid}","1","0","1"]],"asks":[["101.5","2","0","1"]],"ts":"1789000000000","checksum":0{numbers}}}]}}"#
        );
        (1_789_000_000_000_000_000 + at * 1_000_000, text.into_bytes())
    };
    let clean = [
        frame(0, "snapshot", r#","seqId":10,"prevSeqId":-1"#, "100.5"),
        frame(1, "update", r#","seqId":17,"prevSeqId":10"#, "100.6"),
        frame(2, "update", r#","seqId":17,"prevSeqId":17"#, "100.6"),
        frame(3, "update", r#","seqId":30,"prevSeqId":17"#, "100.7"),
    ];
    let report = check_frames(&clean).unwrap();
    assert_eq!(report.findings, [] as [String; 0]);
    assert_eq!(report.instruments[0].status, MarketStatus::Live);
    let lost = [clean[0].clone(), clean[3].clone()];
    let report = check_frames(&lost).unwrap();
    assert_eq!(report.instruments[0].counters.gaps, 1);
    assert_ne!(report.instruments[0].status, MarketStatus::Live);
    let unproved = [clean[0].clone(), frame(1, "update", "", "100.6")];
    assert_eq!(check_frames(&unproved).unwrap().malformed, 1, "neither number nor checksum");
}

#[test]
fn a_repeated_message_is_told() {
    for name in ["cryptofeed_COINBASE.jsonl.zst", "binance_usdm_btcusdt_20240808.gz"] {
        let Some(mut frames) = frames(name) else { return };
        frames.truncate(6_000);
        let at = books(&frames, 40)[0];
        let again = frames[at].clone();
        frames.insert(at + 1, again);
        let report = check_frames(&frames).unwrap();
        assert!(report.findings.iter().any(|text| text.contains("repeated")), "{name}");
    }
}

#[test]
fn a_spoiled_message_costs_only_the_book_that_it_names() {
    for name in ["cryptofeed_KRAKEN.jsonl.zst", "cryptofeed_OKX.jsonl.zst"] {
        let Some(mut frames) = frames(name) else { return };
        let at = books(&frames, 40)[0];
        // In the first price; the head of an OKX message and the tail of a Kraken one name it.
        let digit = frames[at].1.iter().position(|&byte| byte == b'.').unwrap();
        frames[at].1[digit] = b'x';
        let report = check_frames(&frames).unwrap();
        assert_eq!(report.malformed, 1, "{name}");
        let hit = report.instruments.iter().filter(|one| one.counters.malformed > 0).count();
        assert_eq!(hit, 1, "{name}: the others go on");
    }
    let Some(mut frames) = frames("cryptofeed_COINBASE.jsonl.zst") else { return };
    let at = books(&frames, 40)[0];
    let mark = br#""price_level":""#;
    let price = frames[at].1.windows(mark.len()).position(|window| window == mark).unwrap();
    frames[at].1[price + mark.len()] = b'x';
    let report = check_frames(&frames).unwrap();
    assert!(report.instruments.iter().all(|one| one.counters.malformed == 1), "its number is lost");
}

#[test]
fn silence_burst_missing_snapshot_and_other_units_are_told() {
    let Some(clean) = frames("binance_usdm_btcusdt_20240808.gz") else { return };
    let clean = &clean[..20_000];
    let mut silent = clean.to_vec();
    silent.iter_mut().skip(10_000).for_each(|frame| frame.0 += 1_500_000_000);
    let report = check_frames(&silent).unwrap();
    assert_eq!(report.silences, 1, "{:?}", report.findings);

    let mut burst = clean.to_vec();
    let begin = burst[5_000].0;
    burst[5_000..6_200].iter_mut().for_each(|frame| frame.0 = begin);
    let report = check_frames(&burst).unwrap();
    assert!(report.burst_frames_max >= 1_200);
    assert_eq!(report.findings, ["1 silences"], "loses nothing; the pause comes with the moving");

    let without: Vec<_> =
        clean.iter().filter(|frame| !frame.1.starts_with(b"{\"lastUpdateId\"")).cloned().collect();
    let report = check_frames(&without).unwrap();
    assert!(report.findings.iter().any(|text| text.contains("no snapshot")));

    let micros: Vec<_> = clean.iter().map(|(ts, bytes)| (ts / 1_000, bytes.clone())).collect();
    let report = check_frames(&micros).unwrap();
    assert_eq!(report.first_ns / 1_000, clean[0].0 / 1_000, "the unit is told by its size");
    let mut mixed = clean.to_vec();
    mixed[10].0 /= 1_000;
    assert!(check_frames(&mixed).unwrap_err().contains(": line 11: expected a"));
}

#[test]
fn other_protocols_are_refused_by_name() {
    let frames = [(1_700_000_000_000_000_000, br#"{"hello":"world"}"#.to_vec())];
    assert!(check_frames(&frames).unwrap_err().contains("expected frames of Binance"));
    assert_eq!(
        feed::check::protocol_of(br#"[1,{"a":[]},"book-10","XBT/USD"]"#),
        Some(Protocol::Kraken)
    );
}
