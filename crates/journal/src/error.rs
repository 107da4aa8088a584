//! What can go wrong with a journal, in sentences that name the place.

use std::io;
use std::path::{Path, PathBuf};

/// Why a journal was not opened, read or appended to. Only `NoSpace`, `Locked` and `TooLarge` can
/// be cured by trying again (after making room, after the holder has gone, with less).
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused.
    #[error("cannot {doing} {path}: {source}", path = .path.display())]
    Io {
        /// The verb, such as `open`.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's own word.
        source: io::Error,
    },
    /// The disk is full; nothing was written.
    #[error("no space left for {bytes} bytes of {path}: make room, then try again", path = .path.display())]
    NoSpace {
        /// The segment that could not be made.
        path: PathBuf,
        /// How much it needs.
        bytes: u64,
    },
    /// Bytes that were written once are not what was written.
    #[error("{segment}: entry {seq} at byte {offset}: found {found}, expected {expected}", segment = .segment.display())]
    Damaged {
        /// The segment's file.
        segment: PathBuf,
        /// The sequence number that belongs there.
        seq: u64,
        /// Where in the file it begins.
        offset: u64,
        /// What is there.
        found: String,
        /// What should be there.
        expected: String,
    },
    /// Another process writes to this journal.
    #[error("{dir} is being written by process {pid}: stop it first, two writers would mix entries", dir = .dir.display())]
    Locked {
        /// The journal's folder.
        dir: PathBuf,
        /// The holder, or `unknown`.
        pid: String,
    },
    /// The entry would not fit into an empty segment.
    #[error("an entry of {bytes} bytes is larger than the {limit} that fit into a segment")]
    TooLarge {
        /// Payload bytes asked for.
        bytes: usize,
        /// Payload bytes possible.
        limit: usize,
    },
    /// An earlier sync failed: the kernel may have dropped what it could not write.
    #[error("an earlier sync of this journal failed: reopen it to see what the disk holds")]
    Poisoned,
}

impl JournalError {
    /// Wraps an error of the operating system; a full disk becomes `NoSpace`.
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_path_buf(), source }
    }
}
