//! Bytes of an HTTP/1.1 connection in, whole responses out (`Content-Length` and chunked).
//!
//! A body with a length is handed out as a slice of the read buffer; a chunked one is put together
//! in a second buffer, which is used again. A body that ends with the connection is refused: it
//! cannot be told from a connection that broke.

use crate::buffer::ReadBuffer;

/// Largest body: a depth snapshot of 5,000 levels is below 1 MB; more is a framing error.
pub const BODY_SIZE_MAX: usize = 16 * 1024 * 1024;

/// Longest response head.
const HEAD_SIZE_MAX: usize = 32 * 1024;

/// One answer of a venue.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// Such as 200.
    pub status: u16,
    /// `Retry-After` in seconds, 0 without.
    pub retry_after_s: u32,
    /// Request weight used in this minute (`X-MBX-USED-WEIGHT-1M`), 0 without.
    pub used_weight: u32,
    /// Whether the connection may be used again.
    pub is_kept_alive: bool,
    /// The body without framing.
    pub body: &'a [u8],
}

/// Why the answer cannot be read; the connection is then worthless.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an HTTP/1.1 response with {0}")]
pub struct HttpError(&'static str);

#[derive(Copy, Clone)]
struct Head {
    status: u16,
    retry_after_s: u32,
    used_weight: u32,
    is_kept_alive: bool,
    framing: Framing,
}

#[derive(Copy, Clone)]
enum Framing {
    Length(usize),
    Chunked,
}

/// Splits the byte stream into responses.
pub struct ResponseReader {
    pub(crate) buffer: ReadBuffer,
    body: Vec<u8>,
    head: Option<Head>,
    /// Bytes of the response handed out last; forgotten when the next one is asked for.
    handed_out: usize,
}

impl Default for ResponseReader {
    fn default() -> Self {
        Self::new()
    }
}

impl ResponseReader {
    /// A reader at the beginning of a connection.
    pub fn new() -> ResponseReader {
        ResponseReader {
            buffer: ReadBuffer::new(BODY_SIZE_MAX + HEAD_SIZE_MAX),
            body: Vec::new(),
            head: None,
            handed_out: 0,
        }
    }

    /// Back to the beginning, keeping the memory.
    pub fn reset(&mut self) {
        self.buffer.clear();
        self.body.clear();
        self.head = None;
        self.handed_out = 0;
    }

    /// The next whole response; `None` when more bytes are needed.
    ///
    /// # Errors
    /// The server's framing is broken: drop the connection.
    pub fn next_response(&mut self) -> Result<Option<Response<'_>>, HttpError> {
        self.buffer.consume(core::mem::take(&mut self.handed_out));
        let Some(head) = self.read_head()? else { return Ok(None) };
        match head.framing {
            Framing::Length(length) => {
                if self.buffer.unread().len() < length {
                    return Ok(None);
                }
                self.head = None;
                self.handed_out = length;
                Ok(Some(response(head, &self.buffer.unread()[..length])))
            }
            Framing::Chunked => {
                if !self.read_chunks()? {
                    return Ok(None);
                }
                self.head = None;
                Ok(Some(response(head, &self.body)))
            }
        }
    }

    fn read_head(&mut self) -> Result<Option<Head>, HttpError> {
        while self.head.is_none() {
            let unread = self.buffer.unread();
            let window = &unread[..unread.len().min(HEAD_SIZE_MAX)];
            let Some(length) = window.windows(4).position(|found| found == b"\r\n\r\n") else {
                if unread.len() >= HEAD_SIZE_MAX {
                    return Err(HttpError("a head of at most 32 kB"));
                }
                return Ok(None);
            };
            let head = parse_head(&unread[..length])?;
            self.buffer.consume(length + 4);
            // 1xx only announces the answer.
            if head.status >= 200 {
                self.body.clear();
                self.head = Some(head);
            }
        }
        Ok(self.head)
    }

    /// Moves whole chunks into the body; true after the last one and its trailer.
    fn read_chunks(&mut self) -> Result<bool, HttpError> {
        loop {
            let unread = self.buffer.unread();
            let Some(line) = unread.windows(2).position(|found| found == b"\r\n") else {
                if unread.len() > 1024 {
                    return Err(HttpError("a chunk size"));
                }
                return Ok(false);
            };
            let size = chunk_size(&unread[..line])?;
            if self.body.len() + size > BODY_SIZE_MAX {
                return Err(HttpError("a body of at most 16 MB"));
            }
            let end = line + 2 + size + 2;
            if size == 0 {
                // Trailers are allowed and skipped up to the empty line.
                let rest = &unread[line..];
                let Some(trailer) = rest.windows(4).position(|found| found == b"\r\n\r\n") else {
                    return if rest.len() > HEAD_SIZE_MAX {
                        Err(HttpError("a trailer of at most 32 kB"))
                    } else {
                        Ok(false)
                    };
                };
                self.buffer.consume(line + trailer + 4);
                return Ok(true);
            }
            if unread.len() < end {
                return Ok(false);
            }
            if &unread[end - 2..end] != b"\r\n" {
                return Err(HttpError("CRLF after a chunk"));
            }
            self.body.extend_from_slice(&unread[line + 2..end - 2]);
            self.buffer.consume(end);
        }
    }
}

fn response(head: Head, body: &[u8]) -> Response<'_> {
    Response {
        status: head.status,
        retry_after_s: head.retry_after_s,
        used_weight: head.used_weight,
        is_kept_alive: head.is_kept_alive,
        body,
    }
}

fn chunk_size(line: &[u8]) -> Result<usize, HttpError> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or(line);
    core::str::from_utf8(digits)
        .ok()
        .map(str::trim)
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|text| usize::from_str_radix(text, 16).ok())
        .filter(|&size| size <= BODY_SIZE_MAX)
        .ok_or(HttpError("a chunk size in hexadecimal"))
}

fn parse_head(bytes: &[u8]) -> Result<Head, HttpError> {
    let text = core::str::from_utf8(bytes).map_err(|_| HttpError("a head in ASCII"))?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|rest| rest.get(..3))
        .and_then(|digits| digits.parse::<u16>().ok())
        .ok_or(HttpError("a status line"))?;
    let (mut length, mut is_chunked) = (None, false);
    let (mut is_kept_alive, mut retry_after_s, mut used_weight) = (true, 0, 0);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        match name.trim() {
            name if name.eq_ignore_ascii_case("content-length") => {
                let found: usize = value.parse().map_err(|_| HttpError("a numeric length"))?;
                if length.replace(found).is_some_and(|before| before != found) {
                    return Err(HttpError("one Content-Length"));
                }
            }
            name if name.eq_ignore_ascii_case("transfer-encoding") => {
                is_chunked = value.eq_ignore_ascii_case("chunked");
            }
            name if name.eq_ignore_ascii_case("connection") => {
                is_kept_alive = !value.eq_ignore_ascii_case("close");
            }
            name if name.eq_ignore_ascii_case("x-mbx-used-weight-1m") => {
                used_weight = value.parse().unwrap_or(0);
            }
            name if name.eq_ignore_ascii_case("retry-after") => {
                // A date instead of seconds is read as "a minute": the venues send seconds.
                retry_after_s = value.parse().unwrap_or(60);
            }
            _ => {}
        }
    }
    let framing = match (is_chunked, length) {
        (true, _) => Framing::Chunked,
        (false, Some(length)) if length <= BODY_SIZE_MAX => Framing::Length(length),
        (false, Some(_)) => return Err(HttpError("a body of at most 16 MB")),
        (false, None) if matches!(status, 100..=199 | 204 | 304) => Framing::Length(0),
        (false, None) => return Err(HttpError("Content-Length or chunked encoding")),
    };
    Ok(Head { status, retry_after_s, used_weight, is_kept_alive, framing })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONVERSATION: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
        Content-Length: 7\r\n\r\n{\"a\":1}HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Too Many Requests\r\n\
        retry-after: 1\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\n{\"co\r\n8\r\nde\":-1}!\r\n0\r\n\
        trailer: 1\r\n\r\nHTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";

    fn collect(reader: &mut ResponseReader, into: &mut Vec<(u16, u32, bool, Vec<u8>)>) {
        while let Some(found) = reader.next_response().expect("sound framing") {
            into.push((
                found.status,
                found.retry_after_s,
                found.is_kept_alive,
                found.body.to_vec(),
            ));
        }
    }

    #[test]
    fn stream_cut_at_every_byte_gives_the_same_responses() {
        let expected = vec![
            (200, 0, true, b"{\"a\":1}".to_vec()),
            (429, 1, true, b"{\"code\":-1}!".to_vec()),
            (204, 0, false, Vec::new()),
        ];
        for cut in 0..=CONVERSATION.len() {
            let (mut reader, mut found) = (ResponseReader::new(), Vec::new());
            reader.buffer.push(&CONVERSATION[..cut]);
            collect(&mut reader, &mut found);
            reader.buffer.push(&CONVERSATION[cut..]);
            collect(&mut reader, &mut found);
            assert_eq!(found, expected, "cut at byte {cut}");
        }
        let (mut reader, mut found) = (ResponseReader::new(), Vec::new());
        for byte in CONVERSATION {
            reader.buffer.push(&[*byte]);
            collect(&mut reader, &mut found);
        }
        assert_eq!(found, expected, "byte by byte");
    }

    #[test]
    fn broken_framing_is_refused() {
        for bytes in [
            &b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
            b"GARBAGE\r\n\r\n",
        ] {
            let mut reader = ResponseReader::new();
            reader.buffer.push(bytes);
            assert!(reader.next_response().is_err(), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut reader = ResponseReader::new();
            reader.buffer.push(&bytes);
            while let Ok(Some(_)) = reader.next_response() {}
        }
    }
}
