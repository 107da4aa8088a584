//! The clock estimate on recorded sessions, whose recorder's clock was not the venue's.

use feed::binance::{Decoder, Frame, Instrument};
use feed::clock_offset::ClockOffset;
use feed::recording::Recording;
use std::path::{Path, PathBuf};
use values::{MarketId, VenueId};

#[test]
fn recorders_clock_is_found_to_be_off_by_the_known_amount() {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("PRUNELLA_DATA").map_or(default, PathBuf::from).join("market");
    if !data.is_dir() {
        println!("skipped: no recordings in {} (set PRUNELLA_DATA)", data.display());
        return;
    }
    let instrument = Instrument {
        market: MarketId(0),
        symbol: "BTCUSDT".into(),
        base: "BTC".into(),
        quote: "USDT".into(),
    };
    let mut decoder = Decoder::new(VenueId(0), vec![instrument]);
    let files = [8, 9].map(|day| data.join(format!("binance_spot_btcusdt_2024080{day}.gz")));
    let mut recording = Recording::open(&files).unwrap();
    let (mut clock, mut found) = (ClockOffset::default(), Vec::new());
    while let Some(frame) = recording.next().unwrap() {
        use engine::event::Event::{DepthDiff, Trade};
        if let Ok(Frame::Event(DepthDiff { ts_event_ns, .. } | Trade { ts_event_ns, .. })) =
            decoder.market(frame.bytes)
        {
            clock.observe(frame.ts_ns, ts_event_ns);
            found.extend(clock.offset_ns().map(|ns| ns / 1_000_000));
        }
    }
    let (least, most) = (found.iter().min().unwrap(), found.iter().max().unwrap());
    println!("venue's clock minus the recorder's: {least} to {most} ms");
    assert!((1_200..1_350).contains(least) && (1_200..1_350).contains(most), "{least} {most}");
}
