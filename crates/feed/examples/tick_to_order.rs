//! A core's configuration and a recorded session in; percentiles of tick-to-order and of frames out.
//!
//! `cargo run --release -p prunella-feed --example tick_to_order -- CONFIG.json FILE...`; the
//! configuration is that of a maker who quotes at each move, see `prunella bench --only core`.

use feed::hot_loop::{MeasureError, measure};

/// Each figure is told for every run and for the best, so that other work on the machine shows.
const RUNS: usize = 9;

fn main() -> Result<(), MeasureError> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("a configuration and recordings as arguments");
    let config = std::fs::read(path).expect("the configuration can be read");
    let files: Vec<String> = arguments.collect();
    let mut best = [[i64::MAX; 4]; 2];
    for run in 0..RUNS {
        let config = serde_json::from_slice(&config).expect("a core's configuration");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut measured = measure(&files, config, folder.path())?;
        let taken = [&mut measured.orders_ns, &mut measured.frames_ns];
        for ((name, taken), best) in ["order", "frame"].into_iter().zip(taken).zip(&mut best) {
            taken.sort_unstable();
            let figures = [0.5, 0.99, 0.999, 1.0].map(|share| percentile(taken, share));
            show(&format!("{name}, run {}", run + 1), taken.len(), figures);
            *best = core::array::from_fn(|at| best[at].min(figures[at]));
        }
    }
    show("order, best", RUNS, best[0]);
    show("frame, best", RUNS, best[1]);
    Ok(())
}

fn percentile(sorted: &[i64], share: f64) -> i64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

fn show(name: &str, count: usize, [p50, p99, p999, most]: [i64; 4]) {
    println!(
        "{name:<14} n={count:<7} p50 {p50:>6}  p99 {p99:>6}  p99.9 {p999:>7}  max {most:>8} ns"
    );
}
