//! Prices in; stops that they trigger, and how much a protective order may still reduce, out.

use super::parent::{Parent, ParentState, Style, TriggerOn};
use crate::engine::Engine;
use crate::event::Side;
use crate::output::Output;
use values::{MarketId, Nanos, Price, Quantity};

impl Engine {
    /// A trade or a book change of a market: whether a stop was waiting for it. Called only while
    /// there are parents, so that trading without them pays for one comparison.
    pub(crate) fn watch_stops(
        &mut self,
        now_ns: Nanos,
        market: MarketId,
        traded_at: Option<Price>,
        outputs: &mut Vec<Output>,
    ) {
        let top = self.markets[market.index()].market.top();
        let mid = top.map(|(bid, ask)| Price(i64::midpoint(bid.price.0, ask.price.0)));
        let mut index = 0;
        while let Some(parent) = self.parents.open().get(index) {
            index += 1;
            let Style::Stop { trigger, on, .. } = parent.spec.style else { continue };
            let price = match on {
                TriggerOn::Trade => traded_at,
                TriggerOn::Mid => mid,
            };
            let is_reached = price.is_some_and(|price| match parent.spec.side {
                Side::Sell => price <= trigger,
                Side::Buy => price >= trigger,
            });
            let is_here = parent.spec.may_go_to(market, &self.config);
            if parent.state == ParentState::Waiting && is_here && is_reached {
                let id = parent.id;
                self.begin_work(id, outputs);
                self.work_one(now_ns, id, outputs);
                if self.parents.get(id).is_none() {
                    index -= 1;
                }
            }
        }
    }

    /// How much a parent may still make smaller: a person's, of everything held; a strategy's, of
    /// what is its own.
    pub(crate) fn closable(&self, parent: &Parent) -> Quantity {
        let spec = &parent.spec;
        let markets = (0..self.markets.len()).map(|index| MarketId(index as u8));
        let held = markets
            .filter(|&market| spec.may_go_to(market, &self.config))
            .map(|market| self.closable_at(market, parent.strategy, spec.side).0);
        Quantity(held.fold(0, i64::saturating_add))
    }

    /// The same in one market.
    pub(crate) fn closable_at(
        &self,
        market: MarketId,
        strategy: values::StrategyId,
        side: Side,
    ) -> Quantity {
        let state = &self.markets[market.index()];
        let held = if strategy == self.manual() {
            state.position.quantity().0
        } else {
            state.by_strategy[usize::from(strategy.0)].quantity().0
        };
        Quantity(if side == Side::Sell { held.max(0) } else { held.saturating_neg().max(0) })
    }
}
