//! Sockets, commands and time in; orders out. One thread, and nothing on it ever waits but epoll.

use super::backoff::Random;
use super::channel::Heard;
use super::command::{self, Reply};
use super::connecting::{Reached, reach, refusal};
use super::gate::Held;
use super::health::Gaps;
use super::machine::{LoopError, Machine};
use super::performing::{ChannelWish, perform};
use super::pool::Pool;
use super::promotion::Promoted;
use super::records::Records;
use super::renewal::WsChannel;
use super::status::{self, Turns};
use super::strategies::{Doors, messages};
use super::voice::Voice;
use super::{Message, Options, Shared, VenueAccess};
use crate::clock_offset::ClockOffset;
use crate::input::{Commanded, Input};
use crate::net::{Poller, Ready, Waker, monotonic_ns, wall_ns};
use engine::event::{Channel, Command, Purpose};
use engine::output::Output;
use engine::strategy::breaker::{Gate, StrategyBreaker};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use values::{Nanos, VenueId};

/// The core needs the time at least this often.
const TIMER_NS: Nanos = 10_000_000;
const STATUS_NS: Nanos = 100_000_000;
/// How long a clean stop waits for the venues to confirm the cancels.
const STOP_WAIT_NS: Nanos = 2_000_000_000;
/// Frames of one channel in one turn: at some microseconds each, a command waits below 1 ms.
const FRAMES_PER_TURN: usize = 128;

const WAKER_TOKEN: u64 = 0;
pub(super) const CHANNEL_TOKENS: u64 = 1;
pub(super) const POOL_TOKENS: u64 = 1_000;
/// Sockets of strategies; beyond any pool's.
const DOOR_TOKENS: u64 = 1 << 32;
/// Tokens of one venue's pool.
pub(super) const POOL_STRIDE: u64 = 100;
/// Sockets between the stages: read in each turn, so that being woken is enough.
const LINK_TOKEN: u64 = u64::MAX;

/// A state to be written by the snapshot thread, which may wait for the disk.
pub(super) struct SnapshotJob {
    pub seq: u64,
    pub chain: [u8; 32],
    pub state: Vec<u8>,
}

/// Everything of the hot thread.
pub(super) struct Turn {
    pub(super) machine: Machine,
    pub(super) channels: Vec<WsChannel>,
    pub(super) pools: Vec<Pool>,
    pub(super) voices: Vec<Voice>,
    watches: Vec<Watch>,
    doors: Doors,
    /// What a strategy has said in this turn; kept between turns.
    said: Vec<u8>,
    pub(super) poller: Poller,
    pub(super) random: Random,
    pub(super) request: Vec<u8>,
    pub(super) wishes: Vec<ChannelWish>,
    /// Outputs of the answers that are read at once; kept between turns.
    pub(super) answers: Vec<Output>,
    pub(super) messages: Receiver<Message>,
    pub(super) waker: Arc<Waker>,
    pub(super) shared: Arc<Shared>,
    pub(super) snapshots: SyncSender<SnapshotJob>,
    pub(super) options: Options,
    pub(super) status: Vec<u8>,
    pub(super) turns: Turns,
    clocks: Clocks,
    pub(super) stop_by_ns: Option<Nanos>,
}

/// What is observed of one venue beside the core.
#[derive(Default)]
pub(super) struct Watch {
    pub clock: ClockOffset,
    pub gaps: Gaps,
    pub timestamps_refused: u64,
}

/// When what is due next; monotonic.
struct Clocks {
    timer_ns: Nanos,
    status_ns: Nanos,
    snapshot_ns: Nanos,
    snapshot_seq: u64,
    lag_since_ns: Nanos,
    lag_max_ns: i64,
}

impl Turn {
    #[expect(clippy::too_many_arguments, reason = "assembled in one place, from named parts")]
    pub(super) fn new(
        machine: Machine,
        venues: Vec<VenueAccess>,
        options: Options,
        messages: Receiver<Message>,
        waker: Arc<Waker>,
        shared: Arc<Shared>,
        snapshots: SyncSender<SnapshotJob>,
        turns: Turns,
    ) -> std::io::Result<Turn> {
        let poller = Poller::new()?;
        poller.watch(waker.fd(), WAKER_TOKEN, false)?;
        for fd in machine.link.fds() {
            poller.watch(fd, LINK_TOKEN, false)?;
        }
        let config = machine.records.core().engine().config();
        let Reached { mut channels, pools, voices } = reach(config, venues, &options);
        let sockets: &[_] = match machine.records {
            Records::Own { .. } => &options.strategy_sockets,
            Records::Followed(_) => &[],
        };
        let doors = Doors::open(sockets, DOOR_TOKENS, &poller)?;
        for channel in &mut channels {
            channel.is_elsewhere |= !machine.link.holds(channel.channel);
        }
        let now_ns = monotonic_ns();
        Ok(Turn {
            doors,
            said: Vec::with_capacity(32 * 1024),
            random: Random::new(options.seed),
            clocks: Clocks {
                timer_ns: now_ns,
                status_ns: now_ns,
                snapshot_ns: now_ns + options.snapshot_every_ns,
                snapshot_seq: machine.records.last_seq(),
                lag_since_ns: now_ns,
                lag_max_ns: 0,
            },
            machine,
            channels,
            pools,
            watches: voices.iter().map(|_| Watch::default()).collect(),
            voices,
            poller,
            request: Vec::with_capacity(1024),
            wishes: Vec::new(),
            answers: Vec::with_capacity(256),
            messages,
            waker,
            shared,
            snapshots,
            options,
            status: Vec::with_capacity(16 * 1024),
            turns,
            stop_by_ns: None,
        })
    }

    /// Turns until stopped or broken. The last status is published either way.
    pub(super) fn run(&mut self) -> Result<(), LoopError> {
        let ended = self.run_inner();
        self.publish();
        ended
    }

    fn run_inner(&mut self) -> Result<(), LoopError> {
        let mut ready = Vec::with_capacity(64);
        self.begin()?;
        let mut is_behind = false;
        let venues = &self.machine.records.core().engine().config().venues;
        let stall_ns = venues.iter().map(|v| v.stale_after_ns).min().unwrap_or(Nanos::MAX);
        let mut turned_ns = monotonic_ns();
        loop {
            let before_ns = monotonic_ns();
            let timeout_ns = if is_behind || self.options.busy_poll {
                0
            } else {
                (self.clocks.timer_ns - before_ns).max(0)
            };
            let system = |source| LoopError::System { doing: "wait for sockets", source };
            self.poller.wait(timeout_ns, &mut ready).map_err(system)?;
            let now_ns = monotonic_ns();
            self.turns.iterations += 1;
            self.clocks.lag_max_ns = self.clocks.lag_max_ns.max(now_ns - before_ns - timeout_ns);
            if now_ns - turned_ns > stall_ns {
                self.distrust_buffers()?;
            }
            turned_ns = now_ns;
            // Commands first: a kill must not wait behind a burst of frames.
            self.commands()?;
            for event in &ready {
                self.dispatch(*event)?;
            }
            is_behind = self.frames()?;
            self.exchange()?;
            self.release()?;
            self.settle()?;
            let end_ns = monotonic_ns();
            if end_ns >= self.clocks.timer_ns {
                self.clocks.timer_ns = end_ns + TIMER_NS;
                self.timer()?;
            }
            if end_ns >= self.clocks.status_ns {
                self.clocks.status_ns = end_ns + STATUS_NS;
                self.publish();
            }
            if self.is_stopped(end_ns) {
                self.snapshot(true)?;
                self.machine.records.sync()?;
                return self.release();
            }
            if ready.is_empty() && !is_behind && self.wants_snapshot(end_ns) {
                self.snapshot(false)?;
            }
        }
    }

    /// After we stood still: what the sockets hold is old, and would be stamped as if it were new.
    /// Market data is dropped and begun anew; fills are not, for they are true at any age.
    fn distrust_buffers(&mut self) -> Result<(), LoopError> {
        let stalled = std::io::Error::other("this process stood still, so its buffers are old");
        for index in 0..self.channels.len() {
            let channel = &self.channels[index];
            if channel.channel == Channel::Market && !channel.is_elsewhere {
                self.channel_down(index, &stalled)?;
            }
        }
        Ok(())
    }

    fn dispatch(&mut self, event: Ready) -> Result<(), LoopError> {
        if event.token == LINK_TOKEN {
            return Ok(());
        }
        if event.token == WAKER_TOKEN {
            self.waker.drain();
            return self.commands();
        }
        if self.doors.owns(event.token) {
            return self.strategy_ready(event.token);
        }
        if event.token >= POOL_TOKENS {
            return self.pool_ready(event);
        }
        let index = ((event.token - CHANNEL_TOKENS) / 2) as usize;
        let outcome = self.channels[index].on_ready(
            event.token,
            (event.is_readable, event.is_writable),
            monotonic_ns(),
            &self.poller,
            &mut self.random,
        );
        match outcome {
            Ok(()) => Ok(()),
            Err(error) => {
                // What came before the end is read first: a last fill may be in it.
                self.channel_frames(index)?;
                self.channel_down(index, &error)
            }
        }
    }

    /// A strategy's process has connected, has spoken, or is gone.
    fn strategy_ready(&mut self, token: u64) -> Result<(), LoopError> {
        let first = self.doors.token(token);
        let mut said = std::mem::take(&mut self.said);
        let Some(door) = self.doors.at(token) else { return Ok(()) };
        let strategy = door.strategy;
        let mut heard = door.on_ready(token == first, first, &self.poller, &mut said);
        for message in messages(&said) {
            if let Some(door) = self.doors.at(token) {
                door.note(message);
            }
            self.take(None, &Input::Strategy { strategy, bytes: message })?;
            let gate = self.machine.records.core().engine().strategy_breaker(strategy);
            let gate = gate.map_or(Gate::Waiting, StrategyBreaker::gate);
            if self.doors.at(token).is_some_and(|door| door.shut_on(gate)) {
                heard.is_over = true;
                break;
            }
        }
        self.said = said;
        if heard.is_over {
            self.take(None, &Input::Strategy { strategy, bytes: &crate::strategy::DOWN })?;
            self.note_strategy(token, "is gone");
        }
        if heard.is_new {
            self.take(None, &Input::Strategy { strategy, bytes: &crate::strategy::UP })?;
            self.note_strategy(token, "is connected");
        }
        Ok(())
    }

    fn note_strategy(&mut self, token: u64, what: &str) {
        let Some(door) = self.doors.at(token) else { return };
        let config = self.machine.records.core().engine().config();
        let name = &config.strategies[usize::from(door.strategy.0)].name;
        let why = if door.trouble.is_empty() { "" } else { ": " };
        self.shared.note(format!("strategy {name} {what}{why}{}", door.trouble));
    }

    fn pool_ready(&mut self, event: Ready) -> Result<(), LoopError> {
        let now_ns = monotonic_ns();
        let index = ((event.token - POOL_TOKENS) / POOL_STRIDE) as usize;
        let Turn {
            pools, machine, poller, random, voices, request, wishes, answers, watches, ..
        } = self;
        if event.is_writable {
            pools[index].on_writable(event.token, now_ns, poller, random);
        }
        if !event.is_readable {
            return Ok(());
        }
        // The answers are taken in one by one; what they cause is sent when all are read, because
        // the pool is busy reading until then. Both buffers are kept, so that neither grows anew.
        let mut outputs = std::mem::take(answers);
        let venue = VenueId(index as u8);
        pools[index].on_readable(event.token, now_ns, random, |answer| {
            let input = Input::Reply {
                venue,
                purpose: answer.purpose,
                status: answer.status,
                retry_after_ns: answer.retry_after_ns,
                bytes: answer.bytes,
            };
            if answer.status == 400 && is_timestamp_refused(answer.bytes) {
                watches[index].timestamps_refused += 1;
                watches[index].clock.on_timestamp_refused();
            }
            machine.take(machine.now_ns(), &input)?;
            outputs.append(&mut machine.outputs);
            Ok::<_, LoopError>(())
        })?;
        if let Some(time_ms) = pools[index].server_time_ms.take() {
            watches[index].clock.observe(machine.now_ns(), time_ms.saturating_mul(1_000_000));
        }
        *answers = std::mem::replace(&mut machine.outputs, outputs);
        perform(machine, pools, poller, random, voices, request, wishes, None);
        self.send_waiting(index);
        Ok(())
    }

    /// Hands on what all channels have read; true when more is waiting.
    fn frames(&mut self) -> Result<bool, LoopError> {
        let mut is_behind = false;
        for index in 0..self.channels.len() {
            is_behind |= self.channel_frames(index)?;
        }
        Ok(is_behind)
    }

    fn channel_frames(&mut self, index: usize) -> Result<bool, LoopError> {
        let Turn {
            channels,
            machine,
            pools,
            voices,
            poller,
            random,
            request,
            wishes,
            watches,
            shared,
            ..
        } = self;
        let at = &mut channels[index];
        let (venue, channel) = (at.venue, at.channel);
        let is_market = channel == Channel::Market;
        for _ in 0..FRAMES_PER_TURN {
            let start_ns = monotonic_ns();
            let voice = &mut voices[venue.index()];
            let input = match at.next_heard(
                (start_ns, machine.clock.at(start_ns)),
                poller,
                random,
                voice,
            ) {
                Ok(None) => return Ok(false),
                Ok(Some(Heard::Up)) => Input::ChannelUp { venue, channel },
                Ok(Some(Heard::Heartbeat)) => Input::Heartbeat { venue, channel },
                Ok(Some(Heard::Frame(bytes))) => Input::Frame { venue, channel, bytes },
                Err(error) => {
                    self.channel_down(index, &error)?;
                    return Ok(false);
                }
            };
            machine.take(machine.clock.at(start_ns), &input)?;
            let is_closing =
                machine.records.core().is_closing() && matches!(input, Input::Frame { .. });
            let refusal = refusal(machine.records.core(), &input);
            if is_closing && is_market {
                at.renew();
            }
            if let Some(why) = refusal {
                let name = &machine.records.core().engine().config().venues[venue.index()].name;
                shared.note(format!("{name}: {why}"));
                at.refused(why);
            }
            if is_market && machine.records.core().stamped_ns() > 0 {
                let stamped_ns = machine.records.core().stamped_ns();
                watches[venue.index()].clock.observe(machine.clock.at(start_ns), stamped_ns);
            }
            let start_ns = is_market.then_some(start_ns);
            loop {
                perform(machine, pools, poller, random, voices, request, wishes, start_ns);
                if !machine.answer()? {
                    break;
                }
            }
            if is_closing && !is_market {
                // Events may be missing from now on: only a new subscription reconciles.
                let error = std::io::Error::other("the venue ended the user stream");
                self.channel_down(index, &error)?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn channel_down(
        &mut self,
        index: usize,
        error: &std::io::Error,
    ) -> Result<(), LoopError> {
        let channel = &mut self.channels[index];
        let was_up = channel.is_up();
        if channel.drop_connection(monotonic_ns(), &mut self.random, error) {
            return Ok(());
        }
        let (venue, kind) = (channel.venue, channel.channel);
        if !was_up {
            return Ok(());
        }
        let name = &self.machine.records.core().engine().config().venues[venue.index()].name;
        self.shared.note(format!("{name}: {kind:?} channel lost: {error}"));
        self.take(None, &Input::ChannelDown { venue, channel: kind })
    }

    /// Journals, applies and performs one input.
    pub(super) fn take(
        &mut self,
        start_ns: Option<Nanos>,
        input: &Input<'_>,
    ) -> Result<(), LoopError> {
        self.machine.take(self.machine.now_ns(), input)?;
        let Turn { pools, machine, poller, random, voices, request, wishes, .. } = self;
        perform(machine, pools, poller, random, voices, request, wishes, start_ns);
        while machine.answer()? {
            perform(machine, pools, poller, random, voices, request, wishes, start_ns);
        }
        Ok(())
    }

    /// What came of performing: lost requests are told to the core, and channels reopened.
    pub(super) fn settle(&mut self) -> Result<(), LoopError> {
        for index in 0..self.pools.len() {
            let venue = VenueId(index as u8);
            self.send_waiting(index);
            while let Some(purpose) = self.pools[index].lost.pop() {
                self.take(None, &Input::Lost { venue, purpose })?;
            }
            while let Some(purpose) = self.pools[index].withdrawn.pop() {
                self.take(None, &Input::Withdrawn { venue, purpose })?;
            }
        }
        while let Some(wish) = self.wishes.pop() {
            self.grant(wish)?;
        }
        Ok(())
    }

    /// Sends what waited for a connection, unless the core forbids it by now.
    fn send_waiting(&mut self, index: usize) {
        let Turn { machine, pools, poller, random, .. } = self;
        if !pools[index].is_waiting() {
            return;
        }
        let now_ns = monotonic_ns();
        let (engine, core_ns) = (machine.records.core().engine(), machine.clock.at(now_ns));
        pools[index].send_waiting(now_ns, poller, random, |purpose| match purpose {
            Purpose::Place(id) => engine.forbids(core_ns, id).is_some(),
            _ => false,
        });
    }

    /// Lets go of what waited for the journal. One that stalls halts trading: orders that waited so
    /// long are for a market that is gone, and a person must look at the disk.
    fn release(&mut self) -> Result<(), LoopError> {
        let now_ns = monotonic_ns();
        let is_stalled = self.machine.gate.poll(now_ns)?;
        self.machine.link.ring_held(&self.machine.gate);
        if is_stalled {
            while let Some((venue, purpose)) = self.machine.gate.withdraw_any() {
                self.pools[venue.index()].lost.push(purpose);
            }
            let reason = "the journal's disk does not keep up: entries are not durable".to_owned();
            self.shared.note(format!("trading halted: {reason}"));
            self.order(Command::Halt(None), "engine".to_owned(), reason)?;
        }
        let Turn { machine, pools, poller, random, .. } = self;
        let core_ns = machine.clock.at(now_ns);
        while let Some(held) = machine.gate.next(now_ns) {
            match held {
                Held::Request { venue, purpose: Purpose::Place(id), bytes, .. }
                    if machine.records.core().engine().forbids(core_ns, id).is_some() =>
                {
                    pools[venue.index()].withdrawn.push(Purpose::Place(id));
                    machine.gate.give_back(bytes);
                }
                Held::Request { venue, purpose, bytes, start_ns } => {
                    if let Some(start_ns) = start_ns {
                        machine.latencies.tick_to_order.record(monotonic_ns() - start_ns);
                    }
                    pools[venue.index()].request(now_ns, purpose, &bytes, poller, random);
                    machine.gate.give_back(bytes);
                }
                // Whoever asked may have gone; the command stands.
                Held::Reply { text, to } => drop(to.send(text)),
            }
        }
        Ok(())
    }

    fn timer(&mut self) -> Result<(), LoopError> {
        let now_ns = monotonic_ns();
        self.turns.clock_ahead_ns = self.machine.clock.steer(now_ns, wall_ns());
        self.take(None, &Input::Timer)?;
        self.tend_link(now_ns);
        self.machine.gate.want(self.machine.records.last_seq());
        for (watch, voice) in self.watches.iter().zip(&mut self.voices) {
            voice.correct_clock(watch.clock.correction_ns());
        }
        for pool in &mut self.pools {
            pool.tick(now_ns, &self.poller, &mut self.random);
        }
        for index in 0..self.channels.len() {
            let ticked = self.channels[index].tick(now_ns, &self.poller, &mut self.random);
            if let Err(error) = ticked {
                self.channel_down(index, &error)?;
            }
        }
        if self.turns.trading_since_ns == 0
            && status::is_ready(self.machine.records.core().engine())
        {
            self.turns.trading_since_ns = wall_ns();
        }
        self.settle()
    }

    fn commands(&mut self) -> Result<(), LoopError> {
        while let Ok(message) = self.messages.try_recv() {
            match message {
                Message::Command { json, model, reply } => {
                    let answer = match model {
                        Some(promoted) => self.promote(*promoted)?,
                        None => self.command(&json)?,
                    };
                    let seq = self.machine.records.last_seq();
                    self.machine.gate.reply(monotonic_ns(), seq, answer.text(), reply);
                }
                Message::Stop => {
                    self.stop_by_ns = Some(monotonic_ns() + STOP_WAIT_NS);
                    let reason = "the process is stopped".to_owned();
                    self.order(Command::Shutdown, "engine".to_owned(), reason)?;
                }
            }
        }
        Ok(())
    }

    /// Puts a model in its place that was made ready beforehand.
    fn promote(&mut self, promoted: Promoted) -> Result<Reply, LoopError> {
        let Promoted { strategy, payload, model, session } = promoted;
        let engine = self.machine.records.core().engine();
        let place = match engine.strategy_for(&strategy, &model) {
            Ok(found) => usize::from(found.0),
            Err(refusal) => {
                let now_ns = self.machine.now_ns().max(self.machine.last_ns());
                return Ok(Reply::refused(refusal.code, refusal.message, now_ns));
            }
        };
        let before = engine.models().find(|(name, _)| *name == strategy);
        let replaced = before.map(|(_, memory)| ("model", memory.name.clone()));
        self.machine.records.make_ready(model);
        // The old one goes after the entry is written: its last answer stands before it.
        self.take(None, &Input::Model(&payload))?;
        let old = core::mem::replace(&mut self.machine.sessions[place], session);
        self.shared.retire(old);
        Ok(Reply {
            ok: true,
            code: "OK",
            message: String::new(),
            replaced: replaced.into_iter().collect(),
            order: 0,
            seq: self.machine.records.last_seq(),
            at_ns: self.machine.last_ns(),
        })
    }

    fn command(&mut self, json: &str) -> Result<Reply, LoopError> {
        let now_ns = self.machine.now_ns().max(self.machine.last_ns());
        let order = match command::parse(json) {
            Ok(order) => order,
            Err(text) => return Ok(Reply::refused("COMMAND_UNKNOWN", text, now_ns)),
        };
        let translated = command::translate(&order, self.machine.records.core().engine(), now_ns);
        let (command, replaced) = match translated {
            Ok(found) => found,
            Err(refusal) => return Ok(refusal),
        };
        let is_submit = matches!(command, Command::Submit(_));
        let made =
            if is_submit { self.machine.records.core().engine().parents().next_id() } else { 0 };
        let seq = self.order(command, order.actor, order.reason)?;
        self.settle()?;
        let at_ns = self.machine.last_ns();
        Ok(Reply {
            ok: true,
            code: "OK",
            message: String::new(),
            replaced,
            order: made,
            seq,
            at_ns,
        })
    }

    fn order(&mut self, command: Command, actor: String, reason: String) -> Result<u64, LoopError> {
        let commanded = Commanded { command, actor, reason };
        let bytes = serde_json::to_vec(&commanded).expect("plain data always encodes");
        self.take(None, &Input::Command(&bytes))?;
        Ok(self.machine.records.last_seq())
    }

    fn is_stopped(&self, now_ns: Nanos) -> bool {
        self.stop_by_ns.is_some_and(|by_ns| {
            now_ns >= by_ns || self.machine.records.core().engine().orders().open().is_empty()
        })
    }

    fn wants_snapshot(&self, now_ns: Nanos) -> bool {
        if matches!(self.machine.records, Records::Followed(_)) {
            return false;
        }
        now_ns >= self.clocks.snapshot_ns
            || self.machine.records.last_seq() - self.clocks.snapshot_seq
                >= self.options.snapshot_every_entries
    }

    /// Records the state's hash, so that a replay proves itself, and has the state written aside.
    fn snapshot(&mut self, is_last: bool) -> Result<(), LoopError> {
        if matches!(self.machine.records, Records::Followed(_)) {
            return Ok(());
        }
        let start_ns = monotonic_ns();
        let state = self.machine.records.core().engine().encode();
        let state_hash = crate::core::hash_state(&state);
        let now_ns = self.machine.now_ns();
        // Applying the check would only compute the same hash again.
        self.machine.record(now_ns, &Input::Check { state_hash })?;
        let spent_ns = monotonic_ns() - start_ns;
        self.turns.snapshot_encode_ns_max = self.turns.snapshot_encode_ns_max.max(spent_ns);
        let records = &self.machine.records;
        let job = SnapshotJob { seq: records.last_seq(), chain: records.chain(), state };
        self.clocks.snapshot_ns = start_ns + self.options.snapshot_every_ns;
        self.clocks.snapshot_seq = job.seq;
        let sent = if is_last {
            self.snapshots.send(job).is_ok()
        } else {
            // A disk that is slower than the snapshots costs a longer replay, never a wait here.
            !matches!(self.snapshots.try_send(job), Err(TrySendError::Full(_)))
        };
        self.turns.snapshots += u64::from(sent);
        Ok(())
    }

    /// Shows the status to the other threads, unless one of them is just looking.
    fn publish(&mut self) {
        let now_ns = monotonic_ns();
        if now_ns - self.clocks.lag_since_ns >= 1_000_000_000 {
            self.turns.lag_ns = self.clocks.lag_max_ns;
            self.clocks.lag_max_ns = 0;
            self.clocks.lag_since_ns = now_ns;
        }
        status::write(
            &mut self.status,
            (wall_ns(), self.machine.now_ns()),
            &self.machine,
            &self.pools,
            (&self.channels, self.doors.all()),
            &mut self.watches,
            &self.turns,
        );
        if let Ok(mut shown) = self.shared.status.try_lock() {
            core::mem::swap(&mut *shown, &mut self.status);
        }
    }
}

/// Binance's code for a timestamp outside of its window; such an answer is rare and short.
fn is_timestamp_refused(body: &[u8]) -> bool {
    body.windows(5).any(|window| window == b"-1021")
}
