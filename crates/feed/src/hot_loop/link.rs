//! The sockets between the stages, as the hot loop of `market` or `execution` holds them.
//!
//! `market` rings for every entry and takes in facts; `execution` hears both the bell and the
//! orders that `risk` let pass, and tells facts. A session is a life of the core: it has the number
//! of its `Started` entry, and facts of an older one are not taken, because they speak of sockets
//! and requests that the core has given up.

use super::gate::Gate;
use super::machine::LoopError;
use super::status::{Latency, MICROSECOND_BOUNDS_NS, latency};
use crate::histogram::Histogram;
use crate::net::monotonic_ns;
use crate::stage::{Advanced, Agreement, Ends, Fact, Orders, Socket, Told};
use engine::event::Channel;
use engine::output::{NewOrder, Output};
use prost::Message as _;
use serde::Serialize;
use std::collections::VecDeque;
use std::os::fd::RawFd;
use values::{ClientOrderId, Nanos};

/// Longest message: a venue's answer with a thousand trades is a fifth of this.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A new session is asked for again after so long.
const ASK_EVERY_NS: Nanos = 500_000_000;
/// A kind of fact that is no input: a new session is wanted.
pub(super) const WANTS_SESSION: u32 = 0;

/// What the others are told of an entry.
#[derive(Copy, Clone, Debug)]
pub(super) struct Bell {
    topic: u8,
    told: Advanced,
}

impl Bell {
    pub(super) fn new(topic: u8, seq: u64, ts_ns: Nanos) -> Bell {
        Bell { topic, told: Advanced { seq, ts_ns, ..Advanced::default() } }
    }

    /// The same for others.
    pub(super) fn on(self, topic: u8) -> Bell {
        Bell { topic, ..self }
    }

    /// The same with the input's kind and when it came.
    pub(super) fn of(self, kind: u16, tick_ns: Nanos) -> Bell {
        Bell { told: Advanced { kind: u32::from(kind), tick_ns, ..self.told }, ..self }
    }

    /// What was told, behind its topic.
    pub(super) fn read(bytes: &[u8]) -> Option<Advanced> {
        bytes.get(1..).and_then(|told| Advanced::decode(told).ok())
    }
}

/// Whether an output is for `execution`, and is not told as an order.
pub(super) fn is_work(output: &Output) -> bool {
    matches!(
        output,
        Output::Cancel { .. }
            | Output::QueryOrder { .. }
            | Output::FetchOpenOrders(_)
            | Output::FetchMyTrades { .. }
            | Output::FetchAccount(_)
    )
}

/// Which of the stages this loop is.
#[expect(clippy::large_enum_variant, reason = "there is one of it")]
pub(super) enum Link {
    /// All of them.
    None,
    Market(MarketLink),
    Execution(ExecutionLink),
}

/// The sequencer's end.
pub(super) struct MarketLink {
    stream: Socket,
    facts: Socket,
    /// Entries that the others may not know yet, because they are not durable.
    held: VecDeque<Bell>,
    bytes: Vec<u8>,
    buffer: Vec<u8>,
    pub session: u64,
    taken: u64,
    pub outdated: u64,
}

/// The end at the venues.
pub(super) struct ExecutionLink {
    stream: Socket,
    orders: Socket,
    facts: Socket,
    pub agreement: Agreement,
    /// Orders that may leave: with the time of their entry.
    pub agreed: VecDeque<(NewOrder, Nanos, Told)>,
    bytes: Vec<u8>,
    buffer: Vec<u8>,
    /// 0 while none of ours has begun.
    pub session: u64,
    /// Whether a new session was asked for and has not begun yet.
    pub is_joining: bool,
    asked_ns: Nanos,
    pub heard_ns: Nanos,
    pub heard_seq: u64,
    sent: u64,
    pub hops: Hops,
}

/// Where the time from a market frame to its order's bytes goes.
#[derive(Default)]
pub(super) struct Hops {
    market: Histogram,
    signal: Histogram,
    risk: Histogram,
    execution: Histogram,
}

impl Hops {
    pub(super) fn record(&mut self, told: &Told, now_ns: Nanos) {
        let [market_ns, signal_ns, risk_ns] = told.sent_ns;
        self.market.record(market_ns - told.tick_ns);
        self.signal.record(signal_ns - market_ns);
        self.risk.record(risk_ns - signal_ns);
        self.execution.record(now_ns - risk_ns);
    }
}

/// A stage for the status.
#[derive(Serialize)]
pub(super) struct Shown {
    name: &'static str,
    session: u64,
    facts: u64,
    facts_outdated: u64,
    orders_waiting: usize,
    orders_differing: u64,
    orders_expired: u64,
    orders_unfounded: u64,
    hops: Vec<(&'static str, Latency)>,
}

fn broken(source: std::io::Error) -> LoopError {
    LoopError::System { doing: "use the sockets between the stages", source }
}

impl Link {
    /// The end of the stage that writes the journal.
    pub(super) fn market(ends: Ends) -> Result<Link, LoopError> {
        let facts = ends.inlet.ok_or_else(|| missing("an inlet"))?;
        Ok(Link::Market(MarketLink {
            stream: ends.stream,
            facts,
            held: VecDeque::new(),
            bytes: Vec::with_capacity(64),
            buffer: vec![0; MESSAGE_BYTES_MAX],
            session: 0,
            taken: 0,
            outdated: 0,
        }))
    }

    /// The end of the stage that holds the order sockets.
    pub(super) fn execution(ends: Ends) -> Result<Link, LoopError> {
        let orders = ends.inlet.ok_or_else(|| missing("an inlet"))?;
        let facts = ends.outlet.ok_or_else(|| missing("an outlet"))?;
        Ok(Link::Execution(ExecutionLink {
            stream: ends.stream,
            orders,
            facts,
            agreement: Agreement::default(),
            agreed: VecDeque::with_capacity(16),
            bytes: Vec::with_capacity(4096),
            buffer: vec![0; 64 * 1024],
            session: 0,
            is_joining: true,
            asked_ns: 0,
            heard_ns: 0,
            heard_seq: 0,
            sent: 0,
            hops: Hops::default(),
        }))
    }

    /// Whether this process holds the sockets of a channel.
    pub(super) fn holds(&self, channel: Channel) -> bool {
        match self {
            Self::None => true,
            Self::Market(_) => channel == Channel::Market,
            Self::Execution(_) => channel == Channel::User,
        }
    }

    /// Whether an output is for this process to do, and now. A new order is not: it must be told by
    /// `risk` as well. Cancels and questions are, because they only lower the risk, and a kill must
    /// not hang on processes that may be the fault.
    #[inline]
    pub(super) fn performs(&mut self, output: &Output, now_ns: Nanos) -> bool {
        let is_market = matches!(output, Output::FetchSnapshot(_) | Output::Reconnect(_));
        match self {
            Self::None => true,
            Self::Market(_) => is_market,
            Self::Execution(link) => {
                if link.session == 0 {
                    return false;
                }
                if let Output::Place(order) = output {
                    let told = link.agreement.decide(order, now_ns);
                    link.agreed.extend(told.map(|told| (*order, now_ns, told)));
                    return false;
                }
                !is_market
            }
        }
    }

    /// Takes back an order that waits to be told; true when it did.
    pub(super) fn withdraw(&mut self, id: ClientOrderId) -> bool {
        match self {
            Self::Execution(link) => link.agreement.withdraw(id),
            Self::None | Self::Market(_) => false,
        }
    }

    /// Descriptors that tell when something came.
    pub(super) fn fds(&self) -> Vec<RawFd> {
        match self {
            Self::None => vec![],
            Self::Market(link) => vec![link.stream.fd(), link.facts.fd()],
            Self::Execution(link) => vec![link.stream.fd(), link.orders.fd(), link.facts.fd()],
        }
    }

    /// Tells everybody of an entry, as soon as they may act on it.
    #[inline]
    pub(super) fn ring(&mut self, bell: Bell, gate: &Gate) {
        let Self::Market(link) = self else { return };
        let seq = bell.told.seq;
        if gate.is_through(seq) {
            return link.send(bell);
        }
        gate.want(seq);
        link.held.push_back(bell);
    }

    /// Tells of what has become durable.
    pub(super) fn ring_held(&mut self, gate: &Gate) {
        let Self::Market(link) = self else { return };
        while let Some(bell) = link.held.front().filter(|bell| gate.is_through(bell.told.seq)) {
            let bell = *bell;
            link.held.pop_front();
            link.send(bell);
        }
    }

    /// Lets peers in and looks for those that are gone.
    pub(super) fn tend(&mut self) -> Result<(), LoopError> {
        match self {
            Self::None => {}
            Self::Market(link) => link.stream.tend()?,
            Self::Execution(link) => {
                link.facts.tend()?;
                if link.facts.take_lost() {
                    // Whether all facts were read nobody can say.
                    link.leave();
                }
            }
        }
        Ok(())
    }

    /// Sends an input to where it is journaled. Without a session nobody would take it.
    pub(super) fn tell(&mut self, kind: u16, payload: [&[u8]; 2]) {
        let Self::Execution(link) = self else { return };
        if link.session == 0 {
            return;
        }
        let fact = Fact { session: link.session, kind: u32::from(kind), payload: payload.concat() };
        link.bytes.clear();
        fact.encode(&mut link.bytes).expect("a vector grows");
        if link.facts.send(&link.bytes) {
            link.sent += 1;
        } else {
            // What the core was not told it must ask for: a new life, in which all is unknown.
            link.leave();
        }
    }

    /// What the status shows.
    pub(super) fn shown(&self) -> Option<Shown> {
        match self {
            Self::None => None,
            Self::Market(link) => Some(Shown {
                name: "market",
                session: link.session,
                facts: link.taken,
                facts_outdated: link.outdated,
                orders_waiting: 0,
                orders_differing: 0,
                orders_expired: 0,
                orders_unfounded: 0,
                hops: vec![],
            }),
            Self::Execution(link) => Some(Shown {
                name: "execution",
                session: link.session,
                facts: link.sent,
                facts_outdated: 0,
                orders_waiting: link.agreement.waiting(),
                orders_differing: link.agreement.differing,
                orders_expired: link.agreement.expired,
                orders_unfounded: link.agreement.unfounded,
                hops: [
                    ("market", &link.hops.market),
                    ("signal", &link.hops.signal),
                    ("risk", &link.hops.risk),
                    ("execution", &link.hops.execution),
                ]
                .map(|(name, hop)| (name, latency(hop, MICROSECOND_BOUNDS_NS)))
                .into(),
            }),
        }
    }
}

fn missing(what: &str) -> LoopError {
    LoopError::Config(format!("a stage: expected {what}, found none"))
}

impl From<std::io::Error> for LoopError {
    fn from(source: std::io::Error) -> LoopError {
        broken(source)
    }
}

impl MarketLink {
    fn send(&mut self, bell: Bell) {
        self.bytes.clear();
        self.bytes.push(bell.topic);
        let told = Advanced { sent_ns: monotonic_ns(), ..bell.told };
        told.encode(&mut self.bytes).expect("a vector grows");
        // Whoever does not hear it hears the next, and reads the journal up to there.
        self.stream.send(&self.bytes);
    }

    /// The next fact of the present session, or a wish for a new one.
    pub(super) fn next_fact(&mut self) -> Result<Option<Fact>, LoopError> {
        while let Some(bytes) = self.facts.receive(&mut self.buffer)? {
            let fact = Fact::decode(bytes).ok();
            match fact {
                Some(fact) if fact.kind == WANTS_SESSION || fact.session == self.session => {
                    self.taken += 1;
                    return Ok(Some(fact));
                }
                _ => self.outdated += 1,
            }
        }
        Ok(None)
    }
}

impl ExecutionLink {
    /// How far the journal may be followed by now: as the bells say, and the orders that were let
    /// pass, which are taken in here.
    pub(super) fn listen(&mut self, core_ns: Nanos) -> Result<u64, LoopError> {
        while let Some(bytes) = self.stream.receive(&mut self.buffer)? {
            if let Some(bell) = Bell::read(bytes) {
                self.heard_ns = monotonic_ns();
                self.heard_seq = self.heard_seq.max(bell.seq);
            }
        }
        let ExecutionLink { orders, buffer, agreement, agreed, heard_seq, .. } = self;
        while let Some(bytes) = orders.receive(buffer)? {
            if let Ok(orders) = Orders::decode(bytes) {
                *heard_seq = (*heard_seq).max(orders.seq);
                agreement.tell(core_ns, &orders, |new, ts_ns, told| {
                    agreed.push_back((*new, ts_ns, told));
                });
            }
        }
        Ok(self.heard_seq)
    }

    /// Gives up the session, so that a new one is asked for.
    pub(super) fn leave(&mut self) {
        self.session = 0;
        self.is_joining = true;
        self.agreement.clear();
        self.agreed.clear();
    }

    /// Asks for a new session, once in a while, until it has begun.
    pub(super) fn ask(&mut self, now_ns: Nanos) {
        if !self.is_joining || now_ns - self.asked_ns < ASK_EVERY_NS {
            return;
        }
        self.bytes.clear();
        let wish = Fact { session: 0, kind: WANTS_SESSION, payload: Vec::new() };
        wish.encode(&mut self.bytes).expect("a vector grows");
        if self.facts.send(&self.bytes) {
            self.asked_ns = now_ns;
        }
    }
}
