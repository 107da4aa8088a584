//! The monotonic and the wall clock in; the core's time, which never stands still nor goes back, out.
//!
//! Core time runs with the monotonic clock and is only steered towards the wall clock, by at most
//! one percent. So a wall clock that is set back (a person, a leap in NTP) does not stop the ages,
//! back-offs and time limits of the core, as it would if the wall clock were taken and "never
//! before the last entry" added. A wall clock that leaps ahead by more than a second is followed at
//! once: a suspended machine shows exactly this, and then the data really is old. A wrong leap
//! makes the data look stale, which only tightens.
//!
//! After the clock was set back core time is ahead of it for a while. Requests are not signed with
//! that difference: the venue's clock is estimated against core time (see `clock_offset`).

use values::Nanos;

/// Ahead of core time by more: followed at once instead of steered.
const LEAP_NS: Nanos = 1_000_000_000;
/// Fastest steering, parts per million: time limits are at most one percent off meanwhile.
const STEER_PPM_MAX: i64 = 10_000;

/// The time of the core.
pub(super) struct CoreClock {
    monotonic_ns: Nanos,
    core_ns: Nanos,
    steer_ppm: i64,
}

impl CoreClock {
    /// Begins at the wall clock, but not before `last_ns`, the time of the last journal entry.
    pub(super) fn new(monotonic_ns: Nanos, wall_ns: Nanos, last_ns: Nanos) -> CoreClock {
        CoreClock { monotonic_ns, core_ns: wall_ns.max(last_ns), steer_ppm: 0 }
    }

    /// Core time at a reading of the monotonic clock.
    #[inline]
    pub(super) fn at(&self, monotonic_ns: Nanos) -> Nanos {
        let passed_ns = (monotonic_ns - self.monotonic_ns).max(0);
        self.core_ns + passed_ns + passed_ns / 1_000 * self.steer_ppm / 1_000
    }

    /// Looks at the wall clock and steers; returns how far core time is ahead of it.
    pub(super) fn steer(&mut self, monotonic_ns: Nanos, wall_ns: Nanos) -> Nanos {
        let core_ns = self.at(monotonic_ns);
        let behind_ns = wall_ns - core_ns;
        self.monotonic_ns = monotonic_ns;
        self.core_ns = if behind_ns > LEAP_NS { wall_ns } else { core_ns };
        // Gone in a second, or as soon as the steepest steering allows.
        self.steer_ppm = ((wall_ns - self.core_ns) / 1_000).clamp(-STEER_PPM_MAX, STEER_PPM_MAX);
        self.core_ns - wall_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Nanos = 1_000_000;
    const HOUR: Nanos = 3_600_000 * MS;

    #[test]
    fn wall_clock_set_back_an_hour_slows_core_time_by_a_percent_at_most() {
        let mut clock = CoreClock::new(0, 10 * HOUR, 0);
        let mut before = clock.at(0);
        for tick in 1..=1_000 {
            let now = tick * 10 * MS;
            clock.steer(now, 9 * HOUR + now);
            let core = clock.at(now);
            assert!(core - before >= 9_899 * 1_000, "{} in 10 ms", core - before);
            before = core;
        }
        assert!(before - 10 * HOUR >= 9_890 * MS, "ten seconds are ten seconds");
    }

    #[test]
    fn leap_ahead_is_followed_at_once_and_a_small_step_is_steered() {
        let mut clock = CoreClock::new(0, HOUR, 0);
        assert_eq!(clock.steer(MS, 2 * HOUR), 0);
        assert_eq!(clock.at(MS), 2 * HOUR);
        assert_eq!(clock.steer(2 * MS, 2 * HOUR + 401 * MS), -400 * MS);
        for tick in 0..10_000 {
            clock.steer((3 + tick * 10) * MS, 2 * HOUR + (402 + tick * 10) * MS);
        }
        let end = 3 * MS + 99_990 * MS;
        assert!((clock.at(end) - (2 * HOUR + 402 * MS + 99_990 * MS)).abs() < MS);
    }

    #[test]
    fn journal_from_the_future_is_gone_on_with() {
        let clock = CoreClock::new(5, HOUR, 2 * HOUR);
        assert_eq!(clock.at(5), 2 * HOUR);
        assert_eq!(clock.at(5 + MS), 2 * HOUR + MS);
    }

    proptest! {
        #[test]
        fn core_time_never_stands_still_whatever_the_wall_clock_does(
            steps in proptest::collection::vec((1_i64..20, -HOUR..HOUR), 1..200),
        ) {
            let (mut clock, mut now, mut wall) = (CoreClock::new(0, 20 * HOUR, 0), 0, 20 * HOUR);
            for (passed, step) in steps {
                let before = clock.at(now);
                now += passed * MS;
                wall += passed * MS + step;
                let at = clock.at(now);
                prop_assert!(at >= before + passed * MS * 98 / 100);
                clock.steer(now, wall);
                prop_assert!(clock.at(now) >= at);
            }
        }
    }
}
