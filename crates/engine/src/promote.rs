//! A model's bytes in; a strategy that goes on with it, or the reason why it does not, out.

use crate::engine::Engine;
use crate::model::Model;
use crate::model::features::{FEATURES, FEATURES_VERSION};
use crate::strategy::StrategyState;
use crate::strategy::onnx::Memory;
use values::StrategyId;

/// Why a model is not taken: `CATEGORY_CONDITION` and the details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRefusal {
    /// The stable code.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

impl Engine {
    /// The strategy of that name and the model, if they fit; asked by the shell before the promotion
    /// is journaled, so that what is in the journal is taken.
    ///
    /// # Errors
    /// There is no such strategy, it has no model, or the model cannot be run or wants other figures.
    pub fn check_model(
        &self,
        strategy: &str,
        bytes: &[u8],
    ) -> Result<(StrategyId, Model), ModelRefusal> {
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
        let model = match Model::compile(bytes) {
            Ok(model) => model,
            Err(error) => return refuse("MODEL_UNREADABLE", error.to_string()),
        };
        if model.features() != FEATURES {
            let message = format!(
                "expected the {FEATURES} features of version {FEATURES_VERSION}, found {}",
                model.features()
            );
            return refuse("MODEL_FEATURES", message);
        }
        Ok((StrategyId(index as u8), model))
    }

    pub(crate) fn promote(&mut self, strategy: StrategyId, name: &str, bytes: &[u8]) {
        let index = usize::from(strategy.0);
        let Some(config) = self.config.strategies.get(index) else { return };
        let Ok((_, model)) = self.check_model(&config.name, bytes) else { return };
        if let StrategyState::Onnx(memory) = &mut self.strategies[index] {
            memory.promote(name, model);
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
