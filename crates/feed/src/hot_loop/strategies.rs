//! What strategies' own processes say in, over one unix socket each; whole messages out.
//!
//! A message is its length (four bytes, little-endian) and then as many bytes, as
//! [`crate::strategy`] reads them. The hot thread never waits for a strategy and never sends to it:
//! a strategy follows the journal. Of each at most [`READ_BYTES`] are read in one turn, so that a
//! flood costs the market data a few microseconds a turn and no more; the rest fills the kernel's
//! buffer, where the strategy itself waits. Only this user can open the socket.

use crate::net::Poller;
use crate::strategy;
use engine::risk::Intent;
use engine::strategy::breaker::{Fault, Gate};
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use values::{MarketId, StrategyId};

/// Taken from one strategy in one turn: some twenty orders.
const READ_BYTES: usize = 1_024;
/// Longest message; an honest one has a few dozen orders.
const MESSAGE_BYTES_MAX: usize = 16 * 1_024;
/// How much of an explanation is kept.
const TROUBLE_BYTES_MAX: usize = 400;

/// The doors of all strategies that run in processes of their own.
pub(super) struct Doors {
    doors: Vec<Door>,
    first_token: u64,
}

/// The door of one strategy.
pub(super) struct Door {
    pub strategy: StrategyId,
    path: PathBuf,
    listener: UnixListener,
    peer: Option<UnixStream>,
    /// What has been read and is no whole message yet.
    begun: Vec<u8>,
    /// Room to read a message into.
    wishes: Vec<(MarketId, Intent)>,
    /// What was last wrong, in words for people; empty when nothing was.
    pub trouble: String,
}

/// What happened at a door in one turn.
#[derive(Copy, Clone, Debug, Default)]
pub(super) struct Heard {
    /// The process is gone, or has been shown out.
    pub is_over: bool,
    /// A new process has connected, after that.
    pub is_new: bool,
}

impl Doors {
    /// Opens a socket for each strategy; one that a process before left behind is replaced.
    pub(super) fn open(
        sockets: &[(u8, PathBuf)],
        first_token: u64,
        poller: &Poller,
    ) -> io::Result<Doors> {
        let mut doors = Vec::new();
        for (strategy, path) in sockets {
            let token = first_token + doors.len() as u64 * 2;
            let listener = listen(path)?;
            poller.watch(listener.as_raw_fd(), token, false)?;
            doors.push(Door {
                strategy: StrategyId(*strategy),
                path: path.clone(),
                listener,
                peer: None,
                begun: Vec::with_capacity(MESSAGE_BYTES_MAX + READ_BYTES),
                wishes: Vec::with_capacity(MESSAGE_BYTES_MAX / 48),
                trouble: String::new(),
            });
        }
        Ok(Doors { doors, first_token })
    }

    /// What is known of each.
    pub(super) fn all(&self) -> &[Door] {
        &self.doors
    }

    /// The door of a token.
    pub(super) fn at(&mut self, token: u64) -> Option<&mut Door> {
        let index = token.checked_sub(self.first_token)? / 2;
        self.doors.get_mut(usize::try_from(index).ok()?)
    }

    /// Whether the token is one of ours.
    pub(super) fn owns(&self, token: u64) -> bool {
        token >= self.first_token && token < self.first_token + self.doors.len() as u64 * 2
    }

    /// A door's first token: its listener's; the next one is its peer's.
    pub(super) fn token(&self, token: u64) -> u64 {
        token - (token - self.first_token) % 2
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Door {
    /// Takes what is there: a new process, or what the one inside says. Whole messages, each with
    /// its length, are put over what `said` held.
    pub(super) fn on_ready(
        &mut self,
        is_listener: bool,
        token: u64,
        poller: &Poller,
        said: &mut Vec<u8>,
    ) -> Heard {
        said.clear();
        if is_listener {
            return self.accept(token, poller);
        }
        let mut heard = Heard::default();
        match self.read(said) {
            Ok(true) => {}
            Ok(false) => (heard.is_over, self.peer) = (true, None),
            Err(error) => {
                self.trouble = error.to_string();
                (heard.is_over, self.peer) = (true, None);
            }
        }
        heard
    }

    fn accept(&mut self, token: u64, poller: &Poller) -> Heard {
        let mut heard = Heard::default();
        let Ok((stream, _)) = self.listener.accept() else { return heard };
        let watched = stream
            .set_nonblocking(true)
            .and_then(|()| poller.watch(stream.as_raw_fd(), token + 1, false));
        if watched.is_ok() {
            heard.is_over = self.peer.is_some();
            heard.is_new = true;
            self.begun.clear();
            self.peer = Some(stream);
        }
        heard
    }

    /// Reads once and moves whole messages to `messages`; false at the end of the connection.
    fn read(&mut self, messages: &mut Vec<u8>) -> io::Result<bool> {
        let Some(peer) = &mut self.peer else { return Ok(true) };
        let mut bytes = [0; READ_BYTES];
        match peer.read(&mut bytes) {
            Ok(0) => return Ok(false),
            Ok(count) => self.begun.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        }
        let mut whole = 0;
        while let Some(length) = length_at(&self.begun[whole..]) {
            if length > MESSAGE_BYTES_MAX {
                return Err(io::Error::other(format!("a message of {length} bytes")));
            }
            let end = whole + 4 + length;
            if self.begun.len() < end {
                break;
            }
            if strategy::read(&self.begun[whole + 4..end], &mut self.wishes).is_none() {
                return Err(io::Error::other("a message that this version does not know"));
            }
            whole = end;
        }
        messages.extend_from_slice(&self.begun[..whole]);
        self.begun.drain(..whole);
        Ok(true)
    }

    /// Notes why a process says that it ends.
    pub(super) fn note(&mut self, message: &[u8]) {
        let text = strategy::last_words(message);
        if !text.is_empty() {
            self.trouble = text.chars().take(TROUBLE_BYTES_MAX).collect();
        }
    }

    /// Shows a flooding process out: whatever else it has sent is not read. True when it was there.
    pub(super) fn shut_on(&mut self, gate: Gate) -> bool {
        let is_flood = gate == Gate::Open(Fault::Flood);
        if is_flood && self.peer.is_some() {
            "more intents a second than it may have".clone_into(&mut self.trouble);
            self.peer = None;
            return true;
        }
        false
    }
}

/// The messages that [`Door::on_ready`] has put.
pub(super) fn messages(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let length = length_at(rest)?;
        let (message, behind) = rest[4..].split_at_checked(length)?;
        rest = behind;
        Some(message)
    })
}

fn length_at(bytes: &[u8]) -> Option<usize> {
    bytes.first_chunk::<4>().map(|length| u32::from_le_bytes(*length) as usize)
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let _ = std::fs::remove_file(path);
    let named = |error: io::Error| io::Error::other(format!("{}: {error}", path.display()));
    let listener = UnixListener::bind(path).map_err(named)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(named)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn framed(numbers: &[i64]) -> Vec<u8> {
        let mut message = Vec::new();
        strategy::put(&mut message, numbers);
        let mut bytes = (message.len() as u32).to_le_bytes().to_vec();
        bytes.extend(message);
        bytes
    }

    fn door(name: &str) -> (Doors, Poller, PathBuf) {
        let path = std::env::temp_dir().join(format!("door-{name}-{}.sock", std::process::id()));
        let poller = Poller::new().expect("descriptors");
        let doors = Doors::open(&[(3, path.clone())], 100, &poller).expect("a socket");
        (doors, poller, path)
    }

    #[test]
    fn messages_come_whole_in_order_and_the_end_is_told() {
        let ((mut doors, poller, path), mut said) = (door("whole"), Vec::new());
        let mut process = UnixStream::connect(&path).expect("open");
        let door = doors.at(100).expect("ours");
        assert!(door.on_ready(true, 100, &poller, &mut said).is_new);
        let (alive, wish) = (framed(&[3]), framed(&[4, 9]));
        process.write_all(&alive).expect("sent");
        process.write_all(&wish[..7]).expect("sent");
        door.on_ready(false, 100, &poller, &mut said);
        assert_eq!(messages(&said).map(<[u8]>::len).collect::<Vec<_>>(), [8]);
        process.write_all(&wish[7..]).expect("sent");
        door.on_ready(false, 100, &poller, &mut said);
        assert_eq!(messages(&said).map(<[u8]>::len).collect::<Vec<_>>(), [16]);
        drop(process);
        assert!(door.on_ready(false, 100, &poller, &mut said).is_over);
    }

    #[test]
    fn garbage_ends_the_connection_and_floods_are_shown_out() {
        let ((mut doors, poller, path), mut said) = (door("garbage"), Vec::new());
        let door = doors.at(101).expect("ours");
        for wrong in [framed(&[77]), vec![255; 8]] {
            let mut process = UnixStream::connect(&path).expect("open");
            door.on_ready(true, 100, &poller, &mut said);
            process.write_all(&wrong).expect("sent");
            let heard = door.on_ready(false, 100, &poller, &mut said);
            assert!(heard.is_over && said.is_empty() && !door.trouble.is_empty());
        }
        let _process = UnixStream::connect(&path).expect("open");
        door.on_ready(true, 100, &poller, &mut said);
        assert!(!door.shut_on(Gate::Open(Fault::Late)));
        assert!(door.shut_on(Gate::Open(Fault::Flood)));
    }
}
