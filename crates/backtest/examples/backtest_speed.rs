//! Recorded session in; rows a second through the backtester, without a strategy and with the maker, out.
//!
//! `cargo run --release -p prunella-backtest --example backtest_speed -- CONFIG.json FILE...`

use backtest::latency::Delays;
use backtest::queue::QueueModel;
use backtest::run::{Settings, run};
use backtest::venue::Fees;
use engine::config::CoreConfig;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;
use values::VenueId;

const PASSES: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let mut given = std::env::args().skip(1);
    let config = given.next().ok_or("expected CONFIG.json FILE...")?;
    let config: CoreConfig = serde_json::from_slice(&std::fs::read(config)?)?;
    let paths: Vec<PathBuf> = given.map(PathBuf::from).collect();
    let begun = Instant::now();
    let loaded = backtest::load::recordings(&config, VenueId(0), &paths, None)?;
    println!("decoded {} rows in {:?}", loaded.events.rows(), begun.elapsed());
    let dir = std::env::temp_dir().join("prunella-backtest-speed");
    backtest::load::recordings(&config, VenueId(0), &paths, Some(&dir))?;
    let begun = Instant::now();
    let again = backtest::load::recordings(&config, VenueId(0), &paths, Some(&dir))?;
    println!("from the cache: {} in {:?}", again.is_cached, begun.elapsed());
    let settings = Settings {
        fees: vec![Fees { maker_ppm: 100, taker_ppm: 400 }],
        send: Delays::constant(0),
        report: Delays::constant(0),
        feed_ns: 0,
        queue: QueueModel::Probabilistic { power: 2.0 },
        seed: 1,
        sample_ns: 1_000_000_000,
        is_measured: false,
    };
    let mut empty = CoreConfig { strategies: Vec::new(), ..config.clone() };
    empty.limits.strategies.clear();
    for (name, config) in [("no strategy", &empty), ("as configured", &config)] {
        let mut best = f64::MAX;
        let mut record = None;
        for _ in 0..PASSES {
            let begun = Instant::now();
            record = Some(run(config.clone(), settings.clone(), &[&loaded.events])?);
            best = best.min(begun.elapsed().as_secs_f64());
        }
        let record = record.expect("there was a pass");
        println!(
            "{name}: {:.1} M rows/s, {:.0} k frames/s, {} orders, {} fills {:?}",
            record.counts.rows as f64 / best / 1e6,
            record.counts.frames as f64 / best / 1e3,
            record.orders.len(),
            record.fills.len(),
            record.counts
        );
    }
    let measured = Settings { is_measured: true, ..settings };
    let mut took = run(config, measured, &[&loaded.events])?.accept_ns;
    took.sort_unstable();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!("submit to accepted: p50 {} ns, p99 {} ns, of {}", at(0.5), at(0.99), took.len());
    Ok(())
}
