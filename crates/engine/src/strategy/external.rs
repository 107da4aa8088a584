//! What a strategy's own process says in; checked orders and a guarded gate out.

use super::StrategyState;
use super::breaker::{Gate, StrategyBreaker};
use crate::engine::Engine;
use crate::event::StrategyTold;
use crate::output::Output;
use crate::reason::DenialReason;
use crate::risk::Intent;
use values::{Nanos, StrategyId};

impl Engine {
    /// The breaker of a strategy that runs in a process of its own; `None` for any other.
    pub fn strategy_breaker(&self, strategy: StrategyId) -> Option<&StrategyBreaker> {
        match self.strategies.get(usize::from(strategy.0)) {
            Some(StrategyState::External(breaker)) => Some(breaker),
            _ => None,
        }
    }

    pub(crate) fn on_strategy(
        &mut self,
        now_ns: Nanos,
        strategy: StrategyId,
        told: &StrategyTold<'_>,
        outputs: &mut Vec<Output>,
    ) {
        let state = self.strategies.get_mut(usize::from(strategy.0));
        let Some(StrategyState::External(breaker)) = state else { return };
        let changed = match *told {
            StrategyTold::Up => breaker.up(now_ns),
            StrategyTold::Down => breaker.down(now_ns),
            StrategyTold::Alive => {
                breaker.heard(now_ns);
                None
            }
            StrategyTold::Intents { asked_ns, wishes } => {
                breaker.answered(now_ns, asked_ns, wishes.len())
            }
        };
        let is_open = breaker.gate() != Gate::Closed;
        self.note_gate(now_ns, strategy, changed, outputs);
        let StrategyTold::Intents { wishes, .. } = *told else { return };
        for (market, intent) in wishes {
            if !self.knows(*market) {
                continue;
            }
            if is_open {
                let reason = DenialReason::StrategyUnsound;
                self.counters.deny(reason);
                outputs.push(Output::Denied { market: *market, strategy, reason });
            } else if self.is_own(strategy, intent) {
                self.execute(now_ns, *market, strategy, intent, outputs);
            }
        }
    }

    /// A strategy cancels its own orders only.
    fn is_own(&self, strategy: StrategyId, intent: &Intent) -> bool {
        match intent {
            Intent::Place(_) => true,
            // The wire has no words for these.
            Intent::Route(_) | Intent::Work(_) | Intent::EndWork(_) => false,
            Intent::Cancel(id) => {
                self.orders.get(*id).is_some_and(|order| order.new.strategy == strategy)
            }
        }
    }

    /// Silence and back-offs.
    pub(crate) fn guard_strategies(&mut self, now_ns: Nanos, outputs: &mut Vec<Output>) {
        for index in 0..self.strategies.len() {
            let StrategyState::External(breaker) = &mut self.strategies[index] else { continue };
            let changed = breaker.tick(now_ns);
            self.note_gate(now_ns, StrategyId(index as u8), changed, outputs);
        }
    }

    fn note_gate(
        &mut self,
        now_ns: Nanos,
        strategy: StrategyId,
        changed: Option<Gate>,
        outputs: &mut Vec<Output>,
    ) {
        let Some(gate) = changed else { return };
        outputs.push(Output::StrategyGate { strategy, gate });
        if matches!(gate, Gate::Open(_)) {
            for order in self.orders.open_mut() {
                if order.new.strategy == strategy && !order.state.is_terminal() {
                    order.cancel.want(now_ns);
                }
            }
        }
    }
}
