//! Pairs of "the venue stamped it" and "we received it" in; how far the venue's clock is ahead out.
//!
//! What is received late tells of the network, what is received early tells of the clocks: a frame
//! cannot arrive before it was sent, so the smallest "received minus stamped" is the shortest way
//! plus the difference of the clocks. The lower envelope is robust where a mean is not: a burst, a
//! pause of ours or a slow network only makes values larger. It is taken in two steps, because one
//! event with a wrong stamp (they exist in recordings) must not pass for the envelope: within a
//! second the second smallest value counts, and of the last seconds the second smallest again.
//! Old seconds are forgotten, so that a drifting or stepped clock is followed.
//!
//! The estimate says the venue's time *less the shortest way*: used for signing, it is never ahead
//! of the venue's own clock, which a venue refuses, but a little behind, which its window allows.
//! Venues stamp in milliseconds, so nothing here is better than one.
//!
//! Rejected: halving the round trip of a time request, as NTP does (the ways are not equal, and
//! thousands of free samples are thrown away); a Kalman filter (a second of delay on a bad network
//! is not Gaussian noise).
//!
//! Source: V. Paxson, *On calibrating measurements of packet transit times* (1998), for the envelope.

use values::Nanos;

/// Length of a step of the envelope.
const BLOCK_NS: Nanos = 1_000_000_000;
/// Steps remembered: half a minute, in which two decent clocks part by a millisecond at most.
const BLOCKS: usize = 32;
/// Samples before a step counts.
const SAMPLES_MIN: u32 = 3;
/// Smaller differences are left alone: within any receive window, and near what can be known.
const CORRECT_BEYOND_NS: Nanos = 50_000_000;

#[derive(Copy, Clone, Default)]
struct Block {
    ended_ns: Nanos,
    delay_ns: Nanos,
}

/// The estimate of one venue's clock.
#[derive(Default)]
pub struct ClockOffset {
    blocks: [Block; BLOCKS],
    filled: usize,
    next: usize,
    begun_ns: Nanos,
    samples: u32,
    /// The smallest two delays of the running step.
    smallest: [Nanos; 2],
    /// The venue has refused a timestamp: every difference counts from now on.
    is_refused: bool,
}

impl ClockOffset {
    /// Takes in one stamped message. Any difference is taken as it is, a negative one too.
    #[inline]
    pub fn observe(&mut self, received_ns: Nanos, stamped_ns: Nanos) {
        let delay_ns = received_ns.saturating_sub(stamped_ns);
        if self.samples > 0 && received_ns.saturating_sub(self.begun_ns) >= BLOCK_NS {
            self.close(received_ns);
        }
        if self.samples == 0 {
            self.begun_ns = received_ns;
            self.smallest = [Nanos::MAX; 2];
        }
        self.samples = self.samples.saturating_add(1);
        if delay_ns < self.smallest[0] {
            self.smallest = [delay_ns, self.smallest[0]];
        } else if delay_ns < self.smallest[1] {
            self.smallest[1] = delay_ns;
        }
    }

    fn close(&mut self, now_ns: Nanos) {
        if self.samples >= SAMPLES_MIN {
            self.blocks[self.next] = Block { ended_ns: now_ns, delay_ns: self.smallest[1] };
            self.next = (self.next + 1) % BLOCKS;
            self.filled = (self.filled + 1).min(BLOCKS);
            self.samples = 0;
        }
    }

    /// Venue's clock minus ours, less the shortest way; `None` before the first whole step.
    pub fn offset_ns(&self) -> Option<Nanos> {
        second_smallest(self.blocks[..self.filled].iter()).map(Nanos::saturating_neg)
    }

    /// How fast the offset grows, parts per million; `None` until the window is full.
    pub fn drift_ppm(&self) -> Option<i64> {
        if self.filled < BLOCKS {
            return None;
        }
        let (newer, older) = self.blocks.split_at(self.next);
        let in_order = || older.iter().chain(newer);
        let early = second_smallest(in_order().take(BLOCKS / 4))?;
        let late = second_smallest(in_order().skip(BLOCKS - BLOCKS / 4))?;
        let first = in_order().nth(BLOCKS / 8)?.ended_ns;
        let last = in_order().nth(BLOCKS - 1 - BLOCKS / 8)?.ended_ns;
        Some(early.saturating_sub(late).saturating_mul(1_000) / ((last - first) / 1_000).max(1))
    }

    /// What to add to our time when signing for this venue.
    pub fn correction_ns(&self) -> Nanos {
        match self.offset_ns() {
            Some(offset) if self.is_refused || offset.saturating_abs() > CORRECT_BEYOND_NS => {
                offset
            }
            _ => 0,
        }
    }

    /// The venue refused a timestamp (Binance: -1021).
    pub fn on_timestamp_refused(&mut self) {
        self.is_refused = true;
    }
}

fn second_smallest<'a>(blocks: impl Iterator<Item = &'a Block>) -> Option<Nanos> {
    let (mut first, mut second) = (None, None);
    for delay in blocks.map(|block| block.delay_ns) {
        if first.is_none_or(|found| delay < found) {
            second = first;
            first = Some(delay);
        } else if second.is_none_or(|found| delay < found) {
            second = Some(delay);
        }
    }
    second.or(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Nanos = 1_000_000;
    const S: Nanos = 1_000 * MS;

    /// Frames each 10 ms over `seconds`, under way for `way(n)`, from a clock ahead by `ahead(t)`.
    fn fed(
        seconds: i64,
        ahead: impl Fn(Nanos) -> Nanos,
        way: impl Fn(i64) -> Nanos,
    ) -> ClockOffset {
        let mut clock = ClockOffset::default();
        for n in 0..seconds * 100 {
            let sent = 1_700_000_000 * S + n * 10 * MS;
            clock.observe(sent + way(n), (sent + ahead(sent)) / MS * MS);
        }
        clock
    }

    #[test]
    fn nothing_is_known_before_the_first_whole_second() {
        assert_eq!(ClockOffset::default().offset_ns(), None);
        assert_eq!(ClockOffset::default().correction_ns(), 0);
        assert_eq!(fed(1, |_| 0, |_| MS).offset_ns(), None);
    }

    #[test]
    fn clock_that_is_ahead_or_behind_is_found_within_the_shortest_way_and_a_millisecond() {
        for ahead in [-3_600 * S, -1_270 * MS, -40 * MS, 0, 40 * MS, 1_270 * MS, 3_600 * S] {
            let clock = fed(10, |_| ahead, |n| 2 * MS + n * 7_919 % 97 * MS);
            let offset = clock.offset_ns().unwrap();
            assert!((ahead - 5 * MS..=ahead).contains(&offset), "{ahead}: {offset}");
            let is_small = ahead.abs() <= 40 * MS;
            assert_eq!(clock.correction_ns() == 0, is_small, "{ahead}");
        }
    }

    #[test]
    fn refused_timestamp_makes_a_small_difference_count() {
        let mut clock = fed(10, |_| -20 * MS, |_| MS);
        assert_eq!(clock.correction_ns(), 0);
        clock.on_timestamp_refused();
        assert_eq!(clock.correction_ns(), -21 * MS);
    }

    #[test]
    fn stepped_clock_is_followed_within_the_window() {
        let start = 1_700_000_000 * S;
        for step in [-2 * S, 2 * S] {
            let clock = fed(80, |at| if at < start + 40 * S { 0 } else { step }, |_| MS);
            let offset = clock.offset_ns().unwrap();
            assert!((offset - step).abs() <= 2 * MS, "{step}: {offset}");
        }
    }

    #[test]
    fn drift_is_told_in_parts_per_million() {
        let start = 1_700_000_000 * S;
        for ppm in [-500, 500] {
            let clock = fed(40, |at| (at - start) / 1_000_000 * ppm, |n| MS + n % 7 * MS);
            let found = clock.drift_ppm().unwrap();
            assert!((found - ppm).abs() < 100, "{ppm}: {found}");
        }
    }

    proptest! {
        #[test]
        fn any_delays_and_wrong_stamps_now_and_then_leave_the_envelope(
            ahead_ms in -5_000_i64..5_000,
            ways in proptest::collection::vec(1_i64..200, 100),
            wrong_s in -100_i64..100,
        ) {
            let mut clock = ClockOffset::default();
            for n in 0..1_000_i64 {
                let sent = 1_700_000_000 * S + n * 10 * MS;
                let wrong = if n % 300 == 150 { wrong_s * S } else { 0 };
                let way = ways[n as usize % 100] * MS;
                clock.observe(sent + way, sent + ahead_ms * MS + wrong);
            }
            let offset = clock.offset_ns().unwrap();
            let mut sorted = ways.clone();
            sorted.sort_unstable();
            // Never ahead of the venue, and behind it by little more than the shortest ways.
            prop_assert!(offset <= (ahead_ms - sorted[0]) * MS, "{offset}");
            prop_assert!(offset >= (ahead_ms - sorted[5]) * MS, "{offset}");
        }

        #[test]
        fn any_stamps_never_panic(stamps in proptest::collection::vec(any::<(i64, i64)>(), 0..300)) {
            let mut clock = ClockOffset::default();
            for (received, stamped) in stamps {
                clock.observe(received, stamped);
                let _ = (clock.offset_ns(), clock.drift_ppm(), clock.correction_ns());
            }
        }
    }
}
