//! One WebSocket to a venue: readiness and time in; frames, heartbeats, up and down out.
//!
//! A connection that grows old is replaced by `renewal`, which holds two of these for a moment.

use super::backoff::{Backoff, Random};
use super::talk::Manner;
use super::voice::Voice;
use crate::binance::Frame;
use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::net::Poller;
use crate::ws::{self, Message, Opcode};
use engine::event::Channel;
use std::io;
use std::sync::Arc;
use values::{MarketId, Nanos};

/// From the first SYN to the subscription; a frozen venue accepts connections and never answers.
const HANDSHAKE_WAIT_NS: Nanos = 2_000_000_000;
/// A connection that lived for so long was a good one: the waits start anew.
const STEADY_NS: Nanos = 10_000_000_000;
/// Bytes read from one channel in one turn, so that a burst does not hold up a command.
const READ_BYTES_PER_TURN: usize = 256 * 1024;

const SUBSCRIBE_ID: u64 = 1;

enum State {
    Down { retry_ns: Nanos },
    Opening { deadline_ns: Nanos },
    Subscribing { deadline_ns: Nanos },
    Up,
}

/// What came out of a channel.
pub(super) enum Heard<'a> {
    /// Connected and subscribed.
    Up,
    /// A message.
    Frame(&'a [u8]),
    /// A pong.
    Heartbeat,
}

/// The socket, its reconnecting and its pings.
pub(super) struct Link {
    pub channel: Channel,
    pub token: u64,
    endpoint: Endpoint,
    manner: Arc<Manner>,
    state: State,
    connection: Option<Connection>,
    decoder: ws::Decoder,
    key: String,
    outbox: Vec<u8>,
    pings: Vec<u8>,
    last_heard_ns: Nanos,
    last_ping_ns: Nanos,
    /// When the venue's own kind of ping was sent.
    last_text_ns: Nanos,
    pub up_since_ns: Nanos,
    backoff: Backoff,
    pub failures: u64,
    /// Why it is not up; empty while it is.
    pub trouble: String,
    /// What the venue has refused on this connection; empty without.
    pub refusal: String,
}

impl Link {
    pub(super) fn new(
        channel: Channel,
        token: u64,
        endpoint: Endpoint,
        manner: Arc<Manner>,
    ) -> Link {
        Link {
            channel,
            token,
            endpoint,
            manner,
            state: State::Down { retry_ns: 0 },
            connection: None,
            decoder: ws::Decoder::new(),
            key: String::new(),
            outbox: Vec::new(),
            pings: Vec::new(),
            last_heard_ns: 0,
            last_ping_ns: 0,
            last_text_ns: 0,
            up_since_ns: 0,
            backoff: Backoff::default(),
            failures: 0,
            trouble: String::new(),
            refusal: String::new(),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, State::Up)
    }

    /// Time passed: connect, give up, ping. `Err` when an open connection is to be dropped.
    pub(super) fn tick(
        &mut self,
        now_ns: Nanos,
        poller: &Poller,
        random: &mut Random,
    ) -> io::Result<()> {
        match self.state {
            State::Down { retry_ns } if now_ns >= retry_ns => self.open(now_ns, poller, random),
            State::Opening { deadline_ns } | State::Subscribing { deadline_ns }
                if now_ns >= deadline_ns =>
            {
                Err(io::ErrorKind::TimedOut.into())
            }
            State::Up => {
                let silent_ns = now_ns - self.last_heard_ns;
                let manner = Arc::clone(&self.manner);
                if silent_ns >= manner.silence_ns_max {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                if let Some((text, every_ns)) = &manner.ping
                    && now_ns - self.last_text_ns >= *every_ns
                {
                    self.last_text_ns = now_ns;
                    self.say(core::slice::from_ref(text), poller, random)?;
                }
                if silent_ns >= manner.alive_after_ns
                    && now_ns - self.last_ping_ns >= manner.alive_every_ns
                {
                    self.last_ping_ns = now_ns;
                    ws::encode(Opcode::Ping, b"", random.mask(), &mut self.outbox);
                    return self.send_outbox(poller);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, now_ns: Nanos, poller: &Poller, random: &mut Random) -> io::Result<()> {
        self.decoder.reset();
        self.outbox.clear();
        self.key = ws::handshake_key(random.nonce());
        self.state = State::Opening { deadline_ns: now_ns + HANDSHAKE_WAIT_NS };
        let mut connection = Connection::open(&self.endpoint)?;
        ws::encode_handshake(&self.endpoint.host, &self.manner.path, &self.key, &mut self.outbox);
        connection.send(&self.outbox)?;
        self.outbox.clear();
        poller.watch(connection.fd(), self.token, true)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// The connection is worthless: waits before the next one.
    pub(super) fn drop_connection(
        &mut self,
        now_ns: Nanos,
        random: &mut Random,
        error: &io::Error,
    ) {
        self.trouble = error.to_string();
        self.refusal.clear();
        if now_ns - self.up_since_ns >= STEADY_NS && self.is_up() {
            self.backoff.succeeded();
        }
        self.connection = None;
        // What is left unread would be taken for the next connection's, and break it.
        self.decoder.reset();
        self.failures += 1;
        self.endpoint.ask_address();
        self.state = State::Down {
            retry_ns: now_ns + self.backoff.failed(random, self.manner.backoff_ns_max),
        };
    }

    /// The data of the frame that was handed out last.
    pub(super) fn last_data(&self) -> &[u8] {
        self.decoder.last_data()
    }

    /// Ready for output.
    pub(super) fn on_writable(&mut self, poller: &Poller) -> io::Result<()> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        if connection.is_connecting() {
            connection.finish_connecting()?;
        }
        if !connection.flush()? {
            poller.watch(connection.fd(), self.token, false)?;
        }
        Ok(())
    }

    /// Ready for input: reads up to a bound; true when something came.
    pub(super) fn on_readable(&mut self) -> io::Result<bool> {
        let Some(connection) = &mut self.connection else { return Ok(false) };
        let mut total = 0;
        while total < READ_BYTES_PER_TURN || connection.holds_more() {
            let room = self.decoder.buffer.room();
            let size = room.len();
            let Some(count) = connection.read(room)? else { break };
            self.decoder.buffer.filled(count);
            total += count;
            // A read that left room has emptied the socket: one system call less for each frame.
            if count < size {
                return Ok(true);
            }
        }
        Ok(total > 0)
    }

    /// The next thing that was read; `None` when all of it was handed out. An error means that the
    /// connection is to be dropped.
    pub(super) fn next_heard(
        &mut self,
        (now_ns, core_ns): (Nanos, Nanos),
        poller: &Poller,
        random: &mut Random,
        voice: &mut Voice,
    ) -> io::Result<Option<Heard<'_>>> {
        let broken = |error: ws::WsError| io::Error::new(io::ErrorKind::InvalidData, error);
        if let State::Opening { .. } = self.state {
            let answer = ws::check_handshake(self.decoder.buffer.unread(), &self.key);
            let Some(length) = answer.map_err(broken)? else { return Ok(None) };
            self.decoder.buffer.consume(length);
            (self.last_heard_ns, self.last_ping_ns) = (now_ns, now_ns);
            self.last_text_ns = now_ns;
            self.up_since_ns = now_ns;
            let subscription = voice.requests.as_ref().filter(|_| self.channel == Channel::User);
            let Some(requests) = subscription else {
                let manner = Arc::clone(&self.manner);
                self.say(&manner.subscriptions, poller, random)?;
                return Ok(Some(self.become_up()));
            };
            self.state = State::Subscribing { deadline_ns: now_ns + HANDSHAKE_WAIT_NS };
            let mut call = Vec::new();
            requests.subscribe_user(&mut call, SUBSCRIBE_ID, core_ns);
            ws::encode(Opcode::Text, &call, random.mask(), &mut self.outbox);
            self.send_outbox(poller)?;
        }
        loop {
            // Twice asked: once to look, once to hand out, because a borrow that may be returned
            // cannot be given up again in the loop.
            let Some(message) = self.decoder.next_message().map_err(broken)? else {
                return Ok(None);
            };
            self.last_heard_ns = now_ns;
            match message {
                Message::Data(bytes) => match self.state {
                    State::Subscribing { .. } => match voice.decoder.user(bytes) {
                        Ok(Frame::Accepted { id: Some(SUBSCRIBE_ID) }) => {
                            return Ok(Some(self.become_up()));
                        }
                        Ok(Frame::Refused { code, .. }) => {
                            let text = format!("the user stream was refused with code {code}");
                            return Err(io::Error::other(text));
                        }
                        _ => {}
                    },
                    _ => return Ok(Some(Heard::Frame(self.decoder.last_data()))),
                },
                Message::Ping(payload) => {
                    self.pings.clear();
                    self.pings.extend_from_slice(payload);
                    ws::encode(Opcode::Pong, &self.pings, random.mask(), &mut self.outbox);
                    self.send_outbox(poller)?;
                }
                Message::Pong(_) => return Ok(Some(Heard::Heartbeat)),
                Message::Close(code) => {
                    let text = format!("closed by the venue with code {code}");
                    return Err(io::Error::new(io::ErrorKind::ConnectionReset, text));
                }
            }
        }
    }

    /// Sends messages.
    fn say(&mut self, texts: &[String], poller: &Poller, random: &mut Random) -> io::Result<()> {
        for text in texts {
            ws::encode(Opcode::Text, text.as_bytes(), random.mask(), &mut self.outbox);
        }
        self.send_outbox(poller)
    }

    /// Asks for a book anew, where a subscription brings it; the other books stay.
    pub(super) fn renew_book(
        &mut self,
        market: MarketId,
        poller: &Poller,
        random: &mut Random,
    ) -> io::Result<()> {
        let manner = Arc::clone(&self.manner);
        let found = manner.renewals.iter().find(|(id, _)| *id == market);
        let Some((_, messages)) = found else { return Ok(()) };
        self.refusal.clear();
        self.say(messages, poller, random)
    }

    fn become_up(&mut self) -> Heard<'static> {
        self.state = State::Up;
        if self.manner.subscriptions.is_empty() {
            self.backoff.succeeded();
        }
        self.trouble.clear();
        Heard::Up
    }

    fn send_outbox(&mut self, poller: &Poller) -> io::Result<()> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        let is_waiting = connection.send(&self.outbox)?;
        self.outbox.clear();
        if is_waiting {
            poller.watch(connection.fd(), self.token, true)?;
        }
        Ok(())
    }
}
