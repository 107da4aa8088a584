//! Recorded markets and a configuration in; what the core would have traded, and its result, out.
//!
//! The very `Engine::step` of live trading runs; only the venue is simulated: fees, order latency,
//! our place in the queue, partial fills. Recordings are decoded once into [`events::Events`].

pub mod cache;
pub mod course;
pub mod events;
pub mod journaled;
pub mod latency;
pub mod load;
pub mod queue;
pub mod record;
pub mod run;
pub mod venue;
