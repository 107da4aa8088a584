//! A journal's folder in; the life of every order, and what each venue offered for it, out.
//!
//! Nothing of this is kept while trading: the replay takes the same steps again and looks at the
//! orders after each.

use super::machine::LoopError;
use super::recovery::replay_seen;
use crate::input::Input;
use engine::Engine;
use engine::event::Side;
use engine::order::OrderState;
use engine::output::{NewOrder, Output};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use values::{ClientOrderId, Nanos};

/// Orders kept of a replay; the oldest are forgotten.
pub const TRAILS_MAX: usize = 100_000;

/// One order from its decision to its end.
#[derive(Clone, Debug, Serialize)]
pub struct OrderTrail {
    /// Our id.
    pub id: String,
    /// The kept order that it is a part of; 0 for none.
    pub parent: u32,
    /// Whose.
    pub strategy: String,
    /// Where.
    pub venue: String,
    /// What.
    pub symbol: String,
    /// `buy` or `sell`.
    pub side: &'static str,
    /// Decimal text.
    pub price: String,
    /// Decimal text.
    pub quantity: String,
    /// Every change, in order.
    pub events: Vec<Change>,
    /// Whether the venue was chosen by these offers; else it was named.
    pub is_routed: bool,
    /// What each venue offered at the decision, also when the venue was named.
    pub offers: Vec<Offered>,
}

/// One change of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Journal entry.
    pub seq: u64,
    /// When.
    pub at_ns: Nanos,
    /// The state that it is in from then on.
    pub state: &'static str,
    /// Filled so far.
    pub filled: String,
    /// Which input brought it.
    pub cause: &'static str,
}

/// What one venue offered at the decision.
#[derive(Clone, Debug, Serialize)]
pub struct Offered {
    /// Where.
    pub venue: String,
    /// Best bid.
    pub bid: String,
    /// Best offer.
    pub ask: String,
    /// How much rested within the limit.
    pub depth: String,
    /// Fee of this order there.
    pub fee_ppm: i64,
    /// Running estimate of the order latency.
    pub latency_ns: Nanos,
    /// Expected cost of all of it against the middle, fee included.
    pub cost_ppm: i64,
    /// The same with latency and inventory; the smallest wins.
    pub score_ppm: i64,
    /// Why nothing could be sent there.
    pub obstacle: Option<&'static str>,
    /// How much was sent there.
    pub share: String,
}

#[derive(Default)]
struct Watch {
    trails: BTreeMap<ClientOrderId, OrderTrail>,
    order: VecDeque<ClientOrderId>,
    open: Vec<(ClientOrderId, OrderState, i64)>,
}

/// The orders of a journal, oldest first.
///
/// # Errors
/// Damage, entries of another version, or a state hash that differs from the recorded one.
pub fn trails(dir: &Path) -> Result<Vec<OrderTrail>, LoopError> {
    let mut watch = Watch::default();
    replay_seen(dir, |core, seq, now_ns, input, outputs| {
        watch.see(core.engine(), seq, now_ns, input, outputs);
    })?;
    let Watch { mut trails, order, .. } = watch;
    Ok(order.iter().filter_map(|id| trails.remove(id)).collect())
}

impl Watch {
    fn see(
        &mut self,
        engine: &Engine,
        seq: u64,
        at_ns: Nanos,
        input: &Input<'_>,
        outputs: &[Output],
    ) {
        let mut offers = Vec::new();
        for output in outputs {
            match output {
                Output::Offered { .. } => offers.push(*output),
                Output::Place(new) => self.placed(engine, at_ns, new, &offers),
                _ => {}
            }
        }
        let cause = cause(input);
        let trails = &mut self.trails;
        self.open.retain_mut(|(id, state, filled)| {
            let Some(order) = engine.orders().get(*id) else { return false };
            if (order.state, order.filled.0) != (*state, *filled) || *filled < 0 {
                (*state, *filled) = (order.state, order.filled.0);
                let (state, filled) = (order.state.name(), order.filled.to_string());
                if let Some(trail) = trails.get_mut(id) {
                    trail.events.push(Change { seq, at_ns, state, filled, cause });
                }
            }
            !order.state.is_terminal() || order.is_missing_fills()
        });
    }

    fn placed(&mut self, engine: &Engine, at_ns: Nanos, new: &NewOrder, offers: &[Output]) {
        let id = new.client_order_id;
        self.open.push((id, OrderState::Submitted, -1));
        if self.trails.contains_key(&id) {
            return;
        }
        if self.order.len() == TRAILS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.trails.remove(&oldest);
        }
        self.order.push_back(id);
        let (routed, compared) = (decision(new, offers), engine.compare(at_ns, new));
        // One that was to go to a single venue has the offer of that venue alone.
        let is_routed = !routed.is_empty() && routed.len() == compared.len();
        let offers = if is_routed { routed } else { compared };
        let config = engine.config();
        let market = &config.markets[new.market.index()];
        let strategy = config.strategies.get(usize::from(new.strategy.0));
        let parent = engine.orders().get(id).map_or(0, |order| order.parent);
        let trail = OrderTrail {
            id: id.to_string(),
            parent,
            strategy: strategy.map_or_else(|| "manual".to_owned(), |found| found.name.clone()),
            venue: config.venues[usize::from(market.venue)].name.clone(),
            symbol: market.symbol.clone(),
            side: if new.side == Side::Buy { "buy" } else { "sell" },
            price: new.price.to_string(),
            quantity: new.quantity.to_string(),
            events: Vec::new(),
            is_routed,
            offers: offers.iter().map(|output| offered(engine, output)).collect(),
        };
        self.trails.insert(id, trail);
    }
}

/// The offers of the decision that sent an order: the last one at or before its number in which
/// something went to its market. None when its venue was named.
fn decision(new: &NewOrder, offers: &[Output]) -> Vec<Output> {
    let number = |output: &Output| match output {
        Output::Offered { decision, .. } => *decision,
        _ => 0,
    };
    let has_sent = |output: &Output| {
        matches!(output, Output::Offered { market, share, .. }
            if *market == new.market && *share == new.quantity)
    };
    let own = offers.iter().rev().find(|output| number(output) <= new.client_order_id.number);
    let own = own.map_or(0, number);
    let own: Vec<Output> = offers.iter().filter(|output| number(output) == own).copied().collect();
    if own.iter().any(has_sent) { own } else { Vec::new() }
}

fn offered(engine: &Engine, output: &Output) -> Offered {
    let Output::Offered {
        market,
        bid,
        ask,
        depth,
        fee_ppm,
        latency_ns,
        cost_ppm,
        score_ppm,
        obstacle,
        share,
        ..
    } = *output
    else {
        unreachable!("the caller has looked")
    };
    let config = engine.config();
    let venue = usize::from(config.markets[market.index()].venue);
    Offered {
        venue: config.venues[venue].name.clone(),
        bid: bid.to_string(),
        ask: ask.to_string(),
        depth: depth.to_string(),
        fee_ppm,
        latency_ns,
        cost_ppm,
        score_ppm,
        obstacle: obstacle.map(engine::reason::DenialReason::code),
        share: share.to_string(),
    }
}

fn cause(input: &Input<'_>) -> &'static str {
    match input {
        Input::Frame { channel: engine::event::Channel::Market, .. } => "market data",
        Input::Frame { .. } => "report of the venue",
        Input::Reply { .. } => "answer of the venue",
        Input::Lost { .. } => "no answer",
        Input::Command(_) => "command",
        Input::Timer => "time",
        Input::Started => "restart",
        _ => "connection",
    }
}
