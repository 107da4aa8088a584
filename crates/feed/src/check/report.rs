//! What a check found, as one record that is written as JSON.

use super::measure::{Offsets, Rates};
use super::{Checked, Checker};
use crate::core::hex;
use crate::lobster::Sample;
use engine::event::{Level, Side};
use engine::level3::Level3Counters;
use engine::market::{MarketCounters, MarketStatus};
use engine::protocol::Protocol;
use engine::sequence::Sequence;
use serde::Serialize;
use values::Nanos;

/// A clock that is off by more than a day is no clock: the receive times are of another unit.
const OFFSET_NS_MAX: Nanos = 86_400_000_000_000;

/// The whole of a check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Which venue's frames, or `lobster`.
    pub protocol: String,
    /// Frames read.
    pub frames: u64,
    /// Receive time of the first.
    pub first_ns: Nanos,
    /// Receive time of the last.
    pub last_ns: Nanos,
    /// Connections that the recording tells of; 0 when it does not.
    pub connections: u64,
    /// Frames that could not be read.
    pub malformed: u64,
    /// The first of them: place and reason.
    pub malformed_first: Option<String>,
    /// Requests that the venue refused.
    pub refused: u64,
    /// The venue's count of its messages.
    pub sequence: Sequence,
    /// The venue's count of its heartbeats.
    pub heartbeats: Sequence,
    /// Most frames in any 100 ms.
    pub burst_frames_max: usize,
    /// Pauses longer than the limit.
    pub silences: u64,
    /// The longest pause, limit or not.
    pub silence_ns_max: Nanos,
    /// Begin and length of the first hundred.
    pub silence_list: Vec<(Nanos, Nanos)>,
    /// Each instrument.
    pub instruments: Vec<InstrumentReport>,
    /// What is wrong; empty when nothing is.
    pub findings: Vec<String>,
    /// What is worth knowing and not wrong.
    pub notes: Vec<String>,
    /// For the plot.
    pub series: Series,
}

/// One instrument.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstrumentReport {
    /// The venue's name of it.
    pub symbol: String,
    /// Frames about it.
    pub frames: u64,
    /// How far its book is in step at the end.
    pub status: MarketStatus,
    /// What happened.
    pub counters: MarketCounters,
    /// Book states that agree with the venue's ticker.
    pub ticker_equal: u64,
    /// Book states that differ from it.
    pub ticker_differs: u64,
    /// Single orders, where the venue tells them.
    pub orders: Option<Level3Counters>,
    /// The last update's number.
    pub update_id: u64,
    /// Levels of bids and asks at the end.
    pub levels: [usize; 2],
    /// Best bid and ask at the end: price and quantity.
    pub top: Option<[[String; 2]; 2]>,
    /// SHA-256 of the book at the end.
    pub digest: String,
    /// Most frames in any 100 ms.
    pub burst_frames_max: usize,
    /// The recorder's clock against the venue's.
    pub clock: Option<Clock>,
    /// Sampled time, best bid and best ask.
    pub tops: Vec<(Nanos, f64, f64)>,
}

/// Receive time less the venue's time: latency and the difference of the clocks.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clock {
    /// Frames with a venue's time.
    pub count: usize,
    /// The smallest.
    pub min_ns: Nanos,
    /// 1st percentile.
    pub p1_ns: Nanos,
    /// Median.
    pub p50_ns: Nanos,
    /// 99th percentile.
    pub p99_ns: Nanos,
    /// The largest.
    pub max_ns: Nanos,
}

/// Frames over time, and where something went wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    /// Begin.
    pub start_ns: Nanos,
    /// Length of each step.
    pub step_ns: Nanos,
    /// Frames in each step.
    pub frames: Vec<u64>,
    /// Where something went wrong.
    pub marks: Vec<Mark>,
}

/// Something at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// When.
    pub ts_ns: Nanos,
    /// Of which instrument; empty for the connection.
    pub symbol: String,
    /// What.
    pub what: String,
}

impl Checker {
    /// What was found.
    pub fn report(self) -> Report {
        let names = self.decoder.names();
        let protocol = self.protocol;
        let mut report = Report {
            protocol: name_of(protocol),
            frames: self.frames,
            first_ns: self.first_ns.unwrap_or(0),
            last_ns: self.last_ns,
            connections: self.connections,
            malformed: self.malformed,
            malformed_first: self.malformed_first,
            refused: self.refused,
            sequence: self.sequence,
            heartbeats: self.heartbeats,
            burst_frames_max: self.bursts.most,
            silences: self.silences.count,
            silence_ns_max: self.silences.longest_ns,
            silence_list: self.silences.list,
            instruments: names
                .into_iter()
                .zip(self.markets)
                .map(|(symbol, checked)| checked.report(symbol, protocol))
                .collect(),
            findings: Vec::new(),
            notes: Vec::new(),
            series: series(self.rates, self.marks),
        };
        report.judge(protocol);
        report
    }
}

fn series(rates: Rates, marks: Vec<Mark>) -> Series {
    let (start_ns, step_ns) = rates.start_and_step_ns();
    Series { start_ns, step_ns, frames: rates.counts, marks }
}

/// The protocol's name in a configuration.
fn name_of(protocol: Protocol) -> String {
    let name = serde_json::to_value(protocol).ok();
    name.and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

fn text(levels: (Level, Level)) -> [[String; 2]; 2] {
    [levels.0, levels.1].map(|level| [level.price.to_string(), level.quantity.to_string()])
}

impl Checked {
    fn report(mut self, symbol: String, protocol: Protocol) -> InstrumentReport {
        let (market, book) = (&self.market, self.market.book());
        InstrumentReport {
            symbol,
            frames: self.frames,
            status: market.status(),
            counters: market.counters().clone(),
            ticker_equal: market.cross_check().equal,
            ticker_differs: market.cross_check().differs,
            orders: (protocol == Protocol::BitstampOrders)
                .then(|| market.orders().counters.clone()),
            update_id: market.last_update_id(),
            levels: [book.depth(Side::Buy), book.depth(Side::Sell)],
            top: book.top().map(text),
            digest: hex(&book.digest()),
            burst_frames_max: self.bursts.most,
            clock: clock(&mut self.offsets),
            tops: self
                .tops
                .points
                .iter()
                .map(|&(ts_ns, bid, ask)| (ts_ns, bid.to_f64(), ask.to_f64()))
                .collect(),
        }
    }
}

fn clock(offsets: &mut Offsets) -> Option<Clock> {
    let (count, [min_ns, p1_ns, p50_ns, p99_ns, max_ns]) = offsets.percentiles()?;
    Some(Clock { count, min_ns, p1_ns, p50_ns, p99_ns, max_ns })
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    fn judge(&mut self, protocol: Protocol) {
        let mut findings = Vec::new();
        let mut count = |number: u64, what: &str| {
            if number > 0 {
                findings.push(format!("{number} {what}"));
            }
        };
        count(self.malformed, "malformed frames");
        count(self.refused, "requests that the venue refused");
        count(self.sequence.gaps, "gaps in the numbers of the connection's messages");
        count(self.sequence.old, "messages repeated or delayed");
        count(self.heartbeats.gaps, "gaps in the numbers of the heartbeats");
        count(self.silences, "silences");
        for instrument in &self.instruments {
            instrument.judge(protocol, &mut findings, &mut self.notes);
        }
        if self.instruments.is_empty() {
            findings.push("no instrument with market data".to_owned());
        }
        if self.connections > 1 {
            self.notes.push(format!("{} connections", self.connections));
        }
        self.findings = findings;
    }

    /// The report of a LOBSTER sample.
    pub(super) fn of_sample(sample: &Sample) -> Self {
        let mut findings = Vec::new();
        if let Some(row) = sample.first_difference {
            findings.push(format!("{} rows differ, the first is row {row}", sample.differs));
        }
        if sample.backwards > 0 {
            findings.push(format!("{} times run backwards", sample.backwards));
        }
        let instrument = InstrumentReport {
            symbol: sample.symbol.clone(),
            frames: sample.messages,
            status: MarketStatus::Live,
            counters: MarketCounters {
                diffs: sample.messages,
                diffs_applied: sample.messages - sample.hidden,
                levels: sample.levels,
                ..MarketCounters::default()
            },
            ticker_equal: sample.equal,
            ticker_differs: sample.differs,
            orders: None,
            update_id: 0,
            levels: [0, 0],
            top: sample.top.map(text),
            digest: String::new(),
            burst_frames_max: 0,
            clock: None,
            tops: Vec::new(),
        };
        Self {
            protocol: "lobster".to_owned(),
            frames: sample.messages,
            first_ns: 0,
            last_ns: 0,
            connections: 0,
            malformed: 0,
            malformed_first: None,
            refused: 0,
            sequence: Sequence::default(),
            heartbeats: Sequence::default(),
            burst_frames_max: 0,
            silences: 0,
            silence_ns_max: 0,
            silence_list: Vec::new(),
            instruments: vec![instrument],
            findings,
            notes: vec![format!("{} levels compared", sample.levels)],
            series: Series::default(),
        }
    }
}

impl InstrumentReport {
    fn judge(&self, protocol: Protocol, findings: &mut Vec<String>, notes: &mut Vec<String>) {
        let (symbol, counters) = (&self.symbol, &self.counters);
        for (number, what) in [
            (counters.gaps, "gaps"),
            (counters.crossed, "crossed books"),
            (counters.contradicted, "books contradicted by the ticker"),
            (counters.checksums_wrong, "wrong checksums"),
            (counters.diffs_old, "changes repeated or delayed"),
            (counters.trade_gaps, "gaps in the numbers of the trades"),
            (counters.trades_old, "trades repeated or delayed"),
        ] {
            if number > 0 {
                findings.push(format!("{symbol}: {number} {what}"));
            }
        }
        if let Some(orders) = &self.orders {
            notes.push(format!(
                "{symbol}: orders from before the recording are unknown ({} deletions), so its \
                 book is partial and is never traded on",
                orders.deleted_unknown
            ));
        } else if self.status != MarketStatus::Live && counters.diffs > 0 {
            findings.push(format!("{symbol}: the book is not in step at the end"));
        }
        if protocol != Protocol::BitstampOrders && counters.diffs > 0 && counters.snapshots == 0 {
            findings.push(format!("{symbol}: no snapshot that the changes continue"));
        }
        let Some(clock) = self.clock else { return };
        if clock.p50_ns.abs() > OFFSET_NS_MAX {
            let days = clock.p50_ns / OFFSET_NS_MAX;
            findings.push(format!("{symbol}: receive times are {days} days off the venue's"));
        } else if clock.p1_ns < 0 {
            let ms = clock.p1_ns / 1_000_000;
            notes.push(format!("{symbol}: the recorder's clock is behind the venue's ({ms} ms)"));
        }
    }
}
