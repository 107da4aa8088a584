//! What a turn does besides, when each stage has a process of its own: facts, entries and orders of
//! the other processes in; inputs, requests and withdrawals out.

use super::link::{Link, WANTS_SESSION};
use super::machine::LoopError;
use super::performing::{encode, perform};
use super::turn::Turn;
use crate::input::{Commanded, Input};
use crate::net::monotonic_ns;
use engine::event::{Channel, Command, Purpose};
use engine::output::Output;
use values::{Nanos, VenueId};

impl Turn {
    /// The first input of this life. `execution` asks for it instead (see `tend_link`).
    pub(super) fn begin(&mut self) -> Result<(), LoopError> {
        if matches!(self.machine.link, Link::Execution(_)) {
            return Ok(());
        }
        self.take(None, &Input::Started)?;
        if let Link::Market(link) = &mut self.machine.link {
            link.session = self.machine.records.last_seq();
        }
        Ok(())
    }

    /// Takes in what the other stages sent.
    pub(super) fn exchange(&mut self) -> Result<(), LoopError> {
        self.machine.link.tend()?;
        match self.machine.link {
            Link::None => Ok(()),
            Link::Market(_) => self.take_facts(),
            Link::Execution(_) => {
                self.follow()?;
                self.send_agreed();
                Ok(())
            }
        }
    }

    /// Journals and applies what `execution` heard.
    fn take_facts(&mut self) -> Result<(), LoopError> {
        loop {
            let Link::Market(link) = &mut self.machine.link else { return Ok(()) };
            let Some(fact) = link.next_fact()? else { return Ok(()) };
            if fact.kind == WANTS_SESSION {
                self.begin_session()?;
                continue;
            }
            let kind = u16::try_from(fact.kind).unwrap_or(0);
            match Input::parse(kind, &fact.payload) {
                Ok(input) if is_executions(&input) => self.take(None, &input)?,
                _ => self.shared.note(format!("a fact of kind {kind} from execution was refused")),
            }
        }
    }

    /// `execution` is new: whatever was in flight is of unknown fate. Our own channels are up all
    /// the same, and the core is told again.
    fn begin_session(&mut self) -> Result<(), LoopError> {
        self.begin()?;
        let error = std::io::Error::other("a new session began, which needs the books from anew");
        for index in 0..self.channels.len() {
            let (venue, channel) = (self.channels[index].venue, self.channels[index].channel);
            if self.channels[index].is_up() && self.channels[index].begins_anew() {
                self.channel_down(index, &error)?;
            }
            if self.channels[index].is_up() {
                self.take(None, &Input::ChannelUp { venue, channel })?;
            }
        }
        Ok(())
    }

    /// Follows the journal as far as the market process says, and does what is for this stage.
    fn follow(&mut self) -> Result<(), LoopError> {
        let core_ns = self.machine.now_ns();
        let Link::Execution(link) = &mut self.machine.link else { return Ok(()) };
        let until = link.listen(core_ns)?;
        while self.machine.records.last_seq() < until {
            let Some(entry) = self.machine.follow()? else { return Ok(()) };
            if entry.is_started {
                self.join(entry.seq)?;
                continue;
            }
            let Turn { pools, machine, poller, random, voices, request, wishes, .. } = self;
            perform(machine, pools, poller, random, voices, request, wishes, None);
            machine.outputs.clear();
            if let Some(venue) = entry.ends_user_stream {
                let error = std::io::Error::other("the venue ended the user stream");
                self.channel_down(venue.index() * 2 + 1, &error)?;
            }
        }
        Ok(())
    }

    /// A new life of the core: what has not left never leaves, and the user streams begin anew, so
    /// that the core hears of them and reconciles.
    fn join(&mut self, seq: u64) -> Result<(), LoopError> {
        self.machine.outputs.clear();
        let Link::Execution(link) = &mut self.machine.link else { return Ok(()) };
        link.leave();
        (link.session, link.is_joining) = (seq, false);
        for pool in &mut self.pools {
            pool.withdraw_orders();
        }
        let error = std::io::Error::other("the market process began a new session");
        for index in 0..self.channels.len() {
            if self.channels[index].channel == Channel::User && self.channels[index].is_up() {
                self.channel_down(index, &error)?;
            }
            // Only when a younger connection had taken the place of the one that was dropped.
            let (venue, channel) = (self.channels[index].venue, self.channels[index].channel);
            if self.channels[index].is_up() {
                self.take(None, &Input::ChannelUp { venue, channel })?;
            }
        }
        Ok(())
    }

    /// Sends the orders that the own core decided and `risk` let pass.
    fn send_agreed(&mut self) {
        let Turn { machine, pools, poller, random, voices, request, .. } = self;
        let core_ns = machine.now_ns();
        let Link::Execution(link) = &mut machine.link else { return };
        let engine = machine.records.core().engine();
        while let Some((order, ts_ns, told)) = link.agreed.pop_front() {
            let id = order.client_order_id;
            let venue = VenueId(engine.config().markets[order.market.index()].venue);
            if engine.forbids(core_ns, id).is_some() {
                pools[venue.index()].withdrawn.push(Purpose::Place(id));
                continue;
            }
            let output = Output::Place(order);
            let encoded = encode(&output, engine.config(), voices, ts_ns, request);
            let (venue, purpose) = encoded.expect("a new order is a request");
            let now_ns = monotonic_ns();
            if told.tick_ns > 0 {
                machine.latencies.tick_to_order.record(now_ns - told.tick_ns);
                link.hops.record(&told, now_ns);
            }
            pools[venue.index()].request(now_ns, purpose, request, poller, random);
        }
    }

    /// Every 10 ms: withdraws orders that nobody let pass in time; asks for a session.
    pub(super) fn tend_link(&mut self, now_ns: Nanos) {
        let Turn { machine, pools, .. } = self;
        let core_ns = machine.now_ns();
        let Link::Execution(link) = &mut machine.link else { return };
        let config = machine.records.core().engine().config();
        link.agreement.expire(core_ns, |order| {
            let venue = usize::from(config.markets[order.market.index()].venue);
            pools[venue].withdrawn.push(Purpose::Place(order.client_order_id));
        });
        if self.stop_by_ns.is_none() {
            link.ask(now_ns);
        }
    }
}

/// What `execution` may say: what it hears of orders, and that it stops. Everything else is the
/// sequencer's own to give.
fn is_executions(input: &Input<'_>) -> bool {
    match *input {
        Input::Frame { channel, .. }
        | Input::ChannelUp { channel, .. }
        | Input::ChannelDown { channel, .. }
        | Input::Heartbeat { channel, .. } => channel == Channel::User,
        Input::Reply { .. } | Input::Lost { .. } | Input::Withdrawn { .. } => true,
        Input::Command(bytes) => serde_json::from_slice::<Commanded>(bytes)
            .is_ok_and(|commanded| commanded.command == Command::Shutdown),
        _ => false,
    }
}
