//! A venue's account, or its public addresses, in; the requests that can be made of it out.

use super::talk::{MarketTalk, markets_of};
use crate::binance::{Decoder, Requests};
use engine::config::CoreConfig;
use values::{MarketId, Nanos, VenueId};

/// How one venue is spoken to.
pub(super) struct Voice {
    /// Of our account, where we trade.
    pub requests: Option<Requests>,
    /// Reads the stream of our own orders.
    pub decoder: Decoder,
    /// Whole requests for books, where only market data is used.
    snapshots: Vec<(MarketId, Vec<u8>)>,
}

impl Voice {
    /// With an account.
    pub(super) fn trading(requests: Requests, config: &CoreConfig, venue: VenueId) -> Voice {
        let decoder = Decoder::for_venue(config, venue);
        Voice { requests: Some(requests), decoder, snapshots: Vec::new() }
    }

    /// Without one.
    pub(super) fn data(
        talk: &MarketTalk,
        host: &str,
        config: &CoreConfig,
        venue: VenueId,
    ) -> Voice {
        let snapshots = markets_of(config, venue).filter_map(|(id, symbol)| {
            let (_, path) = talk.snapshots.iter().find(|(name, _)| name == symbol)?;
            let head = "User-Agent: prunella\r\nAccept: application/json";
            Some((
                id,
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{head}\r\n\r\n").into_bytes(),
            ))
        });
        let snapshots = snapshots.collect();
        Voice { requests: None, decoder: Decoder::for_venue(config, venue), snapshots }
    }

    /// Writes the request for the whole book of a market; false where none can be made, because a
    /// subscription brings it.
    #[inline]
    pub(super) fn snapshot(&self, out: &mut Vec<u8>, market: MarketId, symbol: &str) -> bool {
        if let Some(requests) = &self.requests {
            requests.depth(out, symbol);
            return true;
        }
        let found = self.snapshots.iter().find(|(id, _)| *id == market);
        let Some((_, bytes)) = found else { return false };
        out.clear();
        out.extend_from_slice(bytes);
        true
    }

    /// Requests are signed with the venue's time.
    pub(super) fn correct_clock(&mut self, correction_ns: Nanos) {
        if let Some(requests) = &mut self.requests {
            requests.correct_clock(correction_ns);
        }
    }
}
