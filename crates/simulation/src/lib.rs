//! A seed in; a whole life of the trading core between a virtual venue and a virtual disk out.
//!
//! Journal, gate, decoders, core and recovery are the real ones; time, network, venue and disk are
//! made here and broken on purpose. Checkers watch every step; a failure names its seed.

pub mod dice;
pub mod disk;
pub mod life;
pub mod venue;
