//! `prunella._core`'s intake of OpenTelemetry's protocol: requests' bytes in; changed series out.
//!
//! The Python face, with what each means, is `prunella.telemetry.otlp`. The walk runs without the
//! interpreter's lock, so that a flood of points does not stop the other threads.

use std::sync::Mutex;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use telemetry::{Intake, Label, Malformed, Taken};

/// See `prunella.telemetry.otlp`.
#[pyclass(module = "prunella._core", frozen)]
pub struct OtlpIntake(Mutex<Intake>);

/// Entity, metric, labels.
type Named = (String, String, Vec<Label>);
/// Number, value, nanoseconds UTC.
type Changed = (u32, f64, u64);

impl OtlpIntake {
    fn take(
        &self,
        py: Python<'_>,
        walk: impl FnOnce(&mut Intake) -> Result<Taken, Malformed> + Send,
    ) -> PyResult<(u64, u64)> {
        py.detach(|| walk(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)))
            .map(|taken| (taken.taken, taken.refused))
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

#[pymethods]
impl OtlpIntake {
    #[new]
    fn new(series_max: usize) -> Self {
        Self(Mutex::new(Intake::new(series_max)))
    }

    /// Takes an `ExportMetricsServiceRequest`: how many points were taken, and refused.
    fn metrics(&self, py: Python<'_>, request: &[u8], now_ns: u64) -> PyResult<(u64, u64)> {
        self.take(py, |intake| intake.metrics(request, now_ns))
    }

    /// Takes an `ExportLogsServiceRequest`: records.
    fn logs(&self, py: Python<'_>, request: &[u8], now_ns: u64) -> PyResult<(u64, u64)> {
        self.take(py, |intake| intake.logs(request, now_ns))
    }

    /// Takes an `ExportTraceServiceRequest`: spans.
    fn traces(&self, py: Python<'_>, request: &[u8], now_ns: u64) -> PyResult<(u64, u64)> {
        self.take(py, |intake| intake.traces(request, now_ns))
    }

    /// Generation, series that are new in it, and what has changed since the last call.
    fn drain(&self) -> (u64, Vec<Named>, Vec<Changed>) {
        let mut intake = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (generation, new, changes) = intake.drain();
        let named =
            |one: &telemetry::Series| (one.entity.clone(), one.metric.clone(), one.labels.clone());
        let new = new.iter().map(named).collect();
        let changes = changes.iter().map(|one| (one.number, one.value, one.ts_ns)).collect();
        (generation, new, changes)
    }
}
