//! The check of recorded market data for Python: `prunella.trading.market.check`.

use engine::protocol::Protocol;
use feed::check::{CheckError, check};
use pyo3::prelude::*;

/// Checks recordings; the report as JSON. See `prunella.trading.market.check`.
#[pyfunction]
#[pyo3(signature = (paths, *, protocol=None, silence_ns=None))]
#[allow(clippy::needless_pass_by_value)] // Python hands over a list of its own.
pub fn check_recording(
    py: Python<'_>,
    paths: Vec<String>,
    protocol: Option<String>,
    silence_ns: Option<i64>,
) -> PyResult<String> {
    let protocol: Option<Protocol> = protocol
        .map(|name| serde_json::from_value(name.clone().into()).map_err(|_| name))
        .transpose()
        .map_err(|name| refuse(py, format!("expected a known protocol, found {name:?}")))?;
    let report = py
        .detach(|| check(&paths, protocol, silence_ns))
        .map_err(|error: CheckError| refuse(py, error.to_string()))?;
    serde_json::to_string(&report).map_err(|error| refuse(py, error.to_string()))
}

/// Makes `prunella.errors.RecordingError` of a text.
fn refuse(py: Python<'_>, text: String) -> PyErr {
    let made = py
        .import("prunella.errors")
        .and_then(|errors| errors.getattr("RecordingError"))
        .and_then(|class| class.call1((text,)));
    match made {
        Ok(value) => PyErr::from_value(value),
        Err(missing) => missing,
    }
}
