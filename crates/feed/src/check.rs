//! Recorded market data in; every rule of integrity applied, and what was found, per instrument, out.
//!
//! The same decoders and markets as in trading read the recording, so a recording that passes is one
//! that the engine would have traded on.

mod measure;
mod report;

pub use report::{Clock, InstrumentReport, Mark, Report, Series};

use crate::binance;
use crate::decoder::{MarketDecoder, Told};
use crate::lobster;
use crate::recording::{Recording, RecordingError};
use engine::event::Event;
use engine::market::{Change, Market};
use engine::protocol::Protocol;
use engine::sequence::{Sequence, Step};
use measure::{Bursts, Offsets, Rates, Silences, Tops};
use std::path::Path;
use values::{MarketId, Nanos};

/// How many frames are looked at to tell the protocol.
const DETECT_FRAMES_MAX: u32 = 2_000;
/// Most marks kept for the plot.
const MARKS_MAX: usize = 1_000;

/// Why a recording could not be checked; trying again cannot help.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It cannot be read.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// No known venue sends such frames.
    #[error(
        "{place}: expected frames of Binance, Coinbase, Kraken, OKX or Bitstamp, found none of them"
    )]
    Unknown {
        /// The files.
        place: String,
    },
    /// A sample cannot be read.
    #[error("{0}")]
    Sample(String),
}

/// Checks a recording.
///
/// # Errors
/// It is unreadable, or of no known venue.
pub fn check<P: AsRef<Path>>(
    paths: &[P],
    protocol: Option<Protocol>,
    silence_ns: Option<Nanos>,
) -> Result<Report, CheckError> {
    if let [only] = paths
        && lobster::is_sample(only.as_ref())
    {
        let sample = lobster::check(only.as_ref()).map_err(CheckError::Sample)?;
        return Ok(Report::of_sample(&sample));
    }
    let protocol = match protocol {
        Some(protocol) => protocol,
        None => detect(paths)?,
    };
    let mut recording = Recording::open(paths)?;
    let mut checker = Checker::new(protocol, silence_ns.unwrap_or(silence_limit(protocol)));
    while let Some(frame) = recording.next()? {
        let (ts_ns, malformed) = (frame.ts_ns, checker.take(frame.ts_ns, frame.bytes));
        if let Some(error) = malformed
            && checker.malformed_first.is_none()
        {
            let place = recording.place();
            checker.malformed_first = Some(format!("{place}: {error}"));
        }
        checker.last_ns = ts_ns;
    }
    Ok(checker.report())
}

/// The longest pause between two frames of a connection that is no finding: the venue's own
/// heartbeat, or what a quiet but living stream of several instruments was seen to do.
fn silence_limit(protocol: Protocol) -> Nanos {
    const SECOND: Nanos = 1_000_000_000;
    match protocol {
        Protocol::BinanceSpot | Protocol::BinanceFutures => SECOND,
        Protocol::Coinbase | Protocol::Kraken => 2 * SECOND,
        Protocol::Okx | Protocol::Bitstamp => 10 * SECOND,
        Protocol::BitstampOrders => 120 * SECOND,
    }
}

fn detect<P: AsRef<Path>>(paths: &[P]) -> Result<Protocol, CheckError> {
    let mut recording = Recording::open(paths)?;
    for _ in 0..DETECT_FRAMES_MAX {
        let Some(frame) = recording.next()? else { break };
        if let Some(protocol) = protocol_of(frame.bytes) {
            return Ok(protocol);
        }
    }
    let names: Vec<_> = paths.iter().map(|path| path.as_ref().display().to_string()).collect();
    Err(CheckError::Unknown { place: names.join(", ") })
}

/// Whose frame this is, when it can be told.
pub fn protocol_of(frame: &[u8]) -> Option<Protocol> {
    let has = |text: &str| frame.windows(text.len()).any(|window| window == text.as_bytes());
    if frame.starts_with(br#"{"prunella":"#) {
        let value: serde_json::Value = serde_json::from_slice(frame).ok()?;
        return serde_json::from_value(value.get("protocol")?.clone()).ok();
    }
    Some(match frame {
        _ if has(r#""sequence_num""#) => Protocol::Coinbase,
        _ if has(r#""systemStatus""#) || has(r#""channel":"status""#) => Protocol::Kraken,
        [b'[', ..] => Protocol::Kraken,
        _ if has(r#""channel":"book""#) && has(r#""checksum""#) => Protocol::Kraken,
        _ if has(r#""channel":"live_orders"#) => Protocol::BitstampOrders,
        _ if has("diff_order_book") || has("order_book_snapshot_") || has("live_trades") => {
            Protocol::Bitstamp
        }
        _ if has(r#""arg":{"#) || has(r#""instId""#) => Protocol::Okx,
        _ if has(r#""depthUpdate""#) && has(r#""pu":"#) => Protocol::BinanceFutures,
        _ if has(r#""depthUpdate""#) => Protocol::BinanceSpot,
        _ => return None,
    })
}

struct Checked {
    market: Market,
    frames: u64,
    bursts: Bursts,
    offsets: Offsets,
    tops: Tops,
}

/// Takes the frames of one recording.
pub struct Checker {
    protocol: Protocol,
    decoder: MarketDecoder,
    markets: Vec<Checked>,
    sequence: Sequence,
    heartbeats: Sequence,
    connections: u64,
    frames: u64,
    refused: u64,
    malformed: u64,
    malformed_first: Option<String>,
    bursts: Bursts,
    silences: Silences,
    rates: Rates,
    marks: Vec<Mark>,
    first_ns: Option<Nanos>,
    last_ns: Nanos,
}

impl Checker {
    /// Before the first frame.
    pub fn new(protocol: Protocol, silence_ns: Nanos) -> Self {
        Self {
            protocol,
            decoder: MarketDecoder::discovering(protocol),
            markets: Vec::new(),
            sequence: Sequence::default(),
            heartbeats: Sequence::default(),
            connections: 0,
            frames: 0,
            refused: 0,
            malformed: 0,
            malformed_first: None,
            bursts: Bursts::default(),
            silences: Silences::new(silence_ns),
            rates: Rates::default(),
            marks: Vec::new(),
            first_ns: None,
            last_ns: 0,
        }
    }

    /// Takes a frame; what is wrong with its form, if anything.
    pub fn take(&mut self, now_ns: Nanos, bytes: &[u8]) -> Option<String> {
        self.first_ns.get_or_insert(now_ns);
        if bytes.starts_with(br#"{"prunella":"#) {
            self.connected(now_ns);
            return None;
        }
        self.frames += 1;
        self.bursts.take(now_ns);
        self.rates.take(now_ns);
        if let Some(length_ns) = self.silences.take(now_ns) {
            self.mark(now_ns, "", format!("silence of {} ms", length_ns / 1_000_000));
        }
        self.discover(bytes);
        let Self { decoder, markets, sequence, heartbeats, protocol, .. } = self;
        let (mut marks, mut touched) = (Vec::new(), None);
        let told = decoder.market(bytes, |event| {
            if let Event::Sequenced { number, heartbeat, .. } = *event {
                if let Some(heartbeat) = heartbeat {
                    heartbeats.take(heartbeat);
                }
                if sequence.take(number) != Step::Next {
                    for checked in &mut *markets {
                        checked.market.on_missing();
                    }
                    marks.push((None, "sequence"));
                }
                return;
            }
            let Some(id) = market_of(event) else { return };
            while markets.len() <= id.index() {
                markets.push(Checked::new(*protocol, now_ns));
            }
            let checked = &mut markets[id.index()];
            touched = Some(id);
            if matches!(event, Event::DepthDiff { previous_update_id: Some(_), .. }) {
                *protocol = Protocol::BinanceFutures;
            }
            let change = checked.market.on_event(now_ns, event);
            if change.is_loss() {
                marks.push((Some(id), loss(change)));
            }
        });
        for (id, what) in marks {
            let symbol = id.and_then(|id| self.decoder.names().into_iter().nth(id.index()));
            self.mark(now_ns, &symbol.unwrap_or_default(), what.to_owned());
        }
        match told {
            Ok(told) => {
                self.refused += u64::from(told == Told::Refused);
                if let Some(id) = touched {
                    self.markets[id.index()].took(now_ns, told.ts_event_ns());
                }
                None
            }
            Err(error) => {
                self.malformed += 1;
                let concerned = self.decoder.concerned(bytes);
                for (id, checked) in (0_u8..).map(MarketId).zip(&mut self.markets) {
                    if concerned.is_none_or(|only| only == id) {
                        checked.market.on_malformed();
                    }
                }
                self.mark(now_ns, "", "malformed frame".to_owned());
                Some(error.to_string())
            }
        }
    }

    /// A connection begins: numbers count anew, and every book has to be built anew.
    fn connected(&mut self, now_ns: Nanos) {
        self.connections += 1;
        self.silences.pause();
        self.sequence.reset();
        self.heartbeats.reset();
        if self.connections > 1 && !self.markets.is_empty() {
            self.mark(now_ns, "", "connected anew".to_owned());
        }
        for checked in &mut self.markets {
            checked.market.on_channel_up(now_ns);
        }
    }

    /// Binance's decoder knows its instruments beforehand; a new one is taken in when it is named.
    fn discover(&mut self, bytes: &[u8]) {
        const NAME: &[u8] = br#""s":""#;
        let Some(decoder) = self.decoder.binance() else { return };
        let head = &bytes[..bytes.len().min(256)];
        let Some(at) = head.windows(NAME.len()).position(|window| window == NAME) else { return };
        let name = bytes[at + NAME.len()..].split(|&byte| byte == b'"').next().unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        let count = decoder.names().count();
        if name.is_empty() || count > 250 || decoder.names().any(|known| known == name) {
            return;
        }
        decoder.add(binance::Instrument {
            market: MarketId(count as u8),
            symbol: name.into_owned(),
            base: String::new(),
            quote: String::new(),
        });
    }

    fn mark(&mut self, ts_ns: Nanos, symbol: &str, what: String) {
        if self.marks.len() < MARKS_MAX {
            self.marks.push(Mark { ts_ns, symbol: symbol.to_owned(), what });
        }
    }
}

impl Checked {
    fn new(protocol: Protocol, now_ns: Nanos) -> Self {
        let mut market = Market::of(protocol);
        market.on_channel_up(now_ns);
        Self {
            market,
            frames: 0,
            bursts: Bursts::default(),
            offsets: Offsets::default(),
            tops: Tops::default(),
        }
    }

    fn took(&mut self, now_ns: Nanos, ts_event_ns: Nanos) {
        self.frames += 1;
        self.bursts.take(now_ns);
        if ts_event_ns > 0 {
            self.offsets.take(now_ns - ts_event_ns);
        }
        if let Some((bid, ask)) = self.market.top() {
            self.tops.take(now_ns, bid.price, ask.price);
        }
    }
}

fn market_of(event: &Event<'_>) -> Option<MarketId> {
    match *event {
        Event::DepthDiff { market, .. }
        | Event::DepthSnapshot { market, .. }
        | Event::BookTicker { market, .. }
        | Event::Trade { market, .. }
        | Event::Book { market, .. }
        | Event::RestingOrder { market, .. }
        | Event::Depth { market, .. } => Some(market),
        _ => None,
    }
}

fn loss(change: Change) -> &'static str {
    match change {
        Change::Gap => "gap",
        Change::Crossed => "crossed book",
        Change::Contradicted => "contradicted by the ticker",
        Change::Checksum => "wrong checksum",
        Change::None | Change::Updated | Change::NeedsSnapshot => "",
    }
}
