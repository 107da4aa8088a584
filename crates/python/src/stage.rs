//! `prunella._core.StageLoop`: a stage's name, a journal and the places of its sockets in; its thread out.

use crate::hot_loop::{config_error, loop_error, raise};
use feed::hot_loop::StageLoop as Loop;
use feed::stage::{Ends, Kind, Socket, Stage, Wire};
use pyo3::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Where a socket is, and who may use it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    path: PathBuf,
    /// Of all who may connect, by name; this side makes the path.
    #[serde(default)]
    secrets: Option<BTreeMap<String, String>>,
    /// Our own, where somebody else makes the path.
    #[serde(default)]
    secret: String,
}

/// A stage and its ends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Places {
    name: String,
    stream: Place,
    inlet: Option<Place>,
    outlet: Option<Place>,
}

/// The stage and its ends, from JSON.
pub(crate) fn ends(py: Python<'_>, told: &[u8]) -> PyResult<(Stage, Ends)> {
    let told: Places =
        serde_json::from_slice(told).map_err(|error| config_error(py, error.to_string()))?;
    let stage = Stage::parse(&told.name)
        .ok_or_else(|| config_error(py, format!("expected a stage, found {:?}", told.name)))?;
    let open = |kind, place: Place| {
        let wire = match place.secrets {
            Some(secrets) => Wire::bind(kind, &place.path, secrets),
            None => Wire::connect(kind, &place.path, stage.name(), &place.secret),
        };
        let wire = wire.map_err(|error| config_error(py, error.to_string()))?;
        Ok::<_, PyErr>(Socket::Wire(Box::new(wire)))
    };
    let topics = stage.topics().iter().map(|&topic| vec![topic]).collect();
    let hears = if stage == Stage::Market { Kind::Publish } else { Kind::Subscribe(topics) };
    let tells = if stage == Stage::Position { Kind::Publish } else { Kind::Push };
    let ends = Ends {
        stream: open(hears, told.stream)?,
        inlet: told.inlet.map(|place| open(Kind::Pull, place)).transpose()?,
        outlet: told.outlet.map(|place| open(tells, place)).transpose()?,
    };
    Ok((stage, ends))
}

/// The thread of `signal`, `risk` or `position`; see `prunella.trading.runtime`.
#[pyclass(frozen, module = "prunella._core")]
pub struct StageLoop {
    journal_dir: PathBuf,
    prepared: Mutex<Option<(Stage, Ends)>>,
    running: Mutex<Option<Arc<Loop>>>,
}

impl StageLoop {
    fn running(&self) -> Option<Arc<Loop>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[pymethods]
impl StageLoop {
    #[new]
    #[pyo3(signature = (*, journal_dir, stage))]
    fn new(py: Python<'_>, journal_dir: PathBuf, stage: &[u8]) -> PyResult<Self> {
        let prepared = Mutex::new(Some(ends(py, stage)?));
        Ok(Self { journal_dir, prepared, running: Mutex::default() })
    }

    /// Waits for the journal, catches up with it and follows it from now on.
    fn start(&self, py: Python<'_>) -> PyResult<()> {
        let prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((stage, ends)) = prepared else {
            return Err(raise(py, "UsageError", "a stage is started once".to_owned()));
        };
        let started = py.detach(|| Loop::start(stage, &self.journal_dir, ends));
        let running = started.map_err(|error| loop_error(py, &error))?;
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(running));
        Ok(())
    }

    /// The newest status (JSON); empty before the first.
    fn status(&self) -> String {
        self.running().map_or_else(String::new, |running| running.status())
    }

    #[getter]
    fn is_running(&self) -> bool {
        self.running().is_some_and(|running| running.is_running())
    }

    /// Ends the thread.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let Some(running) = self.running() else { return Ok(()) };
        py.detach(|| running.stop()).map_err(|error| loop_error(py, &error))
    }
}
