//! Names, secrets and sizes in; the bytes of ZMTP 3.0 with the mechanism PLAIN out, and back.
//!
//! As described in RFC 23 (ZMTP 3.0) and RFC 24 (PLAIN) of the `ZeroMQ` project.

use std::io;

pub(super) const GREETING_BYTES: usize = 64;
pub(super) const HEAD_BYTES_MAX: usize = 9;
/// Flag of a frame that is a command.
pub(super) const COMMAND: u8 = 4;
const LONG: u8 = 2;
const MORE: u8 = 1;
const MAJOR: u8 = 3;
const MECHANISM: &[u8; 20] = b"PLAIN\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// A frame's place behind where it was looked for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub is_command: bool,
    pub start: usize,
    pub size: usize,
}

/// A peer does not keep to the protocol.
pub(super) fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// The first 64 bytes of each side.
pub(super) fn greeting(is_server: bool) -> [u8; GREETING_BYTES] {
    let mut bytes = [0; GREETING_BYTES];
    (bytes[0], bytes[8], bytes[9], bytes[10]) = (0xFF, 1, 0x7F, MAJOR);
    bytes[12..32].copy_from_slice(MECHANISM);
    bytes[32] = u8::from(is_server);
    bytes
}

/// Whether a peer speaks what we do.
pub(super) fn check_greeting(told: &[u8; GREETING_BYTES], wants_server: bool) -> io::Result<()> {
    let is_ours = told[0] == 0xFF && told[9] & 1 == 1 && told[10] >= MAJOR;
    if !is_ours || told[12..32] != *MECHANISM || (wants_server && told[32] == 0) {
        return Err(broken("a greeting of another protocol"));
    }
    Ok(())
}

/// A frame's head; for a body of this size.
pub(super) fn head(flags: u8, size: usize, into: &mut [u8; HEAD_BYTES_MAX]) -> &[u8] {
    if let Ok(short) = u8::try_from(size) {
        (into[0], into[1]) = (flags, short);
        return &into[..2];
    }
    into[0] = flags | LONG;
    into[1..].copy_from_slice(&(size as u64).to_be_bytes());
    into
}

impl Frame {
    /// The frame at the beginning of `bytes`; `None` while it is not whole.
    ///
    /// # Errors
    /// It is too long, or one of several parts.
    #[inline]
    pub(super) fn read(bytes: &[u8], size_max: usize) -> io::Result<Option<Frame>> {
        let Some((&flags, rest)) = bytes.split_first() else { return Ok(None) };
        let (start, size) = if flags & LONG == 0 {
            let Some(&size) = rest.first() else { return Ok(None) };
            (2, u64::from(size))
        } else {
            let Some(size) = rest.first_chunk() else { return Ok(None) };
            (HEAD_BYTES_MAX, u64::from_be_bytes(*size))
        };
        if flags & MORE != 0 || size > size_max as u64 {
            return Err(broken("a message of several parts, or too long"));
        }
        let size = size as usize;
        let is_whole = bytes.len() >= start + size;
        Ok(is_whole.then_some(Frame { is_command: flags & COMMAND != 0, start, size }))
    }
}

/// A client's credentials.
pub(super) fn hello(name: &str, secret: &str) -> Vec<u8> {
    let mut bytes = b"\x05HELLO".to_vec();
    for part in [name, secret] {
        bytes.push(part.len() as u8);
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

/// Name and secret of a HELLO.
pub(super) fn credentials(body: &[u8]) -> Option<(&str, &str)> {
    let part = |bytes: &[u8]| -> Option<usize> { bytes.first().map(|&size| usize::from(size) + 1) };
    let rest = body.strip_prefix(b"\x05HELLO")?;
    let (name, rest) = rest.split_at_checked(part(rest)?)?;
    let (secret, rest) = rest.split_at_checked(part(rest)?)?;
    let text = |bytes| core::str::from_utf8(bytes).ok();
    rest.is_empty().then_some((text(&name[1..])?, text(&secret[1..])?))
}

/// A command with what kind of socket we are.
pub(super) fn with_type(command: &[u8], kind: &str) -> Vec<u8> {
    let mut bytes = command.to_vec();
    bytes.extend_from_slice(b"\x0BSocket-Type");
    bytes.extend_from_slice(&(kind.len() as u32).to_be_bytes());
    bytes.extend_from_slice(kind.as_bytes());
    bytes
}

/// Compares secrets in a time that does not tell where they differ.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    let differing = a.bytes().zip(b.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && differing == 0
}
