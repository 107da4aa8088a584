//! Access to the venues in; their channels, pools and voices out, and what is wished of them done.

use super::machine::LoopError;
use super::performing::ChannelWish;
use super::pool::Pool;
use super::renewal::WsChannel;
use super::talk::Manner;
use super::turn::{CHANNEL_TOKENS, POOL_STRIDE, POOL_TOKENS, Turn};
use super::voice::Voice;
use super::{Dealing, Options, VenueAccess};
use crate::core::Core;
use crate::input::Input;
use crate::net::monotonic_ns;
use engine::config::CoreConfig;
use engine::event::Channel;
use values::VenueId;

/// As much of a refusal as a person needs.
const REFUSAL_BYTES_MAX: usize = 200;

/// All connections, none of them open yet. A venue has two channels, market data first.
pub(super) struct Reached {
    pub channels: Vec<WsChannel>,
    pub pools: Vec<Pool>,
    pub voices: Vec<Voice>,
}

/// What each venue is reached by.
pub(super) fn reach(config: &CoreConfig, venues: Vec<VenueAccess>, options: &Options) -> Reached {
    let mut reached = Reached { channels: Vec::new(), pools: Vec::new(), voices: Vec::new() };
    for (index, venue) in venues.into_iter().enumerate() {
        let id = VenueId(index as u8);
        let token = CHANNEL_TOKENS + index as u64 * 4;
        let first = POOL_TOKENS + index as u64 * POOL_STRIDE;
        let VenueAccess { stream, rest, dealing } = venue;
        let (weight, life_ns) = (options.weight_per_minute, options.connection_life_ns);
        let (market, user) = match dealing {
            Dealing::Trading { ws_api, requests } => {
                reached.pools.push(Pool::new(rest, options.order_connections, weight, first));
                reached.voices.push(Voice::trading(requests, config, id));
                let market = (stream, Manner::market(config, id));
                let market = WsChannel::new(id, Channel::Market, token, market, life_ns);
                let user = (ws_api, Manner::user());
                (market, WsChannel::new(id, Channel::User, token + 2, user, life_ns))
            }
            Dealing::Data(talk) => {
                reached.voices.push(Voice::data(&talk, &rest.host, config, id));
                reached.pools.push(Pool::on_demand(rest, weight, first));
                let life_ns = if talk.life_ns > 0 { life_ns.min(talk.life_ns) } else { life_ns };
                let user = (stream.clone(), Manner::user());
                let market = (stream, Manner::data(&talk, config, id));
                let market = WsChannel::new(id, Channel::Market, token, market, life_ns);
                // Never opened: it keeps the place that a venue's second channel has.
                let mut user = WsChannel::new(id, Channel::User, token + 2, user, life_ns);
                user.is_elsewhere = true;
                (market, user)
            }
        };
        reached.channels.extend([market, user]);
    }
    reached
}

/// What the venue said when it refused a subscription with this input.
#[inline]
pub(super) fn refusal(core: &Core, input: &Input<'_>) -> Option<String> {
    match *input {
        Input::Frame { channel: Channel::Market, bytes, .. } if core.is_refused() => refused(bytes),
        _ => None,
    }
}

/// Nothing where we wanted no more of what there was nothing of.
#[cold]
fn refused(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(REFUSAL_BYTES_MAX)]);
    (!text.contains("unsubscribe")).then(|| format!("the venue refuses: {text}"))
}

impl Turn {
    /// Does to a market data channel what the core wants.
    pub(super) fn grant(&mut self, wish: ChannelWish) -> Result<(), LoopError> {
        match wish {
            ChannelWish::Reconnect(venue) => {
                let error = std::io::Error::other("the core asked for a new connection");
                self.channel_down(venue.index() * 2, &error)
            }
            ChannelWish::RenewBook(market) => {
                let config = self.machine.records.core().engine().config();
                let index = usize::from(config.markets[market.index()].venue) * 2;
                let channel = &mut self.channels[index];
                match channel.renew_book(market, monotonic_ns(), &self.poller, &mut self.random) {
                    Ok(()) => Ok(()),
                    Err(error) => self.channel_down(index, &error),
                }
            }
        }
    }
}
