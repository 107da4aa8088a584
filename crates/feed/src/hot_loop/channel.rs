//! One WebSocket to a venue: readiness and time in; frames, heartbeats, up and down out.
//!
//! A connection that grows old is replaced by `renewal`, which holds two of these for a moment.

use super::backoff::{Backoff, Random};
use crate::binance::{Decoder, Frame, Requests};
use crate::connection::Connection;
use crate::endpoint::Endpoint;
use crate::net::Poller;
use crate::ws::{self, Message, Opcode};
use engine::event::Channel;
use std::io;
use values::Nanos;

/// From the first SYN to the subscription; a frozen venue accepts connections and never answers.
const HANDSHAKE_WAIT_NS: Nanos = 2_000_000_000;
/// A channel that answers no ping for this long is dead, whatever TCP says.
const SILENCE_NS_MAX: Nanos = 4_000_000_000;
/// Market data silent for this long is asked whether it lives, well before it counts as stale.
const MARKET_PING_AFTER_NS: Nanos = 100_000_000;
/// A venue drops a client that sends more than five messages a second.
const MARKET_PING_EVERY_NS: Nanos = 210_000_000;
/// The user stream is silent while nothing of ours happens; only a dead one is to be found.
const USER_PING_EVERY_NS: Nanos = 1_000_000_000;
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
    path: String,
    state: State,
    connection: Option<Connection>,
    decoder: ws::Decoder,
    key: String,
    outbox: Vec<u8>,
    pings: Vec<u8>,
    last_heard_ns: Nanos,
    last_ping_ns: Nanos,
    pub up_since_ns: Nanos,
    backoff: Backoff,
    pub failures: u64,
    /// Why it is not up; empty while it is.
    pub trouble: String,
}

impl Link {
    pub(super) fn new(channel: Channel, token: u64, endpoint: Endpoint, path: String) -> Link {
        Link {
            channel,
            token,
            endpoint,
            path,
            state: State::Down { retry_ns: 0 },
            connection: None,
            decoder: ws::Decoder::new(),
            key: String::new(),
            outbox: Vec::new(),
            pings: Vec::new(),
            last_heard_ns: 0,
            last_ping_ns: 0,
            up_since_ns: 0,
            backoff: Backoff::default(),
            failures: 0,
            trouble: String::new(),
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
                let (after_ns, every_ns) = match self.channel {
                    Channel::Market => (MARKET_PING_AFTER_NS, MARKET_PING_EVERY_NS),
                    Channel::User => (USER_PING_EVERY_NS, USER_PING_EVERY_NS),
                };
                if silent_ns >= SILENCE_NS_MAX {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                if silent_ns >= after_ns && now_ns - self.last_ping_ns >= every_ns {
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
        ws::encode_handshake(&self.endpoint.host, &self.path, &self.key, &mut self.outbox);
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
        self.connection = None;
        // What is left unread would be taken for the next connection's, and break it.
        self.decoder.reset();
        self.failures += 1;
        self.endpoint.ask_address();
        self.state = State::Down { retry_ns: now_ns + self.backoff.failed(random) };
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
        user: &mut (Requests, Decoder),
    ) -> io::Result<Option<Heard<'_>>> {
        let broken = |error: ws::WsError| io::Error::new(io::ErrorKind::InvalidData, error);
        if let State::Opening { .. } = self.state {
            let answer = ws::check_handshake(self.decoder.buffer.unread(), &self.key);
            let Some(length) = answer.map_err(broken)? else { return Ok(None) };
            self.decoder.buffer.consume(length);
            (self.last_heard_ns, self.last_ping_ns) = (now_ns, now_ns);
            self.up_since_ns = now_ns;
            if self.channel == Channel::Market {
                return Ok(Some(self.become_up()));
            }
            self.state = State::Subscribing { deadline_ns: now_ns + HANDSHAKE_WAIT_NS };
            let mut call = Vec::new();
            user.0.subscribe_user(&mut call, SUBSCRIBE_ID, core_ns);
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
                    State::Subscribing { .. } => match user.1.user(bytes) {
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

    fn become_up(&mut self) -> Heard<'static> {
        self.state = State::Up;
        self.backoff.succeeded();
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

/// The combined stream of all markets of a venue.
pub(super) fn market_streams(
    config: &engine::config::CoreConfig,
    venue: values::VenueId,
) -> String {
    let streams: Vec<String> = config
        .markets
        .iter()
        .filter(|market| market.venue == venue.0)
        .flat_map(|market| {
            let symbol = market.symbol.to_lowercase();
            ["depth@100ms", "trade", "bookTicker"].map(|kind| format!("{symbol}@{kind}"))
        })
        .collect();
    format!("/stream?streams={}", streams.join("/"))
}
