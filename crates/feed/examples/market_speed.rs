//! Recorded session in; nanoseconds per frame through decoder and market, by kind of frame, out.
//!
//! `cargo run --release -p prunella-feed --example market_speed -- FILE...`

use engine::cross_check::Top;
use engine::event::Event;
use engine::market::{Diff, Market};
use feed::binance::{Decoder, Frame, Instrument};
use feed::recording::{Recording, RecordingError};
use std::time::Instant;
use values::{MarketId, Nanos, VenueId};

const KINDS: [&str; 5] = ["depth", "ticker", "trade", "snapshot", "other"];
/// Passes over the session; each figure is the best of them, so that other work on the machine
/// counts less.
const PASSES: usize = 7;

fn feed(decoder: &mut Decoder, market: &mut Market, now_ns: Nanos, bytes: &[u8]) -> usize {
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
            market.on_diff(now_ns, &diff);
            0
        }
        Ok(Frame::Event(Event::BookTicker { update_id, bid, ask, .. })) => {
            market.on_ticker(now_ns, Top { update_id, bid, ask });
            1
        }
        Ok(Frame::Event(Event::Trade { trade_id, .. })) => {
            market.on_trade(now_ns, trade_id);
            2
        }
        Ok(Frame::Event(Event::DepthSnapshot { last_update_id, bids, asks, .. })) => {
            market.on_snapshot(last_update_id, bids, asks);
            3
        }
        _ => 4,
    }
}

fn fresh() -> (Decoder, Market) {
    let instrument = |market, symbol: &str| Instrument {
        market: MarketId(market),
        symbol: symbol.into(),
        base: "BTC".into(),
        quote: "USDT".into(),
    };
    let mut market = Market::new();
    market.on_channel_up(1);
    (Decoder::new(VenueId(0), vec![instrument(0, "BTCUSDT")]), market)
}

fn percentile(sorted: &[u64], part: f64) -> u64 {
    sorted[((sorted.len() - 1) as f64 * part) as usize]
}

fn main() -> Result<(), RecordingError> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let mut recording = Recording::open(&files)?;
    let mut frames: Vec<(Nanos, Vec<u8>)> = Vec::new();
    while let Some(frame) = recording.next()? {
        frames.push((frame.ts_ns, frame.bytes.to_vec()));
    }
    let whole = (0..PASSES).map(|_| {
        let (mut decoder, mut market) = fresh();
        let start = Instant::now();
        for (now_ns, bytes) in &frames {
            feed(&mut decoder, &mut market, *now_ns, bytes);
        }
        start.elapsed()
    });
    let best = whole.min().unwrap_or_default();
    println!("whole session: {:.0} frames/s", frames.len() as f64 / best.as_secs_f64());

    let mut fastest = vec![(u64::MAX, 4); frames.len()];
    for _ in 0..PASSES {
        let (mut decoder, mut market) = fresh();
        for ((now_ns, bytes), figure) in frames.iter().zip(&mut fastest) {
            let start = Instant::now();
            let kind = feed(&mut decoder, &mut market, *now_ns, bytes);
            *figure = (figure.0.min(start.elapsed().as_nanos() as u64), kind);
        }
    }
    let mut usual: Vec<u64> = fastest
        .iter()
        .zip(&frames)
        .filter(|(figure, frame)| figure.1 == 0 && (1_400..1_700).contains(&frame.1.len()))
        .map(|(figure, _)| figure.0)
        .collect();
    usual.sort_unstable();
    if !usual.is_empty() {
        println!("depth frames of 1.4 to 1.7 kB: p50 {} ns", percentile(&usual, 0.5));
    }
    println!(
        "{:<10} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "frame", "count", "bytes", "p50 ns", "p99 ns", "max ns"
    );
    for (kind, name) in KINDS.iter().enumerate() {
        let picked = || fastest.iter().zip(&frames).filter(|(figure, _)| figure.1 == kind);
        let mut times: Vec<u64> = picked().map(|(figure, _)| figure.0).collect();
        if times.is_empty() {
            continue;
        }
        let bytes = picked().map(|(_, frame)| frame.1.len()).sum::<usize>() / times.len();
        times.sort_unstable();
        println!(
            "{name:<10} {:>8} {bytes:>8} {:>8} {:>8} {:>8}",
            times.len(),
            percentile(&times, 0.5),
            percentile(&times, 0.99),
            percentile(&times, 1.0),
        );
    }
    Ok(())
}
