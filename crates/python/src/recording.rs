//! Recorded market data for Python: `prunella.values.recording`.

use feed::recording::{Recording as Reader, RecordingError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// See `prunella.values.recording`.
#[pyclass(module = "prunella._core")]
pub struct Recording {
    reader: Reader,
}

#[pymethods]
impl Recording {
    #[new]
    #[allow(clippy::needless_pass_by_value)] // Python hands over a list of its own.
    fn new(py: Python<'_>, paths: Vec<String>) -> PyResult<Self> {
        let reader = Reader::open(&paths).map_err(|error| refuse(py, &error))?;
        Ok(Self { reader })
    }

    #[getter]
    fn place(&self) -> String {
        self.reader.place()
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<(i64, Bound<'py, PyBytes>)>> {
        let frame = self.reader.next().map_err(|error| refuse(py, &error))?;
        Ok(frame.map(|frame| (frame.ts_ns, PyBytes::new(py, frame.bytes))))
    }
}

/// Makes `prunella.errors.RecordingError` of a reader's error.
fn refuse(py: Python<'_>, error: &RecordingError) -> PyErr {
    let made = py
        .import("prunella.errors")
        .and_then(|errors| errors.getattr("RecordingError"))
        .and_then(|class| class.call1((error.to_string(),)));
    match made {
        Ok(value) => PyErr::from_value(value),
        Err(missing) => missing,
    }
}
