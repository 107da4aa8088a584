//! What Python says of a venue's market data in; what is sent on its connection, and when, out.

use super::backoff::LONGEST_NS;
use engine::config::CoreConfig;
use std::sync::Arc;
use values::{MarketId, Nanos, VenueId};

/// Market data of a trading venue silent for this long is asked whether it lives, well before it
/// counts as stale.
const MARKET_PING_AFTER_NS: Nanos = 100_000_000;
/// A venue drops a client that sends more than five messages a second.
const MARKET_PING_EVERY_NS: Nanos = 210_000_000;
/// The user stream is silent while nothing of ours happens; only a dead one is to be found.
const USER_PING_EVERY_NS: Nanos = 1_000_000_000;
/// Venues of market data alone: nothing rests there, so a sign of life once a second will do.
const DATA_PING_EVERY_NS: Nanos = 1_000_000_000;
/// A channel that answers no ping for this long is dead, whatever TCP says.
const SILENCE_NS_MAX: Nanos = 4_000_000_000;
/// Longest wait before connecting anew where nothing is traded: venues count connections (Kraken: 150 in ten minutes).
const DATA_BACKOFF_NS_MAX: Nanos = 30_000_000_000;

/// What a venue of market data alone wants to hear.
#[derive(Clone, Debug, Default)]
pub struct MarketTalk {
    /// What follows the stream's address.
    pub path: String,
    /// Messages that subscribe to everything, in order.
    pub subscriptions: Vec<String>,
    /// By symbol: messages that bring its book anew, where a subscription brings the book.
    pub renewals: Vec<(String, Vec<String>)>,
    /// By symbol: the path of a request for its whole book, where one has to be made.
    pub snapshots: Vec<(String, String)>,
    /// A message that keeps the connection open, and how often.
    pub ping: Option<(String, Nanos)>,
    /// A connection without any frame for this long is dead.
    pub silence_ns: Nanos,
    /// How long the venue lets a connection live; 0 without a limit.
    pub life_ns: Nanos,
}

/// How a connection is held; shared by a channel's connections.
#[derive(Debug)]
pub(super) struct Manner {
    pub path: String,
    pub subscriptions: Vec<String>,
    pub renewals: Vec<(MarketId, Vec<String>)>,
    pub ping: Option<(String, Nanos)>,
    /// A WebSocket ping after so much silence, and then so often.
    pub alive_after_ns: Nanos,
    pub alive_every_ns: Nanos,
    pub silence_ns_max: Nanos,
    pub backoff_ns_max: Nanos,
    /// A new connection begins with whole books and counts anew: nothing of it may be left out, and
    /// the core has to know.
    pub begins_anew: bool,
}

impl Manner {
    fn trading(path: String, after_ns: Nanos, every_ns: Nanos) -> Arc<Manner> {
        Arc::new(Manner {
            path,
            subscriptions: Vec::new(),
            renewals: Vec::new(),
            ping: None,
            alive_after_ns: after_ns,
            alive_every_ns: every_ns,
            silence_ns_max: SILENCE_NS_MAX,
            backoff_ns_max: LONGEST_NS,
            begins_anew: false,
        })
    }

    /// The stream of our own orders.
    pub(super) fn user() -> Arc<Manner> {
        Manner::trading("/ws-api/v3".to_owned(), USER_PING_EVERY_NS, USER_PING_EVERY_NS)
    }

    /// Market data of a venue that we trade with: the streams are named in the address.
    pub(super) fn market(config: &CoreConfig, venue: VenueId) -> Arc<Manner> {
        let path = market_streams(config, venue);
        Manner::trading(path, MARKET_PING_AFTER_NS, MARKET_PING_EVERY_NS)
    }

    /// Market data of a venue that we do not trade with.
    pub(super) fn data(talk: &MarketTalk, config: &CoreConfig, venue: VenueId) -> Arc<Manner> {
        let renewals = markets_of(config, venue).filter_map(|(id, symbol)| {
            let found = talk.renewals.iter().find(|(name, _)| name == symbol);
            found.map(|(_, messages)| (id, messages.clone()))
        });
        Arc::new(Manner {
            path: if talk.path.is_empty() { "/".to_owned() } else { talk.path.clone() },
            subscriptions: talk.subscriptions.clone(),
            renewals: renewals.collect(),
            ping: talk.ping.clone(),
            alive_after_ns: DATA_PING_EVERY_NS,
            alive_every_ns: DATA_PING_EVERY_NS,
            silence_ns_max: talk.silence_ns,
            backoff_ns_max: DATA_BACKOFF_NS_MAX,
            begins_anew: !config.venues[venue.index()].protocol.fetches_snapshot(),
        })
    }
}

/// A venue's markets and what it calls them.
pub(super) fn markets_of(
    config: &CoreConfig,
    venue: VenueId,
) -> impl Iterator<Item = (MarketId, &str)> {
    let markets = (0_u8..).zip(&config.markets).filter(move |(_, market)| market.venue == venue.0);
    markets.map(|(index, market)| (MarketId(index), market.symbol.as_str()))
}

/// The combined stream of all markets of a venue.
fn market_streams(config: &CoreConfig, venue: VenueId) -> String {
    let streams: Vec<String> = markets_of(config, venue)
        .flat_map(|(_, symbol)| {
            let symbol = symbol.to_lowercase();
            ["depth@100ms", "trade", "bookTicker"].map(|kind| format!("{symbol}@{kind}"))
        })
        .collect();
    format!("/stream?streams={}", streams.join("/"))
}
