//! A journal's folder in, its entries in order out; damage gives an error that names the place.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::Mmap;
use values::Nanos;

use crate::JournalError;
use crate::beside::Beside;
use crate::format::{self, Chain, ENTRY_OVERHEAD, Entry, Found, GENESIS, SEGMENT_HEADER};
use crate::retain;

/// Bytes after the last good entry that a power cut left behind; a writer cuts them on opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment's file.
    pub segment: PathBuf,
    /// The number that the entry would have had.
    pub seq: u64,
    /// Where it begins in the file.
    pub offset: u64,
    /// What was found there.
    pub found: String,
    /// What a good entry would have had.
    pub expected: String,
}

/// Reads entries in order and checks each one's checksum, number and chain.
///
/// It never writes, and may read beside a live writer: it then sees whole entries only, and
/// `next` gives `None` at the end and goes on when more were appended.
pub struct Reader {
    dir: PathBuf,
    segment: Option<Arc<Segment>>,
    at: usize,
    next_seq: u64,
    chain: Chain,
    torn: Option<TornTail>,
    /// The number for which the bytes after the end were searched already.
    searched_seq: u64,
    /// Checks the links of the chain, where this reader does not.
    beside: Option<Beside>,
}

/// One mapped file.
pub(crate) struct Segment {
    path: PathBuf,
    first_seq: u64,
    pub map: Mmap,
}

/// Where one checked entry lies; without a borrow, so that the search for it may loop.
struct Located {
    payload_at: usize,
    payload_len: usize,
    seq: u64,
    ts_ns: Nanos,
    kind: u16,
}

impl Reader {
    /// Reads from the journal's first entry. An empty folder is an empty journal.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let segments = retain::kept_segments(dir)?;
        Self::at_segment(dir, segments.first().copied())
    }

    /// Leaves the links of the chain to a second thread; checksums and numbers are still checked
    /// before an entry is given out. A bad link is told later than its entry, but always before
    /// the `None` at the end.
    pub fn linked_beside(mut self) -> Result<Self, JournalError> {
        let started = Beside::start(self.at, self.next_seq, self.chain);
        self.beside = Some(started.map_err(JournalError::io("start a thread for", &self.dir))?);
        Ok(self)
    }

    /// Reads from entry `seq` on; the entries before it in its segment are checked on the way.
    /// With `seq` one after the last entry, the first `next` gives `None`.
    pub fn from(dir: &Path, seq: u64) -> Result<Self, JournalError> {
        let segments = retain::kept_segments(dir)?;
        let holder = segments.iter().rev().find(|first| **first <= seq.max(1)).copied();
        let mut reader = Self::at_segment(dir, holder.or(segments.first().copied()))?;
        while reader.next_seq < seq {
            if reader.advance()?.is_none() {
                let found = format!("{} as the last", reader.next_seq - 1);
                return Err(reader.damage(reader.at, (found, format!("entry {seq} or later"))));
            }
        }
        if reader.next_seq > seq.max(1) {
            let found = format!("{} as the first entry kept", reader.next_seq);
            return Err(reader.damage(reader.at, (found, format!("entry {seq}"))));
        }
        Ok(reader)
    }

    /// Reads from the first entry of one segment.
    pub(crate) fn at_segment(dir: &Path, first_seq: Option<u64>) -> Result<Self, JournalError> {
        let mut reader = Self {
            dir: dir.to_path_buf(),
            segment: None,
            at: SEGMENT_HEADER,
            next_seq: first_seq.unwrap_or(1),
            chain: GENESIS,
            torn: None,
            searched_seq: 0,
            beside: None,
        };
        let Some(first_seq) = first_seq else { return Ok(reader) };
        let segment = Segment::open(dir, first_seq)?;
        reader.chain = segment.before()?;
        reader.segment = Some(Arc::new(segment));
        let (begin, before) = retain::anchor(dir)?;
        if first_seq == begin && reader.chain != before {
            let found = "another chain in the header of the first segment".to_owned();
            return Err(
                reader.damage(0, (found, "the one that the journal begins with".to_owned()))
            );
        }
        Ok(reader)
    }

    /// The next entry; `None` at the end, for now.
    #[allow(clippy::should_implement_trait, reason = "an entry borrows from the reader")]
    pub fn next(&mut self) -> Result<Option<Entry<'_>>, JournalError> {
        let Some(found) = self.advance()? else { return Ok(None) };
        let map = &self.segment.as_ref().expect("an entry lies in a segment").map;
        let payload = &map[found.payload_at..found.payload_at + found.payload_len];
        let Located { seq, ts_ns, kind, .. } = found;
        Ok(Some(Entry { seq, ts_ns, kind, payload, chain: self.chain }))
    }

    /// At the end: searches everything behind it for entries that damage has cut off. `next` looks
    /// only at the place itself, so that following a live writer costs nothing.
    pub fn check_end(&mut self) -> Result<(), JournalError> {
        match self.later_segment()?.or_else(|| self.stranded()) {
            Some(found) => Err(self.damage(self.at, found)),
            None => Ok(()),
        }
    }

    /// The number of the last entry read (or skipped by `from`); 0 before the first of all.
    pub fn last_seq(&self) -> u64 {
        self.next_seq - 1
    }

    /// The chain up to and including the last entry read.
    pub fn chain(&self) -> Chain {
        self.chain
    }

    /// At the end: what a power cut left behind there, if anything.
    pub fn torn(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    /// When the next entry was written, unchecked; `None` where there is none.
    pub(crate) fn first_ns(&self) -> Option<Nanos> {
        let bytes = self.segment.as_ref()?.map.get(self.at..)?;
        format::ts_ns_named(bytes)
    }

    /// Where the next entry will begin: the segment's first number and the byte offset.
    pub(crate) fn position(&self) -> Option<(u64, usize)> {
        self.segment.as_ref().map(|segment| (segment.first_seq, self.at))
    }

    fn advance(&mut self) -> Result<Option<Located>, JournalError> {
        loop {
            let Some(segment) = &self.segment else {
                let Some(first) = retain::kept_segments(&self.dir)?.first().copied() else {
                    return Ok(None);
                };
                let is_beside = self.beside.is_some();
                *self = Self::at_segment(&self.dir, Some(first))?;
                if is_beside {
                    self.beside = Some(
                        Beside::start(self.at, self.next_seq, self.chain)
                            .map_err(JournalError::io("start a thread for", &self.dir))?,
                    );
                }
                continue;
            };
            let bytes = segment.map.get(self.at..).unwrap_or_default();
            let before = self.beside.is_none().then_some(&self.chain);
            let bad = match format::read_entry(bytes, self.next_seq, before) {
                Found::Entry(entry, taken) => {
                    let located = Located {
                        payload_at: self.at + ENTRY_OVERHEAD,
                        payload_len: entry.payload.len(),
                        seq: entry.seq,
                        ts_ns: entry.ts_ns,
                        kind: entry.kind,
                    };
                    self.chain = entry.chain;
                    self.at += taken;
                    self.next_seq += 1;
                    self.torn = None;
                    if self.beside.as_ref().is_some_and(|beside| beside.is_full(self.at)) {
                        self.hand_over()?;
                    }
                    return Ok(Some(located));
                }
                Found::Nothing => None,
                Found::Bad(found, expected) => Some((found, expected)),
            };
            self.hand_over()?;
            if !self.turn_page(bad)? {
                self.finish_links()?;
                return Ok(None);
            }
        }
    }

    /// Returns when every link up to the last entry read is checked.
    pub(crate) fn finish_links(&mut self) -> Result<(), JournalError> {
        self.hand_over()?;
        self.beside.as_mut().map_or(Ok(()), Beside::finish)
    }

    /// Gives what was read since the last time to the thread that checks links, if there is one.
    fn hand_over(&mut self) -> Result<(), JournalError> {
        match (&mut self.beside, &self.segment) {
            (Some(beside), Some(segment)) => {
                beside.hand_over(segment, self.at, self.next_seq, &self.chain)
            }
            _ => Ok(()),
        }
    }

    /// No entry here: true when the next segment (or this place again) is to be read, false at
    /// the end of the journal.
    fn turn_page(&mut self, bad: Option<(String, String)>) -> Result<bool, JournalError> {
        let segment = self.segment.as_ref().expect("called while reading a segment");
        let begun = segment.map.get(self.at..).unwrap_or_default();
        let begun = begun.iter().take(ENTRY_OVERHEAD).any(|byte| *byte != 0);
        let (first_seq, mapped) = (segment.first_seq, segment.map.len());
        if self.next_seq > first_seq && format::segment_path(&self.dir, self.next_seq).exists() {
            // The writer may have filled this place between our look at it and its rotation.
            if self.holds_entry() {
                return Ok(true);
            }
            if let Some(bad) = bad {
                return Err(self.damage(self.at, bad));
            }
            return self.open_next().map(|()| true);
        }
        let length = std::fs::metadata(&segment.path)
            .map_err(JournalError::io("look at", &segment.path))?
            .len() as usize;
        if bad.is_none() && length > mapped && self.at + ENTRY_OVERHEAD > mapped {
            // A writer has reopened a segment that had been cut short, and made it whole.
            self.segment = Some(Arc::new(Segment::open(&self.dir, first_seq)?));
            return Ok(true);
        }
        if self.searched_seq != self.next_seq {
            let stranded = match self.later_segment()? {
                None if begun => self.stranded(),
                later => later,
            };
            if let Some(stranded) = stranded {
                // Beside a live writer this place was filled before the later one; look again.
                let next = format::segment_path(&self.dir, self.next_seq);
                if self.holds_entry() || (self.next_seq > first_seq && next.exists()) {
                    return Ok(true);
                }
                return Err(self.damage(self.at, bad.unwrap_or(stranded)));
            }
            self.searched_seq = self.next_seq;
        }
        self.torn = bad.map(|(found, expected)| TornTail {
            segment: format::segment_path(&self.dir, first_seq),
            seq: self.next_seq,
            offset: self.at as u64,
            found,
            expected,
        });
        Ok(false)
    }

    fn holds_entry(&self) -> bool {
        let map = self.segment.as_ref().map_or(&[][..], |segment| &segment.map);
        let bytes = map.get(self.at..).unwrap_or_default();
        matches!(format::read_entry(bytes, self.next_seq, Some(&self.chain)), Found::Entry(..))
    }

    /// A segment that begins later than the entry that is missing, as (found, expected).
    fn later_segment(&self) -> Result<Option<(String, String)>, JournalError> {
        let segments = format::list_segments(&self.dir)?;
        Ok(segments.iter().find(|first| **first > self.next_seq).map(|later| {
            let found = format!("a segment that begins with entry {later}");
            (found, format!("entry {}", self.next_seq))
        }))
    }

    /// A later entry behind the end, as (found, expected).
    fn stranded(&self) -> Option<(String, String)> {
        let map = &self.segment.as_ref()?.map;
        let (offset, seq) = format::later_entry(map, self.at, self.next_seq)?;
        let found = format!("no entry, but entry {seq} behind it at byte {offset}");
        Some((found, format!("entry {}", self.next_seq)))
    }

    fn open_next(&mut self) -> Result<(), JournalError> {
        let next = Segment::open(&self.dir, self.next_seq)?;
        let before = next.before()?;
        self.segment = Some(Arc::new(next));
        self.at = SEGMENT_HEADER;
        if let Some(beside) = &mut self.beside {
            beside.begin_segment();
        }
        if before == self.chain {
            return Ok(());
        }
        let found = "another chain in the header than the segment before ends with".to_owned();
        Err(self.damage(0, (found, "the same chain".to_owned())))
    }

    fn damage(&self, offset: usize, (found, expected): (String, String)) -> JournalError {
        if let Some(segment) = &self.segment {
            return segment.damage(self.next_seq, offset, (found, expected));
        }
        JournalError::Damaged {
            segment: format::segment_path(&self.dir, self.next_seq),
            seq: self.next_seq,
            offset: offset as u64,
            found,
            expected,
        }
    }
}

impl Segment {
    fn open(dir: &Path, first_seq: u64) -> Result<Self, JournalError> {
        let path = format::segment_path(dir, first_seq);
        let file = File::open(&path).map_err(JournalError::io("open", &path))?;
        // SAFETY: segments only ever grow while anybody uses them (rule of this crate), and the
        // one field that a live writer changes under us is read atomically.
        let map = unsafe { Mmap::map(&file) }.map_err(JournalError::io("map", &path))?;
        Ok(Self { path, first_seq, map })
    }

    /// The chain before the segment's first entry.
    fn before(&self) -> Result<Chain, JournalError> {
        format::read_segment_header(&self.map, self.first_seq)
            .map_err(|wrong| self.damage(self.first_seq, 0, wrong))
    }

    pub(crate) fn damage(
        &self,
        seq: u64,
        offset: usize,
        (found, expected): (String, String),
    ) -> JournalError {
        let (segment, offset) = (self.path.clone(), offset as u64);
        JournalError::Damaged { segment, seq, offset, found, expected }
    }
}
