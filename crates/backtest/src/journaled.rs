//! An engine's journal in; the very orders that it sent, and whether a replay sends the same, out.

use crate::record::{Counts, FillRow, OrderRow, Record, SampleRow};
use engine::output::Output;
use feed::core::{Core, read_config};
use feed::input::Input;
use journal::Reader;
use std::path::Path;
use values::{MarketId, Nanos};

/// Applies a live session's inputs again, as `feed::hot_loop::replay` does, and keeps what happened.
/// Every recorded state hash is compared on the way.
///
/// # Errors
/// The journal is damaged or empty, or a replayed state differs from the recorded one.
pub fn replay(dir: &Path, sample_ns: Nanos) -> Result<(Core, Record), String> {
    let fail = |error: &dyn std::fmt::Display| format!("{}: {error}", dir.display());
    let mut reader = Reader::open(dir).map_err(|error| fail(&error))?;
    let mut core: Option<Core> = None;
    let mut record = Record::default();
    let mut outputs: Vec<Output> = Vec::with_capacity(256);
    let mut next_ns = Nanos::MIN;
    while let Some(entry) = reader.next().map_err(|error| fail(&error))? {
        let at = |error: &dyn std::fmt::Display| {
            format!("{}: entry {}: {error}", dir.display(), entry.seq)
        };
        let input = Input::parse(entry.kind, entry.payload).map_err(|error| at(&error))?;
        let core = match &mut core {
            Some(core) => core,
            none => {
                let Input::Config(bytes) = input else {
                    return Err(at(&"expected the configuration as the journal's first entry"));
                };
                let config = read_config(bytes).map_err(|error| at(&error))?;
                record.span_ns = (entry.ts_ns, entry.ts_ns);
                none.insert(Core::new(config).map_err(|error| at(&error))?)
            }
        };
        outputs.clear();
        core.apply(entry.ts_ns, &input, &mut outputs).map_err(|error| at(&error))?;
        record.counts.frames += u64::from(matches!(input, Input::Frame { .. }));
        for output in &outputs {
            see(&mut record, core, entry.ts_ns, output);
        }
        record.span_ns.1 = entry.ts_ns;
        if entry.ts_ns >= next_ns {
            sample(&mut record, core, entry.ts_ns);
            next_ns = entry.ts_ns + sample_ns;
        }
    }
    let Some(core) = core else {
        return Err(fail(&"expected the journal of an engine, found none or an empty one"));
    };
    record.state_hash = core.engine().state_hash();
    Ok((core, record))
}

fn see(record: &mut Record, core: &Core, ts_ns: Nanos, output: &Output) {
    match *output {
        Output::Place(new) => {
            record.counts.orders += 1;
            record.orders.push(OrderRow {
                ts_ns,
                id: new.client_order_id,
                market: new.market,
                strategy: new.strategy,
                side: new.side,
                time_in_force: new.time_in_force,
                price: new.price.0,
                quantity: new.quantity.0,
            });
        }
        Output::Cancel { .. } => record.counts.cancels += 1,
        Output::Filled { market, client_order_id, side, price, quantity, fee } => {
            let order = core.engine().orders().get(client_order_id);
            let limit = order.map_or(price, |order| order.new.price);
            record.fills.push(FillRow {
                ts_ns,
                id: client_order_id,
                market,
                strategy: order.map_or(values::StrategyId(0), |order| order.new.strategy),
                side,
                // The core does not keep it: who rested traded at his own limit, after acceptance.
                is_maker: price == limit
                    && order.is_some_and(|order| {
                        order.new.time_in_force == engine::event::TimeInForce::PostOnly
                    }),
                price: price.0,
                quantity: quantity.0,
                fee: fee.0 as i64,
                mark: core.engine().mark(market).0,
                position: core.engine().position(market).quantity().0,
            });
        }
        _ => note(&mut record.counts, output),
    }
}

fn note(counts: &mut Counts, output: &Output) {
    match output {
        Output::Denied { reason, .. } => {
            *counts.denied.entry(reason.code().to_owned()).or_default() += 1;
        }
        Output::Reflex { reflex, .. } => {
            *counts.reflexes.entry(reflex.name().to_owned()).or_default() += 1;
        }
        _ => {}
    }
}

fn sample(record: &mut Record, core: &Core, ts_ns: Nanos) {
    let engine = core.engine();
    let profit = engine.profit().0.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
    for index in 0..engine.config().markets.len() {
        let market = MarketId(index as u8);
        record.samples.push(SampleRow {
            ts_ns,
            market,
            mark: engine.mark(market).0,
            position: engine.position(market).quantity().0,
            profit,
        });
    }
}
