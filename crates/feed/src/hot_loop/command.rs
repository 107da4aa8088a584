//! A control command as JSON in; a command of the core, and the reply with the state replaced, out.

use super::orders::{self, Submitted};
use engine::Engine;
use engine::config::StrategyKind;
use engine::event::{Command, SignedAct};
use engine::limits::LimitKind;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use values::{Money, Nanos, Price, StrategyId, VenueId};

/// The commands that the engine knows, in the words of `prunella.control`.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Told {
    Kill,
    Halt {
        #[serde(default)]
        venue: String,
    },
    Reduce,
    Resume,
    CancelAll {
        #[serde(default)]
        venue: String,
    },
    SwitchVenue {
        venue: String,
    },
    SetOrderRate {
        venue: String,
        per_second: u32,
        lease_ns: Nanos,
        lease_id: String,
    },
    ReleaseLease {
        lease_id: String,
    },
    SubmitOrder(Box<Submitted>),
    AmendOrder {
        order: u32,
        #[serde(default)]
        limit: String,
        #[serde(default)]
        quantity: String,
        #[serde(default)]
        trigger: String,
    },
    CancelOrder {
        order: u32,
    },
    PauseOrder {
        order: u32,
    },
    ResumeOrder {
        order: u32,
    },
    PromoteModel {
        strategy: String,
        model: String,
        sha256: String,
    },
    SetLimit {
        name: String,
        value: String,
        #[serde(default)]
        signed: Option<SignedAct>,
    },
    Rearm {
        strategy: String,
    },
    AcceptBreak {
        id: u32,
    },
    SetParameters {
        strategy: String,
        kind: String,
        parameters: BTreeMap<String, i64>,
    },
}

/// A command with who gave it and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    pub actor: String,
    pub reason: String,
    command: Told,
}

/// What the engine did.
#[derive(Debug, Serialize)]
pub(super) struct Reply {
    pub ok: bool,
    pub code: &'static str,
    pub message: String,
    pub replaced: BTreeMap<&'static str, String>,
    /// Number of the order that the command made; 0 for none.
    pub order: u32,
    pub seq: u64,
    pub at_ns: Nanos,
}

impl Reply {
    pub(super) fn refused(code: &'static str, message: String, at_ns: Nanos) -> Reply {
        Reply { ok: false, code, message, replaced: BTreeMap::new(), order: 0, seq: 0, at_ns }
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("a reply is plain data")
    }
}

impl Order {
    /// Strategy, model and SHA-256, if it is a promotion.
    pub(super) fn promotion(&self) -> Option<(&str, &str, &str)> {
        match &self.command {
            Told::PromoteModel { strategy, model, sha256 } => Some((strategy, model, sha256)),
            _ => None,
        }
    }
}

pub(super) fn parse(json: &str) -> Result<Order, String> {
    serde_json::from_str(json).map_err(|error| format!("expected a command: {error}"))
}

fn invalid(text: String, now_ns: Nanos) -> Reply {
    Reply::refused("ORDER_INVALID", text, now_ns)
}

/// The core's command and the state that it is going to replace; or the refusal.
pub(super) fn translate(
    order: &Order,
    engine: &Engine,
    now_ns: Nanos,
) -> Result<(Command, BTreeMap<&'static str, String>), Reply> {
    let venues = &engine.config().venues;
    let venue = |name: &str| {
        venues
            .iter()
            .position(|venue| venue.name == name)
            .map(|index| VenueId(index as u8))
            .ok_or_else(|| {
                let names: Vec<&str> = venues.iter().map(|venue| venue.name.as_str()).collect();
                let text = format!("expected one of {names:?}, found {name:?}");
                Reply::refused("VENUE_UNKNOWN", text, now_ns)
            })
    };
    let some = |name: &str| if name.is_empty() { Ok(None) } else { venue(name).map(Some) };
    let mut replaced = BTreeMap::new();
    replaced.insert("trading_state", engine.trading_state().name().to_owned());
    let command = match &order.command {
        Told::Kill => Command::Kill,
        Told::Halt { venue } => {
            let venue = some(venue)?;
            if let Some(venue) = venue {
                replaced.insert("is_halted", engine.is_halted(venue).to_string());
            }
            Command::Halt(venue)
        }
        Told::Reduce => Command::Reduce,
        Told::Resume => Command::Resume,
        Told::CancelAll { venue } => {
            let venue = some(venue)?;
            replaced.insert("orders_open", engine.orders().open().len().to_string());
            Command::CancelAll(venue)
        }
        Told::SwitchVenue { venue: name } => {
            let target = venue(name)?;
            replaced.insert("venue", venues[engine.active_venue().index()].name.clone());
            Command::SwitchVenue(target)
        }
        Told::SetOrderRate { venue: name, per_second, lease_ns, lease_id } => {
            let target = venue(name)?;
            if *lease_ns <= 0 || lease_id.is_empty() {
                let text = "expected a lease_ns above 0 and a lease_id".to_owned();
                return Err(Reply::refused("LEASE_INVALID", text, now_ns));
            }
            replaced.insert("per_second", engine.order_rate(target, now_ns).to_string());
            Command::SetOrderRate {
                venue: target,
                per_second: *per_second,
                until_ns: now_ns.saturating_add(*lease_ns),
                lease: lease_id.clone(),
            }
        }
        Told::ReleaseLease { lease_id } => Command::ReleaseLease(lease_id.clone()),
        Told::SubmitOrder(submitted) => {
            Command::Submit(submitted.spec(engine, now_ns).map_err(|text| invalid(text, now_ns))?)
        }
        Told::AmendOrder { order, limit, quantity, trigger } => {
            let change = orders::amendment(limit, quantity, trigger)
                .map_err(|text| invalid(text, now_ns))?;
            if let Some(parent) = engine.parents().get(*order) {
                replaced.insert("quantity", parent.spec.quantity.to_string());
                let limit = parent.spec.limit.map(|limit| limit.to_string());
                replaced.insert("limit", limit.unwrap_or_default());
            }
            Command::Amend { id: *order, change }
        }
        Told::CancelOrder { order } => Command::CancelOrder(*order),
        Told::PauseOrder { order } => Command::PauseOrder(*order),
        Told::ResumeOrder { order } => Command::ResumeOrder(*order),
        Told::PromoteModel { .. } => {
            let text = "a promotion comes with the model's bytes".to_owned();
            return Err(Reply::refused("MODEL_MISSING", text, now_ns));
        }
        Told::SetLimit { name, value, signed } => {
            set_limit(engine, name, value, signed.clone(), now_ns, &mut replaced)?
        }
        Told::AcceptBreak { id } => {
            let (actor, reason) = (order.actor.clone(), order.reason.clone());
            Command::AcceptBreak { id: *id, actor, reason }
        }
        Told::Rearm { strategy: name } => {
            let (actor, reason) = (order.actor.clone(), order.reason.clone());
            Command::Rearm { strategy: strategy_named(engine, name, now_ns)?, actor, reason }
        }
        Told::SetParameters { strategy, kind, parameters } => {
            let (strategy, before, kind) =
                other_parameters(engine, strategy, kind, parameters, now_ns)?;
            replaced.insert("parameters", before);
            Command::SetParameters { strategy, kind }
        }
    };
    if let Some(refusal) = engine.refusal(now_ns, &command) {
        return Err(Reply::refused(refusal.code(), refusal.text().to_owned(), now_ns));
    }
    Ok((command, replaced))
}

/// The name and the value as people write them; the value that is replaced goes into the reply.
fn set_limit(
    engine: &Engine,
    name: &str,
    value: &str,
    signed: Option<SignedAct>,
    now_ns: Nanos,
    replaced: &mut BTreeMap<&'static str, String>,
) -> Result<Command, Reply> {
    let config = engine.config();
    let Some(found) = config.limit_named(name) else {
        let text = format!("there is no limit {name:?}; `prunella limits show` lists them");
        return Err(Reply::refused("LIMIT_UNKNOWN", text, now_ns));
    };
    let invalid = |text: String| Reply::refused("LIMIT_VALUE_INVALID", text, now_ns);
    let raw = parse_limit(found.kind, value)
        .ok_or_else(|| invalid(format!("{name}: expected a number, found {value:?}")))?;
    if let Some(problem) = config.value_problem(found, raw) {
        return Err(invalid(problem));
    }
    let before = config.limit(found).map(|before| limit_text(found.kind, before));
    let before = before.unwrap_or_default();
    if signed.is_none() && !config.is_tighter(found, raw) {
        let text = format!(
            "{name}: {value} is looser than {before}; loosening needs a person's signature \
             (`prunella limits set --sign-with KEY`)"
        );
        return Err(Reply::refused("LIMIT_LOOSER_UNSIGNED", text, now_ns));
    }
    replaced.insert("value", before);
    Ok(Command::SetLimit { name: found, value: raw, signed })
}

/// Which strategy, its parameters until now as JSON, and what it is to do.
fn other_parameters(
    engine: &Engine,
    name: &str,
    kind: &str,
    parameters: &BTreeMap<String, i64>,
    now_ns: Nanos,
) -> Result<(StrategyId, String, StrategyKind), Reply> {
    let strategy = strategy_named(engine, name, now_ns)?;
    let kind = serde_json::from_value(json!({ kind: parameters })).map_err(|error| {
        Reply::refused("PARAMETERS_INVALID", format!("{name}: {error}"), now_ns)
    })?;
    let before = &engine.config().strategies[usize::from(strategy.0)].kind;
    let before = serde_json::to_string(before).expect("plain data always encodes");
    Ok((strategy, before, kind))
}

fn strategy_named(engine: &Engine, name: &str, now_ns: Nanos) -> Result<StrategyId, Reply> {
    let mut strategies = engine.config().strategies.iter();
    let index = strategies.position(|strategy| strategy.name == name).ok_or_else(|| {
        let text = format!("there is no strategy {name:?}");
        Reply::refused("STRATEGY_UNKNOWN", text, now_ns)
    })?;
    Ok(StrategyId(index as u8))
}

/// A limit's value as people write it, raw: a count, or a decimal at 1e-9.
fn parse_limit(kind: LimitKind, text: &str) -> Option<i128> {
    if kind.is_count() {
        return text.parse().ok();
    }
    Price::parse(text.as_bytes()).ok().map(|price| i128::from(price.0))
}

/// A raw value as people write it.
pub(super) fn limit_text(kind: LimitKind, raw: i128) -> String {
    if kind.is_count() { raw.to_string() } else { Money(raw).to_string() }
}
