//! The trading core: a pure, deterministic function from state and event to state and outputs.
//!
//! No clock, no socket, no randomness, no allocation in the steady state. Time comes with the event.
//! [`engine::Engine::step`] is the door: an event goes in, orders, questions and records come out.

mod amend;
pub mod balances;
pub mod book;
pub mod breaker;
pub mod breaks;
pub mod checksum;
pub mod command;
pub mod config;
pub mod counters;
pub mod cross_check;
pub mod engine;
pub mod equity;
pub mod event;
mod execute;
pub mod exposure;
pub mod fees;
mod gate;
mod guard;
pub mod guardian;
pub mod indicator;
pub mod level3;
pub mod limits;
pub mod lots;
pub mod market;
pub mod matching;
pub mod model;
pub mod order;
pub mod output;
pub mod position;
pub mod promote;
pub mod protocol;
pub mod rate;
pub mod reason;
pub mod reconcile;
pub mod repair;
pub mod request;
pub mod risk;
pub mod routing;
pub mod schedule;
pub mod scoped;
pub mod sequence;
pub mod strategy;
mod view;

pub use engine::Engine;
