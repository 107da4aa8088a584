//! A state and where in the journal it was true in, the newest whole such state out.
//!
//! File: magic "PRNSNAP\0" | version u32 | zero u32 | seq u64 | chain 32 bytes | payload length
//! u64 | payload | SHA-256 of all before it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::JournalError;
use crate::disk::{Disk, SystemDisk};
use crate::format::Chain;

const MAGIC: [u8; 8] = *b"PRNSNAP\0";
const VERSION: u32 = 1;
const HEADER: usize = 64;
const HASH: usize = 32;
/// How many are kept: if the newest is bad on the disk, the one before costs a longer replay only.
const KEPT: usize = 3;

/// A state as of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last entry that is in the state.
    pub seq: u64,
    /// The journal's chain at that entry: a snapshot of another history does not match it.
    pub chain: Chain,
    /// The state's bytes.
    pub payload: Vec<u8>,
}

/// Writes a snapshot whole or not at all, and removes all but the last three. Slow (it waits for
/// the disk): not for the hot loop's thread.
pub fn write(dir: &Path, seq: u64, chain: &Chain, payload: &[u8]) -> Result<(), JournalError> {
    write_on(&SystemDisk, dir, seq, chain, payload)
}

/// As [`write`], on another disk.
pub fn write_on(
    disk: &dyn Disk,
    dir: &Path,
    seq: u64,
    chain: &Chain,
    payload: &[u8],
) -> Result<(), JournalError> {
    std::fs::create_dir_all(dir).map_err(JournalError::io("make", dir))?;
    let path = dir.join(format!("{seq:020}.snapshot"));
    let passing = dir.join("snapshot.unfinished");
    let mut header = [0; HEADER];
    header[0..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[16..24].copy_from_slice(&seq.to_le_bytes());
    header[24..56].copy_from_slice(chain);
    header[56..64].copy_from_slice(&(payload.len() as u64).to_le_bytes());
    let hash = Sha256::new().chain_update(header).chain_update(payload).finalize();
    let write_all = |mut file: File| {
        file.write_all(&header)?;
        file.write_all(payload)?;
        file.write_all(&hash)?;
        disk.sync_all(&file, &passing)
    };
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&passing)
        .and_then(write_all)
        .map_err(JournalError::io("write", &passing))?;
    disk.rename(&passing, &path).map_err(JournalError::io("name", &path))?;
    disk.sync_dir(dir).map_err(JournalError::io("sync", dir))?;
    for (_, old) in list(dir)?.iter().skip(KEPT) {
        std::fs::remove_file(old).map_err(JournalError::io("remove", old))?;
    }
    Ok(())
}

/// The newest whole snapshot; a bad one is skipped for the one before it.
pub fn latest(dir: &Path) -> Result<Option<Snapshot>, JournalError> {
    Ok(newest_first(dir)?.next())
}

/// All whole snapshots, each read when it is asked for; bad ones are skipped.
pub fn newest_first(dir: &Path) -> Result<impl Iterator<Item = Snapshot>, JournalError> {
    Ok(list(dir)?.into_iter().filter_map(|(seq, path)| read(&path, seq)))
}

/// The last entry in the oldest whole snapshot.
pub(crate) fn oldest_seq(dir: &Path) -> Result<Option<u64>, JournalError> {
    let heads = heads(dir)?;
    Ok(heads.into_iter().rev().find(|(_, head)| head.is_some()).map(|(seq, _)| seq))
}

/// Each snapshot's last entry and chain, newest first; `None` for the chain of a bad one.
pub(crate) fn heads(dir: &Path) -> Result<Vec<(u64, Option<Chain>)>, JournalError> {
    let head = |(seq, path): (u64, PathBuf)| {
        let chain = read(&path, seq).map(|whole| whole.chain);
        // Beside a live writer, an old one may just have gone.
        (chain.is_some() || path.exists()).then_some((seq, chain))
    };
    Ok(list(dir)?.into_iter().filter_map(head).collect())
}

/// Removes snapshots of entries after `last_seq`: what they tell of was lost, and being the newest
/// they would push out those that are true.
pub fn drop_after(dir: &Path, last_seq: u64) -> Result<(), JournalError> {
    for (_, path) in list(dir)?.into_iter().filter(|(seq, _)| *seq > last_seq) {
        std::fs::remove_file(&path).map_err(JournalError::io("remove", &path))?;
    }
    Ok(())
}

/// Newest first.
fn list(dir: &Path) -> Result<Vec<(u64, PathBuf)>, JournalError> {
    let mut found = Vec::new();
    if !dir.exists() {
        return Ok(found);
    }
    for item in std::fs::read_dir(dir).map_err(JournalError::io("list", dir))? {
        let path = item.map_err(JournalError::io("list", dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(seq) = name.strip_suffix(".snapshot").and_then(|seq| seq.parse().ok()) {
            found.push((seq, path));
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

fn read(path: &Path, seq: u64) -> Option<Snapshot> {
    let bytes = std::fs::read(path).ok()?;
    let (content, hash) = bytes.split_at_checked(bytes.len().checked_sub(HASH)?)?;
    let (header, payload) = content.split_at_checked(HEADER)?;
    let good = header[0..8] == MAGIC
        && header[8..12] == VERSION.to_le_bytes()
        && header[16..24] == seq.to_le_bytes()
        && header[56..64] == (payload.len() as u64).to_le_bytes()
        && Sha256::digest(content)[..] == *hash;
    let chain = header[24..56].try_into().ok()?;
    good.then(|| Snapshot { seq, chain, payload: payload.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_snapshot_is_skipped_for_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 7, &[7; 32], b"seven").unwrap();
        write(dir.path(), 9, &[9; 32], b"nine").unwrap();
        let newest = dir.path().join("00000000000000000009.snapshot");
        let good = std::fs::read(&newest).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&newest, &bad).unwrap();
            assert_eq!(latest(dir.path()).unwrap().unwrap().seq, 7, "flip at {at}");
            std::fs::write(&newest, &good[..at]).unwrap();
            assert_eq!(latest(dir.path()).unwrap().unwrap().seq, 7, "cut at {at}");
        }
        std::fs::write(&newest, &good).unwrap();
        let found = latest(dir.path()).unwrap().unwrap();
        assert_eq!(found, Snapshot { seq: 9, chain: [9; 32], payload: b"nine".to_vec() });
    }

    #[test]
    fn fourth_snapshot_removes_the_first() {
        let dir = tempfile::tempdir().unwrap();
        for seq in 1..=4 {
            write(dir.path(), seq, &[0; 32], b"state").unwrap();
        }
        let kept: Vec<u64> = list(dir.path()).unwrap().into_iter().map(|(seq, _)| seq).collect();
        assert_eq!(kept, [4, 3, 2]);
    }

    #[test]
    fn folder_without_snapshots_gives_none() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(latest(dir.path()).unwrap(), None);
        assert_eq!(latest(&dir.path().join("missing")).unwrap(), None);
    }
}
