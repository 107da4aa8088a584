//! Files of recorded frames in; each frame with its receive time out, or what is wrong and where.
//!
//! A line is `RECEIVE_TIME JSON`, as hftbacktest's collectors write it, or of one of the forms of
//! [`foreign`]. The time is in nanoseconds, or in micro- or milliseconds, which its size tells. Files
//! may be plain, gzip, zstd or xz, several are read one after the other, and a file may end in empty
//! lines.

mod foreign;

use crate::json;
use flate2::bufread::MultiGzDecoder;
use foreign::{Kept, Kind};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use thiserror::Error;
use values::Nanos;

/// How far time may run backwards between two lines. Two connections interleave by milliseconds;
/// a minute means that files were given in the wrong order or that lines were shuffled.
const BACKWARDS_MAX_NS: Nanos = 60_000_000_000;
/// Longest line. A snapshot of 5,000 levels is 300 kB; a file without line ends is no recording and
/// must not fill the memory.
const LINE_BYTES_MAX: usize = 16 << 20;
/// How much is read at once.
const READ_BYTES: usize = 1 << 18;

/// Why a recording cannot be read; trying again cannot help.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// The file cannot be opened.
    #[error("{}: expected a recording, cannot open it: {reason}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
    /// The name says that it is packed, the first bytes do not.
    #[error(
        "{}: expected {expected} because of the name's ending, found other bytes: is it plain text \
         under a wrong name, or packed otherwise?", path.display()
    )]
    NotPacked {
        /// Which file.
        path: PathBuf,
        /// What the name says.
        expected: &'static str,
    },
    /// The compressed file ends early.
    #[error("{}: line {line}: expected more of the packed file, found its end: it was cut off", path.display())]
    Truncated {
        /// Which file.
        path: PathBuf,
        /// The line that could not be read.
        line: u64,
    },
    /// The file cannot be read on.
    #[error("{}: line {line}: cannot read on: {reason}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// The line that could not be read.
        line: u64,
        /// What went wrong.
        reason: io::Error,
    },
    /// The first line already is none.
    #[error(
        "{}: unknown format: expected lines `RECEIVE_TIME_NS JSON`, found {found}", path.display()
    )]
    UnknownFormat {
        /// Which file.
        path: PathBuf,
        /// How the file begins.
        found: String,
    },
    /// A later line is none.
    #[error("{}: line {line}: expected {expected}, found {found}", path.display())]
    BrokenLine {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// Time runs backwards.
    #[error(
        "{}: line {line}: expected a time not before {last_ns} (less a minute), found {found_ns}: \
         are the files in order?", path.display()
    )]
    Backwards {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// The latest time before.
        last_ns: Nanos,
        /// The time of this line.
        found_ns: Nanos,
    },
    /// No file, or only empty ones.
    #[error("expected at least one recorded frame, found none in {found}")]
    Empty {
        /// The files.
        found: String,
    },
}

/// One recorded frame.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When it was received.
    pub ts_ns: Nanos,
    /// The raw JSON, as the venue sent it.
    pub bytes: &'a [u8],
}

/// Reads recorded frames from files, one after the other.
pub struct Recording {
    waiting: VecDeque<PathBuf>,
    paths: Vec<PathBuf>,
    open: Option<Source>,
    line: Vec<u8>,
    last_ns: Nanos,
    frames: u64,
}

struct Source {
    path: PathBuf,
    reader: Box<dyn BufRead + Send + Sync>,
    line: u64,
    seen: bool,
    /// What the first line says that the times are in.
    unit: Unit,
    kind: Kind,
    /// Lines that had to be put in the order of time.
    kept: VecDeque<Kept>,
}

/// What receive times are counted in.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Unit {
    Nanoseconds,
    Microseconds,
    Milliseconds,
}

impl Unit {
    /// The unit in which a number is a time between 2001 and 2096. Less than a quarter of an hour
    /// since 1970 is a made-up recording in nanoseconds; all else is refused.
    fn of(time: i64) -> Option<Self> {
        const SECONDS: std::ops::Range<i64> = 1_000_000_000..4_000_000_000;
        match time {
            _ if SECONDS.contains(&(time / 1_000_000_000)) => Some(Self::Nanoseconds),
            _ if SECONDS.contains(&(time / 1_000_000)) => Some(Self::Microseconds),
            _ if SECONDS.contains(&(time / 1_000)) => Some(Self::Milliseconds),
            _ if time < 900_000_000_000 => Some(Self::Nanoseconds),
            _ => None,
        }
    }

    fn nanos(self, time: i64) -> i64 {
        time.saturating_mul(match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
        })
    }
}

impl Recording {
    /// Opens a recording. Every file is opened once, so that a missing one is told before an hour
    /// of the first has been played.
    ///
    /// # Errors
    /// A file is missing, not what its name says, or there is none.
    pub fn open<P: AsRef<Path>>(paths: &[P]) -> Result<Self, RecordingError> {
        let paths: Vec<PathBuf> = paths.iter().map(|path| path.as_ref().to_path_buf()).collect();
        if paths.is_empty() {
            return Err(RecordingError::Empty { found: "an empty list of files".into() });
        }
        for path in &paths {
            source(path)?;
        }
        let waiting = paths.iter().cloned().collect();
        Ok(Self { waiting, paths, open: None, line: Vec::new(), last_ns: Nanos::MIN, frames: 0 })
    }

    /// The next frame; `None` after the last.
    ///
    /// # Errors
    /// A file is damaged or not a recording; the message names file, line, found and expected.
    #[allow(clippy::should_implement_trait)] // An iterator cannot lend its own buffer.
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, RecordingError> {
        loop {
            let source = match &mut self.open {
                Some(source) => source,
                none => match self.waiting.pop_front() {
                    Some(path) => none.insert(source(&path)?),
                    None => return self.end(),
                },
            };
            let Some((ts_ns, start)) = source.take(&mut self.line)? else {
                self.open = None;
                continue;
            };
            if ts_ns < self.last_ns.saturating_sub(BACKWARDS_MAX_NS) {
                return Err(RecordingError::Backwards {
                    path: source.path.clone(),
                    line: source.line,
                    last_ns: self.last_ns,
                    found_ns: ts_ns,
                });
            }
            self.last_ns = self.last_ns.max(ts_ns);
            self.frames += 1;
            return Ok(Some(Frame { ts_ns, bytes: &self.line[start..] }));
        }
    }

    /// Where the last frame was: `FILE: line N`, or all files before the first frame and at the end.
    pub fn place(&self) -> String {
        match &self.open {
            Some(source) => format!("{}: line {}", source.path.display(), source.line),
            None => self.names(),
        }
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.paths.iter().map(|path| path.display().to_string()).collect();
        names.join(", ")
    }

    fn end(&self) -> Result<Option<Frame<'_>>, RecordingError> {
        if self.frames > 0 {
            return Ok(None);
        }
        Err(RecordingError::Empty { found: self.names() })
    }
}

/// Opens a file, unpacking it if its first bytes say so.
fn source(path: &Path) -> Result<Source, RecordingError> {
    let failed = |reason| RecordingError::Open { path: path.to_path_buf(), reason };
    let file = File::open(path).map_err(failed)?;
    let mut reader = BufReader::with_capacity(READ_BYTES, file);
    let first = reader.fill_buf().map_err(failed)?;
    let packed = PACKED.iter().find(|(magic, ..)| first.starts_with(magic)).map(|found| found.1);
    let named = PACKED.iter().find(|(_, ending, _)| {
        path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
    });
    let buffered = |reader| BufReader::with_capacity(READ_BYTES, reader);
    let reader: Box<dyn BufRead + Send + Sync> = match (packed, named) {
        (Some("gz"), _) => Box::new(buffered(MultiGzDecoder::new(reader))),
        (Some("zst"), _) => {
            let unpacked = zstd::Decoder::with_buffer(reader).map_err(failed)?;
            Box::new(BufReader::with_capacity(READ_BYTES, unpacked))
        }
        (Some(_), _) => {
            let unpacked = liblzma::bufread::XzDecoder::new_multi_decoder(reader);
            Box::new(BufReader::with_capacity(READ_BYTES, unpacked))
        }
        (None, Some(&(_, _, expected))) => {
            return Err(RecordingError::NotPacked { path: path.to_path_buf(), expected });
        }
        (None, None) => Box::new(reader),
    };
    Ok(Source {
        path: path.to_path_buf(),
        reader,
        line: 0,
        seen: false,
        unit: Unit::Nanoseconds,
        kind: Kind::Raw,
        kept: VecDeque::new(),
    })
}

/// First bytes, ending of the name, and name of the ways of packing that are read.
const PACKED: [(&[u8], &str, &str); 3] = [
    (&[0x1f, 0x8b], "gz", "gzip"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "zst", "zstd"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz", "xz"),
];

impl Source {
    /// The next frame in `line`: its time and where its JSON begins. `None` at the end.
    fn take(&mut self, line: &mut Vec<u8>) -> Result<Option<(Nanos, usize)>, RecordingError> {
        if let Some(kept) = self.kept.pop_front() {
            return Ok(Some(kept.give(&mut self.line, line)));
        }
        if self.kind == Kind::Cryptofeed {
            return Ok(None);
        }
        loop {
            if !read_line(self, line)? {
                return Ok(None);
            }
            if line.is_empty() {
                continue;
            }
            if !self.seen {
                self.kind = Kind::of(line);
                if self.kind == Kind::Cryptofeed {
                    self.seen = true;
                    foreign::keep(self, line)?;
                    return self.take(line);
                }
            }
            let is_first = !self.seen;
            let found = parse(self, line, is_first)?;
            self.seen = true;
            return Ok(Some(found));
        }
    }
}

/// Reads one line without its end; `false` at the end of the file.
fn read_line(source: &mut Source, line: &mut Vec<u8>) -> Result<bool, RecordingError> {
    line.clear();
    source.line += 1;
    let mut limited = io::Read::take(&mut source.reader, LINE_BYTES_MAX as u64);
    match limited.read_until(b'\n', line) {
        Ok(0) => return Ok(false),
        Ok(_) => {}
        Err(reason) => {
            let (path, line) = (source.path.clone(), source.line);
            return Err(match reason.kind() {
                io::ErrorKind::UnexpectedEof => RecordingError::Truncated { path, line },
                _ => RecordingError::Read { path, line, reason },
            });
        }
    }
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    Ok(true)
}

/// A line's receive time, and where its JSON begins. Some lines are rewritten as their frame.
fn parse(
    source: &mut Source,
    line: &mut Vec<u8>,
    is_first: bool,
) -> Result<(Nanos, usize), RecordingError> {
    let space = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
    let time = core::str::from_utf8(&line[..space])
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok());
    let Some(time) = time else {
        return Err(source.broken("a receive time in nanoseconds and a space".into(), line));
    };
    let unit = if is_first { Unit::of(time) } else { Some(source.unit) };
    let Some(unit) =
        unit.filter(|unit| *unit == Unit::Nanoseconds || Unit::of(time) == Some(*unit))
    else {
        return Err(RecordingError::BrokenLine {
            path: source.path.clone(),
            line: source.line,
            expected:
                "a receive time in nanoseconds since 1970 (or all in micro- or milliseconds), \
                       of a year between 2001 and 2096"
                    .into(),
            found: excerpt(line),
        });
    };
    source.unit = unit;
    let start = match source.kind {
        Kind::BitstampOrders => {
            foreign::rewrite_order(line, space + 1)
                .ok_or_else(|| source.broken("TIME KIND JSON".into(), line))?;
            0
        }
        Kind::Raw | Kind::Cryptofeed => space + 1,
    };
    let json = line.get(start..).unwrap_or_default();
    if let Err(error) = json::check(json) {
        let expected = format!("{} at byte {} of the JSON", error.expected, error.position);
        return Err(source.broken(expected, &json[error.position.saturating_sub(8)..]));
    }
    Ok((unit.nanos(time), start))
}

impl Source {
    fn broken(&self, expected: String, found: &[u8]) -> RecordingError {
        let (path, found) = (self.path.clone(), excerpt(found));
        if self.seen {
            RecordingError::BrokenLine { path, line: self.line, expected, found }
        } else {
            RecordingError::UnknownFormat { path, found }
        }
    }
}

/// The beginning of some bytes, fit for a message.
fn excerpt(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "nothing".into();
    }
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
    format!("{text:?}{}", if bytes.len() > 40 { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write as _;

    fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn read(paths: &[PathBuf]) -> Result<Vec<(Nanos, String)>, RecordingError> {
        let mut recording = Recording::open(paths)?;
        let mut frames = Vec::new();
        while let Some(frame) = recording.next()? {
            frames.push((frame.ts_ns, String::from_utf8_lossy(frame.bytes).into_owned()));
        }
        Ok(frames)
    }

    fn problem(paths: &[PathBuf]) -> String {
        read(paths).unwrap_err().to_string()
    }

    #[test]
    fn plain_and_gzip_files_are_read_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let first = write(folder.path(), "a.gz", &gzip("1 {}\n2 [1]\n\n"));
        let second = write(folder.path(), "b.jsonl", b"3 {\"a\":1}\r\n4 {}");
        let expected = [(1, "{}"), (2, "[1]"), (3, "{\"a\":1}"), (4, "{}")];
        assert_eq!(read(&[first, second]).unwrap(), expected.map(|(ts, text)| (ts, text.into())));
    }

    #[test]
    fn place_is_the_file_and_line_of_the_last_frame() {
        let folder = tempfile::tempdir().unwrap();
        let first = write(folder.path(), "a", b"1 {}\n\n2 {}\n");
        let second = write(folder.path(), "b", b"3 {}");
        let mut recording = Recording::open(&[first, second]).unwrap();
        let mut places = Vec::new();
        while recording.next().unwrap().is_some() {
            places.push(recording.place().rsplit('/').next().unwrap().to_owned());
        }
        assert_eq!(places, ["a: line 1", "a: line 3", "b: line 1"]);
        assert!(recording.place().ends_with("/b"));
    }

    #[test]
    fn gzip_under_a_plain_name_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "a.log", &gzip("1 {}\n"));
        assert_eq!(read(&[path]).unwrap().len(), 1);
    }

    #[test]
    fn each_fault_names_file_line_found_and_expected() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, bytes: &[u8]| write(folder.path(), name, bytes);
        let lines: Vec<String> =
            (0..5_000).map(|n| format!("{n} {{\"n\":{}}}\n", n * 7919)).collect();
        let long = lines.concat();
        let packed = gzip(&long);
        for (path, wanted) in [
            (folder.path().join("gone.gz"), "gone.gz: expected a recording, cannot open it"),
            (make("plain.gz", b"1 {}\n"), "plain.gz: expected gzip because of the name"),
            (make("cut.gz", &packed[..packed.len() / 2]), "found its end: it was cut off"),
            (
                make("other.csv", b"time,price\n1,2\n"),
                "other.csv: unknown format: expected lines `RECEIVE_TIME_NS JSON`, found \"time,price\"",
            ),
            (
                make("broken", b"1 {}\n2 {\"a\":}\n"),
                "broken: line 2: expected a value at byte 5 of the JSON, found \"{\\\"a\\\":}\"",
            ),
            (make("half", b"1 {}\n2 {\"a\":1"), "half: line 2: expected ',' or '}' at byte 6"),
            (
                make("timeless", b"1 {}\n{}\n"),
                "timeless: line 2: expected a receive time in nanoseconds and a space",
            ),
            (make("empty", b"\n"), "expected at least one recorded frame, found none in"),
            (
                make("back", b"100000000000 {}\n1 {}\n"),
                "back: line 2: expected a time not before 100000000000",
            ),
        ] {
            let found = problem(&[path]);
            assert!(found.contains(wanted), "{found}\n  lacks {wanted}");
        }
    }

    #[test]
    fn units_of_time_are_told_by_their_size_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("ns", "1723161253937085768 {}\n1723161253937085769 {}\n"),
            ("us", "1723161253937085 {}\n1723161253937086 {}\n"),
            ("ms", "1723161253937 {}\n1723161253938 {}\n"),
        ] {
            let path = write(folder.path(), name, text.as_bytes());
            assert_eq!(read(&[path]).unwrap()[0].0 / 1_000_000, 1_723_161_253_937, "{name}");
        }
        for text in ["17231612539370 {}\n", "1723161253937 {}\n1723161253937085768 {}\n"] {
            let found = problem(&[write(folder.path(), "mixed", text.as_bytes())]);
            assert!(found.contains("expected a receive time in nanoseconds since 1970"), "{found}");
        }
    }

    #[test]
    fn zstd_and_xz_are_unpacked_and_their_names_are_believed() {
        let folder = tempfile::tempdir().unwrap();
        let packed = zstd::encode_all(&b"1 {}\n2 {}\n"[..], 1).unwrap();
        assert_eq!(read(&[write(folder.path(), "a.zst", &packed)]).unwrap().len(), 2);
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(b"1 {}\n2 {}\n").unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(read(&[write(folder.path(), "a.xz", &packed)]).unwrap().len(), 2);
        let found = problem(&[write(folder.path(), "plain.xz", b"1 {}\n")]);
        assert!(found.contains("expected xz because of the name"), "{found}");
    }

    #[test]
    fn cryptofeed_lines_come_in_the_order_of_time_with_what_they_carried() {
        let folder = tempfile::tempdir().unwrap();
        let text = concat!(
            r#"{"t":"header","format":2,"exchange":"BITSTAMP","recorded":1.0}"#,
            "\n",
            r#"{"t":"http","conn":"h","ts":3.5,"url":"https://x/api/v2/order_book/btcusd","data":"{\"a\": 1}"}"#,
            "\n",
            r#"{"t":"http","conn":"h","ts":1.5,"url":"https://x/other","data":"{}"}"#,
            "\n",
            r#"{"t":"connect","conn":"w","ts":2.25,"addr":"wss://x"}"#,
            "\n",
            r#"{"t":"recv","conn":"w","ts":3.0,"data":"{\"b\":\"\\u00e9\"}"}"#,
            "\n",
        );
        let found = read(&[write(folder.path(), "feed", text.as_bytes())]).unwrap();
        let expected = [
            (2_250_000_000, r#"{"prunella":"connected"}"#),
            (3_000_000_000, r#"{"b":"\u00e9"}"#),
            (
                3_500_000_000,
                r#"{"event":"snapshot","channel":"order_book_snapshot_btcusd","data":{"a": 1}}"#,
            ),
        ];
        assert_eq!(found, expected.map(|(ts, text)| (ts, text.to_owned())));
    }

    #[test]
    fn orders_in_a_log_become_the_frames_that_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = write(folder.path(), "log", b"1430438404518 order_created {\"id\": 1}\n");
        let frame = r#"{"event":"order_created","channel":"live_orders","data":{"id": 1}}"#;
        assert_eq!(read(&[path]).unwrap(), [(1_430_438_404_518_000_000, frame.to_owned())]);
    }

    #[test]
    fn damaged_gzip_is_told_apart_from_a_cut_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = gzip("1 {}\n2 {}\n");
        let end = bytes.len();
        bytes[end - 6] ^= 0xff;
        let found = problem(&[write(folder.path(), "bad.gz", &bytes)]);
        assert!(found.contains("cannot read on"), "{found}");
    }

    #[test]
    fn files_in_the_wrong_order_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let later = write(folder.path(), "later", b"500000000000 {}\n");
        let earlier = write(folder.path(), "earlier", b"100000000000 {}\n");
        assert!(problem(&[later, earlier]).contains("earlier: line 1: expected a time not before"));
    }

    #[test]
    fn a_second_missing_file_is_told_before_the_first_is_played() {
        let folder = tempfile::tempdir().unwrap();
        let first = write(folder.path(), "a", b"1 {}\n");
        assert!(Recording::open(&[first, folder.path().join("gone")]).is_err());
    }
}
