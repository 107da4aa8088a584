//! Time of one step of the core, without decoding, journal or sockets: `cargo bench -p prunella-engine`.

#[path = "../tests/desk/mod.rs"]
mod desk;

use desk::{Desk, MS, config, maker, momentum, report};
use engine::event::{Event, VenueOrderStatus};
use engine::output::Output;
use std::time::Instant;
use values::{MarketId, VenueId};

fn main() {
    let mut config = config(vec![maker(), momentum()]);
    for venue in &mut config.venues {
        venue.order_rate_per_second = 1_000;
    }
    let mut desk = Desk::ready(config);
    let mut outputs = Vec::with_capacity(64);
    let (mut quiet, mut deciding) = (Vec::new(), Vec::new());
    let mut time = |desk: &mut Desk, event: &Event<'_>, outputs: &mut Vec<Output>| {
        outputs.clear();
        let start = Instant::now();
        desk.engine.step(desk.now_ns, event, outputs);
        let took_ns = start.elapsed().as_nanos() as u64;
        let is_deciding = outputs.iter().any(|output| matches!(output, Output::Place(_)));
        if is_deciding { &mut deciding } else { &mut quiet }.push(took_ns);
    };
    for turn in 0..200_000_i64 {
        desk.now_ns += MS;
        let market = MarketId((turn % 2) as u8);
        let swing = if turn / 400 % 2 == 0 { 15 } else { -15 };
        let frame = desk.books[market.index()].next(swing);
        time(&mut desk, &frame.event(market, 0), &mut outputs);
        let mut todo = outputs.clone();
        while let Some(output) = todo.pop() {
            let (new, status) = match output {
                Output::Place(new) => (new, VenueOrderStatus::New),
                Output::Cancel { client_order_id: id, .. } => {
                    let order = desk.engine.orders().get(id).expect("just cancelled");
                    (order.new, VenueOrderStatus::Canceled)
                }
                _ => continue,
            };
            let report = report(&new, status, 0, None);
            let venue = VenueId(new.market.0);
            time(&mut desk, &Event::Order { venue, report }, &mut outputs);
            todo.extend_from_slice(&outputs);
        }
    }
    for (name, mut took_ns) in [("update or report", quiet), ("the same with an order", deciding)] {
        took_ns.sort_unstable();
        let at = |share: f64| took_ns[((took_ns.len() - 1) as f64 * share) as usize];
        println!(
            "{name:<24} n={:<7} p50 {} ns  p99 {} ns  p99.9 {} ns  max {} ns",
            took_ns.len(),
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0)
        );
    }
}
