//! The trading core: a pure, deterministic function from state and event to state and outputs.
//!
//! No clock, no socket, no randomness, no allocation in the steady state. Time comes with the event.

pub mod config;
pub mod event;
pub mod output;
pub mod reason;
