//! Values in, how far each is from what the last ones let expect out, in usual errors.
//!
//! Four simple forecasters compete: the last value, a short mean, half the last slope, and the time
//! of day corrected by what today is like so far. The one that has been best so far is believed. A
//! series that wanders has no normal level, but it has a normal next step.

use crate::Season;

const FORECASTERS: usize = 4;
/// Weight of the newest value in the short mean.
const SHORT_WEIGHT: f64 = 0.3;
/// Errors forget so many times faster than the level.
const HASTE: f64 = 8.0;
/// An error is taken in up to this many usual ones.
const FENCE: f64 = 5.0;
/// The least usual error, in scales of the level: rounding is no forecaster's fault.
const LEAST: f64 = 0.05;

/// Competing forecasts of the next value.
#[derive(Clone, Copy, Debug, Default)]
pub struct Innovation {
    last: f64,
    slope: f64,
    short: f64,
    errors: [f64; FORECASTERS],
    count: u32,
}

impl Innovation {
    /// What each forecaster expects next.
    fn forecasts(&self, season: &Season, slot: usize) -> [f64; FORECASTERS] {
        let daily = season.expected(slot).unwrap_or(self.short);
        [self.last, self.short, self.last + 0.5 * self.slope, daily]
    }

    fn best(&self) -> usize {
        (1..FORECASTERS)
            .fold(0, |best, k| if self.errors[k] < self.errors[best] { k } else { best })
    }

    /// What is expected next, by the forecaster that has been best.
    pub fn expected(&self, season: &Season, slot: usize) -> f64 {
        self.forecasts(season, slot)[self.best()]
    }

    /// The signed error of the best forecast, in its usual errors; `scale` is the level's.
    pub fn error(&self, value: f64, season: &Season, slot: usize, scale: f64) -> f64 {
        let best = self.best();
        let usual = self.errors[best].max(LEAST * scale) + 1e-12;
        (value - self.forecasts(season, slot)[best]) / usual
    }

    /// What was short ago.
    pub const fn short(&self) -> f64 {
        self.short
    }

    /// Takes in one value, before the season does; `scale` and `weight` are the level's.
    pub fn learn(&mut self, value: f64, season: &Season, slot: usize, scale: f64, weight: f64) {
        if self.count == 0 {
            (self.last, self.short) = (value, value);
        }
        let forecasts = self.forecasts(season, slot);
        for (error, forecast) in self.errors.iter_mut().zip(forecasts) {
            let size = (value - forecast).abs();
            if self.count > 10 {
                let size = size.min(FENCE * *error + 1e-2 * scale);
                *error += (weight * HASTE).min(1.0) * (size - *error);
            } else {
                *error += (size - *error) / (f64::from(self.count) + 1.0);
            }
        }
        self.short += SHORT_WEIGHT * (value - self.short);
        self.slope = value - self.last;
        self.last = value;
        self.count = self.count.saturating_add(1);
    }
}
