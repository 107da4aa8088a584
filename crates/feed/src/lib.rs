//! From a venue's bytes to the core's events, and from the core's wishes to bytes.

mod batch;
pub mod binance;
mod bitstamp;
mod buffer;
pub mod check;
pub mod clock_offset;
mod coinbase;
mod connection;
pub mod core;
pub mod decoder;
pub mod endpoint;
pub mod features;
pub mod histogram;
pub mod hot_loop;
pub mod http;
pub mod input;
pub mod json;
mod kraken;
pub mod lobster;
mod net;
mod okx;
pub mod recording;
pub mod replica;
pub mod stage;
pub mod strategy;
pub mod strategy_feed;
pub mod ws;
