//! Receive times in; bursts, silences, rates, clock offsets and sampled prices out.

use std::collections::VecDeque;
use values::{Nanos, Price};

/// Over which time frames are counted as one burst.
const BURST_NS: Nanos = 100_000_000;
/// Most points of a series; when full, every second one is dropped and the step doubles.
const POINTS_MAX: usize = 4_000;
/// Most silences that are told one by one.
const SILENCES_MAX: usize = 100;

/// The most frames in any 100 ms.
#[derive(Debug, Default)]
pub(super) struct Bursts {
    recent: VecDeque<Nanos>,
    pub most: usize,
}

impl Bursts {
    pub fn take(&mut self, now_ns: Nanos) {
        self.recent.push_back(now_ns);
        while self.recent.front().is_some_and(|&first| now_ns - first >= BURST_NS) {
            self.recent.pop_front();
        }
        self.most = self.most.max(self.recent.len());
    }
}

/// Pauses between frames that are longer than a limit.
#[derive(Debug)]
pub(super) struct Silences {
    limit_ns: Nanos,
    last_ns: Option<Nanos>,
    pub count: u64,
    pub longest_ns: Nanos,
    pub list: Vec<(Nanos, Nanos)>,
}

impl Silences {
    pub fn new(limit_ns: Nanos) -> Self {
        Self { limit_ns, last_ns: None, count: 0, longest_ns: 0, list: Vec::new() }
    }

    /// The length of the silence that this frame ends, if it was one.
    pub fn take(&mut self, now_ns: Nanos) -> Option<Nanos> {
        let last_ns = self.last_ns.replace(self.last_ns.unwrap_or(now_ns).max(now_ns))?;
        let length_ns = now_ns - last_ns;
        self.longest_ns = self.longest_ns.max(length_ns);
        if length_ns < self.limit_ns {
            return None;
        }
        self.count += 1;
        if self.list.len() < SILENCES_MAX {
            self.list.push((last_ns, length_ns));
        }
        Some(length_ns)
    }

    /// Nothing can come between two connections.
    pub fn pause(&mut self) {
        self.last_ns = None;
    }
}

/// Receive time less the venue's time.
#[derive(Debug, Default)]
pub(super) struct Offsets(Vec<Nanos>);

impl Offsets {
    pub fn take(&mut self, offset_ns: Nanos) {
        self.0.push(offset_ns);
    }

    /// How many, and the smallest, 1st, 50th, 99th percentile and the largest.
    pub fn percentiles(&mut self) -> Option<(usize, [Nanos; 5])> {
        self.0.sort_unstable();
        let last = self.0.len().checked_sub(1)?;
        let at = |per_mille: usize| self.0[last * per_mille / 1_000];
        Some((self.0.len(), [at(0), at(10), at(500), at(990), at(1_000)]))
    }
}

/// Frames a second over time.
#[derive(Debug, Default)]
pub(super) struct Rates {
    start_ns: Option<Nanos>,
    step_ns: Nanos,
    pub counts: Vec<u64>,
}

impl Rates {
    pub fn take(&mut self, now_ns: Nanos) {
        let start_ns = *self.start_ns.get_or_insert(now_ns);
        self.step_ns = self.step_ns.max(100_000_000);
        let mut at = ((now_ns - start_ns).max(0) / self.step_ns) as usize;
        while at >= POINTS_MAX {
            self.counts = self.counts.chunks(2).map(|pair| pair.iter().sum()).collect();
            self.step_ns *= 2;
            at /= 2;
        }
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
    }

    pub fn start_and_step_ns(&self) -> (Nanos, Nanos) {
        (self.start_ns.unwrap_or(0), self.step_ns)
    }
}

/// The best bid and ask, sampled.
#[derive(Debug, Default)]
pub(super) struct Tops {
    step_ns: Nanos,
    pub points: Vec<(Nanos, Price, Price)>,
}

impl Tops {
    pub fn take(&mut self, now_ns: Nanos, bid: Price, ask: Price) {
        self.step_ns = self.step_ns.max(50_000_000);
        if self.points.last().is_some_and(|last| now_ns - last.0 < self.step_ns) {
            return;
        }
        self.points.push((now_ns, bid, ask));
        if self.points.len() >= POINTS_MAX {
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.step_ns *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = 1_000_000;

    #[test]
    fn a_burst_is_counted_over_any_hundred_milliseconds() {
        let mut bursts = Bursts::default();
        for now in [0, 50, 99, 100, 149, 300] {
            bursts.take(now * MS);
        }
        assert_eq!(bursts.most, 4);
    }

    #[test]
    fn a_silence_is_told_by_the_frame_that_ends_it() {
        let mut silences = Silences::new(1_000 * MS);
        let ended = [0, 999, 500, 1_999, 2_500].map(|now| silences.take(now * MS));
        assert_eq!(ended, [None, None, None, Some(1_000 * MS), None]);
        silences.pause();
        assert_eq!(silences.take(99_000 * MS), None);
        assert_eq!((silences.count, silences.longest_ns), (1, 1_000 * MS));
    }

    #[test]
    fn series_stay_bounded_and_lose_no_frame() {
        let (mut rates, mut tops) = (Rates::default(), Tops::default());
        for now in 0..100_000 {
            rates.take(now * 137 * MS);
            tops.take(now * 137 * MS, Price(1), Price(2));
        }
        assert_eq!(rates.counts.iter().sum::<u64>(), 100_000);
        assert!(rates.counts.len() <= POINTS_MAX && tops.points.len() < POINTS_MAX);
    }

    #[test]
    fn percentiles_are_of_what_was_seen() {
        let mut offsets = Offsets::default();
        assert_eq!(offsets.percentiles(), None);
        for offset in (0..=1_000).rev() {
            offsets.take(offset - 1_000);
        }
        assert_eq!(offsets.percentiles(), Some((1_001, [-1_000, -990, -500, -10, 0])));
    }
}
