//! Rows of metrics in, one probability and at times an alarm out, with what each metric says of it.

use crate::{Evidence, Metric};

/// So many of the loudest metrics are heard: a fault shows in several, chance in one, and what is
/// quiet everywhere else must not drown it.
const LOUDEST: usize = 3;
/// What one metric says alone counts so much: a leak shows nowhere else.
const ALONE: f64 = 0.7;
/// The share of the past beyond which the whole's own tail begins.
const SHARE: f64 = 0.01;
const SHARE_SURPRISE: f64 = 4.605_170_185_988_091;
/// A mean excess that is usual, worth `PRIOR_COUNT` of them.
const PRIOR_EXCESS: f64 = 1.5;
const PRIOR_COUNT: f64 = 4.0;
/// The detectors' own surprise counts this much beside the whole's.
const ABSOLUTE: f64 = 0.65;
/// What lasts counts this much beside what is now; of it this share is the newest sample.
const LASTING: f64 = 0.3;
const LASTING_WEIGHT: f64 = 0.4;
const LASTING_MAX: f64 = 60.0;
/// Who looks more often sees more by chance: nats to subtract for each e-fold, of `PERIOD_S`.
const HASTE: f64 = 0.5;
const PERIOD_S: f64 = 300.0;
/// From here on it is an alarm, in nats.
const ALARM: f64 = 10.0;
/// Each alarm raises the bar by so much, up to so much; it falls again within days. Whoever cries
/// wolf often has to see a larger one, whatever his series is like.
const BAR_STEP: f64 = 0.15;
const BAR_MAX: f64 = 2.0;
const BAR_S: f64 = 604_800.0;
/// What was told is not told again unless it is louder than what is left of it: it halves in an
/// hour, and not before a few samples.
const HABIT_S: f64 = 3_600.0;
const HABIT_SAMPLES: f64 = 3.0;
/// What is not told again stays below the alarm by so many nats.
const MUTED: f64 = 2.0;

/// What cannot be taken in.
#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    /// A detector without metrics, or a period that is no positive number.
    Settings,
    /// A row with this many values, where the detector has so many metrics.
    Width(usize, usize),
    /// A time that is not a finite number.
    Time,
}

impl core::fmt::Display for Refused {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Settings => {
                write!(formatter, "expected at least one metric and a period above 0")
            }
            Self::Width(found, expected) => {
                write!(formatter, "found a row of {found} values, expected {expected}")
            }
            Self::Time => write!(formatter, "expected a finite time in seconds"),
        }
    }
}

/// What one row says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verdict {
    /// 0 to 1: how sure it is that something is wrong.
    pub score: f64,
    /// Whether somebody should be told now.
    pub alarm: bool,
}

/// The tail of the whole's own surprise, exponential: how loud this system usually is.
#[derive(Clone, Copy, Debug)]
struct Own {
    quantile: f64,
    excess: f64,
    excesses: f64,
    count: u32,
}

impl Own {
    fn update(&mut self, sum: f64) -> f64 {
        let beyond = sum - self.quantile;
        let usual = (self.excess * self.excesses + PRIOR_EXCESS * PRIOR_COUNT)
            / (self.excesses + PRIOR_COUNT);
        let over = if beyond > 0.0 { beyond / usual } else { beyond };
        let surprise = (SHARE_SURPRISE + over).max(0.0);
        let step = 2.0 * (3.0 / (f64::from(self.count) + 1.0)).max(0.002);
        if beyond > 0.0 {
            if self.count > 30 {
                let weight = (1.0 / (self.excesses + 1.0)).max(0.02);
                self.excess += weight * (beyond.min(5.0 * usual) - self.excess);
                self.excesses = (self.excesses + 1.0).min(1000.0);
            }
            self.quantile += step * (1.0 - SHARE);
        } else {
            self.quantile -= step * SHARE;
        }
        self.quantile = self.quantile.max(0.0);
        self.count = self.count.saturating_add(1);
        surprise
    }
}

/// All metrics of one entity.
#[derive(Clone, Debug)]
pub struct Detector {
    metrics: Vec<Metric>,
    evidence: Vec<Evidence>,
    own: Own,
    lasting: f64,
    told: f64,
    fade: f64,
    bar: f64,
    bar_fade: f64,
    haste: f64,
}

impl Detector {
    /// Of so many metrics, sampled together every `period_s` seconds.
    pub fn new(metrics: usize, period_s: f64) -> Result<Self, Refused> {
        if metrics == 0 || !(period_s.is_finite() && period_s > 0.0) {
            return Err(Refused::Settings);
        }
        Ok(Self {
            metrics: vec![Metric::new(period_s); metrics],
            evidence: vec![Evidence::default(); metrics],
            own: Own { quantile: 0.0, excess: 1.0, excesses: 0.0, count: 0 },
            lasting: 0.0,
            told: 0.0,
            fade: (-core::f64::consts::LN_2 / (HABIT_S / period_s).max(HABIT_SAMPLES)).exp(),
            bar: 0.0,
            bar_fade: (-period_s / BAR_S).exp(),
            haste: HASTE * (PERIOD_S / period_s).ln(),
        })
    }

    /// How many metrics it has.
    pub fn width(&self) -> usize {
        self.metrics.len()
    }

    /// What each metric said of the last row.
    pub fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    /// Takes in one row at `t` seconds.
    pub fn update(&mut self, t: f64, row: &[f64]) -> Result<Verdict, Refused> {
        if row.len() != self.metrics.len() {
            return Err(Refused::Width(row.len(), self.metrics.len()));
        }
        if !t.is_finite() {
            return Err(Refused::Time);
        }
        for ((metric, evidence), &value) in self.metrics.iter_mut().zip(&mut self.evidence).zip(row)
        {
            *evidence = metric.update(t, value);
        }
        Ok(self.judge())
    }

    fn judge(&mut self) -> Verdict {
        let acute = loudest(&self.evidence, Evidence::acute);
        let lasting = loudest(&self.evidence, |one| one.acute() + one.shift).min(LASTING_MAX);
        self.lasting += LASTING_WEIGHT * (lasting - self.lasting);
        let sum =
            self.own.update(acute).min(ABSOLUTE * acute) + LASTING * self.lasting - self.haste;
        self.told *= self.fade;
        let is_new = sum >= self.told;
        self.told = self.told.max(sum);
        self.bar *= self.bar_fade;
        let over = sum - ALARM - self.bar;
        let over = if is_new { over } else { over.min(-MUTED) };
        let alarm = over > 0.0;
        if alarm {
            self.bar = (self.bar + BAR_STEP).min(BAR_MAX);
        }
        Verdict { score: 1.0 / (1.0 + (-over).exp()), alarm }
    }
}

/// The mean of the loudest metrics, or so much of the loudest alone.
fn loudest(evidence: &[Evidence], surprise: impl Fn(&Evidence) -> f64) -> f64 {
    let mut top = [0.0_f64; LOUDEST];
    for one in evidence {
        let mut sum = surprise(one);
        for place in &mut top {
            if sum > *place {
                core::mem::swap(place, &mut sum);
            }
        }
    }
    let heard = evidence.len().min(LOUDEST);
    (top[..heard].iter().sum::<f64>() / heard as f64).max(ALONE * top[0])
}
