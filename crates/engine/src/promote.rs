//! A model's bytes in; a strategy that goes on with it, or the reason why it does not, out.

use crate::engine::Engine;
use crate::model::Model;
use crate::model::features::{FEATURES, FEATURES_VERSION};
use crate::output::Output;
use crate::strategy::StrategyState;
use crate::strategy::onnx::Memory;
use values::{MarketId, Nanos, StrategyId};

/// Why a model is not taken: `CATEGORY_CONDITION` and the details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRefusal {
    /// The stable code.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

impl Engine {
    /// The strategy of that name, if it can go on with this model; asked by the shell before the
    /// promotion is journaled, so that what is in the journal is taken.
    ///
    /// # Errors
    /// There is no such strategy, it has no model, or the model wants other figures.
    pub fn strategy_for(&self, strategy: &str, model: &Model) -> Result<StrategyId, ModelRefusal> {
        let refuse = |code, message| Err(ModelRefusal { code, message });
        let mut names = self.config.strategies.iter();
        let Some(index) = names.position(|each| each.name == strategy) else {
            let message = format!("there is no strategy {strategy:?}");
            return refuse("STRATEGY_UNKNOWN", message);
        };
        if self.strategies[index].onnx().is_none() {
            let message = format!("the strategy {strategy:?} is not of the kind onnx");
            return refuse("STRATEGY_WITHOUT_MODEL", message);
        }
        if model.features() != FEATURES {
            let message = format!(
                "expected the {FEATURES} features of version {FEATURES_VERSION}, found {}",
                model.features()
            );
            return refuse("MODEL_FEATURES", message);
        }
        Ok(StrategyId(index as u8))
    }

    /// Hands over the model of the promotion that comes next, so that the step need not compile it.
    pub fn make_ready(&mut self, model: Box<Model>) {
        self.ready = Some(model);
    }

    pub(crate) fn promote(
        &mut self,
        strategy: StrategyId,
        name: &str,
        bytes: &[u8],
        is_outside: bool,
    ) {
        let is_this = |model: &Model| model.is_outside() == is_outside && model.bytes() == bytes;
        let model = match self.ready.take() {
            Some(model) if is_this(&model) => *model,
            _ => {
                let read = if is_outside { Model::outside } else { Model::compile };
                let Ok(model) = read(bytes) else { return };
                model
            }
        };
        let index = usize::from(strategy.0);
        let Some(config) = self.config.strategies.get(index) else { return };
        if self.strategy_for(&config.name, &model).is_err() {
            return;
        }
        if let Some(memory) = self.strategies[index].onnx_mut() {
            memory.promote(name, model);
        }
    }

    /// What waits for a score from outside: who asks, about which market, and its figures.
    #[inline]
    pub fn asked(&self) -> Option<(StrategyId, MarketId, &[f32; FEATURES])> {
        self.strategies.iter().enumerate().find_map(|(index, strategy)| {
            let (market, row) = strategy.onnx()?.asked()?;
            Some((StrategyId(index as u8), market, row))
        })
    }

    pub(crate) fn score(
        &mut self,
        now_ns: Nanos,
        strategy: StrategyId,
        market: MarketId,
        signal: f32,
        outputs: &mut Vec<Output>,
    ) {
        let index = usize::from(strategy.0);
        let memory = self.strategies.get_mut(index).and_then(StrategyState::onnx_mut);
        if !memory.is_some_and(|memory| memory.tell(market, signal)) {
            return;
        }
        self.look(now_ns, market, false, outputs);
        // A market that could not be looked at leaves nothing for a later look.
        if let Some(memory) = self.strategies[index].onnx_mut() {
            memory.tell(market, f32::NAN);
        }
    }

    /// What the ONNX strategies remember, with their names.
    pub fn models(&self) -> impl Iterator<Item = (&str, &Memory)> {
        let strategies = self.config.strategies.iter().zip(&self.strategies);
        strategies.filter_map(|(config, state)| Some((config.name.as_str(), state.onnx()?)))
    }

    /// Rows that models have answered so far.
    pub fn inferences(&self) -> u64 {
        self.models().map(|(_, memory)| memory.inferences).sum()
    }
}
