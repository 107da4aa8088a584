//! Unix sockets that speak `ZeroMQ`'s protocol (ZMTP 3.0) in; whole messages in and out.
//!
//! The thread that trades reads and writes the socket itself. libzmq hands every message to an I/O
//! thread of its own on both sides, which makes three wake-ups of each one: on two processors most
//! of the time between two stages. What is on the wire is the same; a test lets libzmq read it.
//!
//! A path is its owner's alone, and whoever connects tells a name and its secret (PLAIN): each inlet
//! knows who may write to it.

use super::zmtp::{self, Frame};
use crate::net::{Poller, Ready, monotonic_ns};
use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use values::Nanos;

/// A peer that is gone is looked for again after so long.
const CONNECT_EVERY_NS: Nanos = 20_000_000;
/// What a `PUSH` socket keeps for a peer that does not read; more is refused.
const BACKLOG_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest message; a venue's answer with a thousand trades is a tenth of this.
const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Read at once.
const READ_BYTES: usize = 8 * 1024;
/// More are not let in.
const PEERS_MAX: usize = 16;
const LISTENER_TOKEN: u64 = 0;

/// What a socket is for, in `ZeroMQ`'s words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `PUB`: to everybody who subscribed to the message's beginning; lost where there is no room.
    Publish,
    /// `SUB`: of messages that begin with one of these.
    Subscribe(Vec<Vec<u8>>),
    /// `PUSH`: to the one who reads.
    Push,
    /// `PULL`: of whoever may write.
    Pull,
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Publish => "PUB",
            Self::Subscribe(_) => "SUB",
            Self::Push => "PUSH",
            Self::Pull => "PULL",
        }
    }
}

/// Which side makes the path.
enum Side {
    Bound { listener: UnixListener, secrets: BTreeMap<String, String> },
    Connecting { path: PathBuf, name: String, secret: String, tried_ns: Nanos },
}

/// How far a connection has got.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Phase {
    Greeting,
    /// The server awaits HELLO, the client WELCOME.
    Credentials,
    /// The server awaits INITIATE, the client READY.
    Metadata,
    Open,
}

struct Peer {
    stream: UnixStream,
    token: u64,
    phase: Phase,
    topics: Vec<Vec<u8>>,
    input: Vec<u8>,
    /// What of `input` has been taken.
    taken: usize,
    /// What could not be written yet.
    output: Vec<u8>,
}

/// One socket and its connections.
pub struct Wire {
    kind: Kind,
    side: Side,
    poller: Poller,
    ready: Vec<Ready>,
    peers: Vec<Peer>,
    next_token: u64,
    is_lost: bool,
}

impl Wire {
    /// A socket that others connect to, by these names and secrets.
    ///
    /// # Errors
    /// The path cannot be made.
    pub fn bind(kind: Kind, path: &Path, secrets: BTreeMap<String, String>) -> io::Result<Wire> {
        let _ = std::fs::remove_file(path);
        let named = |error: io::Error| io::Error::other(format!("{}: {error}", path.display()));
        let listener = UnixListener::bind(path).map_err(named)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(named)?;
        listener.set_nonblocking(true)?;
        let wire = Wire::new(kind, Side::Bound { listener, secrets })?;
        if let Side::Bound { listener, .. } = &wire.side {
            wire.poller.watch(listener.as_raw_fd(), LISTENER_TOKEN, false)?;
        }
        Ok(wire)
    }

    /// A socket that connects to a path, now or when somebody has bound it.
    ///
    /// # Errors
    /// The system refuses a descriptor.
    pub fn connect(kind: Kind, path: &Path, name: &str, secret: &str) -> io::Result<Wire> {
        let (path, name, secret) = (path.to_path_buf(), name.to_owned(), secret.to_owned());
        Wire::new(kind, Side::Connecting { path, name, secret, tried_ns: 0 })
    }

    fn new(kind: Kind, side: Side) -> io::Result<Wire> {
        let poller = Poller::new()?;
        let (ready, peers) = (Vec::with_capacity(PEERS_MAX), Vec::new());
        Ok(Wire { kind, side, poller, ready, peers, next_token: 1, is_lost: false })
    }

    /// Becomes readable when `receive` may find something, or `tend` has something to do.
    pub fn fd(&self) -> RawFd {
        self.poller.fd()
    }

    /// Lets peers in, looks for the one that is gone, and writes what had to wait.
    ///
    /// # Errors
    /// The system refuses to wait for descriptors.
    pub fn tend(&mut self) -> io::Result<()> {
        while self.pump()? {
            if matches!(self.kind, Kind::Publish | Kind::Push) {
                self.hear_peers();
            }
        }
        Ok(())
    }

    /// Whether a peer was lost since this was asked last, and perhaps what it had not read.
    pub fn take_lost(&mut self) -> bool {
        core::mem::take(&mut self.is_lost)
    }

    /// Sends without waiting; false when there is nobody or no room.
    pub fn send(&mut self, message: &[u8]) -> bool {
        let (kind, poller) = (&self.kind, &self.poller);
        let mut is_sent = false;
        for peer in self.peers.iter_mut().filter(|peer| peer.phase == Phase::Open) {
            match kind {
                Kind::Publish if !peer.output.is_empty() || !peer.wants(message) => continue,
                Kind::Push if peer.output.len() + message.len() > BACKLOG_BYTES_MAX => continue,
                _ => {}
            }
            is_sent |= peer.put(0, message, poller);
            if *kind == Kind::Push && is_sent {
                break;
            }
        }
        is_sent
    }

    /// Receives without waiting; the message's bytes in `buffer`, `None` when there is none. One
    /// that is longer than `buffer` is broken off and fails to decode.
    ///
    /// # Errors
    /// The system refuses to wait for descriptors.
    #[inline]
    pub fn receive<'a>(&mut self, buffer: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
        loop {
            if let Some(size) = self.take_message(buffer) {
                return Ok(Some(&buffer[..size]));
            }
            if !self.pump()? {
                return Ok(None);
            }
        }
    }

    fn take_message(&mut self, buffer: &mut [u8]) -> Option<usize> {
        for index in 0..self.peers.len() {
            match self.peers[index].next(&self.kind, &self.side, &self.poller) {
                Ok(Some((start, end))) => {
                    let size = (end - start).min(buffer.len());
                    buffer[..size].copy_from_slice(&self.peers[index].input[start..start + size]);
                    return Some(size);
                }
                Ok(None) => {}
                Err(_) => {
                    self.drop_peer(index);
                    return self.take_message(buffer);
                }
            }
        }
        None
    }

    /// Handshakes and subscriptions of peers that only listen.
    fn hear_peers(&mut self) {
        let mut index = 0;
        while index < self.peers.len() {
            let heard = loop {
                match self.peers[index].next(&self.kind, &self.side, &self.poller) {
                    Ok(Some(_)) => {}
                    other => break other,
                }
            };
            if heard.is_err() {
                self.drop_peer(index);
            } else {
                index += 1;
            }
        }
    }

    /// Reads and writes what can be; false when nothing has changed.
    fn pump(&mut self) -> io::Result<bool> {
        self.look_for_peer();
        self.poller.wait(0, &mut self.ready)?;
        let ready = core::mem::take(&mut self.ready);
        let mut is_changed = false;
        for event in &ready {
            if event.token == LISTENER_TOKEN {
                is_changed |= self.accept();
                continue;
            }
            let Some(at) = self.peers.iter().position(|peer| peer.token == event.token) else {
                continue;
            };
            let (peer, poller) = (&mut self.peers[at], &self.poller);
            if event.is_writable {
                peer.flush(poller);
            }
            match peer.read() {
                Ok(count) => is_changed |= count > 0,
                Err(_) => self.drop_peer(at),
            }
        }
        self.ready = ready;
        Ok(is_changed)
    }

    fn accept(&mut self) -> bool {
        let Side::Bound { listener, .. } = &self.side else { return false };
        let Ok((stream, _)) = listener.accept() else { return false };
        self.peers.len() < PEERS_MAX && self.add(stream).is_ok()
    }

    fn look_for_peer(&mut self) {
        if !self.peers.is_empty() {
            return;
        }
        let Side::Connecting { path, tried_ns, .. } = &mut self.side else { return };
        let now_ns = monotonic_ns();
        if now_ns - *tried_ns < CONNECT_EVERY_NS {
            return;
        }
        *tried_ns = now_ns;
        if let Ok(stream) = UnixStream::connect(path) {
            // Whoever has gone again in the same moment is looked for later.
            let _ = self.add(stream);
        }
    }

    fn add(&mut self, stream: UnixStream) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let token = self.next_token;
        self.next_token += 1;
        self.poller.watch(stream.as_raw_fd(), token, false)?;
        let mut peer = Peer {
            stream,
            token,
            phase: Phase::Greeting,
            topics: Vec::new(),
            input: Vec::with_capacity(READ_BYTES),
            taken: 0,
            output: Vec::new(),
        };
        let is_server = matches!(self.side, Side::Bound { .. });
        peer.write(&zmtp::greeting(is_server), &self.poller);
        self.peers.push(peer);
        Ok(())
    }

    fn drop_peer(&mut self, index: usize) {
        self.is_lost |= self.peers[index].phase == Phase::Open;
        self.peers.swap_remove(index);
    }
}

impl Peer {
    fn wants(&self, message: &[u8]) -> bool {
        self.topics.iter().any(|topic| message.starts_with(topic))
    }

    /// Frames and sends; false when the peer is gone.
    fn put(&mut self, flags: u8, body: &[u8], poller: &Poller) -> bool {
        let mut head = [0; zmtp::HEAD_BYTES_MAX];
        let head = zmtp::head(flags, body.len(), &mut head);
        if body.len() > 1_024 {
            return self.write(head, poller) && self.write(body, poller);
        }
        let mut whole = [0; zmtp::HEAD_BYTES_MAX + 1_024];
        let size = head.len() + body.len();
        whole[..head.len()].copy_from_slice(head);
        whole[head.len()..size].copy_from_slice(body);
        self.write(&whole[..size], poller)
    }

    fn write(&mut self, bytes: &[u8], poller: &Poller) -> bool {
        let mut written = 0;
        if self.output.is_empty() {
            written = match self.stream.write(bytes) {
                Ok(count) => count,
                Err(error) if is_later(&error) => 0,
                // The end of the connection is noticed where it is read.
                Err(_) => return false,
            };
        }
        if written < bytes.len() {
            self.output.extend_from_slice(&bytes[written..]);
            return poller.watch(self.stream.as_raw_fd(), self.token, true).is_ok();
        }
        true
    }

    fn flush(&mut self, poller: &Poller) {
        if let Ok(count) = self.stream.write(&self.output) {
            self.output.drain(..count);
        }
        if self.output.is_empty() {
            let _ = poller.watch(self.stream.as_raw_fd(), self.token, false);
        }
    }

    fn read(&mut self) -> io::Result<usize> {
        self.input.drain(..self.taken);
        self.taken = 0;
        let before = self.input.len();
        self.input.resize(before + READ_BYTES, 0);
        let read = self.stream.read(&mut self.input[before..]);
        self.input.truncate(before + read.as_ref().map_or(0, |&count| count));
        match read {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if is_later(&error) => Ok(0),
            other => other,
        }
    }

    /// Where the next message is in `input`; handshakes and subscriptions are answered meanwhile.
    fn next(
        &mut self,
        kind: &Kind,
        side: &Side,
        poller: &Poller,
    ) -> io::Result<Option<(usize, usize)>> {
        loop {
            if self.phase == Phase::Greeting {
                let Some(told) = self.input[self.taken..].first_chunk() else { return Ok(None) };
                zmtp::check_greeting(told, matches!(side, Side::Connecting { .. }))?;
                self.taken += zmtp::GREETING_BYTES;
                self.phase = Phase::Credentials;
                if let Side::Connecting { name, secret, .. } = side {
                    self.put(zmtp::COMMAND, &zmtp::hello(name, secret), poller);
                }
                continue;
            }
            let Some(frame) = Frame::read(&self.input[self.taken..], MESSAGE_BYTES_MAX)? else {
                return Ok(None);
            };
            let start = self.taken + frame.start;
            let end = start + frame.size;
            self.taken = end;
            match (frame.is_command, self.phase) {
                (true, Phase::Open) => {}
                (true, _) => self.shake_hands((start, end), kind, side, poller)?,
                (false, Phase::Open) if *kind == Kind::Publish => self.subscribe((start, end)),
                (false, Phase::Open) => return Ok(Some((start, end))),
                (false, _) => return Err(zmtp::broken("a message before the handshake")),
            }
        }
    }

    fn shake_hands(
        &mut self,
        (start, end): (usize, usize),
        kind: &Kind,
        side: &Side,
        poller: &Poller,
    ) -> io::Result<()> {
        let body = &self.input[start..end];
        match (side, self.phase) {
            (Side::Bound { secrets, .. }, Phase::Credentials) => {
                let known = zmtp::credentials(body).is_some_and(|(name, secret)| {
                    secrets.get(name).is_some_and(|right| zmtp::is_same(right, secret))
                });
                if !known {
                    return Err(zmtp::broken("a peer that may not connect"));
                }
                self.phase = Phase::Metadata;
                self.put(zmtp::COMMAND, b"\x07WELCOME", poller);
            }
            (Side::Bound { .. }, Phase::Metadata) if body.starts_with(b"\x08INITIATE") => {
                self.phase = Phase::Open;
                let ready = zmtp::with_type(b"\x05READY", kind.name());
                self.put(zmtp::COMMAND, &ready, poller);
            }
            (Side::Connecting { .. }, Phase::Credentials) if body == b"\x07WELCOME" => {
                self.phase = Phase::Metadata;
                let initiate = zmtp::with_type(b"\x08INITIATE", kind.name());
                self.put(zmtp::COMMAND, &initiate, poller);
            }
            (Side::Connecting { .. }, Phase::Metadata) if body.starts_with(b"\x05READY") => {
                self.phase = Phase::Open;
                if let Kind::Subscribe(topics) = kind {
                    for topic in topics {
                        self.put(0, &[&[1], topic.as_slice()].concat(), poller);
                    }
                }
            }
            _ => return Err(zmtp::broken("a handshake out of order")),
        }
        Ok(())
    }

    fn subscribe(&mut self, (start, end): (usize, usize)) {
        match self.input[start..end].split_first() {
            Some((1, topic)) => self.topics.push(topic.to_vec()),
            Some((0, topic)) => {
                if let Some(at) = self.topics.iter().position(|known| known == topic) {
                    self.topics.swap_remove(at);
                }
            }
            _ => {}
        }
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair {
        server: Wire,
        client: Wire,
        _dir: tempfile::TempDir,
    }

    fn pair(server: Kind, client: Kind, secret: &str) -> Pair {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let secrets = BTreeMap::from([("signal".to_owned(), "right".to_owned())]);
        let server = Wire::bind(server, &path, secrets).unwrap();
        let client = Wire::connect(client, &path, "signal", secret).unwrap();
        let mut pair = Pair { server, client, _dir: dir };
        for _ in 0..10 {
            pair.client.tend().unwrap();
            pair.server.tend().unwrap();
            let mut buffer = [0; 8];
            assert!(pair.server.receive(&mut buffer).unwrap().is_none());
            assert!(pair.client.receive(&mut buffer).unwrap().is_none());
        }
        pair
    }

    fn received(wire: &mut Wire) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; MESSAGE_BYTES_MAX];
        let mut found = Vec::new();
        while let Some(bytes) = wire.receive(&mut buffer).unwrap() {
            found.push(bytes.to_vec());
        }
        found
    }

    #[test]
    fn messages_of_all_sizes_come_whole_and_in_order() {
        let mut pair = pair(Kind::Pull, Kind::Push, "right");
        let sizes = [0, 1, 255, 256, 1_024, 1_025, 70_000, 3_000_000];
        let sent: Vec<_> = sizes.iter().map(|&size| vec![size as u8; size]).collect();
        let mut found = Vec::new();
        for message in &sent {
            assert!(pair.client.send(message));
            while found.last() != Some(message) {
                pair.client.tend().unwrap();
                found.extend(received(&mut pair.server));
            }
        }
        assert!(found == sent);
    }

    #[test]
    fn subscribers_hear_their_topics_and_a_lost_peer_is_told_and_found_again() {
        let topics = vec![b"a".to_vec(), b"bc".to_vec()];
        let mut pair = pair(Kind::Publish, Kind::Subscribe(topics), "right");
        for message in [&b"a1"[..], b"b", b"bcd", b"d"] {
            pair.server.send(message);
        }
        assert_eq!(received(&mut pair.client), [b"a1".to_vec(), b"bcd".to_vec()]);
        assert!(!pair.server.take_lost());
        pair.client.peers.clear();
        pair.server.tend().unwrap();
        assert!(pair.server.take_lost() && !pair.server.take_lost());
        let mut found = Vec::new();
        while found.is_empty() {
            pair.server.tend().unwrap();
            pair.server.send(b"a2");
            found = received(&mut pair.client);
        }
        assert_eq!(found[0], b"a2");
    }

    #[test]
    fn whoever_does_not_know_the_secret_is_shown_out() {
        let mut pair = pair(Kind::Pull, Kind::Push, "wrong");
        assert!(!pair.client.send(b"order"));
        pair.server.tend().unwrap();
        assert!(received(&mut pair.server).is_empty());
    }

    #[test]
    fn a_peer_that_does_not_read_is_refused_more_and_a_subscriber_loses_what_it_does_not_read() {
        let mut push = pair(Kind::Pull, Kind::Push, "right");
        let count = (0..20).filter(|_| push.client.send(&vec![7; 1 << 20])).count();
        assert!((7..12).contains(&count), "{count}");
        let all = Kind::Subscribe(vec![vec![]]);
        let mut publish = pair(Kind::Publish, all, "right");
        for _ in 0..20 {
            publish.server.send(&vec![7; 1 << 20]);
        }
        assert!(publish.server.peers[0].output.len() < 2 << 20);
    }
}
