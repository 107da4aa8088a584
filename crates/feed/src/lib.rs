//! From a venue's bytes to the core's events, and from the core's wishes to bytes.

pub mod binance;
pub mod json;
pub mod recording;
