//! One metric's values in, the surprise of each detector out.

use crate::{Innovation, Level, Scatter, Season, Shift, Sides, Silence};

/// Values before any detector speaks.
const COUNT_MIN: u32 = 10;
/// What a silence that is too long is worth, in nats, for each time its limit.
const SILENCE_SURPRISE: f64 = 12.0;
/// From this surprise on a detector has something to say: one in fifty.
const LOUD: f64 = 3.9;
/// A value this near to the top of all values, in shares of their range, is at the top.
const TOP: f64 = 0.01;
/// So many samples at the top are saturation.
const TOP_COUNT: u32 = 5;
/// A count that is 0 for this share of the time is one of errors or the like.
const RARE: f64 = 0.9;
/// The last errors are larger by this factor when the scatter has changed.
const RESTLESS: f64 = 2.5;
/// Weight of the newest value in the share of zeros.
const SHARE_WEIGHT: f64 = 0.001;
/// So many steps on the same side are a trend.
const TREND_COUNT: i32 = 8;

/// What a symptom looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A step that the last values did not let expect.
    #[default]
    Spike,
    /// Several values far from where the series has always been.
    LevelShift,
    /// Steps in one direction, again and again.
    Trend,
    /// Values that scatter more than they did.
    Variance,
    /// Nothing moves, or nothing comes.
    Silence,
    /// At the top of its range, and staying there.
    Saturation,
    /// Something that hardly ever happens, happens often.
    ErrorBurst,
}

/// What one sample of one metric says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evidence {
    /// Surprise of the level, in nats.
    pub level: f64,
    /// Surprise of the step, in nats.
    pub step: f64,
    /// Surprise of the last few levels together, in nats.
    pub shift: f64,
    /// Surprise of silence, in nats.
    pub silence: f64,
    /// The value.
    pub value: f64,
    /// What was expected instead.
    pub expected: f64,
    /// What it looks like.
    pub kind: Kind,
    /// For how many samples it has been loud.
    pub since: u32,
}

impl Evidence {
    /// Surprise of the moment: level, step and silence.
    pub fn acute(&self) -> f64 {
        self.level + self.step + self.silence
    }
}

/// What tells one kind of symptom from another.
#[derive(Clone, Copy, Debug, Default)]
struct Habits {
    low: f64,
    high: f64,
    at_top: u32,
    zeros: f64,
    steps: i32,
    last: f64,
    count: u32,
}

impl Habits {
    fn learn(&mut self, value: f64) {
        if self.count == 0 {
            (self.low, self.high, self.last) = (value, value, value);
        }
        self.at_top = if value >= self.high - TOP * (self.high - self.low) && value > self.low {
            self.at_top.saturating_add(1)
        } else {
            0
        };
        self.low = self.low.min(value);
        self.high = self.high.max(value);
        self.count = self.count.saturating_add(1);
        let weight = (1.0 / f64::from(self.count)).max(SHARE_WEIGHT);
        self.zeros += weight * (f64::from(u8::from(value.abs() < f64::MIN_POSITIVE)) - self.zeros);
        self.steps = match value - self.last {
            step if step > 0.0 => self.steps.max(0) + 1,
            step if step < 0.0 => self.steps.min(0) - 1,
            _ => 0,
        };
        self.last = value;
    }
}

/// All detectors of one metric.
#[derive(Clone, Debug)]
pub struct Metric {
    level: Level,
    innovation: Innovation,
    season: Season,
    shift: Shift,
    scatter: Scatter,
    silence: Silence,
    habits: Habits,
    level_tails: Sides,
    step_tails: Sides,
    shift_tails: Sides,
    since: u32,
}

impl Metric {
    /// Of a metric that is sampled every `period_s` seconds.
    pub fn new(period_s: f64) -> Self {
        Self {
            level: Level::default(),
            innovation: Innovation::default(),
            season: Season::new(period_s),
            shift: Shift::default(),
            scatter: Scatter::default(),
            silence: Silence::default(),
            habits: Habits::default(),
            level_tails: Sides::default(),
            step_tails: Sides::default(),
            shift_tails: Sides::default(),
            since: 0,
        }
    }

    /// Takes in one value at `t` seconds. A value that is not finite is missing: nothing is learnt
    /// of it, and nothing came.
    pub fn update(&mut self, t: f64, value: f64) -> Evidence {
        let mut evidence = Evidence { value, expected: value, ..Evidence::default() };
        let is_there = value.is_finite();
        let silence =
            self.silence.update(is_there && value.to_bits() != self.habits.last.to_bits());
        if silence > 1.0 {
            evidence.silence = SILENCE_SURPRISE * silence.min(2.0);
        }
        if is_there {
            self.take(t, value, &mut evidence);
        }
        let loud = evidence.level.max(evidence.step).max(evidence.shift).max(evidence.silence);
        self.since = if loud > LOUD { self.since.saturating_add(1) } else { 0 };
        evidence.since = self.since;
        evidence.kind = self.kind(&evidence);
        evidence
    }

    fn take(&mut self, t: f64, value: f64, evidence: &mut Evidence) {
        let slot = self.season.slot(t);
        let (scale, weight) = (self.level.scale(), self.level.weight());
        if self.level.count() >= COUNT_MIN {
            let z = self.level.z(value);
            evidence.expected = self.innovation.expected(&self.season, slot);
            let error = self.innovation.error(value, &self.season, slot, scale);
            evidence.level = self.level_tails.update(z);
            evidence.step = self.step_tails.update(error);
            evidence.shift = self.shift_tails.update(self.shift.update(z));
            self.scatter.update(error);
        }
        let short = self.innovation.short();
        self.innovation.learn(value, &self.season, slot, scale, weight);
        self.season.learn(slot, value, short, scale, weight);
        self.level.learn(value);
        self.habits.learn(value);
    }

    fn kind(&self, evidence: &Evidence) -> Kind {
        let habits = &self.habits;
        if evidence.silence > 0.0 {
            Kind::Silence
        } else if habits.zeros > RARE && evidence.value > 0.0 {
            Kind::ErrorBurst
        } else if habits.at_top >= TOP_COUNT {
            Kind::Saturation
        } else if habits.steps.abs() >= TREND_COUNT {
            Kind::Trend
        } else if evidence.shift > LOUD && evidence.shift >= evidence.step {
            Kind::LevelShift
        } else if self.scatter.ratio() > RESTLESS && evidence.step > LOUD && self.since > 2 {
            Kind::Variance
        } else {
            Kind::Spike
        }
    }
}
