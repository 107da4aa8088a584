//! `Intake`: requests in, counts of what was taken out; the series they have changed on demand.

use std::hash::RandomState;

use stream::Templates;

use crate::series::{Change, Series, Table};
use crate::walk;
use crate::wire::Malformed;

/// Lines before a template is called new.
const TEMPLATES_WARM_UP: u64 = 1000;

/// How much of a request was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Points, records or spans.
    pub taken: u64,
    /// Those for which there was no room.
    pub refused: u64,
}

/// Everything that was received.
#[derive(Debug)]
pub struct Intake {
    pub(crate) table: Table,
    pub(crate) templates: Templates,
    pub(crate) hasher: RandomState,
    told: usize,
    told_generation: u64,
}

impl Intake {
    /// With room for `series_max` series.
    pub fn new(series_max: usize) -> Self {
        Self {
            table: Table::new(series_max),
            templates: Templates::new(TEMPLATES_WARM_UP),
            hasher: RandomState::new(),
            told: 0,
            told_generation: 0,
        }
    }

    /// Takes an `ExportMetricsServiceRequest`. What stands before a malformed part is taken.
    pub fn metrics(&mut self, request: &[u8], now_ns: u64) -> Result<Taken, Malformed> {
        walk::metrics(self, request, now_ns)
    }

    /// Takes an `ExportLogsServiceRequest`: records by severity, and templates that are new.
    pub fn logs(&mut self, request: &[u8], now_ns: u64) -> Result<Taken, Malformed> {
        walk::logs(self, request, now_ns)
    }

    /// Takes an `ExportTraceServiceRequest`: spans, failed ones and their time, by name.
    pub fn traces(&mut self, request: &[u8], now_ns: u64) -> Result<Taken, Malformed> {
        walk::traces(self, request, now_ns)
    }

    /// The generation, the series that are new in it since the last call, and what has changed.
    ///
    /// Numbers count on from the series told before; in another generation they begin anew.
    pub fn drain(&mut self) -> (u64, &[Series], Vec<Change>) {
        let changes = self.table.drain();
        let generation = self.table.generation();
        if generation != self.told_generation {
            (self.told, self.told_generation) = (0, generation);
        }
        let from = core::mem::replace(&mut self.told, self.table.series().len());
        (generation, &self.table.series()[from..], changes)
    }
}
