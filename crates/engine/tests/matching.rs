//! The matching engine against examples, a naive model and its own conservation laws.

use std::collections::BTreeMap;

use engine::event::{Level, Side};
use engine::matching::{
    Balances, MatchEvent, Matching, MatchingConfig, OrderKind, OrderRequest, Refusal,
};
use proptest::prelude::*;
use values::{Price, Quantity, SCALE, notional};

const MAKER_PPM: u32 = 100;
const TAKER_PPM: u32 = 500;

fn market(fee_in_quote: bool) -> Matching {
    Matching::new(MatchingConfig {
        maker_fee_ppm: MAKER_PPM,
        taker_fee_ppm: TAKER_PPM,
        fee_in_quote,
        lot: Quantity(1_000),
    })
}

fn units(value: i64) -> i64 {
    value * SCALE
}

fn level(price: i64, quantity: i64) -> Level {
    Level { price: Price(units(price)), quantity: Quantity(units(quantity)) }
}

fn order(account: usize, side: Side, kind: OrderKind, price: i64, quantity: i64) -> OrderRequest {
    let (price, quantity) = (Price(units(price)), Quantity(units(quantity)));
    OrderRequest { account, side, kind, price, quantity }
}

/// Fills of one order: price and quantity in whole units.
fn fills(events: &[MatchEvent], id: u64) -> Vec<(i64, i64)> {
    let mut found = Vec::new();
    for event in events {
        if let MatchEvent::Filled { order, price, quantity, .. } = event
            && *order == id
        {
            found.push((price.0 / SCALE, quantity.0 / SCALE));
        }
    }
    found
}

fn rich(market: &mut Matching) -> usize {
    market.open_account(i128::from(units(1_000)), i128::from(units(1_000_000)))
}

/// A bid of ours at 100 behind five units of strangers; offers from 102 on.
fn queued() -> (Matching, u64) {
    let mut market = market(true);
    let account = rich(&mut market);
    market.load(&[level(100, 5)], &[level(102, 5)], &mut Vec::new());
    let id =
        market.place(order(account, Side::Buy, OrderKind::GoodTillCancel, 100, 3), &mut Vec::new());
    (market, id.expect("accepted"))
}

fn trade(market: &mut Matching, price: i64, quantity: i64) -> Vec<MatchEvent> {
    let mut out = Vec::new();
    market.trade(Price(units(price)), Quantity(units(quantity)), true, &mut out);
    out
}

#[test]
fn trade_smaller_than_the_queue_ahead_serves_strangers_only() {
    let (mut market, id) = queued();
    assert_eq!(fills(&trade(&mut market, 100, 5), id), []);
    assert_eq!(fills(&trade(&mut market, 100, 2), id), [(100, 2)]);
}

#[test]
fn trade_that_also_shrinks_the_level_moves_the_queue_once() {
    for shrink_first in [false, true] {
        let (mut market, id) = queued();
        let mut out = Vec::new();
        for step in [shrink_first, !shrink_first] {
            if step {
                market.ticker(level(100, 2), level(102, 5), &mut out);
            } else {
                out.extend(trade(&mut market, 100, 3));
            }
        }
        assert_eq!(fills(&out, id), [], "shrink first: {shrink_first}");
        assert_eq!(fills(&trade(&mut market, 100, 3), id), [(100, 1)]);
    }
}

#[test]
fn trade_through_our_price_serves_us_first_at_our_price() {
    let (mut market, id) = queued();
    let out = trade(&mut market, 99, 10);
    assert_eq!(fills(&out, id), [(100, 3)]);
    let printed: i64 = out
        .iter()
        .map(|event| match event {
            MatchEvent::Printed { quantity, .. } => quantity.0 / SCALE,
            _ => 0,
        })
        .sum();
    assert_eq!(printed, 10, "the public volume is that of the recorded trade");
}

#[test]
fn stranger_who_crosses_our_price_is_served_by_us() {
    let (mut market, id) = queued();
    let mut out = Vec::new();
    market.diff(&[level(100, 0)], &[level(99, 2)], &mut out);
    assert_eq!(fills(&out, id), [(100, 2)]);
    let (bid, ask) = market.top();
    assert_eq!(bid, Some(level(100, 1)));
    assert_eq!(ask, Some(level(102, 5)), "what we served is no longer on offer");
}

#[test]
fn taken_liquidity_stays_taken_until_the_level_is_told_anew() {
    let mut market = market(true);
    let account = rich(&mut market);
    market.load(&[level(100, 5)], &[level(102, 5), level(103, 5)], &mut Vec::new());
    let mut out = Vec::new();
    let take = order(account, Side::Buy, OrderKind::ImmediateOrCancel, 102, 4);
    let first = market.place(take, &mut out).expect("accepted");
    let second = market.place(take, &mut out).expect("accepted");
    assert_eq!(fills(&out, first), [(102, 4)]);
    assert_eq!(fills(&out, second), [(102, 1)]);
    assert!(out.contains(&MatchEvent::Expired { order: second, in_match: false }));
    assert_eq!(market.top().1, Some(level(103, 5)));
    market.diff(&[], &[level(102, 5)], &mut out);
    assert_eq!(market.top().1, Some(level(102, 5)));
}

#[test]
fn fill_or_kill_beyond_the_book_does_nothing() {
    let mut market = market(true);
    let account = rich(&mut market);
    market.load(&[level(100, 5)], &[level(102, 5), level(103, 5)], &mut Vec::new());
    let mut out = Vec::new();
    let id = market
        .place(order(account, Side::Buy, OrderKind::FillOrKill, 102, 6), &mut out)
        .expect("accepted");
    assert_eq!(fills(&out, id), []);
    let id = market
        .place(order(account, Side::Buy, OrderKind::FillOrKill, 103, 6), &mut out)
        .expect("accepted");
    assert_eq!(fills(&out, id), [(102, 5), (103, 1)]);
}

#[test]
fn own_resting_order_expires_rather_than_trading_with_its_account() {
    let mut market = market(true);
    let (one, two) = (rich(&mut market), rich(&mut market));
    let mut out = Vec::new();
    let mine = market
        .place(order(one, Side::Sell, OrderKind::GoodTillCancel, 100, 1), &mut out)
        .expect("accepted");
    let theirs = market
        .place(order(two, Side::Sell, OrderKind::GoodTillCancel, 100, 1), &mut out)
        .expect("accepted");
    let taker =
        market.place(order(one, Side::Buy, OrderKind::Market, 0, 1), &mut out).expect("accepted");
    assert!(out.contains(&MatchEvent::Expired { order: mine, in_match: true }));
    assert_eq!(fills(&out, theirs), [(100, 1)]);
    assert_eq!(fills(&out, taker), [(100, 1)]);
}

#[test]
fn order_beyond_the_balance_or_a_maker_that_takes_changes_nothing() {
    let mut market = market(true);
    let account = market.open_account(0, i128::from(units(100)));
    market.load(&[level(100, 5)], &[level(102, 5)], &mut Vec::new());
    let mut out = Vec::new();
    for (request, refusal) in [
        (order(account, Side::Buy, OrderKind::GoodTillCancel, 100, 1), Refusal::Balance),
        (order(account, Side::Sell, OrderKind::GoodTillCancel, 103, 1), Refusal::Balance),
        (order(account, Side::Buy, OrderKind::Market, 0, 1), Refusal::Balance),
        (order(account, Side::Buy, OrderKind::PostOnly, 102, 1), Refusal::WouldTake),
    ] {
        assert_eq!(market.place(request, &mut out), Err(refusal));
    }
    assert_eq!(out, []);
    assert_eq!(market.orders_open(), 0);
}

#[test]
fn best_price_frames_leave_no_trace_after_the_next_depth_frame() {
    let mut market = market(true);
    let book = ([level(100, 5), level(99, 1)], [level(102, 5)]);
    market.load(&book.0, &book.1, &mut Vec::new());
    market.ticker(level(99, 3), level(101, 1), &mut Vec::new());
    assert_eq!(market.top(), (Some(level(99, 3)), Some(level(101, 1))));
    assert_eq!(market.external_levels(Side::Buy), book.0);
    market.diff(&[], &[], &mut Vec::new());
    assert_eq!(market.top(), (Some(level(100, 5)), Some(level(102, 5))));
}

#[derive(Clone, Debug)]
enum Step {
    Place { account: usize, buy: bool, kind: OrderKind, price: i64, quantity: i64 },
    Cancel(u64),
    Diff { buy: bool, price: i64, quantity: i64 },
    Ticker { bid: i64, spread: i64, quantity: i64 },
    Trade { price: i64, quantity: i64, buyer_is_maker: bool },
}

fn a_kind() -> impl Strategy<Value = OrderKind> {
    prop_oneof![
        4 => Just(OrderKind::GoodTillCancel),
        1 => Just(OrderKind::ImmediateOrCancel),
        1 => Just(OrderKind::FillOrKill),
        1 => Just(OrderKind::PostOnly),
        1 => Just(OrderKind::Market),
    ]
}

fn a_place() -> impl Strategy<Value = Step> {
    (0..3_usize, any::<bool>(), a_kind(), 90..111_i64, 1..8_i64).prop_map(
        |(account, buy, kind, price, quantity)| Step::Place { account, buy, kind, price, quantity },
    )
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => a_place(),
        1 => (1..60_u64).prop_map(Step::Cancel),
        2 => (any::<bool>(), 90..111_i64, 0..6_i64)
            .prop_map(|(buy, price, quantity)| Step::Diff { buy, price, quantity }),
        2 => (92..107_i64, 1..4_i64, 1..6_i64)
            .prop_map(|(bid, spread, quantity)| Step::Ticker { bid, spread, quantity }),
        2 => (90..111_i64, 1..9_i64, any::<bool>())
            .prop_map(|(price, quantity, buyer_is_maker)| Step::Trade { price, quantity, buyer_is_maker }),
    ]
}

fn side(buy: bool) -> Side {
    if buy { Side::Buy } else { Side::Sell }
}

fn perform(market: &mut Matching, step: &Step, out: &mut Vec<MatchEvent>) -> Option<OrderRequest> {
    match *step {
        Step::Place { account, buy, kind, price, quantity } => {
            let request = order(account, side(buy), kind, price, quantity);
            return market.place(request, out).is_ok().then_some(request);
        }
        Step::Cancel(id) => {
            market.cancel(id, out);
        }
        Step::Diff { buy, price, quantity } => {
            // Strangers never cross each other: their levels stay on their side of 100.
            let price = if buy { price.min(100) } else { price.max(101) };
            let levels = [level(price, quantity)];
            let (bids, asks): (&[Level], &[Level]) =
                if buy { (&levels, &[]) } else { (&[], &levels) };
            market.diff(bids, asks, out);
        }
        Step::Ticker { bid, spread, quantity } => {
            market.ticker(level(bid, quantity), level(bid + spread, quantity), out);
        }
        Step::Trade { price, quantity, buyer_is_maker } => {
            market.trade(Price(units(price)), Quantity(units(quantity)), buyer_is_maker, out);
        }
    }
    None
}

/// What strangers gave and got, from the public trades and our sides in them.
#[derive(Default)]
struct Flow {
    base: i128,
    quote: i128,
}

fn total(market: &Matching) -> (i128, i128) {
    let fees = market.fees();
    (0..3).map(|account| market.balances(account)).fold(
        (fees.base_free, fees.quote_free),
        |(base, quote), of| {
            (base + of.base_free + of.base_locked, quote + of.quote_free + of.quote_locked)
        },
    )
}

fn not_negative(of: Balances) -> bool {
    of.base_free >= 0 && of.base_locked >= 0 && of.quote_free >= 0 && of.quote_locked >= 0
}

proptest! {
    #[test]
    fn balances_conserve_and_no_order_fills_beyond_itself(
        steps in prop::collection::vec(a_step(), 1..120),
        fee_in_quote in any::<bool>(),
    ) {
        let mut market = market(fee_in_quote);
        for _ in 0..3 {
            market.open_account(i128::from(units(40)), i128::from(units(4_000)));
        }
        let start = total(&market);
        let mut flow = Flow::default();
        let mut requests: BTreeMap<u64, (Side, i64, i64)> = BTreeMap::new();
        let mut last_trade = 0;
        for step in &steps {
            let mut out = Vec::new();
            let request = perform(&mut market, step, &mut out);
            for event in &out {
                match *event {
                    MatchEvent::Accepted { order } => {
                        let request = request.expect("only a placed order is accepted");
                        requests.insert(order, (request.side, request.quantity.0, 0));
                    }
                    MatchEvent::Filled { order, price, quantity, .. } => {
                        let known = requests.get_mut(&order).expect("accepted before");
                        known.2 += quantity.0;
                        prop_assert!(known.2 <= known.1, "order {} filled beyond itself", order);
                        let sign = if known.0 == Side::Buy { 1 } else { -1 };
                        flow.base += sign * i128::from(quantity.0);
                        flow.quote -= sign * notional(price, quantity).0;
                    }
                    MatchEvent::Printed { trade, .. } => {
                        prop_assert_eq!(trade, last_trade + 1, "trade ids are contiguous");
                        last_trade = trade;
                    }
                    _ => {}
                }
            }
            let (base, quote) = total(&market);
            prop_assert_eq!(base, start.0 + flow.base);
            prop_assert_eq!(quote, start.1 + flow.quote);
            prop_assert!((0..3).all(|account| not_negative(market.balances(account))));
        }
    }

    #[test]
    fn visible_book_is_never_crossed_and_its_changes_rebuild_it(
        steps in prop::collection::vec(a_step(), 1..120),
    ) {
        let mut market = market(true);
        for _ in 0..3 {
            market.open_account(i128::from(units(400)), i128::from(units(40_000)));
        }
        let mut copy: [BTreeMap<Price, Quantity>; 2] = Default::default();
        let mut last_id = 0;
        for step in &steps {
            perform(&mut market, step, &mut Vec::new());
            if let (Some(bid), Some(ask)) = market.top() {
                prop_assert!(bid.price < ask.price, "{:?} meets {:?}", bid, ask);
            }
            let Some((first, last, bids, asks)) = market.take_changes(0) else { continue };
            prop_assert_eq!(first, last_id + 1);
            last_id = last;
            for (side, levels) in copy.iter_mut().zip([bids, asks]) {
                for level in levels {
                    if level.quantity.0 == 0 {
                        side.remove(&level.price);
                    } else {
                        side.insert(level.price, level.quantity);
                    }
                }
            }
            for (index, side) in [Side::Buy, Side::Sell].into_iter().enumerate() {
                let mut shown: Vec<_> =
                    market.levels(side).map(|level| (level.price, level.quantity)).collect();
                shown.sort();
                prop_assert_eq!(&shown, &copy[index].clone().into_iter().collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn own_orders_match_as_in_a_list_searched_from_the_start(
        strangers in prop::collection::vec((any::<bool>(), 90..111_i64, 1..6_i64), 0..8),
        steps in prop::collection::vec(
            prop_oneof![4 => a_place(), 1 => (1..60_u64).prop_map(Step::Cancel)], 1..80),
    ) {
        let mut market = market(true);
        for _ in 0..3 {
            market.open_account(i128::from(units(1_000_000)), i128::from(units(1_000_000)));
        }
        let mut naive = Naive::default();
        for (buy, price, quantity) in strangers {
            let price = if buy { price.min(100) } else { price.max(101) };
            let levels = [level(price, quantity)];
            let (bids, asks): (&[Level], &[Level]) =
                if buy { (&levels, &[]) } else { (&[], &levels) };
            market.diff(bids, asks, &mut Vec::new());
            naive.stranger(side(buy), units(price), units(quantity));
        }
        for step in &steps {
            let mut out = Vec::new();
            perform(&mut market, step, &mut out);
            let got: Vec<_> = out.iter().filter_map(|event| match *event {
                MatchEvent::Filled { order, price, quantity, .. } => Some((order, price.0, quantity.0)),
                _ => None,
            }).collect();
            prop_assert_eq!(got, naive.perform(step));
        }
    }
}

/// A list of resting orders in order of arrival; strangers are account 99 and came first.
#[derive(Default)]
struct Naive {
    resting: Vec<(u64, usize, Side, i64, i64)>,
    last: u64,
}

impl Naive {
    fn stranger(&mut self, side: Side, price: i64, quantity: i64) {
        self.resting.retain(|of| (of.2, of.3) != (side, price));
        self.resting.push((0, 99, side, price, quantity));
    }

    fn perform(&mut self, step: &Step) -> Vec<(u64, i64, i64)> {
        match *step {
            Step::Place { account, buy, kind, price, quantity } => {
                self.place(account, side(buy), kind, units(price), units(quantity))
            }
            Step::Cancel(id) => {
                self.resting.retain(|of| of.0 != id);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Where the next counterparty of a taker stands in the list.
    fn next(&self, side: Side, kind: OrderKind, limit: i64) -> Option<usize> {
        let better = |price: i64| if side == Side::Buy { price } else { -price };
        (0..self.resting.len())
            .filter(|&at| {
                let (_, _, of, price, _) = self.resting[at];
                let reached = if side == Side::Buy { price <= limit } else { price >= limit };
                of != side && (kind == OrderKind::Market || reached)
            })
            .min_by_key(|&at| better(self.resting[at].3))
    }

    fn place(
        &mut self,
        account: usize,
        side: Side,
        kind: OrderKind,
        limit: i64,
        quantity: i64,
    ) -> Vec<(u64, i64, i64)> {
        if kind == OrderKind::PostOnly && self.next(side, kind, limit).is_some() {
            return Vec::new();
        }
        self.last += 1;
        let id = self.last;
        let kept = self.resting.clone();
        let (mut left, mut out) = (quantity, Vec::new());
        while left > 0 {
            let Some(at) = self.next(side, kind, limit) else { break };
            let (maker, owner, _, price, resting) = self.resting[at];
            if owner == account {
                self.resting.remove(at);
                continue;
            }
            let filled = left.min(resting);
            left -= filled;
            self.resting[at].4 -= filled;
            if self.resting[at].4 == 0 {
                self.resting.remove(at);
            }
            if maker != 0 {
                out.push((maker, price, filled));
            }
            out.push((id, price, filled));
        }
        if kind == OrderKind::FillOrKill && left > 0 {
            self.resting = kept;
            return Vec::new();
        }
        if left > 0 && matches!(kind, OrderKind::GoodTillCancel | OrderKind::PostOnly) {
            self.resting.push((id, account, side, limit, left));
        }
        out
    }
}
