//! Fingerprints and values in; which series have changed, with their last values, out.

use std::collections::HashMap;

/// Name and value.
pub type Label = (String, String);

/// What tells a series apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Series {
    /// Whom it is about: the sender's `service.name`.
    pub entity: String,
    /// As `name::metric` makes it.
    pub metric: String,
    /// Sorted by name.
    pub labels: Vec<Label>,
}

/// A series' last value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Its number, in the order of [`Table::series`].
    pub number: u32,
    /// The value.
    pub value: f64,
    /// When it was so, nanoseconds UTC.
    pub ts_ns: u64,
}

/// How a value joins the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// It takes its place.
    Last,
    /// It is added: what was counted since the last report.
    Add,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    value: f64,
    ts_ns: u64,
    heard_ns: u64,
    changed: bool,
}

/// A series of which nothing came for so long makes room for another.
const IDLE_NS: u64 = 600_000_000_000;

/// All series, up to a bound.
#[derive(Debug)]
pub struct Table {
    series_max: usize,
    series: Vec<Series>,
    states: Vec<State>,
    numbers: HashMap<Series, u32>,
    /// Fingerprints of the raw bytes: one series may be written in several ways.
    known: HashMap<u64, u32>,
    changed: Vec<u32>,
    generation: u64,
}

impl Table {
    /// With room for `series_max` series.
    pub fn new(series_max: usize) -> Self {
        Self {
            series_max,
            series: Vec::new(),
            states: Vec::new(),
            numbers: HashMap::new(),
            known: HashMap::new(),
            changed: Vec::new(),
            generation: 0,
        }
    }

    /// Every series, by number.
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// Goes up when numbers stand for other series than before.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The number of the series with that fingerprint, when it was seen before.
    #[inline]
    pub fn known_number(&self, fingerprint: u64) -> Option<u32> {
        self.known.get(&fingerprint).copied()
    }

    /// The number of the series, which from now on has that fingerprint; `None` when there is no
    /// room.
    pub fn number(&mut self, fingerprint: u64, now_ns: u64, series: Series) -> Option<u32> {
        let number = self.enter(series, now_ns)?;
        if self.known.len() >= 4 * self.series_max {
            self.known.clear(); // written in ever new ways: understood anew each time
        }
        self.known.insert(fingerprint, number);
        Some(number)
    }

    /// Takes a value.
    #[inline]
    pub fn set(&mut self, number: u32, join: Join, value: f64, ts_ns: u64, now_ns: u64) {
        let state = &mut self.states[number as usize];
        match join {
            Join::Add => state.value += value,
            // Requests may overtake each other: an older value does not replace a newer one.
            Join::Last if ts_ns < state.ts_ns => return,
            Join::Last => state.value = value,
        }
        state.ts_ns = state.ts_ns.max(ts_ns);
        state.heard_ns = now_ns;
        if !state.changed {
            state.changed = true;
            self.changed.push(number);
        }
    }

    /// What has changed since the last call.
    pub fn drain(&mut self) -> Vec<Change> {
        let states = &mut self.states;
        self.changed
            .drain(..)
            .map(|number| {
                let state = &mut states[number as usize];
                state.changed = false;
                Change { number, value: state.value, ts_ns: state.ts_ns }
            })
            .collect()
    }

    fn enter(&mut self, series: Series, now_ns: u64) -> Option<u32> {
        if let Some(number) = self.numbers.get(&series) {
            return Some(*number);
        }
        if self.series.len() >= self.series_max && !self.forget_idle(now_ns) {
            return None;
        }
        let number = self.series.len() as u32;
        self.numbers.insert(series.clone(), number);
        self.series.push(series);
        self.states.push(State { heard_ns: now_ns, ..State::default() });
        Some(number)
    }

    /// Whether there is room after what has long been silent is forgotten.
    fn forget_idle(&mut self, now_ns: u64) -> bool {
        let kept: Vec<usize> = (0..self.series.len())
            .filter(|at| now_ns.saturating_sub(self.states[*at].heard_ns) < IDLE_NS)
            .collect();
        if kept.len() == self.series.len() {
            return false;
        }
        self.series = kept.iter().map(|at| self.series[*at].clone()).collect();
        self.states = kept.iter().map(|at| self.states[*at]).collect();
        self.numbers =
            self.series.iter().cloned().enumerate().map(|(at, one)| (one, at as u32)).collect();
        self.changed =
            (0..self.states.len() as u32).filter(|at| self.states[*at as usize].changed).collect();
        self.known.clear();
        self.generation += 1;
        true
    }
}
