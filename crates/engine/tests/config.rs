//! The configuration that Python writes, read by the core.

use engine::Engine;
use engine::config::{CoreConfig, StrategyKind};
use values::{Money, Price};

#[test]
fn configuration_written_by_python_is_read_exactly() {
    let text = include_str!("../../../tests/golden/core_config.json");
    let config: CoreConfig = serde_json::from_str(text).expect("Python's form is the core's");
    assert_eq!(config.problem(), None);
    assert_eq!(config.run, 1_723_161_253);
    assert_eq!(config.markets[1].venue, 1);
    assert_eq!(config.markets[0].tick, Price(10_000_000));
    assert_eq!(config.loss_max, Money(999_999_999_999_999_999));
    assert!(matches!(config.strategies[0].kind, StrategyKind::MarketMaker { .. }));
    let bytes = Engine::new(config.clone()).encode();
    assert_eq!(Engine::decode(&bytes).expect("what was encoded decodes").config(), &config);
}

#[test]
fn misspelt_field_is_refused_by_name() {
    let text =
        include_str!("../../../tests/golden/core_config.json").replace("collar_ppm", "coller");
    let error = serde_json::from_str::<CoreConfig>(&text).expect_err("there is no such field");
    assert!(error.to_string().contains("unknown field `coller`"), "{error}");
}
