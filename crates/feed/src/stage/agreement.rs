//! Orders that the own core has decided, and orders that the stage before has told, in; those that
//! both say, to the last digit, out.
//!
//! So a stage before that is wrong, slow, gone or repeats itself can keep an order from leaving,
//! and can never make one leave.

use super::message::Order;
use super::{ORDER_AGE_NS_MAX, Orders};
use engine::output::NewOrder;
use values::{ClientOrderId, Nanos};

/// What may be told ahead of the own core; more is not remembered.
const TOLD_MAX: usize = 256;

/// An order as the stage before told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    order: Order,
    at_ns: Nanos,
    /// The entry that it came of.
    pub seq: u64,
    /// When the market frame came; 0 without.
    pub tick_ns: i64,
    /// When each stage before sent its part; 0 for those that did not.
    pub sent_ns: [i64; 3],
}

/// An order that the own core has decided.
#[derive(Clone, Copy, Debug)]
struct Own {
    order: Order,
    new: NewOrder,
    ts_ns: Nanos,
}

/// Two lists that are compared.
#[derive(Default)]
pub struct Agreement {
    own: Vec<Own>,
    told: Vec<Told>,
    /// Told otherwise than the own core decided.
    pub differing: u64,
    /// Decided here and told by nobody in time.
    pub expired: u64,
    /// Told, and never decided here.
    pub unfounded: u64,
}

fn is_same(a: &Order, b: &Order) -> bool {
    (a.run, a.number) == (b.run, b.number)
}

impl Agreement {
    /// The own core decided an order at an entry of this time. `Some` when it was told already.
    pub fn decide(&mut self, new: &NewOrder, ts_ns: Nanos) -> Option<Told> {
        let order = Order::from(new);
        if let Some(at) = self.told.iter().position(|told| is_same(&told.order, &order)) {
            let told = self.told.swap_remove(at);
            if told.order == order {
                return Some(told);
            }
            self.differing += 1;
        }
        self.own.push(Own { order, new: *new, ts_ns });
        None
    }

    /// The stage before told orders; `agreed` is called with each that the own core has decided
    /// too, with the time of its entry.
    pub fn tell(
        &mut self,
        now_ns: Nanos,
        orders: &Orders,
        mut agreed: impl FnMut(&NewOrder, Nanos, Told),
    ) {
        for &order in &orders.orders {
            let mut sent_ns = [0; 3];
            for (into, &from) in sent_ns.iter_mut().zip(&orders.sent_ns) {
                *into = from;
            }
            let told =
                Told { order, at_ns: now_ns, seq: orders.seq, tick_ns: orders.tick_ns, sent_ns };
            match self.own.iter().position(|own| is_same(&own.order, &order)) {
                Some(at) if self.own[at].order == order => {
                    let own = self.own.swap_remove(at);
                    agreed(&own.new, own.ts_ns, told);
                }
                Some(_) => self.differing += 1,
                None if self.told.len() < TOLD_MAX => self.told.push(told),
                None => self.unfounded += 1,
            }
        }
    }

    /// Takes an order back; true when it was still waiting.
    pub fn withdraw(&mut self, id: ClientOrderId) -> bool {
        let before = self.own.len();
        self.own.retain(|own| own.new.client_order_id != id);
        self.own.len() < before
    }

    /// Forgets what is too old at this core time; `gone` is called with each order of ours.
    pub fn expire(&mut self, now_ns: Nanos, mut gone: impl FnMut(&NewOrder)) {
        let Agreement { own, told, expired, unfounded, .. } = self;
        own.retain(|own| {
            let is_old = now_ns - own.ts_ns > ORDER_AGE_NS_MAX;
            if is_old {
                *expired += 1;
                gone(&own.new);
            }
            !is_old
        });
        told.retain(|told| {
            let is_old = now_ns - told.at_ns > ORDER_AGE_NS_MAX;
            *unfounded += u64::from(is_old);
            !is_old
        });
    }

    /// Forgets everything: a new life of the core has begun.
    pub fn clear(&mut self) {
        self.own.clear();
        self.told.clear();
    }

    /// Orders that were told and that the own core has not decided.
    pub fn ahead(&self) -> usize {
        self.told.len()
    }

    /// Orders that wait to be told.
    pub fn waiting(&self) -> usize {
        self.own.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::event::{Side, TimeInForce};
    use values::{MarketId, Price, Quantity, StrategyId};

    fn order(number: u32) -> NewOrder {
        NewOrder {
            client_order_id: ClientOrderId { run: 1, number },
            market: MarketId(0),
            strategy: StrategyId(0),
            side: Side::Buy,
            price: Price(5),
            quantity: Quantity(7),
            time_in_force: TimeInForce::PostOnly,
        }
    }

    fn told(orders: &[NewOrder]) -> Orders {
        let orders = orders.iter().map(Order::from).collect();
        Orders { seq: 9, tick_ns: 3, sent_ns: vec![4, 5], orders }
    }

    fn tell(agreement: &mut Agreement, orders: &[NewOrder]) -> Vec<u32> {
        let mut agreed = Vec::new();
        agreement.tell(0, &told(orders), |new, _, told| {
            assert_eq!((told.seq, told.tick_ns, told.sent_ns), (9, 3, [4, 5, 0]));
            agreed.push(new.client_order_id.number);
        });
        agreed
    }

    #[test]
    fn order_passes_once_in_whichever_order_both_say_it() {
        let mut agreement = Agreement::default();
        assert!(agreement.decide(&order(1), 0).is_none());
        assert_eq!(tell(&mut agreement, &[order(1)]), [1]);
        assert!(tell(&mut agreement, &[order(1)]).is_empty(), "repeated");
        assert!(tell(&mut agreement, &[order(2)]).is_empty(), "told first");
        assert_eq!(agreement.decide(&order(2), 0).unwrap().seq, 9);
        assert_eq!(agreement.waiting(), 0);
    }

    #[test]
    fn changed_invented_old_and_withdrawn_orders_never_pass() {
        let mut agreement = Agreement::default();
        assert!(agreement.decide(&order(1), 0).is_none());
        let larger = NewOrder { quantity: Quantity(700), ..order(1) };
        assert!(tell(&mut agreement, &[larger, order(99)]).is_empty());
        assert_eq!((agreement.differing, agreement.waiting()), (1, 1));
        assert!(agreement.decide(&order(2), 0).is_none());
        assert!(agreement.withdraw(order(2).client_order_id));
        assert!(!agreement.withdraw(order(2).client_order_id));
        assert!(tell(&mut agreement, &[order(2)]).is_empty());
        let mut gone = Vec::new();
        agreement.expire(ORDER_AGE_NS_MAX + 1, |new| gone.push(new.client_order_id.number));
        assert_eq!((gone, agreement.expired, agreement.unfounded), (vec![1], 1, 2));
        assert!(tell(&mut agreement, &[order(1)]).is_empty());
    }
}
