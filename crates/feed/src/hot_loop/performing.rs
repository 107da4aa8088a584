//! The core's outputs in; requests at their venues' pools, or held until they are durable, out.

use super::backoff::Random;
use super::machine::Machine;
use super::pool::Pool;
use super::voice::Voice;
use crate::net::{Poller, monotonic_ns};
use engine::event::Purpose;
use engine::output::Output;
use values::{MarketId, Nanos, VenueId};

/// What is to be done with a market data channel.
#[derive(Copy, Clone, Debug)]
pub(super) enum ChannelWish {
    /// A new connection.
    Reconnect(VenueId),
    /// One book, where a subscription brings it.
    RenewBook(MarketId),
}

/// Does what the core wants: encodes each request and hands it to its venue's pool.
#[expect(clippy::too_many_arguments, reason = "disjoint parts of one struct, borrowed apart")]
#[inline]
pub(super) fn perform(
    machine: &mut Machine,
    pools: &mut [Pool],
    poller: &Poller,
    random: &mut Random,
    voices: &[Voice],
    bytes: &mut Vec<u8>,
    wishes: &mut Vec<ChannelWish>,
    start_ns: Option<Nanos>,
) {
    if machine.outputs.is_empty() {
        return;
    }
    let now_ns = machine.last_ns();
    let seq = machine.records.last_seq();
    for output in &machine.outputs {
        if !machine.link.performs(output, now_ns) {
            continue;
        }
        let config = machine.records.core().engine().config();
        let Some((venue, purpose)) = encode(output, config, voices, now_ns, bytes) else {
            match *output {
                Output::Reconnect(venue) => wishes.push(ChannelWish::Reconnect(venue)),
                Output::FetchSnapshot(market) => wishes.push(ChannelWish::RenewBook(market)),
                _ => {}
            }
            continue;
        };
        if machine.gate.holds(purpose) {
            machine.gate.hold(monotonic_ns(), seq, (venue, purpose), bytes, start_ns);
            continue;
        }
        if let Purpose::Cancel(id) = purpose
            && (machine.gate.withdraw(id) || machine.link.withdraw(id))
        {
            pools[venue.index()].withdrawn.push(Purpose::Place(id));
        }
        if let (Purpose::Place(_), Some(start_ns)) = (purpose, start_ns) {
            machine.latencies.tick_to_order.record(monotonic_ns() - start_ns);
        }
        pools[venue.index()].request(monotonic_ns(), purpose, bytes, poller, random);
    }
    machine.outputs.clear();
}

/// Writes the request of an output over what `bytes` held; `None` when it asks for none.
#[inline]
pub(super) fn encode(
    output: &Output,
    config: &engine::config::CoreConfig,
    voices: &[Voice],
    now_ns: Nanos,
    bytes: &mut Vec<u8>,
) -> Option<(VenueId, Purpose)> {
    let at = |market: MarketId| {
        let market = &config.markets[market.index()];
        let venue = VenueId(market.venue);
        let requests = voices[venue.index()].requests.as_ref()?;
        Some((venue, requests, market.symbol.as_str()))
    };
    Some(match *output {
        Output::Place(ref order) => {
            let (venue, requests, symbol) = at(order.market)?;
            requests.place(bytes, symbol, order, now_ns);
            (venue, Purpose::Place(order.client_order_id))
        }
        Output::Cancel { market, client_order_id } => {
            let (venue, requests, symbol) = at(market)?;
            requests.cancel(bytes, symbol, client_order_id, now_ns);
            (venue, Purpose::Cancel(client_order_id))
        }
        Output::QueryOrder { market, client_order_id } => {
            let (venue, requests, symbol) = at(market)?;
            requests.query(bytes, symbol, client_order_id, now_ns);
            (venue, Purpose::QueryOrder(client_order_id))
        }
        Output::FetchSnapshot(market) => {
            let told = &config.markets[market.index()];
            let venue = VenueId(told.venue);
            if !voices[venue.index()].snapshot(bytes, market, &told.symbol) {
                return None;
            }
            (venue, Purpose::Snapshot(market))
        }
        Output::FetchOpenOrders(market) => {
            let (venue, requests, symbol) = at(market)?;
            requests.open_orders(bytes, symbol, now_ns);
            (venue, Purpose::OpenOrders(market))
        }
        Output::FetchMyTrades { market, from_id } => {
            let (venue, requests, symbol) = at(market)?;
            requests.my_trades(bytes, symbol, from_id, now_ns);
            (venue, Purpose::MyTrades(market))
        }
        Output::FetchAccount(venue) => {
            voices[venue.index()].requests.as_ref()?.account(bytes, now_ns);
            (venue, Purpose::Account(venue))
        }
        _ => return None,
    })
}
