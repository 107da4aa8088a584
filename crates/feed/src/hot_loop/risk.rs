//! The core's limits, exposures and watched strategies in; their part of the status out.

use super::command::limit_text;
use engine::Engine;
use engine::breaker::BreakerState;
use engine::config::CoreConfig;
use engine::limits::{self, LimitKind, LimitName};
use engine::output::Reflex;
use serde::Serialize;
use std::collections::BTreeMap;
use values::StrategyId;

/// Profit and exposure of one scope, in the account's currency, as text.
#[derive(Serialize)]
pub(super) struct Scope {
    name: String,
    value: String,
    gross: String,
    net: String,
    realised: String,
    unrealised: String,
    fees: String,
    profit: String,
    profit_of_day: String,
    drawdown: String,
    drawdown_max: String,
    peak: String,
}

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

/// Every scope but markets.
pub(super) fn scopes(engine: &Engine) -> Vec<Scope> {
    let config = engine.config();
    let scopes = config.scopes().filter(|scope| !matches!(scope, limits::Scope::Market(_)));
    scopes
        .map(|scope| {
            let (exposure, equity) = (engine.exposure(scope), engine.equity(scope));
            let profit = engine.profit_of(scope);
            Scope {
                name: config.scope_text(scope),
                value: engine.value_of(scope).to_string(),
                gross: exposure.gross.to_string(),
                net: exposure.net().to_string(),
                realised: engine.realised_of(scope).to_string(),
                unrealised: engine.unrealised_of(scope).to_string(),
                fees: engine.fees_of(scope).to_string(),
                profit: profit.to_string(),
                profit_of_day: equity.of_day(profit).to_string(),
                drawdown: equity.drawdown(profit).to_string(),
                drawdown_max: equity.drawdown_max().to_string(),
                peak: equity.peak().to_string(),
            }
        })
        .collect()
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
