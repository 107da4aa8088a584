//! From a venue's bytes to the core's events, and from the core's wishes to bytes.

pub mod binance;
mod buffer;
pub mod clock_offset;
mod connection;
pub mod core;
pub mod endpoint;
pub mod features;
pub mod histogram;
pub mod hot_loop;
pub mod http;
pub mod input;
pub mod json;
mod net;
pub mod recording;
pub mod replica;
pub mod strategy;
pub mod strategy_feed;
pub mod ws;
