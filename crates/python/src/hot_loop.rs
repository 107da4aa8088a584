//! `prunella._core.HotLoop` and `replay`: settings as JSON in, a trading thread or a proof out.

use crate::stage::ends;
use engine::config::CoreConfig;
use feed::binance::Requests;
use feed::core::{Core, CoreError};
use feed::endpoint::{Endpoint, SocketOptions, Trust};
use feed::hot_loop::{
    Dealing, HotLoop as Loop, LoopError, MarketTalk, MeasureError, Options, Replay, VenueAccess,
    measure,
};
use feed::stage::{Ends, Stage};
use journal::Durability;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One venue's addresses and key; or, where only its market data is used, what to say there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Access {
    rest_url: String,
    stream_url: String,
    #[serde(default)]
    ws_api_url: String,
    #[serde(default)]
    ca_file: String,
    #[serde(default)]
    api_key: String,
    #[serde(default)]
    secret: String,
    #[serde(default)]
    talk: Option<Talk>,
}

/// See `prunella.trading.venue.live`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Talk {
    path: String,
    subscriptions: Vec<String>,
    renewals: Vec<(String, Vec<String>)>,
    snapshots: Vec<(String, String)>,
    ping: Option<(String, i64)>,
    silence_ns: i64,
    life_ns: i64,
}

impl Talk {
    /// Refuses what would end a line of the handshake or of a request early.
    fn checked(self) -> Result<MarketTalk, String> {
        let paths = self.snapshots.iter().map(|(_, path)| path).chain([&self.path]);
        for path in paths {
            if !path.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(format!("expected a path of visible ASCII characters, found {path:?}"));
            }
        }
        Ok(MarketTalk {
            path: self.path,
            subscriptions: self.subscriptions,
            renewals: self.renewals,
            snapshots: self.snapshots,
            ping: self.ping,
            silence_ns: self.silence_ns.max(1_000_000_000),
            life_ns: self.life_ns,
        })
    }
}

/// How to run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunOptions {
    cpu: Option<usize>,
    busy_poll: bool,
    order_connections: usize,
    connection_life_ns: i64,
    weight_per_minute: u32,
    receive_buffer_bytes: usize,
    send_buffer_bytes: usize,
    user_timeout_ms: u32,
    quick_ack: bool,
    journal_segment_bytes: usize,
    journal_keep_bytes: Option<u64>,
    journal_keep_ns: Option<i64>,
    journal_durability: String,
    journal_stall_ns: i64,
    snapshot_every_entries: u64,
    snapshot_every_ns: i64,
    seed: u64,
    /// By number in the configuration.
    #[serde(default)]
    strategy_sockets: Vec<(u8, PathBuf)>,
    #[serde(default)]
    onnxruntime: Option<PathBuf>,
}

/// An exception of `prunella.errors` by name.
pub(crate) fn raise(py: Python<'_>, class: &str, text: String) -> PyErr {
    match py.import("prunella.errors").and_then(|module| module.getattr(class)) {
        Ok(class) => match class.call1((text,)) {
            Ok(error) => PyErr::from_value(error),
            Err(error) => error,
        },
        Err(error) => error,
    }
}

pub(crate) fn config_error(py: Python<'_>, text: String) -> PyErr {
    raise(py, "ConfigError", text)
}

pub(crate) fn loop_error(py: Python<'_>, error: &LoopError) -> PyErr {
    let class = match error {
        LoopError::Journal(_) | LoopError::Core { source: CoreError::Unreadable(_), .. } => {
            "JournalError"
        }
        LoopError::Core { .. } => "InvariantError",
        LoopError::System { .. } => "UsageError",
        LoopError::Config(_) => "ConfigError",
    };
    raise(py, class, error.to_string())
}

fn access(
    venue: Access,
    receive_window_ns: i64,
    sockets: SocketOptions,
) -> Result<VenueAccess, String> {
    let trust = if venue.ca_file.is_empty() {
        Trust::public()
    } else {
        Trust::file(Path::new(&venue.ca_file))?
    };
    let stream = Endpoint::parse(&venue.stream_url, "ws", &trust, sockets)?;
    if let Some(talk) = venue.talk {
        let rest = match venue.rest_url.as_str() {
            // Nothing is ever asked there.
            "" => stream.clone(),
            url => Endpoint::parse(url, "http", &trust, sockets)?,
        };
        return Ok(VenueAccess { rest, stream, dealing: Dealing::Data(talk.checked()?) });
    }
    let rest = Endpoint::parse(&venue.rest_url, "http", &trust, sockets)?;
    let requests = Requests::new(&rest.host, &venue.api_key, &venue.secret, receive_window_ns)
        .map_err(|error| error.to_string())?;
    let ws_api = Endpoint::parse(&venue.ws_api_url, "ws", &trust, sockets)?;
    Ok(VenueAccess { rest, stream, dealing: Dealing::Trading { ws_api, requests } })
}

/// Every limit by name, JSON, as a configuration of the core has it; null where none is set.
#[pyfunction]
pub fn config_limits(py: Python<'_>, config: &[u8]) -> PyResult<Vec<u8>> {
    let config = read_config(py, config)?;
    Ok(feed::hot_loop::limits_json(&config))
}

pub(crate) fn read_config(py: Python<'_>, json: &[u8]) -> PyResult<CoreConfig> {
    serde_json::from_slice(json)
        .map_err(|error| config_error(py, format!("expected the core's configuration: {error}")))
}

fn durability(name: &str) -> Result<Durability, String> {
    match name {
        "process" => Ok(Durability::Process),
        "power" => Ok(Durability::Power),
        "replica" => Ok(Durability::Replica),
        other => {
            Err(format!("journal_durability: expected process, power or replica, found {other:?}"))
        }
    }
}

struct Prepared {
    stage: Option<(Stage, Ends)>,
    config: CoreConfig,
    venues: Vec<VenueAccess>,
    options: Options,
}

enum State {
    Prepared(Box<Prepared>),
    Running(Arc<Loop>),
    Ended,
}

/// The trading thread; see `prunella.trading.runtime`.
///
/// Frozen, with a lock that is never held while it waits: the status is asked for by other threads
/// while one starts or stops.
#[pyclass(frozen, module = "prunella._core")]
pub struct HotLoop {
    state: Mutex<State>,
}

impl HotLoop {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> Option<Arc<Loop>> {
        match &*self.state() {
            State::Running(running) => Some(Arc::clone(running)),
            State::Prepared(_) | State::Ended => None,
        }
    }
}

#[pymethods]
impl HotLoop {
    #[new]
    #[pyo3(signature = (*, config, venues, journal_dir, options, stage=None))]
    fn new(
        py: Python<'_>,
        config: &[u8],
        venues: &[u8],
        journal_dir: PathBuf,
        options: &[u8],
        stage: Option<&[u8]>,
    ) -> PyResult<Self> {
        let config = read_config(py, config)?;
        let fail = |error: serde_json::Error| config_error(py, error.to_string());
        let told: Vec<Access> = serde_json::from_slice(venues).map_err(fail)?;
        let options: RunOptions = serde_json::from_slice(options).map_err(fail)?;
        let sockets = SocketOptions {
            receive_buffer_bytes: options.receive_buffer_bytes,
            send_buffer_bytes: options.send_buffer_bytes,
            user_timeout_ms: options.user_timeout_ms,
            quick_ack: options.quick_ack,
        };
        let mut venues = Vec::new();
        for (venue, limits) in told.into_iter().zip(&config.venues) {
            let found = access(venue, limits.receive_window_ns, sockets)
                .map_err(|text| config_error(py, format!("venue {}: {text}", limits.name)))?;
            venues.push(found);
        }
        let durability =
            durability(&options.journal_durability).map_err(|text| config_error(py, text))?;
        let options = Options {
            journal_dir,
            durability,
            journal_stall_ns: options.journal_stall_ns.max(1_000_000),
            segment_bytes: options.journal_segment_bytes,
            journal_keep_bytes: options.journal_keep_bytes,
            journal_keep_ns: options.journal_keep_ns,
            cpu: options.cpu,
            busy_poll: options.busy_poll,
            order_connections: options.order_connections.clamp(1, 64),
            connection_life_ns: options.connection_life_ns.max(2_000_000_000),
            weight_per_minute: options.weight_per_minute,
            snapshot_every_entries: options.snapshot_every_entries.max(1),
            snapshot_every_ns: options.snapshot_every_ns.max(1_000_000),
            seed: options.seed,
            strategy_sockets: options.strategy_sockets,
            onnxruntime: options.onnxruntime,
        };
        let stage = stage.map(|told| ends(py, told)).transpose()?;
        let prepared = Box::new(Prepared { stage, config, venues, options });
        Ok(Self { state: Mutex::new(State::Prepared(prepared)) })
    }

    /// Recovers from the journal and trades from now on.
    fn start(&self, py: Python<'_>) -> PyResult<()> {
        let State::Prepared(prepared) = core::mem::replace(&mut *self.state(), State::Ended) else {
            return Err(raise(py, "UsageError", "a hot loop is started once".to_owned()));
        };
        let started = py.detach(|| {
            let Prepared { stage, config, venues, options } = *prepared;
            Loop::start_as(stage, config, venues, options)
        });
        let running = started.map_err(|error| loop_error(py, &error))?;
        *self.state() = State::Running(Arc::new(running));
        Ok(())
    }

    /// Sends a command (JSON) with the model that it may promote; the reply (JSON), or `None` when
    /// there was none in time.
    #[pyo3(signature = (json, timeout_s, *, model = Vec::new()))]
    #[allow(clippy::needless_pass_by_value)] // Python hands over bytes of its own.
    fn command(
        &self,
        py: Python<'_>,
        json: String,
        timeout_s: f64,
        model: Vec<u8>,
    ) -> Option<String> {
        let running = self.running()?;
        let timeout = Duration::from_secs_f64(timeout_s.clamp(0.0, 60.0));
        py.detach(|| running.command(json, &model, timeout))
    }

    /// The newest status (JSON); empty before the first.
    fn status(&self) -> String {
        self.running().map_or_else(String::new, |running| running.status())
    }

    /// Lines for people since the last call.
    fn take_notes(&self) -> Vec<String> {
        self.running().map_or_else(Vec::new, |running| running.take_notes())
    }

    #[getter]
    fn is_running(&self) -> bool {
        self.running().is_some_and(|running| running.is_running())
    }

    /// Cancels all orders, writes a snapshot, ends the thread.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let Some(running) = self.running() else { return Ok(()) };
        py.detach(|| running.stop()).map_err(|error| loop_error(py, &error))
    }
}

/// When, at which venue (empty: everywhere) and which reflex, in order.
fn reflex_lines(core: &Core, told: &Replay) -> Vec<(i64, String, String)> {
    let venues = &core.engine().config().venues;
    told.reflexes
        .iter()
        .map(|(ts_ns, venue, reflex)| {
            let name = venue.map_or_else(String::new, |id| venues[id.index()].name.clone());
            (*ts_ns, name, reflex.name().to_owned())
        })
        .collect()
}

/// Replays an engine's journal and compares every recorded state hash.
#[pyfunction]
#[pyo3(signature = (journal_dir, *, from_snapshot))]
pub fn replay<'py>(
    py: Python<'py>,
    journal_dir: &str,
    from_snapshot: bool,
) -> PyResult<Option<Bound<'py, PyDict>>> {
    let begun = Instant::now();
    let found = py
        .detach(|| {
            feed::hot_loop::replay(Path::new(journal_dir), from_snapshot).map(|found| {
                let seconds = begun.elapsed().as_secs_f64();
                found.map(|(core, told)| {
                    let reflexes = reflex_lines(&core, &told);
                    (core.engine().state_hash(), told, reflexes, seconds)
                })
            })
        })
        .map_err(|error| loop_error(py, &error))?;
    let Some((state_hash, told, reflexes, seconds)) = found else { return Ok(None) };
    let answer = PyDict::new(py);
    answer.set_item("from_seq", told.from_seq)?;
    answer.set_item("last_seq", told.last_seq)?;
    answer.set_item("entries", told.entries)?;
    answer.set_item("frames", told.frames)?;
    answer.set_item("orders", told.orders)?;
    answer.set_item("last_order_seq", told.last_order_seq)?;
    answer.set_item("checks", told.checks)?;
    answer.set_item("market_age_ns_max", told.market_age_ns_max)?;
    answer.set_item("reflexes", reflexes)?;
    answer.set_item("state_hash", feed::core::hex(&state_hash))?;
    answer.set_item("seconds", seconds)?;
    answer.set_item("frames_per_second", told.frames as f64 / seconds.max(1e-9))?;
    Ok(Some(answer))
}

/// Every order of an engine's journal from its decision to its end (JSON), oldest first.
#[pyfunction]
pub fn order_trails(py: Python<'_>, journal_dir: &str) -> PyResult<String> {
    let told = py.detach(|| feed::hot_loop::trails(Path::new(journal_dir)));
    let told = told.map_err(|error| loop_error(py, &error))?;
    Ok(serde_json::to_string(&told).expect("plain data always encodes"))
}

/// Plays a recording through the hot loop's machine; nanoseconds of each frame, and of each order.
#[pyfunction]
#[pyo3(signature = (paths, *, config, journal_dir))]
#[allow(clippy::needless_pass_by_value)] // Python hands over a list of its own.
pub fn measure_session(
    py: Python<'_>,
    paths: Vec<String>,
    config: &[u8],
    journal_dir: &str,
) -> PyResult<(Vec<i64>, Vec<i64>)> {
    let config = read_config(py, config)?;
    let measured = py.detach(|| measure(&paths, config, Path::new(journal_dir)));
    match measured {
        Ok(measured) => Ok((measured.frames_ns, measured.orders_ns)),
        Err(MeasureError::Recording(error)) => Err(raise(py, "RecordingError", error.to_string())),
        Err(MeasureError::Loop(error)) => Err(loop_error(py, &error)),
    }
}
