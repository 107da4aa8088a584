//! `prunella._core.Replica`: an engine's journal in; what happens, and how things stand, as JSON out.

use engine::Engine;
use engine::config::CoreConfig;
use engine::event::{Level, Side};
use engine::output::{NewOrder, Output};
use feed::books::books;
use feed::input::{Commanded, Input};
use feed::replica::{Move, Replica as Follower, Step};
use pyo3::prelude::*;
use serde::Serialize;
use std::path::PathBuf;
use values::{MarketId, StrategyId};

/// One thing that happened; `prunella.trading.runtime.events` has the same records.
#[derive(Serialize)]
struct Happened<'a> {
    seq: u64,
    ts_ns: i64,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum What<'a> {
    Order {
        id: String,
        venue: &'a str,
        symbol: &'a str,
        strategy: &'a str,
        side: &'static str,
        price: i64,
        quantity: i64,
        filled: i64,
        state: &'static str,
    },
    Fill {
        id: String,
        venue: &'a str,
        symbol: &'a str,
        side: &'static str,
        price: i64,
        quantity: i64,
        fee: i64,
    },
    Denied {
        venue: &'a str,
        symbol: &'a str,
        strategy: &'a str,
        reason: &'static str,
    },
    Reflex {
        venue: &'a str,
        reflex: &'static str,
    },
    Break {
        venue: &'a str,
        symbol: &'a str,
        difference: i64,
        id: u32,
        class: &'static str,
        ours: i64,
        theirs: i64,
    },
    BreakMoved {
        id: u32,
        state: &'static str,
    },
    Reconciled {
        venue: &'a str,
    },
    Command {
        actor: String,
        reason: String,
        command: String,
    },
}

#[derive(Serialize)]
struct View<'a> {
    seq: u64,
    run: u32,
    trading_state: &'static str,
    active_venue: &'a str,
    realised: i64,
    unrealised: i64,
    profit: i64,
    markets: Vec<MarketView<'a>>,
    orders: Vec<What<'a>>,
}

#[derive(Serialize)]
struct MarketView<'a> {
    venue: &'a str,
    symbol: &'a str,
    status: &'static str,
    is_reconciled: bool,
    is_halted: bool,
    position: i64,
    average_cost: i64,
    mark: i64,
    realised: i64,
    unrealised: i64,
    fees: i64,
    fills: u64,
    bids: Vec<(i64, i64)>,
    asks: Vec<(i64, i64)>,
}

/// An engine's state, one step behind; see `prunella.trading.engine`.
#[pyclass(module = "prunella._core")]
pub struct Replica {
    follower: Follower,
}

#[pymethods]
impl Replica {
    #[new]
    #[allow(clippy::needless_pass_by_value)] // Python hands over a path of its own.
    fn new(py: Python<'_>, journal_dir: PathBuf) -> PyResult<Self> {
        let follower = py
            .detach(|| Follower::open(&journal_dir))
            .map_err(|error| crate::hot_loop::loop_error(py, &error))?;
        Ok(Self { follower })
    }

    /// The last entry applied.
    #[getter]
    fn last_seq(&self) -> u64 {
        self.follower.last_seq()
    }

    /// Applies at most so many new entries; how many that was, and what happened (a JSON array).
    fn follow(&mut self, py: Python<'_>, entries_max: usize) -> PyResult<(usize, String)> {
        let follower = &mut self.follower;
        let applied = py.detach(|| {
            let mut text = String::from("[");
            let count = follower.follow(entries_max, |step| tell(step, &mut text))?;
            text.push(']');
            Ok((count, text))
        });
        applied.map_err(|error| crate::hot_loop::loop_error(py, &error))
    }

    /// How things stand, with so many levels of each book (JSON); empty before the first entry.
    fn view(&self, levels: usize) -> String {
        let Some(core) = self.follower.core() else { return String::new() };
        let view = look(core.engine(), self.follower.last_seq(), levels);
        serde_json::to_string(&view).expect("plain data always encodes")
    }

    /// Positions, profit and fees as they stand (JSON); empty before the first entry.
    fn books(&self) -> String {
        let core = self.follower.core();
        core.map_or_else(String::new, |core| {
            serde_json::to_string(&books(core.engine())).expect("plain data always encodes")
        })
    }

    /// SHA-256 of the whole state, hexadecimal; empty before the first entry.
    fn state_hash(&self) -> String {
        let core = self.follower.core();
        core.map_or_else(String::new, |core| feed::core::hex(&core.engine().state_hash()))
    }
}

fn tell(step: &Step<'_>, text: &mut String) {
    let config = step.core.engine().config();
    let mut say = |what: What<'_>| {
        let happened = Happened { seq: step.seq, ts_ns: step.ts_ns, what };
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&serde_json::to_string(&happened).expect("plain data always encodes"));
    };
    if let Input::Command(bytes) = step.input
        && let Ok(told) = serde_json::from_slice::<Commanded>(bytes)
    {
        let command = format!("{:?}", told.command);
        say(What::Command { actor: told.actor, reason: told.reason, command });
    }
    for moved in step.moves {
        say(order(config, moved));
    }
    for output in step.outputs {
        if let Some(what) = recorded(config, output) {
            say(what);
        }
    }
}

fn recorded<'a>(config: &'a CoreConfig, output: &Output) -> Option<What<'a>> {
    Some(match *output {
        Output::Denied { market, strategy, reason } => {
            let (venue, symbol) = names(config, market);
            let strategy = strategy_name(config, strategy);
            What::Denied { venue, symbol, strategy, reason: reason.code() }
        }
        Output::Filled { market, client_order_id, side, price, quantity, fee } => {
            let (venue, symbol) = names(config, market);
            What::Fill {
                id: client_order_id.to_string(),
                venue,
                symbol,
                side: side_name(side),
                price: price.0,
                quantity: quantity.0,
                fee: narrow(fee.0),
            }
        }
        Output::Reflex { venue, reflex } => What::Reflex {
            venue: venue.map_or("", |venue| &config.venues[venue.index()].name),
            reflex: reflex.name(),
        },
        Output::Break { id, class, venue, market, about: _, ours, theirs } => What::Break {
            venue: &config.venues[venue.index()].name,
            symbol: market.map_or("", |market| names(config, market).1),
            difference: narrow(ours.saturating_sub(theirs)),
            id,
            class: class.name(),
            ours: narrow(ours),
            theirs: narrow(theirs),
        },
        Output::BreakMoved { id, state } => What::BreakMoved { id, state: state.name() },
        Output::Reconciled(venue) => What::Reconciled { venue: &config.venues[venue.index()].name },
        _ => return None,
    })
}

fn order<'a>(config: &'a CoreConfig, moved: &Move) -> What<'a> {
    let NewOrder { client_order_id, market, strategy, side, price, quantity, .. } = moved.order;
    let (venue, symbol) = names(config, market);
    What::Order {
        id: client_order_id.to_string(),
        venue,
        symbol,
        strategy: strategy_name(config, strategy),
        side: side_name(side),
        price: price.0,
        quantity: quantity.0,
        filled: moved.filled.0,
        state: moved.state.name(),
    }
}

fn look(engine: &Engine, seq: u64, levels: usize) -> View<'_> {
    let config = engine.config();
    let open = engine.orders().open().iter();
    View {
        seq,
        run: config.run,
        trading_state: engine.trading_state().name(),
        active_venue: &config.venues[engine.active_venue().index()].name,
        realised: narrow(engine.realised().0),
        unrealised: narrow(engine.unrealised().0),
        profit: narrow(engine.profit().0),
        markets: (0..config.markets.len())
            .map(|index| market_view(engine, MarketId(index as u8), levels))
            .collect(),
        orders: open
            .map(|found| {
                let moved = Move { order: found.new, state: found.state, filled: found.filled };
                order(config, &moved)
            })
            .collect(),
    }
}

fn market_view(engine: &Engine, id: MarketId, levels: usize) -> MarketView<'_> {
    let config = engine.config();
    let (venue, symbol) = names(config, id);
    let venue_id = values::VenueId(config.markets[id.index()].venue);
    let (market, position, mark) = (engine.market(id), engine.position(id), engine.mark(id));
    let side = |side| {
        let book = market.book().levels(side).take(levels);
        book.map(|Level { price, quantity }| (price.0, quantity.0)).collect()
    };
    MarketView {
        venue,
        symbol,
        status: market.status().name(),
        is_reconciled: engine.is_reconciled(venue_id),
        is_halted: engine.is_halted(venue_id),
        position: position.quantity().0,
        average_cost: position.average_cost().map_or(0, |price| price.0),
        mark: mark.0,
        realised: narrow(position.realised().0),
        unrealised: narrow(position.unrealised(mark).0),
        fees: narrow(position.fees().0),
        fills: position.fills(),
        bids: side(Side::Buy),
        asks: side(Side::Sell),
    }
}

fn names(config: &CoreConfig, market: MarketId) -> (&str, &str) {
    let market = &config.markets[market.index()];
    (&config.venues[usize::from(market.venue)].name, &market.symbol)
}

fn strategy_name(config: &CoreConfig, strategy: StrategyId) -> &str {
    config.strategies.get(usize::from(strategy.0)).map_or("", |strategy| &strategy.name)
}

fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    }
}

/// Money beyond nine thousand million units would not fit a JSON reader's integer.
fn narrow(raw: i128) -> i64 {
    i64::try_from(raw).unwrap_or(if raw < 0 { i64::MIN } else { i64::MAX })
}
