//! Requests to one venue in, answers out, over connections that are kept open.
//!
//! A request is sent once. Whatever happens to its connection then, it is never sent again: the
//! answer is `Lost`, its fate unknown, and the core asks the venue. A connection carries one request
//! at a time, so a late answer can never be taken for another request's.

use super::backoff::{Backoff, LONGEST_NS, Random};
use super::budget::Budget;
use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::histogram::Histogram;
use crate::http::ResponseReader;
use crate::net::Poller;
use engine::event::Purpose;
use std::collections::VecDeque;
use std::io;
use values::Nanos;

/// An order that was not answered in this time is of unknown fate.
const ORDER_WAIT_NS: Nanos = 1_000_000_000;
/// A depth snapshot is large and not urgent.
const QUERY_WAIT_NS: Nanos = 3_000_000_000;
/// From SYN to connected, which under TLS takes three round trips, half around the world.
const CONNECT_WAIT_NS: Nanos = 3_000_000_000;
/// Requests that wait for a connection. More means that the venue is slower than we are: then the
/// oldest would be stale when sent, so a new one is `Lost` at once.
const QUEUE_MAX: usize = 64;
/// Idle connections are used once in this time, because servers close idle ones (after 5 s and
/// more), and a request that crosses with the closing would be lost.
const KEEP_WARM_NS: Nanos = 2_000_000_000;

struct Waiting {
    purpose: Purpose,
    bytes: Vec<u8>,
    deadline_ns: Nanos,
}

struct Pending {
    /// `None` is our own ping.
    purpose: Option<Purpose>,
    sent_ns: Nanos,
    deadline_ns: Nanos,
}

/// An answer as it came.
pub(super) struct Answered<'a> {
    pub purpose: Purpose,
    pub status: u16,
    pub retry_after_ns: Nanos,
    pub bytes: &'a [u8],
}

/// How requests ended, for the metrics.
#[derive(Clone, Copy, Default, serde::Serialize)]
pub(super) struct Outcomes {
    pub ok: u64,
    pub refused: u64,
    pub throttled: u64,
    pub server_error: u64,
    pub timeout: u64,
}

/// One kept-open connection.
struct Line {
    token: u64,
    connection: Option<Connection>,
    reader: ResponseReader,
    pending: Option<Pending>,
    /// Down: when to try again. Connecting: when to give up.
    deadline_ns: Nanos,
    last_used_ns: Nanos,
    backoff: Backoff,
}

impl Line {
    /// Whether it is open and carries nothing.
    fn is_idle(&self) -> bool {
        self.pending.is_none() && self.connection.as_ref().is_some_and(|open| !open.is_connecting())
    }

    fn close(&mut self) {
        self.connection = None;
        self.reader.reset();
    }
}

/// The connections to one venue.
pub(super) struct Pool {
    endpoint: Endpoint,
    /// The first `orders` lines carry orders and cancels, the last one everything else.
    lines: Vec<Line>,
    order_queue: VecDeque<Waiting>,
    query_queue: VecDeque<Waiting>,
    spare: Vec<Vec<u8>>,
    ping: Vec<u8>,
    pub lost: Vec<Purpose>,
    /// Orders that were taken back before they left.
    pub withdrawn: Vec<Purpose>,
    pub outcomes: Outcomes,
    pub placement: Histogram,
    /// The venue's time in its last answer to our ping, milliseconds.
    pub server_time_ms: Option<i64>,
    /// What we may use of the venue's limits, and for how long not.
    pub budget: Budget,
    /// Why a connection was lost; empty when one has answered since.
    pub trouble: String,
    /// Connections are opened for a request, and closed when there is none for a while.
    is_on_demand: bool,
}

fn is_order(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Place(_) | Purpose::Cancel(_))
}

impl Pool {
    pub(super) fn new(
        endpoint: Endpoint,
        order_lines: usize,
        weight_per_minute: u32,
        first_token: u64,
    ) -> Pool {
        // The time instead of a mere ping: it tells how the venue's clock goes, for the same weight.
        let ping = format!("GET /api/v3/time HTTP/1.1\r\nHost: {}\r\n\r\n", endpoint.host);
        let lines = (0..=order_lines as u64).map(|index| Line {
            token: first_token + index,
            connection: None,
            reader: ResponseReader::new(),
            pending: None,
            deadline_ns: 0,
            last_used_ns: 0,
            backoff: Backoff::default(),
        });
        Pool {
            endpoint,
            lines: lines.collect(),
            order_queue: VecDeque::with_capacity(QUEUE_MAX),
            query_queue: VecDeque::with_capacity(QUEUE_MAX),
            spare: Vec::new(),
            ping: ping.into_bytes(),
            lost: Vec::new(),
            withdrawn: Vec::new(),
            outcomes: Outcomes::default(),
            placement: Histogram::default(),
            server_time_ms: None,
            budget: Budget::new(weight_per_minute),
            trouble: String::new(),
            is_on_demand: false,
        }
    }

    /// One connection for snapshots, where no orders are sent: it is opened when one is wanted.
    pub(super) fn on_demand(endpoint: Endpoint, weight_per_minute: u32, first_token: u64) -> Pool {
        Pool { is_on_demand: true, ..Pool::new(endpoint, 0, weight_per_minute, first_token) }
    }

    /// Whether at least one connection for orders is open.
    pub(super) fn is_connected(&self) -> bool {
        let (_, orders) = self.lines.split_last().expect("a pool has lines");
        orders.iter().any(|line| line.connection.as_ref().is_some_and(|open| !open.is_connecting()))
    }

    /// Whether requests wait for a connection.
    #[inline]
    pub(super) fn is_waiting(&self) -> bool {
        !self.order_queue.is_empty() || !self.query_queue.is_empty()
    }

    /// Sends a request now, or as soon as a connection is free.
    pub(super) fn request(
        &mut self,
        now_ns: Nanos,
        purpose: Purpose,
        bytes: &[u8],
        poller: &Poller,
        random: &mut Random,
    ) {
        if let Purpose::Cancel(id) = purpose {
            self.withdraw(Purpose::Place(id));
        }
        if let Some(index) = self.free_line(now_ns, purpose) {
            self.send(index, now_ns, Some(purpose), bytes, poller, random);
            return;
        }
        let queue = if is_order(purpose) { &mut self.order_queue } else { &mut self.query_queue };
        if queue.len() >= QUEUE_MAX {
            self.lose(purpose);
            return;
        }
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(bytes);
        let wait_ns = if is_order(purpose) { ORDER_WAIT_NS } else { QUERY_WAIT_NS };
        let waiting = Waiting { purpose, bytes: copy, deadline_ns: now_ns + wait_ns };
        // A cancel lowers the risk and goes first.
        if matches!(purpose, Purpose::Cancel(_)) {
            queue.push_front(waiting);
        } else {
            queue.push_back(waiting);
        }
    }

    /// An order that is to be cancelled and has not left yet, never leaves.
    fn withdraw(&mut self, place: Purpose) {
        let at = self.order_queue.iter().position(|waiting| waiting.purpose == place);
        if let Some(waiting) = at.and_then(|at| self.order_queue.remove(at)) {
            self.withdrawn.push(waiting.purpose);
            self.spare.push(waiting.bytes);
        }
    }

    /// No order that still waits for a connection leaves.
    pub(super) fn withdraw_orders(&mut self) {
        let Pool { order_queue, withdrawn, spare, .. } = self;
        order_queue.retain_mut(|waiting| {
            let is_new = matches!(waiting.purpose, Purpose::Place(_));
            if is_new {
                withdrawn.push(waiting.purpose);
                spare.push(core::mem::take(&mut waiting.bytes));
            }
            !is_new
        });
    }

    fn free_line(&self, now_ns: Nanos, purpose: Purpose) -> Option<usize> {
        if !self.budget.allows(now_ns, is_order(purpose)) {
            return None;
        }
        let last = self.lines.len() - 1;
        let range = if is_order(purpose) { 0..last } else { last..last + 1 };
        range.into_iter().find(|&index| {
            let line = &self.lines[index];
            line.pending.is_none()
                && line.connection.as_ref().is_some_and(|open| !open.is_connecting())
        })
    }

    fn send(
        &mut self,
        index: usize,
        now_ns: Nanos,
        purpose: Option<Purpose>,
        bytes: &[u8],
        poller: &Poller,
        random: &mut Random,
    ) {
        let line = &mut self.lines[index];
        let wait_ns = match purpose {
            Some(purpose) if !is_order(purpose) => QUERY_WAIT_NS,
            _ => ORDER_WAIT_NS,
        };
        line.pending = Some(Pending { purpose, sent_ns: now_ns, deadline_ns: now_ns + wait_ns });
        line.last_used_ns = now_ns;
        let Some(connection) = &mut line.connection else { return };
        let sent = connection.send(bytes).and_then(|is_waiting| {
            if is_waiting { poller.watch(connection.fd(), line.token, true) } else { Ok(()) }
        });
        if let Err(error) = sent {
            self.fail(index, now_ns, random, &error);
        }
    }

    /// The connection is worthless; what it carried is lost.
    fn fail(&mut self, index: usize, now_ns: Nanos, random: &mut Random, error: &io::Error) {
        let line = &mut self.lines[index];
        if self.is_on_demand && line.is_idle() {
            return line.close();
        }
        self.trouble = error.to_string();
        self.endpoint.ask_address();
        line.connection = None;
        line.reader.reset();
        line.deadline_ns = now_ns + line.backoff.failed(random, LONGEST_NS);
        if let Some(purpose) = line.pending.take().and_then(|pending| pending.purpose) {
            self.lose(purpose);
        }
    }

    fn lose(&mut self, purpose: Purpose) {
        self.lost.push(purpose);
        self.outcomes.timeout += u64::from(is_order(purpose));
    }

    /// Time passed: connect, give up, keep warm.
    pub(super) fn tick(&mut self, now_ns: Nanos, poller: &Poller, random: &mut Random) {
        for index in 0..self.lines.len() {
            let is_needed = !self.is_on_demand || !self.query_queue.is_empty();
            let line = &mut self.lines[index];
            match (&line.connection, &line.pending) {
                (None, _) if now_ns >= line.deadline_ns && is_needed => {
                    let opened = self.open(index, now_ns, poller);
                    if let Err(error) = opened {
                        self.fail(index, now_ns, random, &error);
                    }
                }
                (Some(open), _) if open.is_connecting() && now_ns >= line.deadline_ns => {
                    self.fail(index, now_ns, random, &io::ErrorKind::TimedOut.into());
                }
                (Some(_), Some(pending)) if now_ns >= pending.deadline_ns => {
                    self.fail(index, now_ns, random, &io::ErrorKind::TimedOut.into());
                }
                (Some(_), None)
                    if self.is_on_demand
                        && line.is_idle()
                        && now_ns - line.last_used_ns >= KEEP_WARM_NS =>
                {
                    line.close();
                }
                (Some(open), None)
                    if !open.is_connecting()
                        && now_ns - line.last_used_ns >= KEEP_WARM_NS
                        && self.budget.allows(now_ns, true) =>
                {
                    let ping = core::mem::take(&mut self.ping);
                    self.send(index, now_ns, None, &ping, poller, random);
                    self.ping = ping;
                }
                _ => {}
            }
        }
        for queue in [&mut self.order_queue, &mut self.query_queue] {
            queue.retain_mut(|waiting| {
                let is_late = now_ns >= waiting.deadline_ns;
                if is_late {
                    self.lost.push(waiting.purpose);
                    self.outcomes.timeout += u64::from(is_order(waiting.purpose));
                }
                !is_late
            });
        }
    }

    fn open(&mut self, index: usize, now_ns: Nanos, poller: &Poller) -> io::Result<()> {
        let line = &mut self.lines[index];
        let connection = Connection::open(&self.endpoint)?;
        poller.watch(connection.fd(), line.token, true)?;
        line.reader.reset();
        line.deadline_ns = now_ns + CONNECT_WAIT_NS;
        line.connection = Some(connection);
        Ok(())
    }

    /// Sends what waits, as far as connections are free. An order that `forbids` names does not
    /// leave: between its checks and this moment somebody may have halted trading.
    pub(super) fn send_waiting(
        &mut self,
        now_ns: Nanos,
        poller: &Poller,
        random: &mut Random,
        forbids: impl Fn(Purpose) -> bool,
    ) {
        let Pool { order_queue, withdrawn, spare, .. } = self;
        order_queue.retain_mut(|waiting| {
            let is_forbidden = forbids(waiting.purpose);
            if is_forbidden {
                withdrawn.push(waiting.purpose);
                spare.push(core::mem::take(&mut waiting.bytes));
            }
            !is_forbidden
        });
        for is_order_queue in [true, false] {
            loop {
                let queue = if is_order_queue { &self.order_queue } else { &self.query_queue };
                let Some(purpose) = queue.front().map(|waiting| waiting.purpose) else { break };
                let Some(index) = self.free_line(now_ns, purpose) else { break };
                let queue =
                    if is_order_queue { &mut self.order_queue } else { &mut self.query_queue };
                let waiting = queue.pop_front().expect("seen above");
                self.send(index, now_ns, Some(purpose), &waiting.bytes, poller, random);
                self.spare.push(waiting.bytes);
            }
        }
    }

    fn line_of(&self, token: u64) -> usize {
        (token - self.lines[0].token) as usize
    }

    /// Ready for output.
    pub(super) fn on_writable(
        &mut self,
        token: u64,
        now_ns: Nanos,
        poller: &Poller,
        random: &mut Random,
    ) {
        let index = self.line_of(token);
        let line = &mut self.lines[index];
        let Some(connection) = &mut line.connection else { return };
        let was_connecting = connection.is_connecting();
        let done = (|| {
            if was_connecting {
                connection.finish_connecting()?;
            }
            if !connection.flush()? {
                poller.watch(connection.fd(), line.token, false)?;
            }
            Ok::<_, io::Error>(())
        })();
        if let Err(error) = done {
            self.fail(index, now_ns, random, &error);
        } else if was_connecting {
            line.last_used_ns = now_ns;
        }
    }

    /// Ready for input: reads, and hands each whole answer on.
    pub(super) fn on_readable<E>(
        &mut self,
        token: u64,
        now_ns: Nanos,
        random: &mut Random,
        mut answered: impl FnMut(Answered<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let index = self.line_of(token);
        let line = &mut self.lines[index];
        let Some(connection) = &mut line.connection else { return Ok(()) };
        let is_read = (|| {
            loop {
                let room = line.reader.buffer.room();
                let size = room.len();
                let Some(count) = connection.read(room)? else { return Ok::<_, io::Error>(()) };
                line.reader.buffer.filled(count);
                if count < size {
                    return Ok(());
                }
            }
        })();
        let mut broken = is_read.err();
        loop {
            match line.reader.next_response() {
                Ok(None) => break,
                Err(error) => {
                    broken = Some(io::Error::new(io::ErrorKind::InvalidData, error));
                    break;
                }
                Ok(Some(response)) => {
                    if !response.is_kept_alive {
                        broken = Some(io::ErrorKind::ConnectionAborted.into());
                    }
                    line.backoff.succeeded();
                    self.trouble.clear();
                    // An answer without a question: the framing cannot be trusted.
                    let Some(pending) = line.pending.take() else {
                        broken = Some(io::ErrorKind::InvalidData.into());
                        break;
                    };
                    self.budget.heard(now_ns, &response);
                    let Some(purpose) = pending.purpose else {
                        self.server_time_ms = server_time_ms(response.body);
                        continue;
                    };
                    count(&mut self.outcomes, purpose, response.status);
                    if matches!(purpose, Purpose::Place(_)) && response.status < 300 {
                        self.placement.record(now_ns - pending.sent_ns);
                    }
                    answered(Answered {
                        purpose,
                        status: response.status,
                        retry_after_ns: i64::from(response.retry_after_s) * 1_000_000_000,
                        bytes: response.body,
                    })?;
                }
            }
        }
        if let Some(error) = broken {
            self.fail(index, now_ns, random, &error);
        }
        Ok(())
    }
}

/// `{"serverTime":1723161255208}`.
fn server_time_ms(body: &[u8]) -> Option<i64> {
    let text = core::str::from_utf8(body).ok()?;
    let digits = text.split_once("\"serverTime\":")?.1.trim_end_matches('}');
    digits.trim().parse().ok()
}

/// Only orders and cancels count: these are what the venue's order path is judged by.
fn count(outcomes: &mut Outcomes, purpose: Purpose, status: u16) {
    if !is_order(purpose) {
        return;
    }
    match status {
        200..=299 => outcomes.ok += 1,
        418 | 429 => outcomes.throttled += 1,
        400..=499 => outcomes.refused += 1,
        _ => outcomes.server_error += 1,
    }
}

#[cfg(test)]
mod tests;
