//! Lines of other recorders in; the frames that they hold out, as the venue sent them.
//!
//! - cryptofeed: one JSON object per line with `t`, `ts` and the frame as a text in `data`. Answers
//!   to requests stand before the stream that they belong to, so lines are put in the order of time.
//! - a log of Bitstamp's orders: `TIME KIND JSON`.
//!
//! A depth snapshot is wrapped so that it names its instrument; a connection becomes a line of its
//! own, because numbers begin anew there.

use super::{RecordingError, Source, read_line};
use crate::json::{Malformed, Reader};
use std::io::Write as _;
use values::Nanos;

/// Most bytes kept to be put in order: hours of a busy stream.
const KEPT_BYTES_MAX: usize = 1 << 30;
/// What stands for a new connection.
pub(super) const CONNECTED: &[u8] = br#"{"prunella":"connected"}"#;

/// The forms of lines.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `RECEIVE_TIME JSON`.
    Raw,
    /// cryptofeed's recordings, format 2.
    Cryptofeed,
    /// `TIME KIND JSON`.
    BitstampOrders,
}

impl Kind {
    /// What the first line of a file is.
    pub fn of(line: &[u8]) -> Self {
        if line.starts_with(br#"{"t":"header""#) {
            return Self::Cryptofeed;
        }
        let after = line.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
        let is_kind = |kind: &[u8]| CHANNELS.iter().any(|(known, _)| *known == kind);
        if is_kind(after) { Self::BitstampOrders } else { Self::Raw }
    }
}

/// A log's kinds and the channels that they were sent on.
const CHANNELS: [(&[u8], &str); 5] = [
    (b"order_created", "live_orders"),
    (b"order_changed", "live_orders"),
    (b"order_deleted", "live_orders"),
    (b"trade", "live_trades"),
    (b"order_book", "order_book"),
];

/// A frame that waits for its turn.
#[derive(Debug)]
pub(super) struct Kept {
    ts_ns: Nanos,
    line: u64,
    frame: Vec<u8>,
}

impl Kept {
    pub fn give(self, number: &mut u64, line: &mut Vec<u8>) -> (Nanos, usize) {
        *number = self.line;
        *line = self.frame;
        (self.ts_ns, 0)
    }
}

/// Reads a whole file of cryptofeed, of which `line` is the first line.
pub(super) fn keep(source: &mut Source, line: &mut Vec<u8>) -> Result<(), RecordingError> {
    let (mut kept, mut bytes) = (Vec::new(), 0);
    loop {
        if !line.is_empty() {
            let found = read(line, source.line).map_err(|error| {
                let expected = format!("{} at byte {}", error.expected, error.position);
                source.broken(expected, &line[error.position.min(line.len())..])
            })?;
            if let Some(found) = found {
                bytes += found.frame.len();
                kept.push(found);
            }
            if bytes > KEPT_BYTES_MAX {
                let expected = "at most 1 GiB of frames in one file of cryptofeed".to_owned();
                return Err(source.broken(expected, line));
            }
        }
        if !read_line(source, line)? {
            break;
        }
    }
    kept.sort_by_key(|kept| kept.ts_ns);
    source.kept = kept.into();
    Ok(())
}

/// What one line holds; `None` when it is no frame.
fn read(line: &[u8], number: u64) -> Result<Option<Kept>, Malformed> {
    let mut reader = Reader::new(line);
    let (mut kind, mut time, mut url, mut data): (&[u8], _, _, _) = (b"", None, None, None);
    reader.object()?;
    while let Some(key) = reader.key()? {
        match key {
            b"t" => kind = reader.string()?,
            b"ts" => {
                let text = reader.scalar()?;
                let end =
                    text.iter().position(|&byte| byte == b'.').map_or(text.len(), |at| at + 10);
                let time_of = values::Price::parse(&text[..end.min(text.len())]);
                time = Some(time_of.map_err(|_| reader.malformed("a time in seconds"))?.0);
            }
            b"url" => url = Some(reader.string()?),
            b"data" => data = Some(reader.string()?),
            _ => reader.skip()?,
        }
    }
    reader.end()?;
    let frame = match (kind, data) {
        (b"connect", _) => CONNECTED.to_vec(),
        (b"recv", Some(data)) => unescaped(data),
        (b"http", Some(data)) => match url.and_then(|url| snapshot(url, data)) {
            Some(frame) => frame,
            None => return Ok(None),
        },
        (b"header" | b"http" | b"send", _) => return Ok(None),
        _ => return Err(reader.malformed("'t' of header, http, connect, send or recv")),
    };
    let ts_ns = time.ok_or_else(|| reader.malformed("a time 'ts'"))?;
    if frame != b"pong" {
        crate::json::check(&frame)?;
    }
    Ok(Some(Kept { ts_ns, line: number, frame }))
}

/// The answer to a request for a whole book, wrapped so that it names the instrument.
fn snapshot(url: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let after = |marker: &str| {
        let at = url.windows(marker.len()).position(|window| window == marker.as_bytes())?;
        let rest = &url[at + marker.len()..];
        let end = rest.iter().position(|&byte| matches!(byte, b'&' | b'/' | b'?'));
        Some(String::from_utf8_lossy(&rest[..end.unwrap_or(rest.len())]).to_lowercase())
    };
    let mut frame = Vec::new();
    if let Some(symbol) = after("/depth?symbol=") {
        let _ = write!(frame, r#"{{"stream":"{symbol}@snapshot","data":"#);
    } else {
        let pair = after("/order_book/")?;
        let channel = format!("order_book_snapshot_{pair}");
        let _ = write!(frame, r#"{{"event":"snapshot","channel":"{channel}","data":"#);
    }
    frame.extend(unescaped(data));
    frame.push(b'}');
    Some(frame)
}

/// A JSON text's content. Escapes that are no single byte stay: they mean the same one level deeper.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(b'u') => out.extend(b"\\u"),
            Some(&other) => out.push(other),
            None => {}
        }
    }
    out
}

/// Makes `TIME KIND JSON` the frame that it was; `None` when the kind is unknown.
pub(super) fn rewrite_order(line: &mut Vec<u8>, start: usize) -> Option<()> {
    let end = start + line[start.min(line.len())..].iter().position(|&byte| byte == b' ')?;
    let kind = &line[start..end];
    let (kind, channel) = CHANNELS.iter().find(|(known, _)| *known == kind)?;
    let event = core::str::from_utf8(kind).ok()?;
    let mut frame = Vec::with_capacity(line.len() + 64);
    let _ = write!(frame, r#"{{"event":"{event}","channel":"{channel}","data":"#);
    frame.extend_from_slice(&line[end + 1..]);
    frame.push(b'}');
    *line = frame;
    Some(())
}
