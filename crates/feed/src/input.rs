//! What the engine process journals, as bytes and back: everything that can change the core.
//!
//! An entry's kind is the input's kind; its payload is a small fixed header and then the bytes as
//! they were received. Numbers are little-endian. Kinds are never given a second meaning: old
//! journals must still replay.

use engine::event::{Channel, Command, Purpose};
use serde::{Deserialize, Serialize};
use values::{ClientOrderId, MarketId, Nanos, StrategyId, VenueId};

/// Longest header of any input.
pub const HEADER_SIZE_MAX: usize = 32;

const CONFIG: u16 = 1;
const FRAME: u16 = 2;
const REPLY: u16 = 3;
const LOST: u16 = 4;
const CHANNEL_UP: u16 = 5;
const CHANNEL_DOWN: u16 = 6;
const HEARTBEAT: u16 = 7;
const COMMAND: u16 = 8;
const TIMER: u16 = 9;
const STARTED: u16 = 10;
const CHECK: u16 = 11;
const WITHDRAWN: u16 = 12;
const MODEL: u16 = 13;
const SCORE: u16 = 14;
const STRATEGY: u16 = 20;

/// One input of the core.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// `CoreConfig` in JSON, so that an old one still reads when fields are added with defaults; the
    /// first entry of every journal.
    Config(&'a [u8]),
    /// A WebSocket message as received.
    Frame {
        /// Who sent it.
        venue: VenueId,
        /// On which socket.
        channel: Channel,
        /// The message.
        bytes: &'a [u8],
    },
    /// An HTTP answer as received.
    Reply {
        /// Who answered.
        venue: VenueId,
        /// What was asked.
        purpose: Purpose,
        /// HTTP status.
        status: u16,
        /// From `Retry-After`; 0 without.
        retry_after_ns: Nanos,
        /// The body.
        bytes: &'a [u8],
    },
    /// A request without an answer: its fate is unknown.
    Lost {
        /// Who did not answer.
        venue: VenueId,
        /// What was asked.
        purpose: Purpose,
    },
    /// A request that was taken back before it left.
    Withdrawn {
        /// Whom it was for.
        venue: VenueId,
        /// What was to be asked.
        purpose: Purpose,
    },
    /// A socket is connected and subscribed.
    ChannelUp {
        /// With whom.
        venue: VenueId,
        /// Which.
        channel: Channel,
    },
    /// A socket is gone.
    ChannelDown {
        /// With whom.
        venue: VenueId,
        /// Which.
        channel: Channel,
    },
    /// A pong came.
    Heartbeat {
        /// From whom.
        venue: VenueId,
        /// On which socket.
        channel: Channel,
    },
    /// A [`Commanded`] in JSON, for the same reason.
    Command(&'a [u8]),
    /// Time passed.
    Timer,
    /// A new process life begins.
    Started,
    /// What a strategy's own process said, as [`crate::strategy`] reads it.
    Strategy {
        /// Whose.
        strategy: StrategyId,
        /// The message.
        bytes: &'a [u8],
    },
    /// The state's hash after all entries before this one; a replay compares its own.
    Check {
        /// SHA-256.
        state_hash: [u8; 32],
    },
    /// A [`Promotion`] in JSON, a zero byte, and the bytes of its ONNX file: with the model in the
    /// journal, a replay needs no other file.
    Model(&'a [u8]),
    /// What a model said that the core does not compute, so that a replay need not ask again.
    Score {
        /// Which strategy asked.
        strategy: StrategyId,
        /// About which market.
        market: MarketId,
        /// The bits of the signal, a 32-bit float.
        bits: u32,
    },
}

/// A model that a strategy is to go on with, and by whose word; its bytes follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// The strategy's name.
    pub strategy: String,
    /// The model's name in the registry.
    pub model: String,
    /// SHA-256 of the file, lower-case hexadecimal.
    pub sha256: String,
    /// What computes it, such as `ONNX Runtime 1.20.1`; empty for the core.
    pub runtime: String,
    /// Who promoted it.
    pub actor: String,
    /// Why.
    pub reason: String,
}

impl Promotion {
    /// The payload of an [`Input::Model`].
    pub fn payload(&self, bytes: &[u8]) -> Vec<u8> {
        // JSON text never holds a zero byte.
        let mut payload = serde_json::to_vec(self).expect("plain data always encodes");
        payload.push(0);
        payload.extend_from_slice(bytes);
        payload
    }

    /// A payload's promotion and the model's bytes.
    pub fn parse(payload: &[u8]) -> Option<(Promotion, &[u8])> {
        let end = payload.iter().position(|byte| *byte == 0)?;
        Some((serde_json::from_slice(&payload[..end]).ok()?, &payload[end + 1..]))
    }
}

/// A command with who gave it and why, for the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commanded {
    /// What to do.
    pub command: Command,
    /// A person's name, or `healing:inc-000007`.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// The entry is none that this version knows.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an input of kind 1 to {STRATEGY} with its header, found kind {kind} with {length} bytes"
)]
pub struct InputError {
    kind: u16,
    length: usize,
}

impl<'a> Input<'a> {
    /// The entry's kind.
    pub fn kind(&self) -> u16 {
        match self {
            Self::Config(_) => CONFIG,
            Self::Frame { .. } => FRAME,
            Self::Reply { .. } => REPLY,
            Self::Lost { .. } => LOST,
            Self::Withdrawn { .. } => WITHDRAWN,
            Self::Strategy { .. } => STRATEGY,
            Self::ChannelUp { .. } => CHANNEL_UP,
            Self::ChannelDown { .. } => CHANNEL_DOWN,
            Self::Heartbeat { .. } => HEARTBEAT,
            Self::Command(_) => COMMAND,
            Self::Timer => TIMER,
            Self::Started => STARTED,
            Self::Check { .. } => CHECK,
            Self::Model(_) => MODEL,
            Self::Score { .. } => SCORE,
        }
    }

    /// The entry's payload in two parts; the first lives in `header`, the second is the input's own.
    #[inline]
    pub fn payload<'b>(&'b self, header: &'b mut [u8; HEADER_SIZE_MAX]) -> [&'b [u8]; 2] {
        let mut at = Put { header, used: 0 };
        let bytes: &[u8] = match self {
            Self::Config(bytes) | Self::Command(bytes) | Self::Model(bytes) => bytes,
            Self::Frame { venue, channel, bytes } => {
                at.put(&[venue.0, channel_code(*channel)]);
                bytes
            }
            Self::Reply { venue, purpose, status, retry_after_ns, bytes } => {
                at.put(&[venue.0]);
                at.purpose(*purpose);
                at.put(&status.to_le_bytes());
                at.put(&retry_after_ns.to_le_bytes());
                bytes
            }
            Self::Lost { venue, purpose } | Self::Withdrawn { venue, purpose } => {
                at.put(&[venue.0]);
                at.purpose(*purpose);
                &[]
            }
            Self::ChannelUp { venue, channel }
            | Self::ChannelDown { venue, channel }
            | Self::Heartbeat { venue, channel } => {
                at.put(&[venue.0, channel_code(*channel)]);
                &[]
            }
            Self::Strategy { strategy, bytes } => {
                at.put(&[strategy.0]);
                bytes
            }
            Self::Score { strategy, market, bits } => {
                at.put(&[strategy.0, market.0]);
                at.put(&bits.to_le_bytes());
                &[]
            }
            Self::Timer | Self::Started => &[],
            Self::Check { state_hash } => state_hash,
        };
        let Put { header, used } = at;
        [&header[..used], bytes]
    }

    /// The input of an entry.
    ///
    /// # Errors
    /// The entry is none that this version knows; trying again cannot help.
    #[inline]
    pub fn parse(kind: u16, payload: &'a [u8]) -> Result<Input<'a>, InputError> {
        parse(kind, payload).ok_or(InputError { kind, length: payload.len() })
    }
}

fn parse(kind: u16, payload: &[u8]) -> Option<Input<'_>> {
    let channel_of = |payload: &[u8]| match payload {
        [venue, code] => Some((VenueId(*venue), channel(*code)?)),
        _ => None,
    };
    Some(match kind {
        CONFIG => Input::Config(payload),
        FRAME => {
            let (head, bytes) = payload.split_at_checked(2)?;
            Input::Frame { venue: VenueId(head[0]), channel: channel(head[1])?, bytes }
        }
        REPLY => {
            let (head, bytes) = payload.split_at_checked(20)?;
            Input::Reply {
                venue: VenueId(head[0]),
                purpose: purpose(&head[1..10])?,
                status: u16::from_le_bytes(head[10..12].try_into().ok()?),
                retry_after_ns: i64::from_le_bytes(head[12..20].try_into().ok()?),
                bytes,
            }
        }
        LOST if payload.len() == 10 => {
            Input::Lost { venue: VenueId(payload[0]), purpose: purpose(&payload[1..])? }
        }
        WITHDRAWN if payload.len() == 10 => {
            Input::Withdrawn { venue: VenueId(payload[0]), purpose: purpose(&payload[1..])? }
        }
        CHANNEL_UP => {
            channel_of(payload).map(|(venue, channel)| Input::ChannelUp { venue, channel })?
        }
        CHANNEL_DOWN => {
            channel_of(payload).map(|(venue, channel)| Input::ChannelDown { venue, channel })?
        }
        HEARTBEAT => {
            channel_of(payload).map(|(venue, channel)| Input::Heartbeat { venue, channel })?
        }
        STRATEGY => {
            let (head, bytes) = payload.split_first()?;
            Input::Strategy { strategy: StrategyId(*head), bytes }
        }
        COMMAND => Input::Command(payload),
        MODEL => Input::Model(payload),
        SCORE => {
            let [strategy, market, bits @ ..] = payload else { return None };
            let bits = u32::from_le_bytes(bits.try_into().ok()?);
            Input::Score { strategy: StrategyId(*strategy), market: MarketId(*market), bits }
        }
        TIMER if payload.is_empty() => Input::Timer,
        STARTED if payload.is_empty() => Input::Started,
        CHECK => Input::Check { state_hash: payload.try_into().ok()? },
        _ => return None,
    })
}

struct Put<'b> {
    header: &'b mut [u8; HEADER_SIZE_MAX],
    used: usize,
}

impl Put<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.header[self.used..self.used + bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
    }

    /// One byte of kind and eight of subject.
    fn purpose(&mut self, purpose: Purpose) {
        let order = |id: ClientOrderId| (u64::from(id.run) << 32) | u64::from(id.number);
        let (code, subject) = match purpose {
            Purpose::Snapshot(market) => (1, u64::from(market.0)),
            Purpose::Place(id) => (2, order(id)),
            Purpose::Cancel(id) => (3, order(id)),
            Purpose::QueryOrder(id) => (4, order(id)),
            Purpose::OpenOrders(market) => (5, u64::from(market.0)),
            Purpose::MyTrades(market) => (6, u64::from(market.0)),
            Purpose::Account(venue) => (7, u64::from(venue.0)),
        };
        self.put(&[code]);
        self.put(&subject.to_le_bytes());
    }
}

fn purpose(bytes: &[u8]) -> Option<Purpose> {
    let (&code, subject) = bytes.split_first()?;
    let subject = u64::from_le_bytes(subject.try_into().ok()?);
    let order = ClientOrderId { run: (subject >> 32) as u32, number: subject as u32 };
    let index = u8::try_from(subject);
    Some(match code {
        1 => Purpose::Snapshot(MarketId(index.ok()?)),
        2 => Purpose::Place(order),
        3 => Purpose::Cancel(order),
        4 => Purpose::QueryOrder(order),
        5 => Purpose::OpenOrders(MarketId(index.ok()?)),
        6 => Purpose::MyTrades(MarketId(index.ok()?)),
        7 => Purpose::Account(VenueId(index.ok()?)),
        _ => return None,
    })
}

fn channel_code(channel: Channel) -> u8 {
    match channel {
        Channel::Market => 0,
        Channel::User => 1,
    }
}

fn channel(code: u8) -> Option<Channel> {
    match code {
        0 => Some(Channel::Market),
        1 => Some(Channel::User),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_purpose() -> impl Strategy<Value = Purpose> {
        let order =
            (any::<u32>(), any::<u32>()).prop_map(|(run, number)| ClientOrderId { run, number });
        (0..7, order, any::<u8>()).prop_map(|(code, id, index)| match code {
            0 => Purpose::Snapshot(MarketId(index)),
            1 => Purpose::Place(id),
            2 => Purpose::Cancel(id),
            3 => Purpose::QueryOrder(id),
            4 => Purpose::OpenOrders(MarketId(index)),
            5 => Purpose::MyTrades(MarketId(index)),
            _ => Purpose::Account(VenueId(index)),
        })
    }

    proptest! {
        #[test]
        fn what_is_journaled_reads_back_the_same(
            code in 0..14,
            venue in any::<u8>().prop_map(VenueId),
            is_user in any::<bool>(),
            purpose in any_purpose(),
            status in any::<u16>(),
            retry_after_ns in any::<i64>(),
            state_hash in any::<[u8; 32]>(),
            bytes in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let channel = if is_user { Channel::User } else { Channel::Market };
            let input = match code {
                0 => Input::Config(&bytes),
                1 => Input::Frame { venue, channel, bytes: &bytes },
                2 => Input::Reply { venue, purpose, status, retry_after_ns, bytes: &bytes },
                3 => Input::Lost { venue, purpose },
                4 => Input::ChannelUp { venue, channel },
                11 => Input::Withdrawn { venue, purpose },
                12 => Input::Model(&bytes),
                13 => Input::Score {
                    strategy: StrategyId(venue.0),
                    market: MarketId(venue.0),
                    bits: u32::from(status),
                },
                5 => Input::ChannelDown { venue, channel },
                6 => Input::Heartbeat { venue, channel },
                7 => Input::Command(&bytes),
                8 => Input::Timer,
                9 => Input::Started,
                _ => Input::Check { state_hash },
            };
            let mut header = [0; HEADER_SIZE_MAX];
            let payload = input.payload(&mut header).concat();
            prop_assert_eq!(Input::parse(input.kind(), &payload), Ok(input));
        }

        #[test]
        fn foreign_entries_are_refused_not_misread(
            kind in any::<u16>(), bytes in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            if let Ok(input) = Input::parse(kind, &bytes) {
                let mut header = [0; HEADER_SIZE_MAX];
                prop_assert_eq!(input.kind(), kind);
                prop_assert_eq!(input.payload(&mut header).concat(), bytes);
            }
        }
    }
}
