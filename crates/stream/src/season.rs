//! Values with their times in, what the same time of other days was like out.
//!
//! The day is cut into slots, and each slot has a mean of its own: nothing is fitted, and a day that
//! is not like the others is taken in up to a fence only. Rejected: sines and their harmonics, which
//! need many to draw a market's opening; the week, which would need two months before it knows its
//! Sundays.

/// Slots of a day at most, and so the memory of a series: 5 minutes each.
const SLOTS_MAX: f64 = 288.0;
const DAY_S: f64 = 86_400.0;
/// Days that a slot remembers.
const DAYS: f64 = 8.0;
/// Days before a slot is asked.
const DAYS_MIN: u32 = 2;
/// A residual is taken in up to this many usual ones.
const FENCE: f64 = 5.0;
/// How fast the day's own offset follows.
const OFFSET_WEIGHT: f64 = 0.3;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    mean: f64,
    count: u32,
}

/// What each time of the day is like.
#[derive(Clone, Debug)]
pub struct Season {
    slots: Box<[Slot]>,
    per_slot: f64,
    deviation: f64,
    offset: f64,
}

impl Season {
    /// Of a series with a sample every `period_s` seconds.
    pub fn new(period_s: f64) -> Self {
        let slots = (DAY_S / period_s).floor().clamp(1.0, SLOTS_MAX);
        Self {
            slots: vec![Slot::default(); slots as usize].into(),
            per_slot: (DAY_S / slots / period_s).max(1.0),
            deviation: 0.0,
            offset: 0.0,
        }
    }

    /// The slot of a time in seconds.
    pub fn slot(&self, t: f64) -> usize {
        let share = t.rem_euclid(DAY_S) / DAY_S;
        ((share * self.slots.len() as f64) as usize).min(self.slots.len() - 1)
    }

    /// What is expected in a slot; `None` in the first days.
    pub fn expected(&self, slot: usize) -> Option<f64> {
        let slot = &self.slots[slot];
        (slot.count >= DAYS_MIN).then_some(slot.mean + self.offset)
    }

    /// Takes in one value; `scale` and `weight` are the series's own, `fallback` stands for a slot
    /// that never was.
    pub fn learn(&mut self, slot: usize, value: f64, fallback: f64, scale: f64, weight: f64) {
        let at = &mut self.slots[slot];
        let base = if at.count > 0 { at.mean } else { fallback };
        let residual = value - base;
        if at.count >= DAYS_MIN {
            let size = residual.abs().min(FENCE * self.deviation + 1e-2 * scale);
            self.deviation += weight * (size - self.deviation);
        }
        if at.count > 0 {
            let fence = 4.0 * self.deviation + scale;
            self.offset += OFFSET_WEIGHT * (residual.clamp(-fence, fence) - self.offset);
        }
        let taken = if at.count >= 3 {
            let fence = FENCE * self.deviation.max(0.05 * scale);
            value.clamp(at.mean - fence, at.mean + fence)
        } else {
            value
        };
        at.count = at.count.saturating_add(1);
        let weight = (1.0 / f64::from(at.count)).max(1.0 / (DAYS * self.per_slot));
        at.mean += weight * (taken - at.mean);
    }
}
