//! Bytes from a socket in, contiguous unread bytes out; one allocation that is used again.

/// Room that a read is always offered, so that a burst is not read in crumbs.
const ROOM_MIN: usize = 16 * 1024;

/// A growing buffer with a read mark. It grows up to `size_max` and never shrinks, so that the
/// steady state allocates nothing.
pub(crate) struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    size_max: usize,
}

impl ReadBuffer {
    /// An empty buffer that never holds more than `size_max` bytes (plus one read).
    pub(crate) fn new(size_max: usize) -> ReadBuffer {
        ReadBuffer { bytes: vec![0; ROOM_MIN * 4], start: 0, end: 0, size_max }
    }

    /// Where the next read goes. Empty when `size_max` unread bytes are waiting.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        if self.bytes.len() - self.end < ROOM_MIN && self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.bytes.len() - self.end < ROOM_MIN && self.bytes.len() < self.size_max {
            let grown = (self.bytes.len() * 2).min(self.size_max.max(ROOM_MIN));
            self.bytes.resize(grown, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Tells that `count` bytes were read into `room`.
    pub(crate) fn filled(&mut self, count: usize) {
        self.end += count;
        debug_assert!(self.end <= self.bytes.len());
    }

    /// What was read and not yet consumed.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Forgets the first `count` unread bytes.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end);
    }

    /// Forgets everything: a new connection begins.
    pub(crate) fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Copies `bytes` in, as a read would.
    #[cfg(test)]
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let room = self.room();
        room[..bytes.len()].copy_from_slice(bytes);
        self.filled(bytes.len());
    }
}
