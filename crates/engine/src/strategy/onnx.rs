//! A market's figures in; an immediate-or-cancel order in the direction of a model's signal out.
//!
//! The signal is the model's score, or of a classifier the last class's probability less the first
//! one's (up less down). Beyond `threshold` we hold up to one `quantity` in its direction, at a
//! protected price, on the active venue; a signal in the other direction takes the old position down
//! first. A position that no signal has renewed for `horizon` is closed: the model was asked for that
//! far and no further. A score that is no number means that model and market have parted: the
//! strategy stops until another model is promoted.
//!
//! A model that is computed outside is asked for its score when the book has changed; the score is
//! an event of its own, and the market is looked at again when it comes.

use super::View;
use super::momentum::{missing, protected_price};
use crate::event::{Side, TimeInForce};
use crate::model::Model;
use crate::model::features::{FEATURES, Features};
use crate::risk::{Intent, PlaceIntent};
use serde::{Deserialize, Serialize};
use values::{MarketId, Nanos, Quantity};

/// The strategy's parameters; see `StrategyKind::Onnx`.
#[derive(Copy, Clone, Debug)]
pub struct Settings {
    /// Signal beyond which it trades, times a million.
    pub threshold_micros: i64,
    /// Order size, and the most that is held.
    pub quantity: Quantity,
    /// How long a signal holds.
    pub horizon_ns: Nanos,
    /// Time between two orders.
    pub cooldown_ns: Nanos,
}

/// Whether the strategy's model answers: `CATEGORY_CONDITION`.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModelState {
    /// No model has been promoted.
    Missing,
    /// It answers.
    Running,
    /// It gave a score that is no number; stopped until the next promotion.
    NotFinite,
}

impl ModelState {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Missing => "MODEL_MISSING",
            Self::Running => "MODEL_RUNNING",
            Self::NotFinite => "MODEL_NOT_FINITE",
        }
    }
}

/// What the strategy remembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    features: Vec<Features>,
    model: Option<Model>,
    /// The market whose row waits for a score from outside.
    asked: Option<MarketId>,
    /// The score that has just come from outside.
    told: Option<f32>,
    /// The model's name in the registry.
    pub name: String,
    /// Whether it answers.
    pub state: ModelState,
    /// By instrument.
    last_order_ns: Vec<Option<Nanos>>,
    /// When the signal was last beyond the threshold in the position's direction, by instrument.
    last_signal_ns: Vec<Nanos>,
    /// Rows answered.
    pub inferences: u64,
    /// Answers beyond the threshold.
    pub signals: u64,
}

impl Memory {
    /// No model yet.
    pub fn new(markets: usize, instruments: usize) -> Self {
        Self {
            features: vec![Features::default(); markets],
            model: None,
            asked: None,
            told: None,
            name: String::new(),
            state: ModelState::Missing,
            last_order_ns: vec![None; instruments],
            last_signal_ns: vec![0; instruments],
            inferences: 0,
            signals: 0,
        }
    }

    /// Goes on with another model; the figures of the market stay.
    pub fn promote(&mut self, name: &str, model: Model) {
        name.clone_into(&mut self.name);
        self.model = Some(model);
        self.asked = None;
        self.state = ModelState::Running;
    }

    /// The running model.
    pub fn model(&self) -> Option<&Model> {
        self.model.as_ref()
    }

    /// A market's figures.
    pub fn features(&self, market: MarketId) -> &Features {
        &self.features[market.index()]
    }

    /// A public trade.
    pub fn on_trade(&mut self, market: MarketId, quantity: Quantity, buyer_is_maker: bool) {
        self.features[market.index()].on_trade(quantity, buyer_is_maker);
    }

    /// The market and the row that wait for a score from outside.
    pub fn asked(&self) -> Option<(MarketId, &[f32; FEATURES])> {
        let market = self.asked?;
        Some((market, self.features[market.index()].row()?))
    }

    /// A score from outside; true when it answers what was asked.
    pub fn tell(&mut self, market: MarketId, score: f32) -> bool {
        let is_asked = self.asked == Some(market);
        self.told = is_asked.then_some(score);
        self.asked = None;
        is_asked
    }

    /// Starts a market's figures anew.
    pub fn forget(&mut self, market: MarketId) {
        self.features[market.index()].restart();
        self.asked = self.asked.filter(|asked| *asked != market);
    }

    /// The signal of a changed book; `None` without a model, without enough market, or stopped.
    fn signal(&mut self, view: &View<'_>) -> Option<f32> {
        let features = &mut self.features[view.market.index()];
        let row =
            features.on_book(view.now_ns, view.book, (view.bid, view.ask), view.microprice)?;
        if !view.is_active || self.state != ModelState::Running {
            return None;
        }
        let model = self.model.as_mut()?;
        if model.is_outside() {
            self.asked = Some(view.market);
            return None;
        }
        let signal = signal(model.infer(row));
        self.believe(signal)
    }

    /// The score that was told for this look at a market.
    fn told(&mut self, view: &View<'_>) -> Option<f32> {
        let signal = self.told.take()?;
        if !view.is_active || self.state != ModelState::Running {
            return None;
        }
        self.believe(signal)
    }

    fn believe(&mut self, signal: f32) -> Option<f32> {
        self.inferences += 1;
        if !signal.is_finite() {
            self.state = ModelState::NotFinite;
            return None;
        }
        Some(signal)
    }
}

/// The signal in a model's scores: the only one, or up less down; no number without any.
pub fn signal(scores: &[f32]) -> f32 {
    match scores {
        [only] => *only,
        [first, .., last] => last - first,
        [] => f32::NAN,
    }
}

/// Updates the figures, asks the model, and appends an order when it says so.
pub fn take(settings: &Settings, memory: &mut Memory, view: &View<'_>, intents: &mut Vec<Intent>) {
    let signal = if view.is_update { memory.signal(view) } else { memory.told(view) };
    let Some(signal) = signal else { return };
    let instrument = usize::from(view.limits.instrument);
    let held = view.position_all_venues;
    let is_beyond = f64::from(signal.abs()) * 1e6 > settings.threshold_micros as f64;
    let direction = if signal > 0.0 { Side::Buy } else { Side::Sell };
    let holds = if held.0 > 0 { Side::Buy } else { Side::Sell };
    if is_beyond {
        memory.signals += 1;
        if held.0 == 0 || holds == direction {
            memory.last_signal_ns[instrument] = view.now_ns;
        }
    }
    let last_order_ns = &mut memory.last_order_ns[instrument];
    let is_cool = last_order_ns.is_none_or(|last_ns| view.now_ns - last_ns >= settings.cooldown_ns);
    if !is_cool || view.own().next().is_some() {
        return;
    }
    let is_over =
        held.0 != 0 && view.now_ns - memory.last_signal_ns[instrument] >= settings.horizon_ns;
    let (side, wanted) = if is_beyond {
        (direction, missing(settings.quantity, held, direction))
    } else if is_over {
        (if held.0 > 0 { Side::Sell } else { Side::Buy }, Quantity(held.0.abs()))
    } else {
        return;
    };
    let Some(price) = protected_price(view, side) else { return };
    let quantity = view.sized(side, wanted);
    if quantity > Quantity::ZERO {
        *last_order_ns = Some(view.now_ns);
        intents.push(Intent::Place(PlaceIntent {
            side,
            price,
            quantity,
            time_in_force: TimeInForce::ImmediateOrCancel,
        }));
    }
}
