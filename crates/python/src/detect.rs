//! `prunella._core`'s detectors of telemetry: rows, or arrays by the buffer protocol, in; scores out.
//!
//! The Python face, with what each means, is `prunella.detect`.

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use stream::{Evidence, Kind, Refused};

fn invalid(error: impl core::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Spike => "spike",
        Kind::LevelShift => "level shift",
        Kind::Trend => "trend",
        Kind::Variance => "variance",
        Kind::Silence => "silence",
        Kind::Saturation => "saturation",
        Kind::ErrorBurst => "burst of errors",
    }
}

/// See `prunella.detect`.
#[pyclass(module = "prunella._core")]
pub struct StreamDetector {
    inner: stream::Detector,
    row: Vec<f64>,
}

#[pymethods]
impl StreamDetector {
    #[new]
    fn new(metrics: usize, period_s: f64) -> PyResult<Self> {
        let inner = stream::Detector::new(metrics, period_s).map_err(invalid)?;
        Ok(Self { inner, row: vec![0.0; metrics] })
    }

    /// Takes in one row at `t` seconds: score and alarm.
    fn update(&mut self, t: f64, row: &Bound<'_, PyAny>) -> PyResult<(f64, bool)> {
        let verdict = match PyBuffer::<f64>::get(row) {
            Ok(buffer) if buffer.item_count() == self.row.len() => {
                buffer.copy_to_slice(row.py(), &mut self.row)?;
                self.inner.update(t, &self.row)
            }
            _ => self.inner.update(t, &row.extract::<Vec<f64>>()?),
        }
        .map_err(invalid)?;
        Ok((verdict.score, verdict.alarm))
    }

    /// Takes in rows at their times and writes the score and the alarm (0 or 1) of each.
    #[allow(clippy::needless_pass_by_value)] // Python hands over buffers of its own.
    fn fill(
        &mut self,
        py: Python<'_>,
        t: PyBuffer<f64>,
        rows: PyBuffer<f64>,
        scores: PyBuffer<f64>,
        alarms: PyBuffer<u8>,
    ) -> PyResult<()> {
        let (count, width) = (t.item_count(), self.inner.width());
        let written = [scores.item_count(), alarms.item_count()];
        if rows.item_count() != count * width || written != [count; 2] {
            return Err(invalid(format!("expected {count} rows of {width} values")));
        }
        let (t, rows) = (t.to_vec(py)?, rows.to_vec(py)?);
        let (mut found, mut raised) = (vec![0.0; count], vec![0; count]);
        for (at, row) in rows.chunks_exact(width).enumerate() {
            let verdict = self
                .inner
                .update(t[at], row)
                .map_err(|refused: Refused| invalid(format!("row {at}: {refused}")))?;
            (found[at], raised[at]) = (verdict.score, u8::from(verdict.alarm));
        }
        scores.copy_from_slice(py, &found)?;
        alarms.copy_from_slice(py, &raised)?;
        Ok(())
    }

    /// Of the last row, for each metric: kind, surprise in nats, value, what was expected, and for
    /// how many samples it has been loud.
    fn evidence(&self) -> Vec<(&'static str, f64, f64, f64, u32)> {
        let tell = |one: &Evidence| {
            (name(one.kind), one.acute() + one.shift, one.value, one.expected, one.since)
        };
        self.inner.evidence().iter().map(tell).collect()
    }
}

/// See `prunella.detect.Forecast`.
#[pyclass(module = "prunella._core")]
pub struct StreamForecast(stream::Forecast);

#[pymethods]
impl StreamForecast {
    #[new]
    fn new(limit: f64, horizon: f64) -> PyResult<Self> {
        if !(limit.is_finite() && horizon.is_finite() && horizon > 0.0) {
            return Err(invalid("expected a finite limit and a horizon above 0"));
        }
        Ok(Self(stream::Forecast::new(limit, horizon)))
    }

    /// Takes in one value: level, slope, when the limit is reached, the earliest and the latest of
    /// the interval (in samples from now), and whether to tell; `None` while there were too few.
    fn update(&mut self, value: f64) -> Option<(f64, f64, f64, f64, f64, bool)> {
        let one = self.0.update(value)?;
        Some((one.level, one.slope, one.reached, one.earliest, one.latest, one.alarm))
    }
}

/// See `prunella.detect.Templates`.
#[pyclass(module = "prunella._core")]
pub struct LogTemplates(stream::Templates);

#[pymethods]
impl LogTemplates {
    #[new]
    fn new(warm_up: u64) -> Self {
        Self(stream::Templates::new(warm_up))
    }

    /// Takes in one line: its template, and whether it is new.
    fn update(&mut self, line: &str) -> (String, bool) {
        self.0.update(line)
    }
}
