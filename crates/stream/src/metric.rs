//! One metric's values in, the surprise of each detector out.

use crate::{Innovation, Level, Season, Tail};

/// Values before any detector speaks.
const COUNT_MIN: u32 = 10;

/// What a symptom looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value far from where the series has always been.
    Level,
    /// A step that the last values did not let expect.
    Spike,
}

/// What one sample of one metric says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence {
    /// Surprise of the level, in nats.
    pub level: f64,
    /// Surprise of the step, in nats.
    pub step: f64,
    /// The value.
    pub value: f64,
    /// What was expected instead.
    pub expected: f64,
}

impl Evidence {
    /// All of it.
    pub fn total(&self) -> f64 {
        self.level + self.step
    }

    /// What it looks like most.
    pub fn kind(&self) -> Kind {
        if self.level > self.step { Kind::Level } else { Kind::Spike }
    }
}

/// A pair of tails: what rises seldom may fall often.
#[derive(Clone, Copy, Debug, Default)]
struct Sides([Tail; 2]);

impl Sides {
    fn update(&mut self, signed: f64) -> f64 {
        self.0[usize::from(signed <= 0.0)].update(signed.abs())
    }
}

/// All detectors of one metric.
#[derive(Clone, Debug)]
pub struct Metric {
    level: Level,
    innovation: Innovation,
    season: Season,
    level_tails: Sides,
    step_tails: Sides,
}

impl Metric {
    /// Of a metric that is sampled every `period_s` seconds.
    pub fn new(period_s: f64) -> Self {
        Self {
            level: Level::default(),
            innovation: Innovation::default(),
            season: Season::new(period_s),
            level_tails: Sides::default(),
            step_tails: Sides::default(),
        }
    }

    /// Takes in one value at `t` seconds. A value that is not finite is missing: it says nothing.
    pub fn update(&mut self, t: f64, value: f64) -> Evidence {
        if !value.is_finite() {
            return Evidence { value, expected: value, ..Evidence::default() };
        }
        let slot = self.season.slot(t);
        let (scale, weight) = (self.level.scale(), self.level.weight());
        let mut evidence = Evidence { value, expected: value, ..Evidence::default() };
        if self.level.count() >= COUNT_MIN {
            evidence.expected = self.innovation.expected(&self.season, slot);
            evidence.level = self.level_tails.update(self.level.z(value));
            let error = self.innovation.error(value, &self.season, slot, scale);
            evidence.step = self.step_tails.update(error);
        }
        let short = self.innovation.short();
        self.innovation.learn(value, &self.season, slot, scale, weight);
        self.season.learn(slot, value, short, scale, weight);
        self.level.learn(value);
        evidence
    }
}
