//! Models for Python: `prunella.trading.model`.

use engine::model::Model as Compiled;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::time::Instant;

/// See `prunella.trading.model`.
#[pyclass(module = "prunella._core")]
pub struct Model {
    model: Compiled,
}

/// Rows of 32-bit floats, little-endian, as `numpy` lays them out.
fn floats(bytes: &[u8], width: usize) -> PyResult<Vec<f32>> {
    if bytes.len() % (width * 4) != 0 {
        let text = format!("expected rows of {width} 32-bit floats, found {} bytes", bytes.len());
        return Err(PyValueError::new_err(text));
    }
    let words = bytes.as_chunks::<4>().0;
    Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
}

#[pymethods]
impl Model {
    #[new]
    fn new(bytes: &[u8]) -> PyResult<Self> {
        let model = Compiled::compile(bytes);
        model.map(|model| Self { model }).map_err(|error| PyValueError::new_err(error.to_string()))
    }

    #[getter]
    fn features(&self) -> usize {
        self.model.features()
    }

    #[getter]
    fn outputs(&self) -> usize {
        self.model.outputs()
    }

    fn infer<'py>(&mut self, py: Python<'py>, rows: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let width = self.model.features();
        let mut out = Vec::new();
        for row in floats(rows, width)?.chunks_exact(width) {
            out.extend(self.model.infer(row).iter().flat_map(|value| value.to_le_bytes()));
        }
        Ok(PyBytes::new(py, &out))
    }

    /// How long each row takes, nanoseconds; the two readings of the clock are in it.
    fn time(&mut self, rows: &[u8]) -> PyResult<Vec<u64>> {
        let width = self.model.features();
        let rows = floats(rows, width)?;
        let mut took = Vec::with_capacity(rows.len() / width);
        for row in rows.chunks_exact(width) {
            let start = Instant::now();
            std::hint::black_box(self.model.infer(std::hint::black_box(row)));
            took.push(start.elapsed().as_nanos() as u64);
        }
        Ok(took)
    }
}
