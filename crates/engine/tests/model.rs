//! A strategy with a model: promoted between two events, carried by snapshots, stopped by nonsense.

mod desk;

use desk::{Desk, LOT, MS, config, placed};
use engine::Engine;
use engine::config::{StrategyConfig, StrategyKind};
use engine::event::{Event, Side};
use engine::model::Model;
use engine::model::features::FEATURES_V1;
use engine::output::NewOrder;
use engine::strategy::onnx::ModelState;
use values::{MarketId, Quantity, StrategyId};

const MARKET: MarketId = MarketId(0);

/// A field of a Protocol Buffers message that holds bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut length = content.len();
    let mut bytes = vec![number << 3 | 2];
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    [bytes, content.to_vec()].concat()
}

fn floats(name: &str, values: &[f32]) -> Vec<u8> {
    let packed: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    field(5, &[field(1, name.as_bytes()), field(7, &packed)].concat())
}

/// A tensor of 32-bit floats with the shape `[rows, width]`.
fn port(number: u8, name: &str, width: u8) -> Vec<u8> {
    let dims = [field(1, &[]), field(1, &[8, width])].concat();
    let tensor = [vec![8, 1], field(2, &dims)].concat();
    field(number, &[field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat())
}

/// The ONNX file of a linear model with one weight on one figure.
fn linear(figure: &str, weight: f32) -> Vec<u8> {
    let mut weights = vec![0.0; FEATURES_V1.len()];
    weights[FEATURES_V1.iter().position(|name| *name == figure).expect("listed")] = weight;
    narrow(&weights)
}

fn narrow(weights: &[f32]) -> Vec<u8> {
    let node = [
        field(1, b"x"),
        field(2, b"y"),
        field(4, b"LinearRegressor"),
        floats("coefficients", weights),
        floats("intercepts", &[0.0]),
    ];
    let width = weights.len() as u8;
    let graph = [field(1, &node.concat()), port(11, "x", width), port(12, "y", 1)];
    field(7, &graph.concat())
}

fn signal() -> StrategyConfig {
    StrategyConfig {
        name: "signal".into(),
        kind: StrategyKind::Onnx {
            quantity: Quantity(8 * LOT),
            threshold_micros: 5_000_000,
            horizon_ns: 2_000 * MS,
            cooldown_ns: 100 * MS,
        },
        instruments: Vec::new(),
    }
}

fn promote(desk: &mut Desk, name: &str, bytes: &[u8]) {
    desk.step(&Event::Model { strategy: StrategyId(0), name, bytes, is_outside: false });
}

/// Forty seconds of a market that moves `ticks` every 100 ms.
fn play(desk: &mut Desk, ticks: i64) -> Vec<NewOrder> {
    let mut orders = Vec::new();
    for _ in 0..400 {
        desk.wait(100 * MS);
        orders.extend(placed(&desk.tick(MARKET, ticks)));
    }
    orders
}

fn state(engine: &Engine) -> ModelState {
    engine.models().next().expect("one strategy has a model").1.state
}

#[test]
fn without_a_model_nothing_is_placed_and_with_one_it_follows_the_signal() {
    let mut desk = Desk::ready(config(vec![signal()]));
    assert!(play(&mut desk, 1).is_empty());
    assert_eq!(state(&desk.engine), ModelState::Missing);
    promote(&mut desk, "follow", &linear("return_1s_ppm", 1.0));
    let orders = play(&mut desk, 1);
    assert!(!orders.is_empty() && orders.iter().all(|order| order.side == Side::Buy));
    promote(&mut desk, "against", &linear("return_1s_ppm", -1.0));
    let mut other = Desk::ready(config(vec![signal()]));
    play(&mut other, 1);
    promote(&mut other, "against", &linear("return_1s_ppm", -1.0));
    let orders = play(&mut other, 1);
    assert!(!orders.is_empty() && orders.iter().all(|order| order.side == Side::Sell));
    assert_eq!(desk.engine.models().next().expect("one").1.name, "against");
}

#[test]
fn a_snapshot_after_a_promotion_and_a_second_run_go_on_identically() {
    let run = |restarts: bool| {
        let mut desk = Desk::ready(config(vec![signal()]));
        play(&mut desk, 1);
        promote(&mut desk, "follow", &linear("return_5s_ppm", 1.0));
        if restarts {
            let bytes = desk.engine.encode();
            desk.engine = Engine::decode(&bytes).expect("what was encoded decodes");
        }
        let orders = play(&mut desk, -1).len() + play(&mut desk, 2).len();
        assert!(orders > 0 && desk.engine.inferences() > 0);
        desk.engine.state_hash()
    };
    let once = run(false);
    assert_eq!(once, run(false), "a replay gives the same outputs");
    assert_eq!(once, run(true), "a restart goes on with the promoted model");
}

#[test]
fn a_score_that_is_no_number_stops_the_strategy_until_the_next_promotion() {
    let mut desk = Desk::ready(config(vec![signal()]));
    promote(&mut desk, "broken", &linear("return_1s_ppm", f32::INFINITY));
    assert!(play(&mut desk, 1).is_empty());
    assert_eq!(state(&desk.engine), ModelState::NotFinite);
    assert_eq!(state(&desk.engine).code(), "MODEL_NOT_FINITE");
    promote(&mut desk, "sound", &linear("return_1s_ppm", 1.0));
    assert!(!play(&mut desk, 1).is_empty());
}

#[test]
fn what_cannot_be_run_is_refused_with_its_code_and_changes_nothing() {
    let mut desk = Desk::ready(config(vec![desk::maker(), signal()]));
    let model = |bytes: &[u8]| Model::compile(bytes).expect("a model");
    let code = |desk: &Desk, strategy: &str, model: &Model| {
        desk.engine.strategy_for(strategy, model).expect_err("it is refused").code
    };
    let good = model(&linear("spread_ppm", 1.0));
    assert_eq!(code(&desk, "nobody", &good), "STRATEGY_UNKNOWN");
    assert_eq!(code(&desk, "maker", &good), "STRATEGY_WITHOUT_MODEL");
    assert_eq!(code(&desk, "signal", &model(&narrow(&[1.0; 3]))), "MODEL_FEATURES");
    for bytes in [b"no model".to_vec(), narrow(&[1.0; 3])] {
        let (strategy, name) = (StrategyId(1), "bad");
        desk.step(&Event::Model { strategy, name, bytes: &bytes, is_outside: false });
    }
    assert_eq!(
        desk.engine.models().next().map(|(_, memory)| memory.state),
        Some(ModelState::Missing)
    );
    assert_eq!(desk.engine.strategy_for("signal", &good), Ok(StrategyId(1)));
}

#[test]
fn model_that_is_computed_outside_is_asked_and_believed_once() {
    let mut desk = Desk::ready(config(vec![signal()]));
    let bytes = linear("spread_ppm", 1.0);
    let strategy = StrategyId(0);
    desk.step(&Event::Model { strategy, name: "far", bytes: &bytes, is_outside: true });
    assert!(play(&mut desk, 1).is_empty(), "nobody has answered yet");
    let (asker, market, row) = desk.engine.asked().expect("the last update asks");
    assert_eq!((asker, market, row.len()), (strategy, MARKET, FEATURES_V1.len()));
    desk.engine = Engine::decode(&desk.engine.encode()).expect("what was encoded decodes");
    assert!(desk.engine.asked().is_some(), "a restart still asks");
    let score = |signal: f32| Event::Score { strategy, market, bits: signal.to_bits() };
    assert_eq!(placed(&desk.step(&score(9.0))).first().map(|order| order.side), Some(Side::Buy));
    assert!(placed(&desk.step(&score(9.0))).is_empty(), "nothing was asked");
    assert_eq!((desk.engine.asked(), desk.engine.inferences()), (None, 1));
    desk.wait(100 * MS);
    desk.tick(MARKET, 1);
    desk.step(&score(f32::NAN));
    assert_eq!(state(&desk.engine), ModelState::NotFinite);
}

#[test]
fn model_made_ready_beforehand_gives_the_same_state_as_one_compiled_in_the_step() {
    let bytes = linear("return_1s_ppm", 1.0);
    let run = |ready: Option<&[u8]>| {
        let mut desk = Desk::ready(config(vec![signal()]));
        if let Some(ready) = ready {
            desk.engine.make_ready(Box::new(Model::compile(ready).expect("a model")));
        }
        promote(&mut desk, "follow", &bytes);
        assert!(!play(&mut desk, 1).is_empty());
        desk.engine.state_hash()
    };
    let plain = run(None);
    assert_eq!(run(Some(&bytes)), plain);
    assert_eq!(
        run(Some(&linear("spread_ppm", -1.0))),
        plain,
        "another model is not mistaken for it"
    );
}
