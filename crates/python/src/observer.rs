//! A strategy written in Python, called by the backtester as its own process would be told.

use backtest::record::FillRow;
use backtest::run::{Observer, Seen};
use engine::Engine;
use engine::event::{Event, StrategyTold};
use engine::output::Output;
use engine::risk::Intent;
use feed::core::Traded;
use feed::strategy::{OwnFill, Teller, read};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use values::{MarketId, Nanos, StrategyId};

/// Calls `handle(bytes) -> bytes` of each strategy.
pub struct PythonStrategies {
    called: Vec<Called>,
    is_begun: bool,
}

struct Called {
    teller: Teller,
    caller: Caller,
}

/// Calls one strategy and gives the engine its answers.
struct Caller {
    strategy: StrategyId,
    handle: Py<PyAny>,
    wishes: Vec<(MarketId, Intent)>,
}

impl PythonStrategies {
    /// Strategies by their number in the configuration.
    pub fn new(strategies: Vec<(u8, Py<PyAny>)>, markets: usize) -> PythonStrategies {
        let called = strategies.into_iter().map(|(number, handle)| {
            let strategy = StrategyId(number);
            Called {
                teller: Teller::new(strategy, markets),
                caller: Caller { strategy, handle, wishes: Vec::with_capacity(64) },
            }
        });
        PythonStrategies { called: called.collect(), is_begun: false }
    }
}

impl Observer for PythonStrategies {
    fn after(
        &mut self,
        now_ns: Nanos,
        engine: &mut Engine,
        seen: &Seen<'_>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), String> {
        let is_first = !core::mem::replace(&mut self.is_begun, true);
        for called in &mut self.called {
            if is_first {
                let strategy = called.caller.strategy;
                let told = StrategyTold::Up;
                engine.step(now_ns, &Event::Strategy { strategy, told }, outputs);
            }
            called.see(now_ns, engine, seen, outputs)?;
        }
        Ok(())
    }
}

impl Called {
    fn see(
        &mut self,
        now_ns: Nanos,
        engine: &mut Engine,
        seen: &Seen<'_>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), String> {
        let Called { teller, caller } = self;
        let strategy = caller.strategy;
        match *seen {
            Seen::Frame(_, &Event::Trade { market, price, quantity, buyer_is_maker, .. }) => {
                let traded = Traded { market, price, quantity, seller_took: buyer_is_maker };
                caller.call(now_ns, teller.trade(now_ns, &traded), engine, outputs)
            }
            Seen::Frame(head, _) => match teller.book(engine, head.market, now_ns) {
                Some(message) => caller.call(now_ns, message, engine, outputs),
                None => Ok(()),
            },
            Seen::Fill(fill) if fill.strategy == strategy => {
                let FillRow { market, id, side, price, quantity, fee, .. } = *fill;
                let own = OwnFill { market, id, side, price, quantity, fee };
                caller.call(now_ns, teller.fill(engine, now_ns, &own), engine, outputs)
            }
            Seen::Fill(_) => Ok(()),
            Seen::Timer => {
                let told = StrategyTold::Alive;
                engine.step(now_ns, &Event::Strategy { strategy, told }, outputs);
                for market in 0..engine.config().markets.len() {
                    if let Some(message) = teller.book(engine, MarketId(market as u8), now_ns) {
                        caller.call(now_ns, message, engine, outputs)?;
                    }
                }
                caller.call(now_ns, teller.timer(now_ns), engine, outputs)
            }
        }
    }
}

impl Caller {
    fn call(
        &mut self,
        now_ns: Nanos,
        message: &[u8],
        engine: &mut Engine,
        outputs: &mut Vec<Output>,
    ) -> Result<(), String> {
        let Caller { strategy, handle, wishes } = self;
        let told = Python::attach(|py| {
            let answer = handle.call1(py, (PyBytes::new(py, message),)).map_err(|error| {
                // The user's own traceback is for the caller, who raises it again.
                error.restore(py);
                String::new()
            })?;
            let answer = answer.bind(py).cast::<PyBytes>().map_err(|error| error.to_string())?;
            let bytes = answer.as_bytes();
            if bytes.is_empty() {
                return Ok(None);
            }
            let wrong = || "a strategy's answer is none of this version".to_owned();
            read(bytes, wishes).map(Some).ok_or_else(wrong)
        })?;
        if let Some(told) = told {
            engine.step(now_ns, &Event::Strategy { strategy: *strategy, told }, outputs);
        }
        Ok(())
    }
}
