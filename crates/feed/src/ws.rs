//! Bytes of a WebSocket connection in, messages out, and our own frames masked (RFC 6455, client).
//!
//! Server frames are never masked, so a message that came in one frame is handed out as a slice of
//! the read buffer: no copy, no allocation. Only a message in fragments is put together in a second
//! buffer, which is used again.

use crate::buffer::ReadBuffer;
use sha1::{Digest, Sha1};

/// Largest message: a full depth snapshot pushed by a venue is below 2 MB; more is an attack or a
/// framing error, and would make us buffer for ever.
pub const MESSAGE_SIZE_MAX: usize = 8 * 1024 * 1024;

/// Longest answer to the handshake.
const HANDSHAKE_SIZE_MAX: usize = 16 * 1024;

const ACCEPT_SALT: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What a server sent.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// A whole text or binary message; venues send JSON in both.
    Data(&'a [u8]),
    /// To be answered by a pong with the same payload.
    Ping(&'a [u8]),
    /// The answer to our ping.
    Pong(&'a [u8]),
    /// The server closes; its code, 1005 when it gave none.
    Close(u16),
}

/// How the server broke the protocol; the connection is then worthless.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WsError {
    /// A reserved bit or opcode.
    #[error("expected a frame without extensions, found reserved bits or opcode")]
    Reserved,
    /// A server must not mask.
    #[error("expected an unmasked frame from the server")]
    Masked,
    /// A message beyond `MESSAGE_SIZE_MAX`.
    #[error("expected a message of at most {MESSAGE_SIZE_MAX} bytes")]
    TooLarge,
    /// A control frame in fragments or beyond 125 bytes, or fragments out of order.
    #[error("expected whole control frames and ordered fragments")]
    Fragments,
    /// The answer to our handshake is not what RFC 6455 asks for.
    #[error("handshake refused: expected {expected}")]
    Handshake {
        /// What was expected.
        expected: &'static str,
    },
}

/// Opcodes of the frames that we send.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// Text.
    Text = 1,
    /// Close.
    Close = 8,
    /// Ping.
    Ping = 9,
    /// Pong.
    Pong = 10,
}

/// Splits the byte stream into messages.
pub struct Decoder {
    pub(crate) buffer: ReadBuffer,
    fragments: Vec<u8>,
    in_fragments: bool,
    /// Bytes of the message handed out last; forgotten when the next one is asked for.
    handed_out: usize,
}

struct Header {
    is_final: bool,
    opcode: u8,
    start: usize,
    length: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder at the beginning of a connection.
    pub fn new() -> Decoder {
        Decoder {
            buffer: ReadBuffer::new(MESSAGE_SIZE_MAX + 14),
            fragments: Vec::new(),
            in_fragments: false,
            handed_out: 0,
        }
    }

    /// Back to the beginning, keeping the memory.
    pub fn reset(&mut self) {
        self.buffer.clear();
        self.fragments.clear();
        self.in_fragments = false;
        self.handed_out = 0;
    }

    /// The data of the message that `next_message` gave last, until it is called again.
    pub(crate) fn last_data(&self) -> &[u8] {
        if self.handed_out == 0 {
            return &self.fragments;
        }
        let unread = self.buffer.unread();
        let start = match unread[1] & 0x7F {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        &unread[start..self.handed_out]
    }

    /// The next whole message; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The server broke the protocol: drop the connection.
    pub fn next_message(&mut self) -> Result<Option<Message<'_>>, WsError> {
        self.buffer.consume(core::mem::take(&mut self.handed_out));
        loop {
            let Some(header) = parse_header(self.buffer.unread())? else { return Ok(None) };
            let end = header.start + header.length;
            if self.buffer.unread().len() < end {
                return Ok(None);
            }
            match (header.opcode, header.is_final) {
                (1 | 2, _) if self.in_fragments => return Err(WsError::Fragments),
                (0, _) if !self.in_fragments => return Err(WsError::Fragments),
                (8..=10, false) => return Err(WsError::Fragments),
                (1 | 2 | 8..=10, true) => {
                    self.handed_out = end;
                    let payload = &self.buffer.unread()[header.start..end];
                    return Ok(Some(whole(header.opcode, payload)));
                }
                (opcode, is_final) => {
                    if opcode != 0 {
                        self.fragments.clear();
                    }
                    if self.fragments.len() + header.length > MESSAGE_SIZE_MAX {
                        return Err(WsError::TooLarge);
                    }
                    self.fragments.extend_from_slice(&self.buffer.unread()[header.start..end]);
                    self.buffer.consume(end);
                    self.in_fragments = !is_final;
                    if is_final {
                        return Ok(Some(Message::Data(&self.fragments)));
                    }
                }
            }
        }
    }
}

fn whole(opcode: u8, payload: &[u8]) -> Message<'_> {
    match opcode {
        8 => Message::Close(match payload {
            [high, low, ..] => u16::from_be_bytes([*high, *low]),
            _ => 1005,
        }),
        9 => Message::Ping(payload),
        10 => Message::Pong(payload),
        _ => Message::Data(payload),
    }
}

fn parse_header(bytes: &[u8]) -> Result<Option<Header>, WsError> {
    let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
    let opcode = first & 0x0F;
    if first & 0x70 != 0 || !matches!(opcode, 0..=2 | 8..=10) {
        return Err(WsError::Reserved);
    }
    if second & 0x80 != 0 {
        return Err(WsError::Masked);
    }
    let (start, length) = match (second & 0x7F, rest) {
        (126, &[a, b, ..]) => (4, u64::from(u16::from_be_bytes([a, b]))),
        (127, rest) => match rest.first_chunk() {
            Some(bytes) => (10, u64::from_be_bytes(*bytes)),
            None => return Ok(None),
        },
        (126, _) => return Ok(None),
        (short, _) => (2, u64::from(short)),
    };
    if opcode >= 8 && length > 125 {
        return Err(WsError::Fragments);
    }
    let length = usize::try_from(length).map_err(|_| WsError::TooLarge)?;
    if length > MESSAGE_SIZE_MAX {
        return Err(WsError::TooLarge);
    }
    Ok(Some(Header { is_final: first & 0x80 != 0, opcode, start, length }))
}

/// Appends one masked frame to `out`. `mask` need not be secret here: it protects proxies from
/// pages that a browser runs, and we are not a browser.
pub fn encode(opcode: Opcode, payload: &[u8], mask: [u8; 4], out: &mut Vec<u8>) {
    out.push(0x80 | opcode as u8);
    match payload.len() {
        short @ 0..=125 => out.push(0x80 | short as u8),
        medium @ 126..=0xFFFF => {
            out.push(0xFE);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(0xFF);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
}

/// Appends the opening request to `out`; `key` is the base64 text of `handshake_key`.
pub fn encode_handshake(host: &str, path: &str, key: &str, out: &mut Vec<u8>) {
    for part in [
        "GET ",
        path,
        " HTTP/1.1\r\nHost: ",
        host,
        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ",
        key,
        "\r\nSec-WebSocket-Version: 13\r\n\r\n",
    ] {
        out.extend_from_slice(part.as_bytes());
    }
}

/// A `Sec-WebSocket-Key` from 16 bytes.
pub fn handshake_key(nonce: [u8; 16]) -> String {
    base64(&nonce)
}

/// Checks the server's answer: `Some(length)` when it is whole and right, `None` when more bytes
/// are needed.
///
/// # Errors
/// The server does not speak WebSocket, or answers another key than ours (a cached or foreign
/// answer).
pub fn check_handshake(bytes: &[u8], key: &str) -> Result<Option<usize>, WsError> {
    let Some(length) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        if bytes.len() > HANDSHAKE_SIZE_MAX {
            return Err(WsError::Handshake { expected: "an answer of at most 16 kB" });
        }
        return Ok(None);
    };
    let head = core::str::from_utf8(&bytes[..length])
        .map_err(|_| WsError::Handshake { expected: "an answer in ASCII" })?;
    let mut lines = head.split("\r\n");
    if !lines.next().is_some_and(|line| line.starts_with("HTTP/1.1 101")) {
        return Err(WsError::Handshake { expected: "status 101" });
    }
    let header = |name: &str| {
        head.split("\r\n")
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .find(|(found, _)| found.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    if !header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")) {
        return Err(WsError::Handshake { expected: "Upgrade: websocket" });
    }
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(ACCEPT_SALT);
    if header("sec-websocket-accept") != Some(base64(&hash.finalize()).as_str()) {
        return Err(WsError::Handshake { expected: "the Sec-WebSocket-Accept of our key" });
    }
    if header("sec-websocket-extensions").is_some() {
        return Err(WsError::Handshake { expected: "no extension, as we asked for none" });
    }
    Ok(Some(length + 4))
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |sum, &byte| sum << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for position in 0..4 {
            text.push(if position <= chunk.len() {
                char::from(ALPHABET[(group >> (18 - 6 * position)) as usize & 63])
            } else {
                '='
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            short @ 0..=125 => bytes.push(short as u8),
            medium @ 126..=0xFFFF => {
                bytes.push(126);
                bytes.extend_from_slice(&(medium as u16).to_be_bytes());
            }
            long => {
                bytes.push(127);
                bytes.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    fn collect(decoder: &mut Decoder, into: &mut Vec<String>) {
        while let Some(message) = decoder.next_message().expect("a sound stream") {
            into.push(match message {
                Message::Data(data) => format!("{} {:?}", data.len(), data.first()),
                other => format!("{other:?}"),
            });
        }
    }

    fn conversation() -> Vec<u8> {
        let mut bytes = frame(0x81, b"{\"a\":1}");
        bytes.extend(frame(0x82, &[7; 200]));
        bytes.extend(frame(0x01, b"{\"frag"));
        bytes.extend(frame(0x89, b"now"));
        bytes.extend(frame(0x00, b"men"));
        bytes.extend(frame(0x80, b"ts\":2}"));
        bytes.extend(frame(0x8A, b""));
        bytes.extend(frame(0x88, &[0x03, 0xE8]));
        bytes
    }

    #[test]
    fn stream_cut_at_every_byte_gives_the_same_messages() {
        let bytes = conversation();
        let mut whole = Vec::new();
        let mut decoder = Decoder::new();
        decoder.buffer.push(&bytes);
        collect(&mut decoder, &mut whole);
        assert_eq!(whole.len(), 6);
        assert_eq!(whole[2], "Ping([110, 111, 119])");
        assert_eq!(whole[3], format!("15 {:?}", Some(b'{')));
        assert_eq!(whole[5], "Close(1000)");
        for cut in 0..=bytes.len() {
            let (mut decoder, mut pieces) = (Decoder::new(), Vec::new());
            decoder.buffer.push(&bytes[..cut]);
            collect(&mut decoder, &mut pieces);
            decoder.buffer.push(&bytes[cut..]);
            collect(&mut decoder, &mut pieces);
            assert_eq!(pieces, whole, "cut at byte {cut}");
        }
        let (mut decoder, mut pieces) = (Decoder::new(), Vec::new());
        for byte in &bytes {
            decoder.buffer.push(&[*byte]);
            collect(&mut decoder, &mut pieces);
        }
        assert_eq!(pieces, whole, "byte by byte");
    }

    #[test]
    fn broken_protocol_is_refused() {
        for (bytes, expected) in [
            (frame(0xC1, b"x"), WsError::Reserved),
            (frame(0x83, b"x"), WsError::Reserved),
            (vec![0x81, 0x81, 0, 0, 0, 0, 0], WsError::Masked),
            (frame(0x80, b"x"), WsError::Fragments),
            (frame(0x09, b"x"), WsError::Fragments),
            (frame(0x89, &[0; 126]), WsError::Fragments),
            ([frame(0x01, b"x"), frame(0x81, b"y")].concat(), WsError::Fragments),
            (vec![0x82, 127, 0, 0, 0, 0, 0x10, 0, 0, 0], WsError::TooLarge),
            (vec![0x82, 127, 0xFF, 0, 0, 0, 0, 0, 0, 0], WsError::TooLarge),
        ] {
            let mut decoder = Decoder::new();
            decoder.buffer.push(&bytes);
            assert_eq!(decoder.next_message(), Err(expected), "{bytes:?}");
        }
    }

    #[test]
    fn handshake_with_the_key_of_the_rfc_is_accepted_at_any_cut() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==";
        let answer =
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x01x";
        let length = answer.len() - 3;
        for cut in 0..length {
            assert_eq!(check_handshake(&answer[..cut], key), Ok(None), "cut at {cut}");
        }
        assert_eq!(check_handshake(answer, key), Ok(Some(length)));
        assert!(check_handshake(answer, "b3RoZXI=").is_err());
        assert!(check_handshake(b"HTTP/1.1 503 Busy\r\n\r\n", key).is_err());
        assert_eq!(handshake_key(*b"the sample nonce"), key);
    }

    proptest! {
        #[test]
        fn what_we_encode_unmasks_to_the_same(payload in proptest::collection::vec(any::<u8>(), 0..70_000),
                                              mask in any::<[u8; 4]>()) {
            let mut bytes = Vec::new();
            encode(Opcode::Text, &payload, mask, &mut bytes);
            let start = bytes.len() - payload.len();
            prop_assert_eq!(&bytes[start - 4..start], &mask);
            prop_assert_eq!(bytes[1] & 0x80, 0x80);
            let plain: Vec<u8> = bytes[start..].iter().zip(mask.iter().cycle()).map(|(b, k)| b ^ k).collect();
            prop_assert_eq!(plain, payload);
        }

        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut decoder = Decoder::new();
            decoder.buffer.push(&bytes);
            while let Ok(Some(_)) = decoder.next_message() {}
            let _ = check_handshake(&bytes, "k");
        }
    }
}
