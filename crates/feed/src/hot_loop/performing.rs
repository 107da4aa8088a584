//! The core's outputs in; requests at their venues' pools, or held until they are durable, out.

use super::backoff::Random;
use super::machine::Machine;
use super::pool::Pool;
use crate::binance::{Decoder, Requests};
use crate::net::{Poller, monotonic_ns};
use engine::event::Purpose;
use engine::output::Output;
use values::{MarketId, Nanos, VenueId};

/// Does what the core wants: encodes each request and hands it to its venue's pool.
#[expect(clippy::too_many_arguments, reason = "disjoint parts of one struct, borrowed apart")]
#[inline]
pub(super) fn perform(
    machine: &mut Machine,
    pools: &mut [Pool],
    poller: &Poller,
    random: &mut Random,
    users: &[(Requests, Decoder)],
    bytes: &mut Vec<u8>,
    wants_reconnect: &mut Vec<VenueId>,
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
        let Some((venue, purpose)) = encode(output, config, users, now_ns, bytes) else {
            if let Output::Reconnect(venue) = output {
                wants_reconnect.push(*venue);
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
    users: &[(Requests, Decoder)],
    now_ns: Nanos,
    bytes: &mut Vec<u8>,
) -> Option<(VenueId, Purpose)> {
    let at = |market: MarketId| {
        let market = &config.markets[market.index()];
        let venue = VenueId(market.venue);
        (venue, &users[venue.index()].0, market.symbol.as_str())
    };
    Some(match *output {
        Output::Place(ref order) => {
            let (venue, requests, symbol) = at(order.market);
            requests.place(bytes, symbol, order, now_ns);
            (venue, Purpose::Place(order.client_order_id))
        }
        Output::Cancel { market, client_order_id } => {
            let (venue, requests, symbol) = at(market);
            requests.cancel(bytes, symbol, client_order_id, now_ns);
            (venue, Purpose::Cancel(client_order_id))
        }
        Output::QueryOrder { market, client_order_id } => {
            let (venue, requests, symbol) = at(market);
            requests.query(bytes, symbol, client_order_id, now_ns);
            (venue, Purpose::QueryOrder(client_order_id))
        }
        Output::FetchSnapshot(market) => {
            let (venue, requests, symbol) = at(market);
            requests.depth(bytes, symbol);
            (venue, Purpose::Snapshot(market))
        }
        Output::FetchOpenOrders(market) => {
            let (venue, requests, symbol) = at(market);
            requests.open_orders(bytes, symbol, now_ns);
            (venue, Purpose::OpenOrders(market))
        }
        Output::FetchMyTrades { market, from_id } => {
            let (venue, requests, symbol) = at(market);
            requests.my_trades(bytes, symbol, from_id, now_ns);
            (venue, Purpose::MyTrades(market))
        }
        Output::FetchAccount(venue) => {
            users[venue.index()].0.account(bytes, now_ns);
            (venue, Purpose::Account(venue))
        }
        _ => return None,
    })
}
