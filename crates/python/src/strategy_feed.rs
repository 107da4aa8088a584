//! `prunella._core.StrategyFeed`: an engine's journal in; what one strategy is told, as bytes, out.

use crate::hot_loop::{loop_error, raise};
use feed::strategy_feed::Follower;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;

/// One strategy's view of a running engine; see `prunella.trading.runtime.hosting`.
#[pyclass(module = "prunella._core")]
pub struct StrategyFeed {
    follower: Follower,
    /// Messages of one look, one after the other, and where each ends; kept between looks.
    told: Vec<u8>,
    ends: Vec<usize>,
}

#[pymethods]
impl StrategyFeed {
    #[new]
    #[allow(clippy::needless_pass_by_value)] // Python hands over a path of its own.
    fn new(py: Python<'_>, journal_dir: PathBuf, name: String) -> PyResult<Self> {
        let follower = py
            .detach(|| Follower::open(&journal_dir, &name))
            .map_err(|error| loop_error(py, &error))?
            .ok_or_else(|| {
                let text = format!("{}: the journal has not begun", journal_dir.display());
                raise(py, "TargetUnavailableError", text)
            })?;
        Ok(Self { follower, told: Vec::with_capacity(4_096), ends: Vec::with_capacity(64) })
    }

    /// What happened since the last look, message by message, oldest first.
    fn look<'py>(&mut self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let StrategyFeed { follower, told, ends } = self;
        told.clear();
        ends.clear();
        py.detach(|| {
            follower.look(|message| {
                told.extend_from_slice(message);
                ends.push(told.len());
            })
        })
        .map_err(|error| loop_error(py, &error))?;
        let mut start = 0;
        Ok(ends
            .iter()
            .map(|&end| {
                let message = PyBytes::new(py, &told[start..end]);
                start = end;
                message
            })
            .collect())
    }

    /// An answer is on its way: the next look tells nothing until the journal holds it.
    fn answered(&mut self) {
        self.follower.answered();
    }

    /// The way to the engine is new; what went over the old one may never arrive.
    fn reconnected(&mut self) {
        self.follower.reconnected();
    }

    /// The core's time as far as it has been followed, nanoseconds UTC.
    #[getter]
    fn now_ns(&self) -> i64 {
        self.follower.now_ns()
    }

    /// What the engine lets through: `waiting`, `closed`, `open` or `half_open`.
    #[getter]
    fn gate(&self) -> &'static str {
        self.follower.gate().name()
    }

    /// Public trades that were left out because too many came between two looks.
    #[getter]
    fn trades_left_out(&self) -> u64 {
        self.follower.trades_left_out()
    }
}
