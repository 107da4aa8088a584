//! A recorded session in; the time from each frame's bytes to its order's bytes out.
//!
//! The frames go through the hot loop's own machine. In place of a venue stands one that accepts
//! every order and cancel and never fills: its answers are journaled and applied like real ones,
//! outside of what is measured.

use super::machine::LoopError;
use super::session::Session;
use crate::binance::Requests;
use crate::input::Input;
use crate::recording::{Recording, RecordingError};
use engine::config::CoreConfig;
use engine::event::{Channel, Purpose};
use engine::output::Output;
use std::path::Path;
use values::{Nanos, VenueId};

const TIMER_NS: Nanos = 10_000_000;

/// What a run through a recording took.
#[derive(Debug, Default)]
pub struct Measured {
    /// From a frame's bytes to all that it caused, one per frame.
    pub frames_ns: Vec<i64>,
    /// From a frame's bytes to its first order's bytes, one per frame that caused an order.
    pub orders_ns: Vec<i64>,
}

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The journal or the core.
    #[error(transparent)]
    Loop(#[from] LoopError),
}

/// Plays a recording at venue 0 of `config`; the journal is begun in the empty folder `dir`.
///
/// # Errors
/// The recording cannot be read, or the journal cannot be written.
pub fn measure<P: AsRef<Path>>(
    paths: &[P],
    config: CoreConfig,
    dir: &Path,
) -> Result<Measured, MeasureError> {
    // Read first: the measurement is of the hot loop, not of unpacking files beside it.
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    let mut recording = Recording::open(paths)?;
    while let Some(frame) = recording.next()? {
        bytes.extend_from_slice(frame.bytes);
        ends.push((frame.ts_ns, bytes.len()));
    }
    let requests = config.venues.iter().map(|venue| {
        Requests::new("127.0.0.1:9001", "key", "secret", venue.receive_window_ns)
            .expect("these texts are sound")
    });
    let (requests, start_ns) = (requests.collect(), ends[0].0);
    let mut paper = Paper { session: Session::new(config, dir, requests, start_ns)?, orders: 0 };
    paper.connect(start_ns)?;
    let mut measured = Measured::default();
    measured.frames_ns.reserve(ends.len());
    let (mut begin, mut timer_ns) = (0, start_ns);
    for (ts_ns, end) in ends {
        while timer_ns + TIMER_NS <= ts_ns {
            timer_ns += TIMER_NS;
            paper.take(timer_ns, &Input::Timer)?;
        }
        let (frame_ns, order_ns) = paper.session.frame(ts_ns, VenueId(0), &bytes[begin..end])?;
        measured.frames_ns.push(frame_ns);
        measured.orders_ns.extend(order_ns);
        paper.answer(ts_ns)?;
        begin = end;
    }
    paper.session.finish(timer_ns)?;
    Ok(measured)
}

/// A session with a venue that accepts everything.
pub(super) struct Paper {
    pub(super) session: Session,
    pub(super) orders: u64,
}

impl Paper {
    pub(super) fn connect(&mut self, now_ns: Nanos) -> Result<(), LoopError> {
        let venue = VenueId(0);
        self.take(now_ns, &Input::Started)?;
        self.take(now_ns, &Input::ChannelUp { venue, channel: Channel::Market })?;
        self.take(now_ns, &Input::ChannelUp { venue, channel: Channel::User })
    }

    pub(super) fn take(&mut self, now_ns: Nanos, input: &Input<'_>) -> Result<(), LoopError> {
        self.session.input(now_ns, input)?;
        self.answer(now_ns)
    }

    /// Answers what the last input made the core ask, and what the answers make it ask.
    pub(super) fn answer(&mut self, now_ns: Nanos) -> Result<(), LoopError> {
        let mut asked = core::mem::take(&mut self.session.outputs);
        while let Some(output) = asked.pop() {
            let Some((purpose, body)) = self.reply(&output) else { continue };
            self.session.input(
                now_ns,
                &Input::Reply {
                    venue: VenueId(0),
                    purpose,
                    status: 200,
                    retry_after_ns: 0,
                    bytes: body.as_bytes(),
                },
            )?;
            asked.append(&mut self.session.outputs);
        }
        Ok(())
    }

    fn reply(&mut self, output: &Output) -> Option<(Purpose, String)> {
        let config = self.session.core().engine().config();
        Some(match *output {
            Output::Place(ref order) => {
                self.orders += 1;
                let (id, number) = (order.client_order_id, self.orders);
                let symbol = &config.markets[order.market.index()].symbol;
                let status = match order.time_in_force {
                    engine::event::TimeInForce::ImmediateOrCancel => "EXPIRED",
                    _ => "NEW",
                };
                let body = format!(
                    r#"{{"symbol":"{symbol}","orderId":{number},"clientOrderId":"{id}","executedQty":"0","status":"{status}","fills":[]}}"#
                );
                (Purpose::Place(id), body)
            }
            Output::Cancel { market, client_order_id: id } => {
                let symbol = &config.markets[market.index()].symbol;
                let body = format!(
                    r#"{{"symbol":"{symbol}","orderId":1,"origClientOrderId":"{id}","clientOrderId":"x","executedQty":"0","status":"CANCELED"}}"#
                );
                (Purpose::Cancel(id), body)
            }
            Output::FetchOpenOrders(market) => (Purpose::OpenOrders(market), "[]".to_owned()),
            Output::FetchMyTrades { market, .. } => (Purpose::MyTrades(market), "[]".to_owned()),
            Output::FetchAccount(venue) => {
                (Purpose::Account(venue), r#"{"balances":[]}"#.to_owned())
            }
            _ => return None,
        })
    }
}
