//! Models for Python: `prunella.trading.model`.

use crate::hot_loop::{raise, read_config};
use engine::model::Model as Compiled;
use engine::model::features::{FEATURES_V1, FEATURES_VERSION};
use feed::features::{FeatureError, play};
use onnxruntime::Session;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;
use std::time::Instant;

/// Who computes.
enum Engine {
    Core(Compiled),
    Runtime(Box<Session>),
}

/// See `prunella.trading.model`.
#[pyclass(module = "prunella._core")]
pub struct Model {
    engine: Engine,
}

fn refused(error: &impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

impl Model {
    fn scores(&mut self, row: &[f32]) -> PyResult<&[f32]> {
        match &mut self.engine {
            Engine::Core(model) => Ok(model.infer(row)),
            Engine::Runtime(session) => session.infer(row).map_err(|error| refused(&error)),
        }
    }
}

/// Rows of 32-bit floats, little-endian, as `numpy` lays them out.
fn floats(bytes: &[u8], width: usize) -> PyResult<Vec<f32>> {
    if !bytes.len().is_multiple_of(width * 4) {
        let text = format!("expected rows of {width} 32-bit floats, found {} bytes", bytes.len());
        return Err(PyValueError::new_err(text));
    }
    let words = bytes.as_chunks::<4>().0;
    Ok(words.iter().map(|word| f32::from_le_bytes(*word)).collect())
}

#[pymethods]
impl Model {
    /// Compiled by the core, or with a library computed by ONNX Runtime.
    #[new]
    #[pyo3(signature = (onnx, *, library = None))]
    #[allow(clippy::needless_pass_by_value)] // Python hands over a path of its own.
    fn new(onnx: &[u8], library: Option<PathBuf>) -> PyResult<Self> {
        let engine = match library {
            None => Engine::Core(Compiled::compile(onnx).map_err(|error| refused(&error))?),
            Some(library) => {
                let session = Session::load(&library, onnx).map_err(|error| refused(&error))?;
                Engine::Runtime(Box::new(session))
            }
        };
        Ok(Self { engine })
    }

    #[getter]
    fn features(&self) -> usize {
        match &self.engine {
            Engine::Core(model) => model.features(),
            Engine::Runtime(session) => session.features(),
        }
    }

    #[getter]
    fn outputs(&self) -> usize {
        match &self.engine {
            Engine::Core(model) => model.outputs(),
            Engine::Runtime(session) => session.outputs(),
        }
    }

    fn infer<'py>(&mut self, py: Python<'py>, rows: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let width = self.features();
        let mut out = Vec::new();
        for row in floats(rows, width)?.chunks_exact(width) {
            out.extend(self.scores(row)?.iter().flat_map(|value| value.to_le_bytes()));
        }
        Ok(PyBytes::new(py, &out))
    }

    /// How long each row takes, nanoseconds; the two readings of the clock are in it.
    fn time(&mut self, rows: &[u8]) -> PyResult<Vec<u64>> {
        let width = self.features();
        let rows = floats(rows, width)?;
        let mut took = Vec::with_capacity(rows.len() / width);
        for row in rows.chunks_exact(width) {
            let start = Instant::now();
            std::hint::black_box(self.scores(std::hint::black_box(row))?);
            took.push(start.elapsed().as_nanos() as u64);
        }
        Ok(took)
    }
}

/// The version of the figures and their names.
#[pyfunction]
pub fn feature_names() -> (u32, Vec<&'static str>) {
    (FEATURES_VERSION, FEATURES_V1.to_vec())
}

/// Times, figures, mid prices and later mid prices as bytes; see `prunella.trading.model`.
type Columns<'py> =
    (Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>, Vec<Bound<'py, PyBytes>>);

/// Plays a recording through the core and reads off an ONNX strategy's figures.
#[pyfunction]
#[pyo3(signature = (paths, *, config, stride_ns, horizons_ns))]
#[allow(clippy::needless_pass_by_value)] // Python hands over lists of its own.
pub fn feature_rows<'py>(
    py: Python<'py>,
    paths: Vec<String>,
    config: &[u8],
    stride_ns: i64,
    horizons_ns: Vec<i64>,
) -> PyResult<Columns<'py>> {
    let config = read_config(py, config)?;
    let rows = py.detach(|| play(&paths, config, stride_ns, &horizons_ns));
    let rows = rows.map_err(|error| match error {
        FeatureError::Recording(error) => raise(py, "RecordingError", error.to_string()),
        other => raise(py, "ConfigError", other.to_string()),
    })?;
    let wide = |values: &[f64]| {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        PyBytes::new(py, &bytes)
    };
    let times: Vec<u8> = rows.ts_ns.iter().flat_map(|value| value.to_le_bytes()).collect();
    let figures: Vec<u8> = rows.figures.iter().flat_map(|value| value.to_le_bytes()).collect();
    let later = rows.later.iter().map(|values| wide(values)).collect();
    Ok((PyBytes::new(py, &times), PyBytes::new(py, &figures), wide(&rows.mids), later))
}
