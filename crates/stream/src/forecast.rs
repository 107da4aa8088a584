//! Values and a limit in, when the limit will be reached out, with an interval and an alarm.
//!
//! A line is drawn through the last values, the newest weighing most. How far its slope can be
//! trusted follows from how the values scatter about it, and from how much each looks like the one
//! before it: a hundred values that wander together are worth a few. The alarm asks for three
//! things at once, all day long true of a leak and seldom of anything else: even the slowest slope
//! of the interval reaches the limit within the horizon; the level is beyond all that was seen
//! before the line began, so that it is no daily tide and no sawtooth; and it stays so.
//!
//! Source: Draper and Smith (1998), "Applied Regression Analysis", Wiley, for the slope's error;
//! Bartlett (1946), "On the theoretical specification and sampling properties of autocorrelated
//! time-series", Supplement to the Journal of the Royal Statistical Society 8(1), for its growth.

/// Samples of memory of the line.
const MEMORY: f64 = 25.0;
/// Standard errors of the slope on both sides of it: 95 in 100.
const ERRORS: f64 = 2.0;
/// Samples before anything is forecast.
const COUNT_MIN: u32 = 60;
/// Samples after which the highest value so far counts as seen before the line began.
const BLOCK: u32 = 60;
/// Samples for which the alarm's conditions have to hold.
const SUSTAIN: u32 = 5;
/// The level has to be beyond what was seen by so much of the values' scatter about the line: at the
/// crest of a wave a line shoots over, but its values scatter too.
const BEYOND: f64 = 2.0;
/// Values are at most so much alike, or a perfect line would be worth nothing.
const ALIKE_MAX: f64 = 0.9;

/// What is to be expected; times in samples from now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// The level now, without its scatter.
    pub level: f64,
    /// Its change with each sample.
    pub slope: f64,
    /// When the limit is reached if it goes on like this; infinite if never.
    pub reached: f64,
    /// The earliest of the interval.
    pub earliest: f64,
    /// The latest of the interval; infinite if it may never be.
    pub latest: f64,
    /// Whether somebody should be told now.
    pub alarm: bool,
}

/// A line through the last values, and the limit before it.
#[derive(Clone, Copy, Debug)]
pub struct Forecast {
    limit: f64,
    horizon: f64,
    keep: f64,
    origin: f64,
    direction: f64,
    sums: [f64; 6],
    errors: [f64; 3],
    seen: f64,
    recent: [f64; 2],
    held: u32,
    count: u32,
}

impl Forecast {
    /// Of a value that must not reach `limit`; told `horizon` samples ahead at most. The limit is
    /// above the first value (a memory that fills) or below it (a disk's free space).
    pub fn new(limit: f64, horizon: f64) -> Self {
        Self {
            limit,
            horizon,
            keep: (-1.0 / MEMORY).exp(),
            origin: 0.0,
            direction: 1.0,
            sums: [0.0; 6],
            errors: [0.0; 3],
            seen: f64::NEG_INFINITY,
            recent: [f64::NEG_INFINITY; 2],
            held: 0,
            count: 0,
        }
    }

    /// Takes in one value; `None` while there were too few. A value that is not finite is missing.
    pub fn update(&mut self, value: f64) -> Option<Outlook> {
        if !value.is_finite() {
            return None;
        }
        if self.count == 0 {
            self.origin = value;
            self.direction = if self.limit >= value { 1.0 } else { -1.0 };
        }
        let y = (value - self.origin) * self.direction;
        let before = self.line();
        self.learn(y, before.0 + before.1);
        if self.count < COUNT_MIN {
            return None;
        }
        Some(self.outlook())
    }

    /// Level now and slope.
    fn line(&self) -> (f64, f64) {
        let [n, x, xx, y, xy, _] = self.sums;
        let spread = n * xx - x * x;
        if spread <= 1e-9 {
            return (if n > 0.0 { y / n } else { 0.0 }, 0.0);
        }
        let slope = (n * xy - x * y) / spread;
        ((y - slope * x) / n, slope)
    }

    fn learn(&mut self, y: f64, expected: f64) {
        let [n, x, xx, sum, xy, yy] = self.sums;
        // A sample later every value is one older; then the new one is added at age 0.
        let (x, xx, xy) = (x - n, xx - 2.0 * x + n, xy - sum);
        let k = self.keep;
        self.sums = [k * n + 1.0, k * x, k * xx, k * sum + y, k * xy, k * yy + y * y];
        let [last, square, product] = self.errors;
        let error = y - expected;
        self.errors = [error, k * square + error * error, k * product + error * last];
        self.recent[0] = self.recent[0].max(y);
        self.count = self.count.saturating_add(1);
        if self.count.is_multiple_of(BLOCK) {
            self.seen = self.seen.max(self.recent[1]);
            self.recent = [f64::NEG_INFINITY, self.recent[0]];
        }
    }

    fn outlook(&mut self) -> Outlook {
        let [n, x, xx, y, xy, yy] = self.sums;
        let (level, slope) = self.line();
        let scatter = ((yy - level * y - slope * xy) / n).max(0.0);
        let [_, square, product] = self.errors;
        let alike = if square > 0.0 { (product / square).clamp(0.0, ALIKE_MAX) } else { 0.0 };
        let spread = (xx - x * x / n).max(1e-9);
        let error = (scatter / spread * (1.0 + alike) / (1.0 - alike)).sqrt() * ERRORS;
        let left = ((self.limit - self.origin) * self.direction - level).max(0.0);
        let after = |slope: f64| if slope > 0.0 { left / slope } else { f64::INFINITY };
        let latest = after(slope - error);
        let holds = latest <= self.horizon && level > self.seen + BEYOND * scatter.sqrt();
        self.held = if holds { self.held.saturating_add(1) } else { 0 };
        Outlook {
            level: level * self.direction + self.origin,
            slope: slope * self.direction,
            reached: after(slope),
            earliest: after(slope + error),
            latest,
            alarm: self.held >= SUSTAIN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(at: u32) -> f64 {
        f64::from(at.wrapping_mul(2_654_435_761) >> 16) / 65_536.0 - 0.5
    }

    #[test]
    fn a_leak_is_told_before_its_end_and_the_interval_holds_it() {
        let mut forecast = Forecast::new(100.0, 200.0);
        let mut told = None;
        for at in 0..700_u32 {
            let value = 40.0 + 2.0 * noise(at) + 0.2 * f64::from(at.saturating_sub(400));
            let outlook = forecast.update(value);
            if at < 400 {
                assert!(outlook.is_none_or(|one| !one.alarm), "{at}");
            }
            if let Some(one) = outlook.filter(|one| one.alarm) {
                told = told.or(Some((at, one)));
            }
        }
        let (at, outlook) = told.expect("a leak of 300 samples");
        let left = f64::from(700 - at);
        assert!(at < 650, "{at}");
        assert!(outlook.earliest <= left && left <= outlook.latest, "{outlook:?}, {left} left");
    }

    #[test]
    fn a_tide_is_no_leak() {
        let mut forecast = Forecast::new(100.0, 500.0);
        for at in 0..5000_u32 {
            let value = 50.0 + 30.0 * (f64::from(at) / 50.0).sin() + noise(at);
            let outlook = forecast.update(value);
            assert!(at < 400 || outlook.is_none_or(|one| !one.alarm), "{at}");
        }
    }

    #[test]
    fn a_fall_towards_a_limit_below_is_the_same_upside_down() {
        let (mut up, mut down) = (Forecast::new(100.0, 300.0), Forecast::new(-100.0, 300.0));
        for at in 0..400 {
            let value = 0.2 * f64::from(at) + noise(at);
            let (rise, fall) = (up.update(value), down.update(-value));
            let Some((rise, fall)) = rise.zip(fall) else { continue };
            assert_eq!(
                (rise.level, rise.latest, rise.alarm),
                (-fall.level, fall.latest, fall.alarm)
            );
        }
    }
}
