//! Dice and manners in; one life of the core with its deaths and recoveries out, checked all along.
//!
//! What is checked, always: no order arrives twice; nothing is sent before the venue is reconciled;
//! what rests, has traded or may still arrive stays within the position limit; a truthful venue
//! gives no break. After each death: every entry that was promised is there, byte for byte; every
//! order that was sent is known; the state from the snapshot is the state from the first entry. In
//! the end: orders, position and cash are the venue's.

use crate::dice::Dice;
use crate::disk::{Faults, Killed, VirtualDisk};
use crate::venue::{MS, Manners, Venue};
use engine::Engine;
use engine::config::CoreConfig;
use engine::event::{Channel, Command, Purpose, Side, VenueOrderStatus};
use engine::output::{NewOrder, Output};
use feed::hot_loop::{ByHand, LoopError, replay};
use feed::input::{Commanded, Input};
use journal::{Durability, Options};
use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use values::{ClientOrderId, MarketId, Nanos, Quantity, StrategyId, VenueId};

const SEGMENT_BYTES: usize = 64 * 1024;
const STALL_NS: Nanos = 1_000 * MS;
/// The golden file of the configuration, which follows every field that is added.
const CONFIG: &str = include_str!("../../../tests/golden/core_config.json");
const VENUES: [VenueId; 2] = [VenueId(0), VenueId(1)];

/// Lanes on which a venue's messages keep their order.
const MARKET: usize = 0;
const USER: usize = 1;
const QUERIES: usize = 2;

/// How a life ended.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Death {
    /// `kill -9`, or the journal had no room: the page cache stays.
    Kill,
    /// Power, or a sync that failed: only what was synced is promised.
    Power,
}

#[derive(Clone, Debug)]
enum What {
    Arrive(NewOrder),
    Market(String),
    User(String),
    Reply { purpose: Purpose, status: u16, body: String },
    Lost(Purpose),
}

#[derive(Clone, Debug)]
struct Mail {
    due_ns: Nanos,
    venue: VenueId,
    what: What,
}

/// How often things die, in chances of a thousand at each turn.
#[derive(Copy, Clone, Debug, Default)]
pub struct Deaths {
    /// Between two inputs, or between two requests that one input caused.
    pub kill: u32,
    /// In the middle of an append.
    pub torn: u32,
    /// In one of the next calls to the disk.
    pub in_disk: u32,
    /// Power cuts; only where entries are synced.
    pub power: u32,
    /// A sync fails; only where entries are synced.
    pub sync_fails: u32,
    /// The disk is full for the next segment.
    pub full: u32,
    /// A connection drops.
    pub disconnect: u32,
}

/// What was met, so that a test knows that its faults have happened.
#[derive(Copy, Clone, Debug, Default)]
pub struct Met {
    /// Orders sent.
    pub orders: u64,
    /// Recoveries, of any cause.
    pub recoveries: u64,
    /// Of these, after a power cut or a failed sync.
    pub power: u64,
    /// Recoveries that began with a snapshot.
    pub from_snapshot: u64,
    /// Journal entries that were lost, none of them promised.
    pub entries_lost: u64,
    /// Times that the core asked for a new connection.
    pub reconnects: u64,
    /// Halts because the journal stalled.
    pub stalls: u64,
}

/// A core, two venues and a disk.
pub struct Life {
    seed: u64,
    /// All chance comes from here.
    pub dice: Dice,
    /// Simulated time.
    pub now_ns: Nanos,
    /// Both venues as they truly are.
    pub venues: [Venue; 2],
    /// How often things die.
    pub deaths: Deaths,
    /// A frozen venue's market stream says nothing, though it is connected.
    pub is_frozen: [bool; 2],
    /// A frozen disk syncs nothing.
    pub is_disk_frozen: bool,
    /// What was met.
    pub met: Met,
    durability: Durability,
    config: CoreConfig,
    disk: &'static VirtualDisk,
    dir: tempfile::TempDir,
    core: Option<ByHand>,
    death: Option<Death>,
    mail: Vec<Mail>,
    lanes_ns: [[Nanos; 3]; 2],
    is_up: [[bool; 2]; 2],
    timer_ns: Nanos,
    sent: BTreeSet<ClientOrderId>,
    /// The chain after each entry that was acknowledged to us.
    chains: Vec<[u8; 32]>,
    durable_seq: u64,
    snapshot_seq: u64,
    steps: u64,
}

fn config() -> CoreConfig {
    let mut config: CoreConfig = serde_json::from_str(CONFIG).expect("the golden file is kept");
    for venue in &mut config.venues {
        venue.breaker_failures = 8;
        venue.breaker_backoff_ns = 200 * MS;
        venue.breaker_backoff_ns_max = 800 * MS;
    }
    for market in &mut config.markets {
        market.position_max = Quantity(60_000_000);
    }
    config
}

impl Life {
    /// The first life of a core, connected to both venues.
    pub fn new(seed: u64, durability: Durability, disk: &'static VirtualDisk) -> Self {
        disk.reset(seed);
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let mut life = Self {
            seed,
            dice: Dice::new(seed),
            now_ns: 1_700_000_000_000 * MS,
            venues: [Venue::default(), Venue::default()],
            deaths: Deaths::default(),
            is_frozen: [false; 2],
            is_disk_frozen: false,
            met: Met::default(),
            durability,
            config: config(),
            disk,
            dir: dir.expect("a temporary folder"),
            core: None,
            death: None,
            mail: Vec::new(),
            lanes_ns: [[0; 3]; 2],
            is_up: [[false; 2]; 2],
            timer_ns: 0,
            sent: BTreeSet::new(),
            chains: Vec::new(),
            durable_seq: 0,
            snapshot_seq: 0,
            steps: 0,
        };
        life.recover();
        life
    }

    /// The same manners for both venues.
    pub fn be(&mut self, manners: Manners) {
        self.venues.iter_mut().for_each(|venue| venue.manners = manners);
    }

    /// The engine, which lives.
    pub fn engine(&self) -> &Engine {
        self.core.as_ref().expect("alive between two steps").engine()
    }

    /// Ends this life as `kill -9` does, and begins the next.
    pub fn kill(&mut self) {
        self.die(Death::Kill);
        self.recover();
    }

    /// Cuts the power, and begins the next life.
    pub fn cut_power(&mut self) {
        self.die(Death::Power);
        self.recover();
    }

    fn die(&mut self, death: Death) {
        self.core = None;
        self.death = Some(death);
    }

    /// Runs for so long.
    pub fn run(&mut self, duration_ns: Nanos) {
        let until_ns = self.now_ns + duration_ns;
        while self.now_ns < until_ns {
            let passed_ns = 1 + self.dice.roll(15 * MS as u64) as i64;
            self.step(passed_ns);
        }
    }

    /// Lets some time pass.
    pub fn step(&mut self, passed_ns: Nanos) {
        self.now_ns += passed_ns;
        self.steps += 1;
        self.misfortune();
        self.deliver();
        self.markets_move();
        self.venues_act();
        if self.now_ns >= self.timer_ns {
            self.timer_ns = self.now_ns + 10 * MS;
            self.take(&Input::Timer);
        }
        self.disk_turns();
        self.snapshot();
        if self.core.is_none() {
            self.recover();
        }
    }

    /// What goes wrong now.
    fn misfortune(&mut self) {
        let Deaths { kill, torn, in_disk, power, sync_fails, full, disconnect } = self.deaths;
        let is_synced = self.durability.is_synced();
        if self.dice.per_mille(kill) {
            self.die(Death::Kill);
        } else if self.dice.per_mille(torn) {
            self.die_in_append();
        } else if is_synced && self.dice.per_mille(power) {
            if self.dice.roll(2) == 0 {
                self.die_in_append();
            }
            self.die(Death::Power);
        }
        if self.dice.per_mille(in_disk) {
            let kill_in = Some(self.dice.roll(6) as u32);
            self.disk.set(Faults { kill_in, ..Faults::default() });
        } else if self.dice.per_mille(full) {
            self.disk.set(Faults { is_full: true, ..Faults::default() });
        } else if is_synced && self.dice.per_mille(sync_fails) {
            self.disk.set(Faults { sync_fails: true, ..Faults::default() });
        }
        for venue in VENUES {
            for channel in [Channel::Market, Channel::User] {
                let is_up = self.is_up[venue.index()][channel as usize];
                if is_up && self.dice.per_mille(disconnect) {
                    self.disconnect(venue, channel);
                } else if !is_up && self.dice.roll(20) == 0 {
                    self.connect(venue, channel);
                }
            }
        }
    }

    /// A connection drops, and what was on its way over it.
    pub fn disconnect(&mut self, venue: VenueId, channel: Channel) {
        self.is_up[venue.index()][channel as usize] = false;
        self.mail.retain(|mail| {
            let lane = match mail.what {
                What::Market(_) => Some(Channel::Market),
                What::User(_) => Some(Channel::User),
                _ => None,
            };
            mail.venue != venue || lane != Some(channel)
        });
        self.take(&Input::ChannelDown { venue, channel });
    }

    /// A connection comes back.
    pub fn connect(&mut self, venue: VenueId, channel: Channel) {
        self.is_up[venue.index()][channel as usize] = true;
        self.take(&Input::ChannelUp { venue, channel });
    }

    fn markets_move(&mut self) {
        for venue in VENUES {
            let index = venue.index();
            let is_told = self.is_up[index][Channel::Market as usize] && !self.is_frozen[index];
            if is_told && self.dice.roll(3) != 0 {
                let ticks = self.dice.roll(1_601) as i64 - 800;
                let frame = self.venues[index].tick(ticks);
                self.post(venue, Some(MARKET), What::Market(frame));
            }
        }
    }

    fn venues_act(&mut self) {
        for venue in VENUES {
            let (at, manners) = (venue.index(), self.venues[venue.index()].manners);
            let (fills, ends) =
                (self.dice.per_mille(manners.fills), self.dice.per_mille(manners.expires));
            if !fills && !ends {
                continue;
            }
            let open = self.venues[at].open();
            if open.is_empty() {
                continue;
            }
            let id = open[self.dice.roll(open.len() as u64) as usize];
            if fills {
                self.venues[at].fill(id, &mut self.dice);
            } else {
                let real = self.venues[at].orders.get_mut(&id).expect("open");
                real.status = VenueOrderStatus::Expired;
            }
            self.push_report(venue, id, fills);
        }
    }

    fn push_report(&mut self, venue: VenueId, id: ClientOrderId, is_trade: bool) {
        if self.is_up[venue.index()][Channel::User as usize] {
            let report = self.venues[venue.index()].report(id, is_trade);
            self.post(venue, Some(USER), What::User(report));
        }
    }

    /// Something is on its way to us, in order on its lane, perhaps twice.
    fn post(&mut self, venue: VenueId, lane: Option<usize>, what: What) {
        let mut due_ns = self.now_ns + 1 + self.dice.roll(30 * MS as u64) as i64;
        if let Some(lane) = lane {
            due_ns = due_ns.max(self.lanes_ns[venue.index()][lane] + 1);
            self.lanes_ns[venue.index()][lane] = due_ns;
        }
        let manners = self.venues[venue.index()].manners;
        let repeats = matches!(what, What::User(_)) && self.dice.per_mille(manners.repeats);
        if repeats {
            self.mail.push(Mail { due_ns: due_ns + 5 * MS, venue, what: what.clone() });
        }
        self.mail.push(Mail { due_ns, venue, what });
    }

    fn deliver(&mut self) {
        let now_ns = self.now_ns;
        let (mut due, later): (Vec<Mail>, Vec<Mail>) =
            self.mail.drain(..).partition(|mail| mail.due_ns <= now_ns);
        self.mail = later;
        due.sort_by_key(|mail| mail.due_ns);
        for Mail { venue, what, .. } in due {
            let channel = match what {
                What::Market(_) => Channel::Market,
                _ => Channel::User,
            };
            match what {
                What::Arrive(new) => {
                    self.venues[venue.index()].arrive(new);
                    self.push_report(venue, new.client_order_id, false);
                }
                What::Market(text) | What::User(text) => {
                    // An input before this one may have dropped the connection.
                    if self.is_up[venue.index()][channel as usize] {
                        let bytes = text.as_bytes();
                        self.take(&Input::Frame { venue, channel, bytes });
                    }
                }
                What::Reply { purpose, status, body } => {
                    let bytes = body.as_bytes();
                    let retry_after_ns = if status == 429 { 50 * MS } else { 0 };
                    self.take(&Input::Reply { venue, purpose, status, retry_after_ns, bytes });
                }
                What::Lost(purpose) => self.take(&Input::Lost { venue, purpose }),
            }
        }
    }

    /// Gives one input to the core, if it lives, and does what it wants.
    pub fn take(&mut self, input: &Input<'_>) {
        let Some(core) = &mut self.core else { return };
        let (now_ns, mut leaving) = (self.now_ns, Vec::new());
        let taken = catch_unwind(AssertUnwindSafe(|| core.take(now_ns, input, &mut leaving)));
        if self.survives(taken).is_some() {
            let (seq, chain) = self.core.as_ref().expect("it survived").position();
            self.chains.push(chain);
            assert_eq!(seq as usize, self.chains.len(), "entries are numbered without gaps");
            self.perform(leaving);
            self.tell_lost();
        }
    }

    fn tell_lost(&mut self) {
        while let Some((venue, purpose)) = self.core.as_mut().and_then(ByHand::next_lost) {
            self.take(&Input::Lost { venue, purpose });
        }
    }

    /// The value, or the death that was met instead.
    fn survives<T>(&mut self, outcome: std::thread::Result<Result<T, LoopError>>) -> Option<T> {
        match outcome {
            Ok(Ok(value)) => return Some(value),
            // A full disk loses nothing; a failed sync all that was not synced.
            Ok(Err(LoopError::Journal(journal::JournalError::NoSpace { .. }))) => {
                self.die(Death::Kill);
            }
            Ok(Err(LoopError::Journal(_))) => self.die(Death::Power),
            Ok(Err(other)) => panic!("{other}"),
            Err(payload) if payload.is::<Killed>() => self.die(Death::Kill),
            Err(payload) => std::panic::resume_unwind(payload),
        }
        None
    }

    fn perform(&mut self, leaving: Vec<Output>) {
        for output in leaving {
            if self.core.is_none() {
                return;
            }
            if self.dice.per_mille(self.deaths.kill) {
                return self.die(Death::Kill);
            }
            self.send(output);
        }
    }

    fn send(&mut self, output: Output) {
        match output {
            Output::Place(new) => self.place(new),
            Output::Cancel { market, client_order_id: id } => {
                let venue = VenueId(market.0);
                let order = self.venues[venue.index()].orders.get_mut(&id);
                let (status, body) = match order.filter(|real| real.is_open()) {
                    Some(real) => {
                        real.status = VenueOrderStatus::Canceled;
                        (200, self.venues[venue.index()].order(id))
                    }
                    None => (400, r#"{"code":-2011,"msg":"Unknown order sent."}"#.to_owned()),
                };
                self.answer(venue, Purpose::Cancel(id), status, body);
            }
            Output::QueryOrder { market, client_order_id: id } => {
                let at = &self.venues[market.index()];
                let (status, body) = if at.orders.contains_key(&id) {
                    (200, at.order(id))
                } else {
                    (400, r#"{"code":-2013,"msg":"Order does not exist."}"#.to_owned())
                };
                self.answer(VenueId(market.0), Purpose::QueryOrder(id), status, body);
            }
            Output::FetchSnapshot(market) => {
                let body = self.venues[market.index()].depth();
                self.answer(VenueId(market.0), Purpose::Snapshot(market), 200, body);
            }
            Output::FetchOpenOrders(market) => {
                let body = self.venues[market.index()].open_orders();
                self.answer(VenueId(market.0), Purpose::OpenOrders(market), 200, body);
            }
            Output::FetchMyTrades { market, from_id } => {
                let body = self.venues[market.index()].my_trades(from_id);
                self.answer(VenueId(market.0), Purpose::MyTrades(market), 200, body);
            }
            Output::FetchAccount(venue) => {
                let body = self.venues[venue.index()].account();
                self.answer(venue, Purpose::Account(venue), 200, body);
            }
            Output::Reconnect(venue) => {
                self.met.reconnects += 1;
                self.disconnect(venue, Channel::Market);
                self.is_frozen[venue.index()] = false;
            }
            Output::Break { .. } => panic!("a truthful venue gives no break: {output:?}"),
            _ => {}
        }
    }

    fn place(&mut self, new: NewOrder) {
        let (venue, id) = (VenueId(new.market.0), new.client_order_id);
        assert!(self.sent.insert(id), "order {id} leaves twice");
        assert!(self.engine().is_reconciled(venue), "order {id} before the reconciliation");
        self.met.orders += 1;
        let manners = self.venues[venue.index()].manners;
        let purpose = Purpose::Place(id);
        let chances = [
            manners.answer_lost,
            manners.arrives_late,
            manners.swallowed,
            manners.server_error,
            manners.refused,
            manners.throttled,
        ];
        let fate = chances.iter().position(|chance| self.dice.per_mille(*chance));
        let reply = |status, body: &str| What::Reply { purpose, status, body: body.to_owned() };
        if matches!(fate, None | Some(0 | 3)) {
            self.venues[venue.index()].arrive(new);
            self.push_report(venue, id, false);
        }
        let answer = match fate {
            None => reply(200, &self.venues[venue.index()].order(id)),
            Some(3) => reply(503, "<html>"),
            Some(4) => reply(400, r#"{"code":-2010,"msg":"refused"}"#),
            Some(5) => reply(429, r#"{"code":-1003,"msg":"too many requests"}"#),
            Some(_) => What::Lost(purpose),
        };
        if matches!(answer, What::Lost(_)) {
            let due_ns = self.now_ns + MS + self.dice.roll(1_000 * MS as u64) as i64;
            self.mail.push(Mail { due_ns, venue, what: answer });
        } else {
            self.post(venue, None, answer);
        }
        if fate == Some(1) {
            let due_ns = self.now_ns + MS + self.dice.roll(900 * MS as u64) as i64;
            self.mail.push(Mail { due_ns, venue, what: What::Arrive(new) });
        }
        if self.venues[venue.index()].orders.contains_key(&id)
            && self.dice.per_mille(manners.fills_at_once)
        {
            self.venues[venue.index()].fill(id, &mut self.dice);
            self.push_report(venue, id, true);
        }
        self.check_exposure(venue);
    }

    fn check_exposure(&self, venue: VenueId) {
        for side in [Side::Buy, Side::Sell] {
            let under_way = self.mail.iter().filter_map(|mail| match &mail.what {
                What::Arrive(new) if mail.venue == venue && new.side == side => {
                    Some(new.quantity.0)
                }
                _ => None,
            });
            let worst = self.venues[venue.index()].worst(side) + under_way.sum::<i64>();
            let limit = self.config.markets[venue.index()].position_max.0;
            assert!(worst <= limit, "exposure {worst} above {limit}: an order was not reserved");
        }
    }

    /// An answer to a question, which may be lost on its way.
    fn answer(&mut self, venue: VenueId, purpose: Purpose, status: u16, body: String) {
        let is_lost = self.dice.per_mille(self.venues[venue.index()].manners.query_lost);
        let what =
            if is_lost { What::Lost(purpose) } else { What::Reply { purpose, status, body } };
        let lane = (!matches!(purpose, Purpose::Cancel(_))).then_some(QUERIES);
        self.post(venue, lane, what);
    }

    /// The disk's thread: syncs what is waited for, sooner or later.
    fn disk_turns(&mut self) {
        if !self.durability.is_synced() || self.core.is_none() {
            return;
        }
        let wants = self.core.as_ref().is_some_and(ByHand::wants_sync);
        if !self.is_disk_frozen && (wants || self.dice.roll(4) == 0) && self.dice.roll(3) != 0 {
            let core = self.core.as_mut().expect("alive");
            let synced = catch_unwind(AssertUnwindSafe(|| core.sync()));
            if self.survives(synced).is_none() {
                return;
            }
            self.durable_seq = self.chains.len() as u64;
        }
        let (now_ns, mut leaving) = (self.now_ns, Vec::new());
        let core = self.core.as_mut().expect("alive");
        let released = catch_unwind(AssertUnwindSafe(|| core.release(now_ns, &mut leaving)));
        let Some(is_stalled) = self.survives(released) else { return };
        if is_stalled {
            self.met.stalls += 1;
            self.command(Command::Halt(None));
        }
        self.perform(leaving);
        self.tell_lost();
    }

    /// Somebody commands.
    pub fn command(&mut self, command: Command) {
        let (actor, reason) = ("simulation".to_owned(), "a scenario".to_owned());
        let commanded = Commanded { command, actor, reason };
        let bytes = serde_json::to_vec(&commanded).expect("plain data always encodes");
        self.take(&Input::Command(&bytes));
    }

    fn snapshot(&mut self) {
        if !self.steps.is_multiple_of(128) || self.core.is_none() {
            return;
        }
        let now_ns = self.now_ns;
        let core = self.core.as_mut().expect("alive");
        let written = catch_unwind(AssertUnwindSafe(|| core.snapshot(now_ns)));
        // The check is in the journal even where the snapshot could not be written.
        let (seq, chain) = core.position();
        if seq as usize == self.chains.len() + 1 {
            self.chains.push(chain);
            self.snapshot_seq = seq;
        }
        self.survives(written);
    }

    fn newest_segment(&self) -> Option<PathBuf> {
        let items = fs::read_dir(self.dir.path()).expect("readable");
        let paths = items.map(|item| item.expect("readable").path());
        paths.filter(|path| path.extension().is_some_and(|name| name == "journal")).max()
    }

    /// Killed while a timer's entry is being written: any beginning of it is there, but never its
    /// size, which is written last.
    fn die_in_append(&mut self) {
        if self.core.is_none() {
            return;
        }
        let now_ns = self.now_ns;
        let path = self.newest_segment().expect("a journal has a segment");
        let before = fs::read(&path).expect("readable");
        let core = self.core.as_mut().expect("checked above");
        let taken =
            catch_unwind(AssertUnwindSafe(|| core.take(now_ns, &Input::Timer, &mut Vec::new())));
        if self.survives(taken).is_none() {
            return;
        }
        self.die(Death::Kill);
        let mut after = fs::read(&path).expect("readable");
        let Some(begin) = after.iter().zip(&before).position(|(new, old)| new != old) else {
            return;
        };
        let begin = begin / 8 * 8;
        let kept = begin + self.dice.roll(64) as usize;
        after[kept..].copy_from_slice(&before[kept..]);
        after[begin..begin + 4].fill(0);
        fs::write(&path, after).expect("writable");
    }

    /// The next life, and what it must know.
    fn recover(&mut self) {
        let death = self.death.take();
        self.is_up = [[false; 2]; 2];
        // What was sent to the venue is under way all the same.
        self.mail.retain(|mail| matches!(mail.what, What::Arrive(_)));
        if death == Some(Death::Power) {
            self.disk.power_cut(self.dir.path());
            self.met.power += 1;
        }
        self.disk.set(Faults::default());
        if death.is_some() && self.dice.roll(8) == 0 {
            self.spoil_newest_snapshot();
        }
        self.now_ns += self.dice.roll(1_500 * MS as u64) as i64;
        let (core, is_new) = self.open(death.is_some());
        self.check_recovered(&core, death);
        if is_new {
            self.durable_seq = 0;
        }
        self.core = Some(core);
        self.take(&Input::Started);
        for venue in VENUES {
            self.connect(venue, Channel::Market);
            self.connect(venue, Channel::User);
        }
    }

    /// Opens the journal, perhaps killed again meanwhile.
    fn open(&mut self, may_die: bool) -> (ByHand, bool) {
        let disk = self.disk;
        let options = Options { disk, ..Options::new(SEGMENT_BYTES, self.durability) };
        if may_die && self.dice.per_mille(self.deaths.in_disk * 10) {
            let kill_in = Some(self.dice.roll(4) as u32);
            self.disk.set(Faults { kill_in, ..Faults::default() });
        }
        for _ in 0..2 {
            let (config, now_ns) = (self.config.clone(), self.now_ns);
            let dir = self.dir.path();
            let opened = catch_unwind(AssertUnwindSafe(|| {
                ByHand::open(config, dir, options, now_ns, STALL_NS)
            }));
            match opened {
                Ok(Ok((core, told))) => {
                    self.met.from_snapshot += u64::from(told.from_seq > 0);
                    // What is begun anew is not synced yet.
                    return (core, told.last_seq == 0);
                }
                Ok(Err(error)) => panic!("the journal does not open again: {error}"),
                Err(payload) if payload.is::<Killed>() => self.disk.set(Faults::default()),
                Err(payload) => std::panic::resume_unwind(payload),
            }
        }
        panic!("the journal does not open without faults");
    }

    fn check_recovered(&mut self, core: &ByHand, death: Option<Death>) {
        let (last_seq, chain) = core.position();
        let promised = match death {
            None => 0,
            Some(Death::Kill) => self.chains.len() as u64,
            Some(Death::Power) => self.durable_seq,
        };
        assert!(last_seq >= promised, "entry {promised} was promised, {last_seq} is the last");
        self.met.recoveries += u64::from(death.is_some());
        // One entry more than was acknowledged may be there: it was whole when the light went out.
        if last_seq as usize <= self.chains.len() && self.durable_seq > 0 {
            assert_eq!(chain, self.chains[last_seq as usize - 1], "the entries are the same");
            self.met.entries_lost += self.chains.len() as u64 - last_seq;
        }
        self.chains.resize(last_seq as usize, chain);
        self.chains[last_seq as usize - 1] = chain;
        self.durable_seq = last_seq;
        for id in &self.sent {
            let is_known = core.engine().orders().get(*id).is_some();
            assert!(is_known || self.sent.len() > 1_000, "order {id} was sent and is not known");
        }
        let (cold, _) = replay(self.dir.path(), false).expect("replays").expect("not empty");
        let (warm, cold) = (core.engine().state_hash(), cold.engine().state_hash());
        assert_eq!(warm, cold, "the state from the snapshot is the one from the first entry");
    }

    fn spoil_newest_snapshot(&mut self) {
        let items = fs::read_dir(self.dir.path()).expect("readable");
        let paths = items.map(|item| item.expect("readable").path());
        let newest = paths.filter(|p| p.extension().is_some_and(|name| name == "snapshot")).max();
        if let Some(path) = newest {
            let mut bytes = fs::read(&path).expect("readable");
            if !bytes.is_empty() {
                let at = self.dice.roll(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << self.dice.roll(8);
                fs::write(&path, bytes).expect("writable");
            }
        }
    }

    /// No more misfortune: in the end everything agrees with the venues.
    pub fn settle(&mut self) {
        self.deaths = Deaths::default();
        self.disk.set(Faults::default());
        self.is_frozen = [false; 2];
        self.is_disk_frozen = false;
        self.be(Manners::default());
        self.command(Command::Halt(None));
        if self.core.is_none() {
            self.recover();
            self.command(Command::Halt(None));
        }
        for _ in 0..1_500 {
            self.step(20 * MS);
            if self.mail.is_empty() && self.disagreement().is_none() && self.steps.is_multiple_of(8)
            {
                break;
            }
        }
        if let Some(difference) = self.disagreement() {
            panic!("it does not settle: {difference}");
        }
    }

    /// What differs between us and the venues, if anything.
    pub fn disagreement(&self) -> Option<String> {
        let engine = self.engine();
        VENUES.into_iter().find_map(|venue| {
            let (truth, market) = (&self.venues[venue.index()], MarketId(venue.0));
            let open: BTreeSet<ClientOrderId> =
                engine.open_orders(venue).map(|order| order.new.client_order_id).collect();
            let real: BTreeSet<ClientOrderId> = truth.open().into_iter().collect();
            let position = engine.position(market);
            let checks = [
                (!engine.is_reconciled(venue), "not reconciled".to_owned()),
                (engine.orders_unknown(venue) > 0, "orders of unknown fate".to_owned()),
                (open != real, format!("orders {open:?}, truly {real:?}")),
                (
                    position.quantity().0 != truth.position(),
                    format!("position {}, truly {}", position.quantity().0, truth.position()),
                ),
                (
                    position.cash() != truth.cash(),
                    format!("cash {:?}, truly {:?}", position.cash(), truth.cash()),
                ),
                (
                    self.by_strategy(market) != truth.position(),
                    "the strategies' positions do not add up".to_owned(),
                ),
            ];
            checks.into_iter().find(|(differs, _)| *differs).map(|(_, text)| {
                format!("{}: {text} (seed {})", self.config.venues[venue.index()].name, self.seed)
            })
        })
    }

    fn by_strategy(&self, market: MarketId) -> i64 {
        let count = self.config.strategies.len() as u8;
        let held = |index| self.engine().strategy_position(market, StrategyId(index)).quantity().0;
        (0..count).map(held).sum()
    }

    /// The journal's folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Orders that have left so far.
    pub fn sent(&self) -> usize {
        self.sent.len()
    }
}
