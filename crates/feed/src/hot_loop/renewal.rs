//! Time and readiness in; one channel that never ends out, though each of its connections does.
//!
//! Venues end a connection after a day, and announce maintenance some minutes before. So a second
//! connection is opened and subscribed before the first is dropped, and both listen for a moment.
//! Whatever was on its way on the old one when it is dropped has come on the new one as well; what
//! both brought is handed out once, told apart by a hash of its bytes. The core sees neither a gap
//! nor a repetition, and is not even told.

use super::backoff::{Pace, Random};
use super::channel::{Heard, Link};
use super::talk::Manner;
use super::voice::Voice;
use crate::endpoint::Endpoint;
use crate::net::Poller;
use engine::event::Channel;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::sync::Arc;
use values::{MarketId, Nanos, VenueId};

/// Both connections listen for so long: longer than any frame is under way.
const OVERLAP_NS: Nanos = 1_000_000_000;
/// Frames remembered of the overlap; a venue that sends more has its repetitions handed out, which
/// the book and the order table know and ignore.
const SEEN_MAX: usize = 100_000;

/// A channel of one venue.
pub(super) struct WsChannel {
    pub venue: VenueId,
    pub channel: Channel,
    /// Nobody here holds this channel: another process does, or the venue has none for us.
    pub is_elsewhere: bool,
    live: Link,
    next: Option<Link>,
    endpoint: Endpoint,
    manner: Arc<Manner>,
    tokens: [u64; 2],
    life_ns: Nanos,
    /// When the live connection is to be replaced.
    renew_ns: Nanos,
    /// Hashes of what the old connection brought while both listen, and a while after.
    seen: HashSet<u64>,
    seen_until_ns: Nanos,
    /// The live connection took another's place, and the core has to know of it.
    is_new: bool,
    /// By book: how often it may be asked for anew.
    paces: Vec<(MarketId, Pace)>,
    pub renewals: u64,
    pub failures: u64,
}

impl WsChannel {
    pub(super) fn new(
        venue: VenueId,
        channel: Channel,
        first_token: u64,
        (endpoint, manner): (Endpoint, Arc<Manner>),
        life_ns: Nanos,
    ) -> WsChannel {
        let live = Link::new(channel, first_token, endpoint.clone(), Arc::clone(&manner));
        let paces = manner.renewals.iter().map(|(id, _)| (*id, Pace::default())).collect();
        WsChannel {
            paces,
            venue,
            channel,
            is_elsewhere: false,
            live,
            next: None,
            endpoint,
            manner,
            tokens: [first_token, first_token + 1],
            life_ns,
            renew_ns: Nanos::MAX,
            seen: HashSet::new(),
            seen_until_ns: 0,
            is_new: false,
            renewals: 0,
            failures: 0,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.live.is_up()
    }

    /// Whether it is up as far as this process can tell.
    pub(super) fn is_up_or_elsewhere(&self) -> bool {
        self.is_elsewhere || self.is_up()
    }

    /// Why it is not up, or what the venue refuses; empty without either.
    pub(super) fn trouble(&self) -> &str {
        if self.live.trouble.is_empty() { &self.live.refusal } else { &self.live.trouble }
    }

    /// Whether a new connection brings the books.
    pub(super) fn begins_anew(&self) -> bool {
        self.manner.begins_anew
    }

    /// Whether the venue refuses a subscription.
    pub(super) fn is_refused(&self) -> bool {
        !self.live.refusal.is_empty()
    }

    /// The venue has refused something.
    #[cold]
    pub(super) fn refused(&mut self, why: String) {
        self.live.refusal = why;
    }

    /// Asks for a book anew, unless that was done just before: the core asks again. An error means
    /// that the live connection is to be dropped.
    pub(super) fn renew_book(
        &mut self,
        market: MarketId,
        now_ns: Nanos,
        poller: &Poller,
        random: &mut Random,
    ) -> io::Result<()> {
        let pace = self.paces.iter_mut().find(|(id, _)| *id == market);
        // Of a connection that is not up, the next subscription asks.
        if self.live.is_up() && pace.is_some_and(|(_, pace)| pace.allows(now_ns)) {
            return self.live.renew_book(market, poller, random);
        }
        Ok(())
    }

    /// The venue is going to close: a new connection is opened before it does.
    pub(super) fn renew(&mut self) {
        if self.live.is_up() {
            self.renew_ns = 0;
        }
    }

    /// Time passed. `Err` when the channel is down.
    pub(super) fn tick(
        &mut self,
        now_ns: Nanos,
        poller: &Poller,
        random: &mut Random,
    ) -> io::Result<()> {
        if self.is_elsewhere {
            return Ok(());
        }
        if self.next.is_none() && self.live.is_up() && now_ns >= self.renew_ns {
            let (endpoint, manner) = (self.endpoint.clone(), Arc::clone(&self.manner));
            let token = self.tokens[usize::from(self.live.token == self.tokens[0])];
            self.next = Some(Link::new(self.channel, token, endpoint, manner));
        }
        if let Some(next) = &mut self.next {
            if next.is_up() {
                if now_ns - next.up_since_ns >= OVERLAP_NS {
                    self.replace(now_ns, random);
                }
            } else if let Err(error) = next.tick(now_ns, poller, random) {
                next.drop_connection(now_ns, random, &error);
            }
        }
        if !self.seen.is_empty() && self.next.is_none() && now_ns >= self.seen_until_ns {
            self.seen = HashSet::new();
        }
        self.live.tick(now_ns, poller, random)
    }

    /// The next connection becomes the live one, the old one is closed.
    fn replace(&mut self, now_ns: Nanos, random: &mut Random) {
        let Some(next) = self.next.take() else { return };
        self.live = next;
        self.is_new = self.manner.begins_anew;
        self.seen_until_ns = now_ns + OVERLAP_NS;
        self.renewals += 1;
        self.plan(now_ns, random);
    }

    /// The live connection is new: plans its end, not at the same moment as its siblings.
    fn plan(&mut self, now_ns: Nanos, random: &mut Random) {
        let early_ns = (random.next() % (self.life_ns as u64 / 10 + 1)) as Nanos;
        self.renew_ns = now_ns + self.life_ns - early_ns;
    }

    /// The live connection is worthless. True when the next one took its place, so that the
    /// channel is not down.
    pub(super) fn drop_connection(
        &mut self,
        now_ns: Nanos,
        random: &mut Random,
        error: &io::Error,
    ) -> bool {
        self.failures += 1;
        if self.next.as_ref().is_some_and(Link::is_up) {
            self.replace(now_ns, random);
            return true;
        }
        self.next = None;
        self.renew_ns = Nanos::MAX;
        self.live.drop_connection(now_ns, random, error);
        false
    }

    fn link(&mut self, token: u64) -> Option<&mut Link> {
        if self.live.token == token { Some(&mut self.live) } else { self.next.as_mut() }
    }

    /// Ready for output or input; an error is the live connection's.
    pub(super) fn on_ready(
        &mut self,
        token: u64,
        (is_readable, is_writable): (bool, bool),
        now_ns: Nanos,
        poller: &Poller,
        random: &mut Random,
    ) -> io::Result<()> {
        let Some(link) = self.link(token) else { return Ok(()) };
        let mut outcome = if is_writable { link.on_writable(poller) } else { Ok(()) };
        if is_readable && outcome.is_ok() {
            outcome = link.on_readable().map(drop);
        }
        match (outcome, &mut self.next) {
            (Err(error), Some(next)) if next.token == token => {
                next.drop_connection(now_ns, random, &error);
                Ok(())
            }
            (outcome, _) => outcome,
        }
    }

    /// The next thing that was read; `None` when all of it was handed out. An error means that the
    /// live connection is to be dropped.
    pub(super) fn next_heard(
        &mut self,
        (now_ns, core_ns): (Nanos, Nanos),
        poller: &Poller,
        random: &mut Random,
        voice: &mut Voice,
    ) -> io::Result<Option<Heard<'_>>> {
        if core::mem::take(&mut self.is_new) {
            return Ok(Some(Heard::Up));
        }
        loop {
            match self.live.next_heard((now_ns, core_ns), poller, random, voice)? {
                None => break,
                Some(Heard::Up) => {
                    self.plan(now_ns, random);
                    return Ok(Some(Heard::Up));
                }
                Some(Heard::Heartbeat) => return Ok(Some(Heard::Heartbeat)),
                Some(Heard::Frame(_))
                    if self.manner.begins_anew || self.next.is_none() && self.seen.is_empty() => {}
                Some(Heard::Frame(bytes)) => {
                    let mut hasher = DefaultHasher::new();
                    bytes.hash(&mut hasher);
                    if self.next.is_none() {
                        if self.seen.remove(&hasher.finish()) {
                            continue;
                        }
                    } else if self.seen.len() < SEEN_MAX {
                        self.seen.insert(hasher.finish());
                    }
                }
            }
            return Ok(Some(Heard::Frame(self.live.last_data())));
        }
        if let Some(next) = &mut self.next
            && !next.is_up()
            && let Err(error) = next.next_heard((now_ns, core_ns), poller, random, voice)
        {
            next.drop_connection(now_ns, random, &error);
        }
        Ok(None)
    }
}
