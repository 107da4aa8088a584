//! A strategy written in Python, called by the backtester as its own process would be told.

use backtest::events::Kind;
use backtest::run::{Observer, Seen};
use engine::Engine;
use engine::event::{Event, Side, StrategyTold};
use engine::output::Output;
use engine::risk::Intent;
use feed::strategy::{FILL, TIMER, TRADE, number_of, put, read, write_book};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use values::{MarketId, Nanos, StrategyId};

/// Calls `handle(bytes) -> bytes` of each strategy.
pub struct PythonStrategies {
    called: Vec<Called>,
    is_begun: bool,
}

struct Called {
    strategy: StrategyId,
    handle: Py<PyAny>,
    message: Vec<u8>,
    /// What was told last of each market, to tell only what changed.
    told: Vec<Vec<u8>>,
    wishes: Vec<(MarketId, Intent)>,
}

/// Where a book's message tells more than kind, market and time.
const CONTENT: usize = 24;

impl PythonStrategies {
    /// Strategies by their number in the configuration.
    pub fn new(strategies: Vec<(u8, Py<PyAny>)>, markets: usize) -> PythonStrategies {
        let called = strategies.into_iter().map(|(number, handle)| Called {
            strategy: StrategyId(number),
            handle,
            message: Vec::with_capacity(512),
            told: vec![Vec::new(); markets],
            wishes: Vec::with_capacity(64),
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
            let strategy = called.strategy;
            if is_first {
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
        match *seen {
            Seen::Frame(head, _) if head.kind == Kind::Trade => {
                let Some(&Event::Trade { market, price, quantity, buyer_is_maker, .. }) =
                    seen.event()
                else {
                    return Ok(());
                };
                self.message.clear();
                let (market, took) = (i64::from(market.0), i64::from(buyer_is_maker));
                put(&mut self.message, &[TRADE, market, now_ns, price.0, quantity.0, took]);
                self.call(now_ns, engine, outputs)
            }
            Seen::Frame(head, _) => self.book(head.market, now_ns, engine, outputs),
            Seen::Fill(fill) if fill.strategy == self.strategy => {
                self.message.clear();
                let (market, id) = (i64::from(fill.market.0), number_of(fill.id));
                let sells = i64::from(fill.side == Side::Sell);
                put(&mut self.message, &[FILL, market, now_ns, id, sells, fill.price]);
                let held = engine.strategy_position(fill.market, self.strategy).quantity().0;
                put(&mut self.message, &[fill.quantity, fill.fee, held]);
                self.call(now_ns, engine, outputs)
            }
            Seen::Fill(_) => Ok(()),
            Seen::Timer => {
                let told = StrategyTold::Alive;
                engine.step(now_ns, &Event::Strategy { strategy: self.strategy, told }, outputs);
                for market in 0..self.told.len() {
                    self.book(MarketId(market as u8), now_ns, engine, outputs)?;
                }
                self.message.clear();
                put(&mut self.message, &[TIMER, 0, now_ns]);
                self.call(now_ns, engine, outputs)
            }
        }
    }

    fn book(
        &mut self,
        market: MarketId,
        now_ns: Nanos,
        engine: &mut Engine,
        outputs: &mut Vec<Output>,
    ) -> Result<(), String> {
        if !write_book(&mut self.message, engine, self.strategy, market, now_ns) {
            return Ok(());
        }
        let told = &mut self.told[market.index()];
        if told.as_slice() == &self.message[CONTENT..] {
            return Ok(());
        }
        told.clear();
        told.extend_from_slice(&self.message[CONTENT..]);
        self.call(now_ns, engine, outputs)
    }

    fn call(
        &mut self,
        now_ns: Nanos,
        engine: &mut Engine,
        outputs: &mut Vec<Output>,
    ) -> Result<(), String> {
        let Called { strategy, handle, message, wishes, .. } = self;
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
