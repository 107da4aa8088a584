//! The disk's promises in one place: space, syncs and names; a test puts one that breaks them here.

use std::fmt::Debug;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// What a journal asks of the disk besides memory-mapped bytes.
pub trait Disk: Debug + Send + Sync {
    /// Reserves `bytes` for the file, so that writing them cannot fail for want of space.
    ///
    /// # Errors
    /// The system's word, such as `ENOSPC`.
    fn reserve(&self, file: &File, path: &Path, bytes: u64) -> io::Result<()>;

    /// Returns when the file's bytes are on the disk.
    ///
    /// # Errors
    /// The system's word. The bytes may be lost, and asking again proves nothing.
    fn sync_data(&self, file: &File, path: &Path) -> io::Result<()>;

    /// Returns when the file's bytes and its length are on the disk.
    ///
    /// # Errors
    /// As for `sync_data`.
    fn sync_all(&self, file: &File, path: &Path) -> io::Result<()>;

    /// Gives a file another name.
    ///
    /// # Errors
    /// The system's word.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Returns when the folder's list of names is on the disk.
    ///
    /// # Errors
    /// The system's word.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// The operating system's.
#[derive(Copy, Clone, Debug)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn reserve(&self, file: &File, _: &Path, bytes: u64) -> io::Result<()> {
        // SAFETY: a plain system call on a descriptor that we own.
        match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, bytes as libc::off_t) } {
            0 => Ok(()),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }

    fn sync_data(&self, file: &File, _: &Path) -> io::Result<()> {
        // Also writes what was changed through the mapping: on Linux both are one cache.
        file.sync_data()
    }

    fn sync_all(&self, file: &File, _: &Path) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }
}
