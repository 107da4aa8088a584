//! The compiled core as Python sees it: `prunella._core`. The only crate that knows `PyO3`.

mod backtest;
mod book;
mod detect;
mod hot_loop;
mod indicators;
mod journal;
mod market;
mod matching;
mod model;
mod observer;
mod reasons;
mod recording;
mod replica;
mod stage;
mod strategy_feed;
mod telemetry;

use pyo3::prelude::*;

/// Every export of the module, in one place.
#[pymodule]
mod _core {
    #[pymodule_export]
    use super::backtest::{replay_orders, run_backtest};
    #[pymodule_export]
    use super::book::Book;
    #[pymodule_export]
    use super::detect::{LogTemplates, StreamDetector, StreamForecast};
    #[pymodule_export]
    use super::hot_loop::{HotLoop, config_limits, measure_session, order_trails, replay};
    #[pymodule_export]
    use super::indicators::{
        Atr, Bollinger, Ema, Macd, Microprice, RealisedVolatility, Rsi, Sma, Vwap, fill_imbalance,
    };
    #[pymodule_export]
    use super::journal::{
        JournalReader, JournalWriter, MerkleTree, check_journal, list_segments, merkle_leaf,
        prune_segments, verify_consistency, verify_inclusion,
    };
    #[pymodule_export]
    use super::market::check_recording;
    #[pymodule_export]
    use super::matching::{Match, Matching, Wallets};
    #[pymodule_export]
    use super::model::{Model, feature_names, feature_rows};
    #[pymodule_export]
    use super::reasons::{denial_reasons, order_states};
    #[pymodule_export]
    use super::recording::Recording;
    #[pymodule_export]
    use super::replica::Replica;
    #[pymodule_export]
    use super::stage::StageLoop;
    #[pymodule_export]
    use super::strategy_feed::StrategyFeed;
    #[pymodule_export]
    use super::telemetry::OtlpIntake;
    use super::{Bound, PyModule, PyModuleMethods, PyResult};

    /// Sets the version that Python reads as `_core.__version__`.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
