//! `prunella._core.run_backtest`: data and settings in, columns of what happened out.

use crate::hot_loop::{raise, read_config};
use crate::observer::PythonStrategies;
use backtest::events::Events;
use backtest::load::{self, LoadError, Loaded};
use backtest::record::Record;
use backtest::run::{Nobody, Observer, Run, Settings};
use engine::config::CoreConfig;
use engine::event::{Side, TimeInForce};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::path::{Path, PathBuf};
use std::time::Instant;
use values::{Nanos, VenueId};

fn load_error(py: Python<'_>, error: &LoadError) -> PyErr {
    let class = match error {
        LoadError::Journal { .. } => "JournalError",
        _ => "RecordingError",
    };
    raise(py, class, error.to_string())
}

/// Rows of equal length, each cell an `int64`, as `NumPy` reads them.
fn rows<const N: usize>(
    py: Python<'_>,
    rows: impl Iterator<Item = [i64; N]>,
) -> Bound<'_, PyBytes> {
    let bytes: Vec<u8> = rows.flatten().flat_map(i64::to_le_bytes).collect();
    PyBytes::new(py, &bytes)
}

/// A closed list's place; Python has the names.
fn life(time_in_force: TimeInForce) -> i64 {
    time_in_force as i64
}

fn columns<'py>(py: Python<'py>, record: &Record) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(py);
    let orders = record.orders.iter().map(|o| {
        let (number, market) = (i64::from(o.id.number), i64::from(o.market.0));
        let (strategy, sells) = (i64::from(o.strategy.0), i64::from(o.side == Side::Sell));
        [o.ts_ns, number, market, strategy, sells, life(o.time_in_force), o.price, o.quantity]
    });
    found.set_item("orders", rows(py, orders))?;
    let fills = record.fills.iter().map(|f| {
        let (number, market) = (i64::from(f.id.number), i64::from(f.market.0));
        let (strategy, sells) = (i64::from(f.strategy.0), i64::from(f.side == Side::Sell));
        let maker = i64::from(f.is_maker);
        let (price, fee) = (f.price, f.fee);
        let (quantity, mark, held) = (f.quantity, f.mark, f.position);
        [f.ts_ns, number, market, strategy, sells, maker, price, quantity, fee, mark, held]
    });
    found.set_item("fills", rows(py, fills))?;
    let samples = record.samples.iter();
    let samples = samples.map(|s| [s.ts_ns, i64::from(s.market.0), s.mark, s.position, s.profit]);
    found.set_item("samples", rows(py, samples))?;
    found.set_item("accept_ns", rows(py, record.accept_ns.iter().map(|ns| [*ns])))?;
    found.set_item("state_hash", feed::core::hex(&record.state_hash))?;
    found.set_item("span_ns", record.span_ns)?;
    found.set_item("counts", serde_json::to_string(&record.counts).unwrap_or_default())?;
    Ok(found)
}

/// Recordings (lists of files) or one journal's folder, by venue.
type Data = Vec<Vec<PathBuf>>;

fn load_all(
    config: &CoreConfig,
    data: &Data,
    cache_dir: Option<&Path>,
) -> Result<Vec<Loaded>, LoadError> {
    let venues = (0_u8..).map(VenueId).zip(data);
    venues
        .map(|(venue, paths)| match paths.as_slice() {
            [] => Ok(Loaded { events: Events::default(), source_hash: [0; 32], is_cached: false }),
            [folder] if folder.is_dir() => load::journal(config, venue, folder),
            files => load::recordings(config, venue, files, cache_dir),
        })
        .collect()
}

/// ONNX files by strategy.
type Models = Vec<(String, Vec<u8>)>;

fn play<O: Observer>(
    config: CoreConfig,
    settings: Settings,
    events: &[&Events],
    models: &Models,
    observer: O,
) -> Result<Record, String> {
    let mut run = Run::new(config, settings, events, observer)?;
    for (strategy, onnx) in models {
        run.promote(strategy, onnx)?;
    }
    run.play().map(|(record, _)| record)
}

/// Plays recorded markets through the core; see `prunella.trading.backtest`.
#[pyfunction]
#[pyo3(signature = (*, config, settings, data, cache_dir, strategies, models))]
#[allow(clippy::needless_pass_by_value)] // Python hands over lists of its own.
pub fn run_backtest<'py>(
    py: Python<'py>,
    config: &[u8],
    settings: &[u8],
    data: Data,
    cache_dir: Option<PathBuf>,
    strategies: Vec<(u8, Py<PyAny>)>,
    models: Models,
) -> PyResult<Bound<'py, PyDict>> {
    let config = read_config(py, config)?;
    let settings: Settings = serde_json::from_slice(settings)
        .map_err(|error| raise(py, "ConfigError", format!("expected settings: {error}")))?;
    let begun = Instant::now();
    let loaded = py
        .detach(|| load_all(&config, &data, cache_dir.as_deref()))
        .map_err(|error| load_error(py, &error))?;
    let load_s = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let events: Vec<&Events> = loaded.iter().map(|each| &each.events).collect();
    let record = if strategies.is_empty() {
        py.detach(|| play(config, settings, &events, &models, Nobody))
    } else {
        let observer = PythonStrategies::new(strategies, config.markets.len());
        play(config, settings, &events, &models, observer)
    };
    let mut record = record.map_err(|text| {
        // An exception of the strategy itself is handed on as it is.
        PyErr::take(py).unwrap_or_else(|| raise(py, "ConfigError", text))
    })?;
    record.counts.rows = events.iter().map(|each| each.rows()).sum();
    let found = columns(py, &record)?;
    found.set_item("run_s", begun.elapsed().as_secs_f64())?;
    found.set_item("load_s", load_s)?;
    found.set_item("is_cached", loaded.iter().all(|each| each.is_cached))?;
    let hashes: Vec<String> = loaded.iter().map(|l| feed::core::hex(&l.source_hash)).collect();
    found.set_item("data_hashes", hashes)?;
    Ok(found)
}

/// Replays an engine's journal and keeps its orders; see `prunella.trading.backtest`.
#[pyfunction]
#[pyo3(signature = (journal_dir, *, sample_ns))]
#[allow(clippy::needless_pass_by_value)] // Python hands over a path of its own.
pub fn replay_orders(
    py: Python<'_>,
    journal_dir: PathBuf,
    sample_ns: Nanos,
) -> PyResult<Bound<'_, PyDict>> {
    let (core, record) = py
        .detach(|| backtest::journaled::replay(&journal_dir, sample_ns))
        .map_err(|text| raise(py, "JournalError", text))?;
    let found = columns(py, &record)?;
    let config = serde_json::to_string(core.engine().config()).unwrap_or_default();
    found.set_item("config", config)?;
    Ok(found)
}
