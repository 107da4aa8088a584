//! A journal's folder in; whether every entry and every snapshot is what was written, out.

use std::path::Path;

use crate::JournalError;
use crate::format::Chain;
use crate::reader::{Reader, TornTail};
use crate::snapshot;

/// Entries between two reports of progress.
const REPORT_ENTRIES: u64 = 4096;

/// What was found in a journal whose entries are whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The first entry kept.
    pub first_seq: u64,
    /// The last entry; one before the first when there is none.
    pub last_seq: u64,
    /// The chain up to the last entry.
    pub chain: Chain,
    /// Payload bytes read.
    pub payload_bytes: u64,
    /// Snapshots that belong to this journal.
    pub snapshots: usize,
    /// A half-written end, which the next writer cuts.
    pub torn: Option<TornTail>,
    /// What is wrong besides the entries: bad or foreign snapshots, a missing end.
    pub problems: Vec<String>,
}

/// Checks everything: each checksum, number and link of the chain, that no segment and no end is
/// missing, and that the snapshots belong to it. `go_on` hears the last entry checked, every few
/// thousand, and may end the check early (`Ok(None)`). It may run beside a live writer.
///
/// # Errors
/// The first bad place, or the system refuses.
pub fn verify(
    dir: &Path,
    mut go_on: impl FnMut(u64) -> bool,
) -> Result<Option<Verified>, JournalError> {
    // Snapshots first: beside a live writer, entries are only ever ahead of them.
    let found = snapshot::heads(dir)?;
    let mut reader = Reader::open(dir)?.linked_beside()?;
    let first_seq = reader.last_seq() + 1;
    let mut problems = Vec::new();
    let (mut payload_bytes, mut snapshots) = (0, 0);
    let mut told = found.iter().rev().filter(|(seq, _)| *seq + 1 >= first_seq).peekable();
    let mut chain = reader.chain();
    let mut last_seq = first_seq - 1;
    loop {
        while let Some((_, head)) = told.next_if(|(seq, _)| *seq == last_seq) {
            match head {
                None => problems.push(format!("snapshot {last_seq} is damaged")),
                Some(before) if *before == chain => snapshots += 1,
                Some(_) => problems.push(format!("snapshot {last_seq} is of another journal")),
            }
        }
        let Some(entry) = reader.next()? else { break };
        (last_seq, chain) = (entry.seq, entry.chain);
        payload_bytes += entry.payload.len() as u64;
        if last_seq.is_multiple_of(REPORT_ENTRIES) && !go_on(last_seq) {
            return reader.finish_links().map(|()| None);
        }
    }
    reader.check_end()?;
    problems.extend(told.map(|(seq, _)| {
        format!("the journal ends with entry {last_seq}, but there is a snapshot of entry {seq}: its end is missing")
    }));
    let torn = reader.torn().cloned();
    Ok(Some(Verified { first_seq, last_seq, chain, payload_bytes, snapshots, torn, problems }))
}
