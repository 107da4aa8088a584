//! The core's limits and watched strategies in; their part of the status out.

use super::command::limit_text;
use engine::Engine;
use engine::breaker::BreakerState;
use engine::config::CoreConfig;
use engine::limits::{LimitKind, LimitName};
use engine::output::Reflex;
use serde::Serialize;
use std::collections::BTreeMap;
use values::StrategyId;

/// What is watched of one strategy.
#[derive(Serialize)]
pub(super) struct Guarded<'a> {
    name: &'a str,
    breaker: &'static str,
    breaker_trips: u64,
    is_stopped: bool,
    stops: u64,
}

/// Every limit by name; null where none is set.
pub(super) fn limits(config: &CoreConfig) -> BTreeMap<String, Option<String>> {
    let entry = |name: LimitName| {
        let kind: LimitKind = name.kind;
        (config.limit_text(name), config.limit(name).map(|value| limit_text(kind, value)))
    };
    config.limit_names().map(entry).collect()
}

/// What is watched of every strategy.
pub(super) fn guardians(engine: &Engine) -> Vec<Guarded<'_>> {
    let strategies = engine.config().strategies.iter().enumerate();
    strategies
        .map(|(index, config)| {
            let id = StrategyId(index as u8);
            let guardian = engine.guardian(id);
            let breaker = guardian.breaker().map(engine::breaker::Breaker::state);
            Guarded {
                name: &config.name,
                breaker: match breaker {
                    None | Some(BreakerState::Closed) => "closed",
                    Some(BreakerState::HalfOpen { .. }) => "half_open",
                    Some(BreakerState::Open { .. }) => "open",
                },
                breaker_trips: engine.counters().strategy_reflex(id, Reflex::StrategyBreakerOpened),
                is_stopped: guardian.is_stopped(),
                stops: guardian.stops(),
            }
        })
        .collect()
}
