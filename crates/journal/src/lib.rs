//! Byte strings in, numbered entries out, whole and in order, or an error that says where not.
//!
//! Think of a bound notebook: pages are numbered, each line repeats a fingerprint of all the lines
//! above it, and one person holds the pen. A line that was being written when the light went out
//! is struck through; a line that someone altered no longer fits the fingerprints below it, and
//! then nobody pretends that the book is fine.
//!
//! * [`Writer`] appends to memory-mapped, preallocated segments; what it acknowledged survives
//!   `kill -9` ([`Durability::Process`]), a power cut once it is synced ([`Durability::Power`]), or
//!   the loss of the machine once a standby has it too ([`Durability::Replica`]).
//! * [`Commits`] makes entries durable in groups, beside the writer, and tells how far it is.
//! * [`Reader`] reads and checks, beside a live writer too.
//! * [`snapshot`] keeps the last states of whatever the entries are applied to.
//! * [`verify`] checks a whole journal, and [`retain`] forgets its oldest segments.
//! * [`merkle`] proves that an entry is in the log, and that the log only ever grew (RFC 9162).

mod ahead;
mod beside;
mod commit;
mod disk;
mod error;
mod format;
pub mod merkle;
mod reader;
pub mod retain;
mod segment;
pub mod snapshot;
mod verify;
mod writer;

pub use commit::{Commits, Standby};
pub use disk::{Disk, SystemDisk};
pub use error::JournalError;
pub use format::{Chain, ENTRY_OVERHEAD, Entry, GENESIS, SEGMENT_HEADER};
pub use reader::{Reader, TornTail};
pub use verify::{Verified, verify};
pub use writer::{Durability, Options, Recovery, SEGMENT_BYTES, Writer};
