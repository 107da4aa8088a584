//! A folder of real files in; what is left of them after a kill, a power cut or a full disk out.
//!
//! The files lie in memory (tmpfs). What was synced is remembered apart, byte by byte. A power cut
//! gives each sector of 512 bytes either the synced or the latest content, as the dice fall: pages
//! reach a disk in any order and torn. A failed sync loses unsynced sectors in the same way, and
//! the disk then reports nothing, as Linux does.

use crate::dice::Dice;
use journal::{Disk, SystemDisk};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

const SECTOR: usize = 512;

/// What the unwinding process carries: it was killed, by us.
pub struct Killed;

/// What is to go wrong next.
#[derive(Copy, Clone, Debug, Default)]
pub struct Faults {
    /// The process is killed at this many calls from now.
    pub kill_in: Option<u32>,
    /// No new segment finds room.
    pub is_full: bool,
    /// The next sync of data fails.
    pub sync_fails: bool,
}

#[derive(Debug)]
struct State {
    dice: Dice,
    faults: Faults,
    synced: BTreeMap<PathBuf, Vec<u8>>,
    /// Names that survive a power cut.
    names: BTreeSet<PathBuf>,
    syncs: u64,
}

/// The disk of one simulated machine.
#[derive(Debug)]
pub struct VirtualDisk {
    state: Mutex<State>,
}

impl VirtualDisk {
    /// An empty disk. It lives as long as the program, as the journal asks of a disk; `reset` makes
    /// it empty again for the next life.
    pub fn leaked() -> &'static Self {
        let state = State {
            dice: Dice::new(0),
            faults: Faults::default(),
            synced: BTreeMap::new(),
            names: BTreeSet::new(),
            syncs: 0,
        };
        Box::leak(Box::new(Self { state: Mutex::new(state) }))
    }

    /// Empty again, with dice of its own.
    pub fn reset(&self, seed: u64) {
        let mut state = self.state();
        state.dice = Dice::new(seed ^ 0xD15C);
        state.faults = Faults::default();
        state.synced.clear();
        state.names.clear();
        state.syncs = 0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is to go wrong from now on.
    pub fn set(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Syncs so far.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Counts a call; the process may be killed right before it.
    fn call(&self) {
        let mut state = self.state();
        let Some(left) = state.faults.kill_in else { return };
        state.faults.kill_in = left.checked_sub(1);
        if left == 0 {
            drop(state);
            resume_unwind(Box::new(Killed));
        }
    }

    fn remember(&self, path: &Path) -> io::Result<()> {
        let bytes = fs::read(path)?;
        let mut state = self.state();
        state.syncs += 1;
        state.synced.insert(path.to_path_buf(), bytes);
        Ok(())
    }

    /// The machine has lost its power: unsynced sectors and names are there or not.
    pub fn power_cut(&self, dir: &Path) {
        for item in fs::read_dir(dir).expect("the folder is there") {
            let path = item.expect("readable").path();
            if path.file_name().is_some_and(|name| name == "lock") {
                continue;
            }
            let is_named = self.state().names.contains(&path);
            if !is_named && self.state().dice.roll(2) == 0 {
                fs::remove_file(&path).expect("ours");
                continue;
            }
            self.lose_sectors(&path);
        }
    }

    /// What was written since the last sync is there or not, sector by sector.
    fn lose_sectors(&self, path: &Path) {
        let mut latest = fs::read(path).expect("readable");
        let mut state = self.state();
        let synced = state.synced.get(path).cloned().unwrap_or_default();
        for begin in (0..latest.len()).step_by(SECTOR) {
            let end = (begin + SECTOR).min(latest.len());
            let old = synced.get(begin..end).unwrap_or(&[0; SECTOR][..end - begin]);
            if latest[begin..end] != *old && state.dice.roll(2) == 0 {
                latest[begin..end].copy_from_slice(old);
            }
        }
        state.synced.insert(path.to_path_buf(), latest.clone());
        drop(state);
        // Not cut to nothing first: the process that a failed sync ends still has it mapped.
        let file = File::options().write(true).open(path).expect("writable");
        file.write_all_at(&latest, 0).expect("writable");
    }
}

impl Disk for VirtualDisk {
    fn reserve(&self, file: &File, path: &Path, bytes: u64) -> io::Result<()> {
        self.call();
        if self.state().faults.is_full && file.metadata()?.len() < bytes {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        SystemDisk.reserve(file, path, bytes)
    }

    fn sync_data(&self, _: &File, path: &Path) -> io::Result<()> {
        self.call();
        if self.state().faults.sync_fails {
            self.lose_sectors(path);
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        self.remember(path)
    }

    fn sync_all(&self, file: &File, path: &Path) -> io::Result<()> {
        self.sync_data(file, path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.call();
        SystemDisk.rename(from, to)?;
        let mut state = self.state();
        if let Some(bytes) = state.synced.remove(from) {
            state.synced.insert(to.to_path_buf(), bytes);
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.call();
        let names = fs::read_dir(dir)?.map(|item| item.map(|item| item.path()));
        let names = names.collect::<io::Result<BTreeSet<PathBuf>>>()?;
        self.state().names = names;
        Ok(())
    }
}
