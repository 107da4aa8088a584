//! Values in, how far each is from where the series has always been out, in its own scales.
//!
//! A long memory of location and scale. Values are taken in up to a fence only, so that a fault
//! does not become the normal by being large; while young all values weigh alike.
//!
//! Source: Roberts (1959), "Control chart tests based on geometric moving averages", Technometrics
//! 1(3); Huber (1964), "Robust estimation of a location parameter", Annals of Mathematical
//! Statistics 35(1), for the fence.

/// Samples of memory: long, since a normal week holds quiet nights and busy days.
const MEMORY: f64 = 4000.0;
/// Values are taken in up to this many scales from the location.
const FENCE: f64 = 8.0;
/// Values before the fence stands; fewer give no scale.
const COUNT_MIN: u32 = 10;
/// Mean absolute deviation to standard deviation for a normal series.
const TO_SIGMA: f64 = 1.2533;

/// Location and scale of a series.
#[derive(Clone, Copy, Debug, Default)]
pub struct Level {
    location: f64,
    deviation: f64,
    count: u32,
}

impl Level {
    /// Where the series usually is.
    pub const fn location(&self) -> f64 {
        self.location
    }

    /// Like a standard deviation; above 0 even for a series that never moved.
    pub fn scale(&self) -> f64 {
        (self.deviation * TO_SIGMA).max(1e-9 * self.location.abs() + 1e-12)
    }

    /// How many values have been learnt.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// How many scales `value` is above the location.
    pub fn z(&self, value: f64) -> f64 {
        (value - self.location) / self.scale()
    }

    /// Weight of the next value.
    pub fn weight(&self) -> f64 {
        (1.0 / (f64::from(self.count) + 1.0)).max(1.0 / MEMORY)
    }

    /// Takes in one value.
    pub fn learn(&mut self, value: f64) {
        if self.count == 0 {
            self.location = value;
        }
        let weight = self.weight();
        let value = if self.count < COUNT_MIN {
            value
        } else {
            let fence = FENCE * self.scale();
            value.clamp(self.location - fence, self.location + fence)
        };
        self.deviation += weight * ((value - self.location).abs() - self.deviation);
        self.location += weight * (value - self.location);
        self.count = self.count.saturating_add(1);
    }
}
