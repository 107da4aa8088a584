//! Venues, a configuration and a journal's folder in; a trading thread out.
//!
//! One thread owns the sockets, the journal and the core. It waits for nothing but epoll; what may
//! wait for a disk (snapshots) or for people (commands, status) is on the other side of a channel.

mod backoff;
mod budget;
mod by_hand;
mod channel;
mod clock;
mod command;
mod connecting;
mod follower;
mod gate;
mod health;
mod keeping;
mod link;
mod machine;
mod measure;
mod orders;
mod performing;
mod pool;
mod promotion;
mod records;
mod recovery;
mod renewal;
mod risk;
mod session;
mod split;
#[cfg(test)]
mod split_tests;
mod status;
mod strategies;
mod talk;
mod trail;
mod turn;
mod voice;

pub use by_hand::ByHand;
pub use follower::StageLoop;
pub use machine::LoopError;
pub use measure::{MeasureError, Measured, measure};
pub(crate) use recovery::restore;
pub use recovery::{Replay, replay};
pub use talk::MarketTalk;
pub use trail::{OrderTrail, trails};

use crate::binance::Requests;
use crate::core::Core;
use crate::endpoint::{Endpoint, resolve_on_request};
use crate::input::Input;
use crate::net::{Waker, pin_thread, thread_id, wall_ns};
use crate::replica::Replica;
use crate::stage::{Ends, Stage};
use engine::config::CoreConfig;
use journal::{Durability, Writer, snapshot};
use link::Link;
use machine::Machine;
use onnxruntime::Session;
use promotion::{Promoted, Workshop};
use records::Records;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use values::Nanos;

/// Commands that may wait for the hot thread; a sender beyond it waits too.
const MESSAGES_MAX: usize = 64;
/// Lines that a person may read later; the oldest is dropped.
const NOTES_MAX: usize = 256;

/// How to reach one venue, and as whom.
pub struct VenueAccess {
    /// REST.
    pub rest: Endpoint,
    /// Market data streams.
    pub stream: Endpoint,
    /// What we do there.
    pub dealing: Dealing,
}

/// What we do at a venue.
pub enum Dealing {
    /// Trade, in Binance spot's protocol.
    Trading {
        /// The WebSocket API with the user stream.
        ws_api: Endpoint,
        /// Writes and signs requests.
        requests: Requests,
    },
    /// Look at its market data, and nothing else.
    Data(MarketTalk),
}

impl VenueAccess {
    fn endpoints(&self) -> impl Iterator<Item = Endpoint> {
        let ws_api = match &self.dealing {
            Dealing::Trading { ws_api, .. } => Some(ws_api),
            Dealing::Data(_) => None,
        };
        [&self.rest, &self.stream].into_iter().chain(ws_api).cloned()
    }
}

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The journal's folder.
    pub journal_dir: PathBuf,
    /// Bytes of a segment: opening reads the last one whole, so it bounds the time of a restart.
    pub segment_bytes: usize,
    /// Older segments go when the journal has more bytes; `None` keeps all.
    pub journal_keep_bytes: Option<u64>,
    /// Segments whose last entry is older go; `None` keeps all.
    pub journal_keep_ns: Option<Nanos>,
    /// What an entry must survive before an order may follow from it.
    pub durability: Durability,
    /// Trading halts when the journal gets no further for this long.
    pub journal_stall_ns: Nanos,
    /// The processor to bind the hot thread to.
    pub cpu: Option<usize>,
    /// Never sleep: takes a whole processor and saves the wake-up.
    pub busy_poll: bool,
    /// Connections for orders at each venue.
    pub order_connections: usize,
    /// A WebSocket older than this is replaced, the new one first.
    pub connection_life_ns: Nanos,
    /// Request weight that each venue allows us in a minute.
    pub weight_per_minute: u32,
    /// A snapshot after this many entries.
    pub snapshot_every_entries: u64,
    /// A snapshot after this time.
    pub snapshot_every_ns: Nanos,
    /// For jitter and masks.
    pub seed: u64,
    /// Sockets of the strategies that run in processes of their own.
    pub strategy_sockets: Vec<(u8, PathBuf)>,
    /// ONNX Runtime's library, for models that the core does not compute.
    pub onnxruntime: Option<PathBuf>,
}

enum Message {
    Command { json: String, model: Option<Box<Promoted>>, reply: SyncSender<String> },
    Stop,
}

/// What the hot thread shows to others.
#[derive(Default)]
struct Shared {
    status: Mutex<Vec<u8>>,
    notes: Mutex<Vec<String>>,
    /// Models that were replaced, to be let go of by another thread.
    retired: Mutex<Vec<Session>>,
}

impl Shared {
    /// Keeps what a replaced model leaves behind until a thread comes that may take its time.
    fn retire(&self, session: Option<Session>) {
        if let Ok(mut retired) = self.retired.try_lock() {
            retired.extend(session);
        }
    }

    /// Keeps a line for people; dropped when somebody is just reading, because nothing waits.
    fn note(&self, line: String) {
        if let Ok(mut notes) = self.notes.try_lock() {
            if notes.len() >= NOTES_MAX {
                notes.remove(0);
            }
            notes.push(line);
        }
    }
}

/// A running hot loop.
pub struct HotLoop {
    messages: SyncSender<Message>,
    waker: Arc<Waker>,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<Result<(), LoopError>>>>,
    is_over: Arc<AtomicBool>,
    workshop: Workshop,
}

impl HotLoop {
    /// Recovers the core from its journal and starts to trade; returns when the thread runs.
    ///
    /// # Errors
    /// The journal is damaged, held by another process or of another configuration; a replay
    /// differs from what was recorded; the system refuses a descriptor.
    pub fn start(
        config: CoreConfig,
        venues: Vec<VenueAccess>,
        options: Options,
    ) -> Result<HotLoop, LoopError> {
        HotLoop::start_as(None, config, venues, options)
    }

    /// The same as one of the processes that hold sockets to the venues: the stage `market` or
    /// `execution`, with its ends.
    ///
    /// # Errors
    /// As above; or the stage is another one, or no market process writes the journal.
    pub fn start_as(
        stage: Option<(Stage, Ends)>,
        config: CoreConfig,
        venues: Vec<VenueAccess>,
        options: Options,
    ) -> Result<HotLoop, LoopError> {
        if config.venues.len() != venues.len() {
            return Err(LoopError::Config(format!(
                "expected access to {} venues, found {}",
                config.venues.len(),
                venues.len()
            )));
        }
        for (venue, access) in config.venues.iter().zip(&venues) {
            if venue.is_data_only != matches!(access.dealing, Dealing::Data(_)) {
                return Err(LoopError::Config(format!(
                    "venue {}: expected access for what it is used for",
                    venue.name
                )));
            }
        }
        if options.durability == Durability::Replica {
            return Err(LoopError::Config(
                "journal_durability: found \"replica\", which needs a standby to acknowledge each \
                 entry, and none is configured: use \"power\", or \"process\""
                    .to_owned(),
            ));
        }
        let kept = journal::Options::new(options.segment_bytes, options.durability);
        let begin = |config| recover(config, &options.journal_dir, kept, wall_ns());
        let (mut machine, told) = match stage {
            None => begin(config)?,
            Some((Stage::Market, ends)) => {
                let (mut machine, told) = begin(config)?;
                machine.link = Link::market(ends)?;
                (machine, told)
            }
            Some((Stage::Execution, ends)) => {
                let (mut machine, told) = follow(&config, &options)?;
                machine.link = Link::execution(ends)?;
                (machine, told)
            }
            Some((stage, _)) => {
                let name = stage.name();
                return Err(LoopError::Config(format!("{name} has no sockets to the venues")));
            }
        };
        let system = |source| LoopError::System { doing: "make its descriptors", source };
        let is_over = Arc::new(AtomicBool::new(false));
        let waker = Arc::new(Waker::new().map_err(system)?);
        if let Records::Own { journal, .. } = &mut machine.records
            && options.durability.is_synced()
        {
            let wake = Arc::clone(&waker);
            let commits = journal.commits(move || wake.wake())?;
            machine.gate = gate::Gate::on(commits, options.journal_stall_ns);
        }
        let shared = Arc::new(Shared::default());
        let workshop = Workshop::new(options.onnxruntime.as_deref(), options.segment_bytes);
        if let Records::Own { core, .. } = &machine.records {
            machine.sessions = workshop.sessions(core.engine(), |line| shared.note(line));
        }
        let (messages, inbox) = sync_channel(MESSAGES_MAX);
        let (snapshots, jobs) = sync_channel(1);
        let keeper = Arc::new(keeping::Keeper::new(&options, told.from_seq, &shared, &is_over));
        let checker = Arc::clone(&keeper);
        spawn("journal-check", move || checker.check_older())?;
        let writer = spawn("snapshots", move || keeper.write_snapshots(&jobs))?;
        let ends = venues.iter().flat_map(VenueAccess::endpoints);
        let (ends, over) = (ends.collect::<Vec<_>>(), Arc::clone(&is_over));
        spawn("resolver", move || resolve_on_request(&ends, &over))?;
        let (hot_waker, hot_shared) = (Arc::clone(&waker), Arc::clone(&shared));
        let over = Arc::clone(&is_over);
        let thread = spawn("hot", move || {
            let _over = SetOnDrop(over);
            let hot_thread_cpu = options.cpu.filter(|&cpu| pin_thread(cpu).is_ok());
            let turns = status::Turns {
                iterations: 0,
                lag_ns: 0,
                clock_ahead_ns: 0,
                hot_thread_id: thread_id(),
                hot_thread_cpu,
                started_ns: wall_ns(),
                trading_since_ns: 0,
                replayed_entries: told.entries,
                replay_checks: told.checks,
                snapshots: 0,
                snapshot_encode_ns_max: 0,
            };
            let turn = turn::Turn::new(
                machine, venues, options, inbox, hot_waker, hot_shared, snapshots, turns,
            );
            let ended = turn.map_err(system).and_then(|mut turn| turn.run());
            // The loop has dropped its end, so that the writer ends after the last snapshot.
            let _ = writer.join();
            ended
        })?;
        Ok(HotLoop { messages, waker, shared, thread: Mutex::new(Some(thread)), is_over, workshop })
    }

    /// Sends a command and waits for the reply (JSON); `None` when the loop has ended or does not
    /// answer in time. A promotion brings the `model`'s bytes, which are made ready to run here, on
    /// the calling thread; it is empty for all others.
    pub fn command(&self, json: String, model: &[u8], timeout: Duration) -> Option<String> {
        let model = match self.workshop.prepare(&json, model, wall_ns()) {
            Ok(model) => model,
            Err(refused) => return Some(refused.text()),
        };
        let (reply, answer) = sync_channel(1);
        self.messages.try_send(Message::Command { json, model, reply }).ok()?;
        self.waker.wake();
        let answer = answer.recv_timeout(timeout).ok();
        self.shared.retired.lock().unwrap_or_else(PoisonError::into_inner).clear();
        answer
    }

    /// The newest status, JSON; empty before the first.
    pub fn status(&self) -> String {
        let shown = self.shared.status.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// Lines for people since the last call.
    pub fn take_notes(&self) -> Vec<String> {
        core::mem::take(&mut *self.shared.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the thread still runs.
    pub fn is_running(&self) -> bool {
        !self.is_over.load(Ordering::Acquire)
    }

    /// Cancels all orders, writes a snapshot and ends the thread; the error that it ended with.
    ///
    /// # Errors
    /// The loop had ended against its will.
    pub fn stop(&self) -> Result<(), LoopError> {
        if self.messages.try_send(Message::Stop).is_ok() {
            self.waker.wake();
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return Ok(()) };
        thread.join().unwrap_or_else(|_| {
            Err(LoopError::Config("the hot thread panicked; see the log".to_owned()))
        })
    }
}

impl Drop for HotLoop {
    fn drop(&mut self) {
        // Whoever lets go without stopping gets the same clean end, without the reason.
        let _ = self.stop();
    }
}

/// Tells that the hot thread has ended, however it did.
struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, LoopError> {
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder.spawn(work).map_err(|source| LoopError::System { doing: "start a thread", source })
}

/// Every limit of a configuration by name, JSON; null where none is set.
pub fn limits_json(config: &CoreConfig) -> Vec<u8> {
    serde_json::to_vec(&risk::limits(config)).expect("plain data always encodes")
}

/// Opens the journal, begins it when it is empty, and replays it otherwise.
fn recover(
    config: CoreConfig,
    dir: &Path,
    kept: journal::Options,
    now_ns: Nanos,
) -> Result<(Machine, Replay), LoopError> {
    let (mut journal, _) = Writer::open(dir, kept)?;
    // A power cut may have left snapshots of entries that never reached the disk.
    snapshot::drop_after(dir, journal.last_seq())?;
    if let Some((core, told)) = replay(dir, true)? {
        recovery::check_config(core.engine().config(), &config)?;
        let commands = recovery::other_parameters(core.engine().config(), &config);
        let mut machine = Machine::new(Records::Own { journal, core }, told.last_ns);
        for commanded in commands {
            let bytes = serde_json::to_vec(&commanded).expect("plain data always encodes");
            machine.take(now_ns, &Input::Command(&bytes))?;
        }
        return Ok((machine, told));
    }
    let config = CoreConfig { run: (now_ns / 1_000_000_000) as u32, ..config };
    let bytes = serde_json::to_vec(&config).expect("plain data always encodes");
    let core = Core::new(config).map_err(LoopError::Config)?;
    journal.append(now_ns, Input::Config(&bytes).kind(), &[&bytes])?;
    Ok((Machine::new(Records::Own { journal, core }, now_ns), Replay::default()))
}

/// How long a stage waits for the market process to begin the journal.
const JOURNAL_WAIT: Duration = Duration::from_secs(20);
const JOURNAL_LOOK: Duration = Duration::from_millis(20);

/// A replica of the journal in `dir`, as far as that is written; waits until it is begun.
fn replica_of(dir: &Path) -> Result<Replica, LoopError> {
    let mut replica = Replica::open(dir)?;
    let begun = std::time::Instant::now();
    loop {
        while replica.follow(1024, |_| ())? > 0 {}
        if replica.core().is_some() {
            return Ok(replica);
        }
        if begun.elapsed() > JOURNAL_WAIT {
            return Err(LoopError::Config(format!(
                "{}: expected a journal that the market process writes, found none",
                dir.display()
            )));
        }
        std::thread::sleep(JOURNAL_LOOK);
    }
}

/// Follows the journal of the market process.
fn follow(config: &CoreConfig, options: &Options) -> Result<(Machine, Replay), LoopError> {
    let replica = replica_of(&options.journal_dir)?;
    if let Some(core) = replica.core() {
        recovery::check_config(core.engine().config(), config)?;
    }
    let told = Replay { last_seq: replica.last_seq(), ..Replay::default() };
    Ok((Machine::new(Records::Followed(Box::new(replica)), 0), told))
}
