//! The core's closed lists, by name: Python's mirrors are compared with them.

use engine::order::OrderState;
use engine::reason::DenialReason;
use pyo3::prelude::*;

/// Codes of every reason to deny an order, in order.
#[pyfunction]
pub fn denial_reasons() -> Vec<&'static str> {
    DenialReason::ALL.iter().map(|reason| reason.code()).collect()
}

/// Names of every order state, in order.
#[pyfunction]
pub fn order_states() -> Vec<&'static str> {
    OrderState::ALL.iter().map(|state| state.name()).collect()
}
