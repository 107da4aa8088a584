//! Values in, how long nothing has moved, in lengths of the longest such time before, out.
//!
//! A sensor that died keeps its last value, or sends none. But many series rest for hours every
//! night, or move once a week. So a rest says something only of a series that hardly ever rests, and
//! is measured by the longest rest before it.

/// Samples that a rest has to last at least.
const REST_MIN: f64 = 30.0;
/// How many times the longest rest before it.
const LONGER: f64 = 8.0;
/// Samples before which nothing is known of rests.
const COUNT_MIN: u32 = 500;

/// Share of samples at which a series that hardly ever rests moves, at least.
const MOVING: f64 = 0.95;
/// Weight of the newest sample in that share.
const WEIGHT: f64 = 0.0005;

/// How long a series has been at rest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silence {
    rest: f64,
    longest: f64,
    moving: f64,
    count: u32,
}

impl Silence {
    /// Takes in whether the series moved; above 1 it has been at rest for too long.
    pub fn update(&mut self, moved: bool) -> f64 {
        self.count = self.count.saturating_add(1);
        let weight = (1.0 / f64::from(self.count)).max(WEIGHT);
        self.moving += weight * (f64::from(u8::from(moved)) - self.moving);
        if moved {
            self.longest = self.longest.max(self.rest);
            self.rest = 0.0;
            return 0.0;
        }
        self.rest += 1.0;
        if self.count < COUNT_MIN || self.moving < MOVING {
            return 0.0;
        }
        self.rest / (LONGER * self.longest).max(REST_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_told(every: u32) -> Option<u32> {
        let mut silence = Silence::default();
        for at in 0..4000 {
            silence.update(at % every != 0);
        }
        (1..100).find(|_| silence.update(false) > 1.0)
    }

    #[test]
    fn a_rest_is_told_when_it_is_long() {
        assert_eq!(first_told(4001), Some(31));
    }

    #[test]
    fn a_series_that_often_rests_is_not_told() {
        assert_eq!(first_told(3), None);
    }
}
