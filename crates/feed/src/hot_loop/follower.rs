//! A journal that another process writes in; the stage `signal`, `risk` or `position` out.
//!
//! Each runs the same core over the same entries and acts for its own stage only: `signal` proposes
//! the orders, `risk` passes on those that its own core has decided as well, `position` tells where
//! we stand. A stage that missed a bell, or was away, has lost nothing: it reads the journal up to
//! the number that the next bell names.

use super::link::Bell;
use super::machine::LoopError;
use super::replica_of;
use super::status::{Latency, MICROSECOND_BOUNDS_NS, latency};
use crate::histogram::Histogram;
use crate::net::{Poller, Waker, monotonic_ns, wall_ns};
use crate::replica::Replica;
use crate::stage::{
    Advanced, Agreement, Ends, ORDER_AGE_NS_MAX, Order, Orders, Position, Positions, Socket, Stage,
    Told,
};
use engine::Engine;
use engine::output::{NewOrder, Output};
use prost::Message as _;
use serde::Serialize;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use values::{MarketId, Nanos, VenueId};

/// Time limits are looked at this often.
const LOOK_NS: Nanos = 50_000_000;
const STATUS_NS: Nanos = 100_000_000;
/// Longest message between stages: a bell, or the orders of one entry.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
const WAKER_TOKEN: u64 = 0;
const SOCKET_TOKEN: u64 = 1;

/// A stage for `/status` and `/metrics`.
#[derive(Serialize)]
struct Status<'a> {
    at_ns: Nanos,
    name: &'static str,
    run: u32,
    trading_state: &'static str,
    journal_seq: u64,
    heard_seq: u64,
    heard_age_ns: Option<Nanos>,
    entries: u64,
    orders_sent: u64,
    orders_unsent: u64,
    orders_waiting: usize,
    orders_differing: u64,
    orders_expired: u64,
    orders_unfounded: u64,
    published: u64,
    step: Latency,
    realised_usd: f64,
    unrealised_usd: f64,
    positions: Vec<Stand<'a>>,
}

#[derive(Serialize)]
struct Stand<'a> {
    venue: &'a str,
    symbol: &'a str,
    position: String,
    realised_usd: f64,
    fees_usd: f64,
    fills: u64,
}

/// A running stage without sockets to the venues.
pub struct StageLoop {
    thread: Mutex<Option<JoinHandle<Result<(), LoopError>>>>,
    is_over: Arc<AtomicBool>,
    is_stopping: Arc<AtomicBool>,
    waker: Arc<Waker>,
    status: Arc<Mutex<Vec<u8>>>,
}

impl StageLoop {
    /// Catches up with the journal in `dir` and goes on with it.
    ///
    /// # Errors
    /// There is no journal, it is damaged, or the system refuses a descriptor.
    pub fn start(stage: Stage, dir: &Path, ends: Ends) -> Result<StageLoop, LoopError> {
        let waker = Arc::new(Waker::new()?);
        let (is_over, is_stopping) = (Arc::default(), Arc::default());
        let status = Arc::<Mutex<Vec<u8>>>::default();
        let mut follower = Follower::new(stage, replica_of(dir)?, ends);
        let (over, stopping) = (Arc::clone(&is_over), Arc::clone(&is_stopping));
        let (woken, shown) = (Arc::clone(&waker), Arc::clone(&status));
        let thread = super::spawn(stage.name(), move || {
            let _over = super::SetOnDrop(over);
            follower.run(&woken, &stopping, &shown)
        })?;
        Ok(StageLoop { thread: Mutex::new(Some(thread)), is_over, is_stopping, waker, status })
    }

    /// The newest status, JSON; empty before the first.
    pub fn status(&self) -> String {
        let shown = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// Whether the thread still runs.
    pub fn is_running(&self) -> bool {
        !self.is_over.load(Ordering::Acquire)
    }

    /// Ends the thread; the error that it ended with.
    ///
    /// # Errors
    /// It had ended against its will.
    pub fn stop(&self) -> Result<(), LoopError> {
        self.is_stopping.store(true, Ordering::Release);
        self.waker.wake();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return Ok(()) };
        thread.join().unwrap_or_else(|_| {
            Err(LoopError::Config("the stage panicked; see the log".to_owned()))
        })
    }
}

impl Drop for StageLoop {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

#[derive(Default)]
struct Counts {
    entries: u64,
    sent: u64,
    unsent: u64,
    published: u64,
}

/// The stage on its thread.
pub(super) struct Follower {
    replica: Replica,
    stage: Stage,
    ends: Ends,
    agreement: Agreement,
    /// Orders that may be passed on.
    agreed: VecDeque<(NewOrder, Told)>,
    /// What is to be sent of one entry.
    wanted: Orders,
    buffer: Vec<u8>,
    bytes: Vec<u8>,
    /// The last that was heard.
    bell: Advanced,
    heard_ns: Nanos,
    counts: Counts,
    /// From hearing of an entry to having done what it asks.
    step: Histogram,
    /// Position and fills of each market, as last published.
    stands: Vec<(i64, u64)>,
}

impl Follower {
    pub(super) fn new(stage: Stage, replica: Replica, ends: Ends) -> Follower {
        Follower {
            replica,
            stage,
            ends,
            agreement: Agreement::default(),
            agreed: VecDeque::with_capacity(16),
            wanted: Orders::default(),
            buffer: vec![0; MESSAGE_BYTES_MAX],
            bytes: Vec::with_capacity(1024),
            bell: Advanced::default(),
            heard_ns: 0,
            counts: Counts::default(),
            step: Histogram::default(),
            stands: Vec::new(),
        }
    }

    fn run(
        &mut self,
        waker: &Waker,
        is_stopping: &AtomicBool,
        shown: &Mutex<Vec<u8>>,
    ) -> Result<(), LoopError> {
        let mut poller = Poller::new()?;
        poller.watch(waker.fd(), WAKER_TOKEN, false)?;
        poller.watch(self.ends.stream.fd(), SOCKET_TOKEN, false)?;
        for socket in [&self.ends.inlet, &self.ends.outlet].into_iter().flatten() {
            poller.watch(socket.fd(), SOCKET_TOKEN, false)?;
        }
        let mut ready = Vec::with_capacity(4);
        let (mut look_ns, mut status_ns) = (0, 0);
        while !is_stopping.load(Ordering::Acquire) {
            poller.wait(LOOK_NS, &mut ready)?;
            if ready.iter().any(|event| event.token == WAKER_TOKEN) {
                waker.drain();
            }
            outlet(&mut self.ends)?.tend()?;
            self.follow()?;
            self.pass_on()?;
            let now_ns = monotonic_ns();
            if now_ns >= look_ns {
                look_ns = now_ns + LOOK_NS;
                self.agreement.expire(self.bell.ts_ns, |_| ());
                self.publish()?;
            }
            if now_ns >= status_ns {
                status_ns = now_ns + STATUS_NS;
                self.show(shown);
            }
        }
        Ok(())
    }

    /// Hears how far the journal is, and follows it there.
    pub(super) fn follow(&mut self) -> Result<(), LoopError> {
        while let Some(bytes) = self.ends.stream.receive(&mut self.buffer)? {
            let Some(bell) = Bell::read(bytes) else { continue };
            (self.bell, self.heard_ns) = (bell, monotonic_ns());
            self.catch_up(bell.seq)?;
            self.step.record(monotonic_ns() - self.heard_ns);
        }
        Ok(())
    }

    fn catch_up(&mut self, until: u64) -> Result<(), LoopError> {
        while self.replica.last_seq() < until {
            let (mut seq, mut ts_ns) = (0, 0);
            let Follower { replica, stage, agreement, wanted, agreed, .. } = self;
            wanted.orders.clear();
            let found = replica.follow(1, |step| {
                (seq, ts_ns) = (step.seq, step.ts_ns);
                for output in step.outputs {
                    let Output::Place(order) = output else { continue };
                    match stage {
                        Stage::Signal => wanted.orders.push(Order::from(order)),
                        Stage::Risk => {
                            agreed
                                .extend(agreement.decide(order, ts_ns).map(|told| (*order, told)));
                        }
                        _ => {}
                    }
                }
            })?;
            if found == 0 {
                return Ok(());
            }
            self.counts.entries += 1;
            if self.stage != Stage::Signal {
                self.pass_agreed()?;
                continue;
            }
            // What is found late is not worth proposing.
            if !self.wanted.orders.is_empty() && self.bell.ts_ns - ts_ns <= ORDER_AGE_NS_MAX {
                let is_heard = seq == self.bell.seq;
                self.wanted.seq = seq;
                self.wanted.tick_ns = if is_heard { self.bell.tick_ns } else { 0 };
                self.wanted.sent_ns.clear();
                self.wanted.sent_ns.extend([self.bell.sent_ns, monotonic_ns()]);
                self.send()?;
            }
        }
        Ok(())
    }

    /// Risk: passes on what it is told and its own core has decided.
    pub(super) fn pass_on(&mut self) -> Result<(), LoopError> {
        if self.stage != Stage::Risk {
            return Ok(());
        }
        loop {
            let Follower { ends, buffer, agreement, agreed, bell, .. } = self;
            let Some(inlet) = &mut ends.inlet else { return Ok(()) };
            let Some(bytes) = inlet.receive(buffer)? else { return Ok(()) };
            let Ok(orders) = Orders::decode(bytes) else { continue };
            agreement.tell(bell.ts_ns, &orders, |new, _, told| agreed.push_back((*new, told)));
            self.pass_agreed()?;
            // It may tell of entries for which no bell has rung here yet.
            self.catch_up(orders.seq)?;
        }
    }

    fn pass_agreed(&mut self) -> Result<(), LoopError> {
        while let Some((order, told)) = self.agreed.pop_front() {
            self.wanted.orders.clear();
            self.wanted.orders.push(Order::from(&order));
            self.wanted.seq = told.seq;
            self.wanted.tick_ns = told.tick_ns;
            self.wanted.sent_ns.clear();
            self.wanted.sent_ns.extend([told.sent_ns[0], told.sent_ns[1], monotonic_ns()]);
            self.send()?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), LoopError> {
        let count = self.wanted.orders.len() as u64;
        self.bytes.clear();
        self.wanted.encode(&mut self.bytes).expect("a vector grows");
        // An order that nobody takes expires at `execution`, and the core is told.
        if outlet(&mut self.ends)?.send(&self.bytes) {
            self.counts.sent += count;
        } else {
            self.counts.unsent += count;
        }
        Ok(())
    }

    /// Position: tells where we stand whenever that has changed.
    fn publish(&mut self) -> Result<(), LoopError> {
        let Some(core) = self.replica.core().filter(|_| self.stage == Stage::Position) else {
            return Ok(());
        };
        let engine = core.engine();
        let stands: Vec<_> = markets(engine)
            .map(|id| (engine.position(id).quantity().0, engine.position(id).fills()))
            .collect();
        if stands == self.stands {
            return Ok(());
        }
        self.stands = stands;
        self.bytes.clear();
        let told = positions(engine, self.replica.last_seq(), self.bell.ts_ns);
        told.encode(&mut self.bytes).expect("a vector grows");
        outlet(&mut self.ends)?.send(&self.bytes);
        self.counts.published += 1;
        Ok(())
    }

    fn show(&self, shown: &Mutex<Vec<u8>>) {
        let Some(core) = self.replica.core() else { return };
        let engine = core.engine();
        let status = Status {
            at_ns: wall_ns(),
            name: self.stage.name(),
            run: engine.config().run,
            trading_state: engine.trading_state().name(),
            journal_seq: self.replica.last_seq(),
            heard_seq: self.bell.seq,
            heard_age_ns: (self.heard_ns > 0).then(|| monotonic_ns() - self.heard_ns),
            entries: self.counts.entries,
            orders_sent: self.counts.sent,
            orders_unsent: self.counts.unsent,
            orders_waiting: self.agreement.waiting(),
            orders_differing: self.agreement.differing,
            orders_expired: self.agreement.expired,
            orders_unfounded: self.agreement.unfounded,
            published: self.counts.published,
            step: latency(&self.step, MICROSECOND_BOUNDS_NS),
            realised_usd: engine.realised().to_f64(),
            unrealised_usd: engine.unrealised().to_f64(),
            positions: markets(engine).map(|id| stand(engine, id)).collect(),
        };
        let text = serde_json::to_vec(&status).expect("plain data always encodes");
        *shown.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

fn outlet(ends: &mut Ends) -> Result<&mut Socket, LoopError> {
    ends.outlet
        .as_mut()
        .ok_or_else(|| LoopError::Config("a stage: expected an outlet, found none".to_owned()))
}

fn markets(engine: &Engine) -> impl Iterator<Item = MarketId> {
    (0..engine.config().markets.len()).map(|index| MarketId(index as u8))
}

fn names(engine: &Engine, id: MarketId) -> (&str, &str) {
    let market = &engine.config().markets[id.index()];
    (&engine.config().venues[VenueId(market.venue).index()].name, &market.symbol)
}

fn stand(engine: &Engine, id: MarketId) -> Stand<'_> {
    let ((venue, symbol), position) = (names(engine, id), engine.position(id));
    Stand {
        venue,
        symbol,
        position: position.quantity().to_string(),
        realised_usd: position.realised().to_f64(),
        fees_usd: position.fees().to_f64(),
        fills: position.fills(),
    }
}

fn positions(engine: &Engine, seq: u64, ts_ns: Nanos) -> Positions {
    let each = |id| {
        let ((venue, symbol), position) = (names(engine, id), engine.position(id));
        Position {
            venue: venue.to_owned(),
            symbol: symbol.to_owned(),
            quantity: position.quantity().to_string(),
            mark: engine.mark(id).to_string(),
            realised: position.realised().to_string(),
            fees: position.fees().to_string(),
            fills: position.fills(),
        }
    };
    Positions {
        seq,
        ts_ns,
        trading_state: engine.trading_state().name().to_owned(),
        realised: engine.realised().to_string(),
        unrealised: engine.unrealised().to_string(),
        positions: markets(engine).map(each).collect(),
    }
}
