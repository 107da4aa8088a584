//! Differences between our books and a venue's, one situation each: found, classified, repaired by
//! the rule of its class, or escalated.

mod desk;

use desk::{CASH, Desk, LOT, MS, cancelled, config, execution, maker, placed, queried, report};
use engine::breaks::{About, Break, BreakClass, BreakState, EndedBy, REPAIR_NS};
use engine::command::CommandRefusal;
use engine::event::{
    Channel, Charge, Command, Event, Execution, FeeAsset, OrderReport, OwnTrade, Purpose,
    RequestFailure, Side, VenueOrderStatus,
};
use engine::output::{NewOrder, Output};
use engine::reconcile::Stage;
use engine::repair::GRACE_NS;
use values::{Asset, ClientOrderId, MarketId, Money, Price, Quantity, SCALE, StrategyId, VenueId};

const M: MarketId = MarketId(0);
const V: VenueId = VenueId(0);
const EVERY_NS: i64 = 300_000 * MS;

/// A desk with two accepted quotes whose comparison with the venue has just begun.
fn comparing() -> (Desk, NewOrder, NewOrder) {
    let mut config = config(vec![maker()]);
    config.reconcile_every_ns = EVERY_NS;
    let mut desk = Desk::ready(config);
    let orders = placed(&desk.tick(M, 1));
    for new in &orders {
        desk.report(new, VenueOrderStatus::New, 0, 0);
    }
    let until_ns = desk.now_ns + EVERY_NS;
    while desk.now_ns < until_ns - 400 * MS {
        desk.now_ns += 200 * MS;
        for venue in [V, VenueId(1)] {
            desk.step(&Event::Heartbeat { venue, channel: Channel::Market });
        }
        let outputs = desk.step(&Event::Timer);
        assert!(!asks(&outputs), "not before its time");
    }
    let mut is_asked = false;
    for _ in 0..4 {
        is_asked |= asks(&quiet(&mut desk, 200 * MS));
    }
    assert!(is_asked, "orders, trades and balances");
    (desk, orders[0], orders[1])
}

fn asks(outputs: &[Output]) -> bool {
    let has = |wanted: fn(&Output) -> bool| outputs.iter().any(wanted);
    has(|output| matches!(output, Output::FetchOpenOrders(M)))
        && has(|output| matches!(output, Output::FetchMyTrades { market: M, .. }))
        && has(|output| matches!(output, Output::FetchAccount(V)))
}

/// Time passes and both markets live.
fn quiet(desk: &mut Desk, duration_ns: i64) -> Vec<Output> {
    let until_ns = desk.now_ns + duration_ns;
    let mut outputs = Vec::new();
    while desk.now_ns < until_ns {
        desk.now_ns = (desk.now_ns + 200 * MS).min(until_ns);
        for venue in [V, VenueId(1)] {
            outputs.extend(desk.step(&Event::Heartbeat { venue, channel: Channel::Market }));
        }
        outputs.extend(desk.step(&Event::Timer));
    }
    outputs
}

fn resting(orders: &[NewOrder]) -> Vec<OrderReport> {
    orders.iter().map(|new| report(new, VenueOrderStatus::New, 0, None)).collect()
}

/// What the venue lists, has traded and holds.
fn answer(desk: &mut Desk, orders: &[NewOrder], trades: &[OwnTrade], base: i64) -> Vec<Output> {
    let mut outputs = desk.step(&Event::OpenOrders { market: M, reports: &resting(orders) });
    outputs.extend(desk.step(&Event::MyTrades { market: M, trades }));
    outputs.extend(desk.account(M, base));
    outputs
}

fn opened(outputs: &[Output]) -> Vec<BreakClass> {
    let classes = outputs.iter().filter_map(|output| match output {
        Output::Break { class, .. } => Some(*class),
        _ => None,
    });
    classes.collect()
}

fn last_ended(desk: &Desk) -> &Break {
    desk.engine.breaks().closed().next_back().expect("one has ended")
}

fn trade_of(new: &NewOrder, trade_id: u64, quantity: i64) -> OwnTrade {
    OwnTrade {
        venue_order_id: u64::from(new.client_order_id.number) + 5_000,
        execution: execution(trade_id, new, quantity),
        side: new.side,
    }
}

#[test]
fn comparison_that_agrees_neither_stops_trading_nor_opens_a_break() {
    let (mut desk, bid, ask) = comparing();
    assert!(desk.engine.is_reconciled(V), "trading goes on meanwhile");
    let before = desk.engine.counters().venues[0].comparisons;
    let outputs = answer(&mut desk, &[bid, ask], &[], 10 * SCALE);
    assert!(outputs.contains(&Output::Reconciled(V)));
    assert_eq!(desk.engine.counters().venues[0].comparisons, before + 1);
    assert!(desk.engine.breaks().open().is_empty());
    assert!(!asks(&quiet(&mut desk, 10_000 * MS)), "the next one is five minutes away");
}

#[test]
fn order_missing_at_the_venue_is_asked_for_and_its_fate_taken_in() {
    let (mut desk, bid, ask) = comparing();
    answer(&mut desk, &[ask], &[], 10 * SCALE);
    assert!(desk.engine.breaks().open().is_empty(), "its report may still be on its way");
    let outputs = quiet(&mut desk, GRACE_NS);
    assert_eq!(opened(&outputs), [BreakClass::OrderMissing]);
    assert_eq!(queried(&outputs), [bid.client_order_id]);
    assert!(desk.engine.is_reconciled(V), "one order is no reason to stop");
    desk.report(&bid, VenueOrderStatus::Canceled, 0, 0);
    let ended = last_ended(&desk);
    assert_eq!(ended.about, About::Order(bid.client_order_id));
    assert_eq!((ended.ours, ended.theirs), (i128::from(bid.quantity.0), 0));
    assert_eq!(ended.state, BreakState::Ended(EndedBy::OrderReport));
    assert_eq!(desk.engine.breaks().lasting(BreakClass::OrderMissing), 0);
}

#[test]
fn order_whose_end_comes_late_is_no_break() {
    let (mut desk, bid, ask) = comparing();
    answer(&mut desk, &[ask], &[], 10 * SCALE);
    desk.report(&bid, VenueOrderStatus::Canceled, 0, 0);
    assert!(opened(&quiet(&mut desk, GRACE_NS)).is_empty());
}

#[test]
fn confirmed_order_that_the_venue_denies_is_taken_as_ended_and_everything_compared() {
    let (mut desk, bid, ask) = comparing();
    answer(&mut desk, &[ask], &[], 10 * SCALE);
    quiet(&mut desk, GRACE_NS);
    desk.failed(Purpose::QueryOrder(bid.client_order_id), RequestFailure::Refused { code: -2013 });
    assert_eq!(desk.engine.reconciliation(V), Stage::Running);
    desk.report(&ask, VenueOrderStatus::New, 0, 0);
    answer(&mut desk, &[ask], &[], 10 * SCALE);
    assert!(desk.engine.is_reconciled(V));
    assert_eq!(last_ended(&desk).class, BreakClass::OrderMissing);
    assert_eq!(last_ended(&desk).state, BreakState::Ended(EndedBy::Reconciliation));
}

#[test]
fn fill_that_the_stream_never_told_is_booked_and_recorded_as_repaired() {
    let (mut desk, bid, ask) = comparing();
    let quantity = bid.quantity.0;
    let trade = trade_of(&bid, 70, quantity);
    answer(&mut desk, &[ask], &[trade], 10 * SCALE + quantity);
    assert_eq!(desk.engine.position(M).quantity(), bid.quantity, "a fill is a fact at once");
    let outputs = quiet(&mut desk, GRACE_NS);
    assert_eq!(opened(&outputs), [BreakClass::FillMissed]);
    let ended = last_ended(&desk);
    assert_eq!((ended.about, ended.theirs), (About::Trade(70), i128::from(quantity)));
    assert_eq!(ended.state, BreakState::Ended(EndedBy::TradeHistory));
    assert!(desk.engine.breaks().open().is_empty());
}

#[test]
fn fill_that_the_history_told_first_is_no_break() {
    let (mut desk, bid, ask) = comparing();
    let quantity = bid.quantity.0;
    let trade = trade_of(&bid, 70, quantity);
    answer(&mut desk, &[ask], &[trade], 10 * SCALE + quantity);
    let told = report(&bid, VenueOrderStatus::Filled, quantity, Some(trade.execution));
    desk.step(&Event::Order { venue: V, report: told });
    assert!(opened(&quiet(&mut desk, GRACE_NS)).is_empty());
    assert_eq!(desk.engine.counters().venues[0].fills, 1);
}

#[test]
fn unknown_order_at_the_venue_is_cancelled_and_gone_from_the_next_list() {
    let (mut desk, bid, ask) = comparing();
    let foreign = NewOrder { client_order_id: ClientOrderId { run: 6, number: 9 }, ..bid };
    let outputs = answer(&mut desk, &[bid, ask, foreign], &[], 10 * SCALE);
    assert_eq!(opened(&outputs), [BreakClass::UnknownOrder]);
    assert_eq!(cancelled(&outputs), [foreign.client_order_id]);
    let outputs = quiet(&mut desk, 400 * MS);
    assert!(outputs.contains(&Output::FetchOpenOrders(M)), "looks again");
    answer(&mut desk, &[bid, ask], &[], 10 * SCALE);
    assert_eq!(last_ended(&desk).state, BreakState::Ended(EndedBy::OpenOrders));
}

#[test]
fn rule_that_does_not_help_in_time_is_escalated_and_the_venue_only_cancels() {
    let (mut desk, bid, ask) = comparing();
    let foreign = NewOrder { client_order_id: ClientOrderId { run: 6, number: 9 }, ..bid };
    answer(&mut desk, &[bid, ask, foreign], &[], 10 * SCALE);
    let outputs = quiet(&mut desk, REPAIR_NS + 200 * MS);
    let id = desk.engine.breaks().open()[0].id;
    assert!(outputs.contains(&Output::BreakMoved { id, state: BreakState::Escalated }));
    let gone = cancelled(&outputs);
    assert!(gone.contains(&bid.client_order_id) && gone.contains(&ask.client_order_id));
    assert_eq!(desk.engine.reconciliation(V), Stage::Broken);
    assert!(placed(&desk.tick(M, 40)).is_empty());
}

/// The venue tells the same balances until the question is dropped; all outputs.
fn insist(desk: &mut Desk, base: i64, quote: i128) -> Vec<Output> {
    let mut outputs = Vec::new();
    for _ in 0..6 {
        outputs.extend(desk.step(&Event::MyTrades { market: M, trades: &[] }));
        outputs.extend(desk.balances(M, base, Money(quote)));
        outputs.extend(quiet(desk, 3_400 * MS));
    }
    outputs
}

const FULL: i128 = CASH * SCALE as i128;

#[test]
fn balance_that_moved_without_us_is_escalated_by_class_and_ends_when_it_agrees() {
    for (base, quote, class, asset) in [
        (10 * SCALE + LOT, FULL, BreakClass::PositionDiffers, "BTC"),
        (10 * SCALE, FULL - i128::from(SCALE), BreakClass::CashDiffers, "USDT"),
    ] {
        let (mut desk, bid, ask) = comparing();
        desk.step(&Event::OpenOrders { market: M, reports: &resting(&[bid, ask]) });
        let outputs = insist(&mut desk, base, quote);
        assert_eq!(opened(&outputs), [class]);
        let [found] = desk.engine.breaks().open() else { panic!("one break") };
        assert_eq!(found.about, About::Balance(Asset::new(asset.as_bytes())));
        assert_eq!(found.state, BreakState::Escalated);
        let moved = if class == BreakClass::CashDiffers {
            quote - FULL
        } else {
            i128::from(base - 10 * SCALE)
        };
        assert_eq!(found.theirs - found.ours, moved);
        assert_eq!(desk.engine.reconciliation(V), Stage::Broken);
        assert_eq!(cancelled(&outputs)[..2], [bid.client_order_id, ask.client_order_id]);
        for new in [bid, ask] {
            desk.report(&new, VenueOrderStatus::Canceled, 0, 0);
        }
        answer(&mut desk, &[], &[], 10 * SCALE);
        assert_eq!(last_ended(&desk).state, BreakState::Ended(EndedBy::Balance));
        assert!(desk.engine.is_reconciled(V));
    }
}

#[test]
fn difference_that_the_next_answer_explains_is_no_break() {
    let (mut desk, bid, ask) = comparing();
    let quantity = bid.quantity.0;
    answer(&mut desk, &[bid, ask], &[], 10 * SCALE + quantity);
    desk.report(&bid, VenueOrderStatus::Filled, quantity, quantity);
    quiet(&mut desk, 200 * MS);
    answer(&mut desk, &[ask], &[], 10 * SCALE + quantity);
    assert!(desk.engine.breaks().closed().next().is_none());
    assert!(desk.engine.is_reconciled(V) && desk.engine.breaks().open().is_empty());
}

#[test]
fn only_a_named_person_accepts_a_difference_and_then_trading_goes_on() {
    let (mut desk, bid, ask) = comparing();
    desk.step(&Event::OpenOrders { market: M, reports: &resting(&[bid, ask]) });
    let paid_out = FULL - 5 * i128::from(SCALE);
    insist(&mut desk, 10 * SCALE, paid_out);
    let id = desk.engine.breaks().open()[0].id;
    let accept = |id, actor: &str, reason: &str| Command::AcceptBreak {
        id,
        actor: actor.to_owned(),
        reason: reason.to_owned(),
    };
    let refusal = |desk: &Desk, command| desk.engine.refusal(desk.now_ns, &command);
    assert_eq!(refusal(&desk, accept(id, " ", "x")), Some(CommandRefusal::PersonNeeded));
    assert_eq!(refusal(&desk, accept(id, "ada", "")), Some(CommandRefusal::PersonNeeded));
    assert_eq!(refusal(&desk, accept(id + 1, "ada", "x")), Some(CommandRefusal::BreakUnknown));
    desk.command(&accept(id, "ada", "paid out"));
    assert_eq!(last_ended(&desk).state, BreakState::Ended(EndedBy::Person));
    for new in [bid, ask] {
        desk.report(&new, VenueOrderStatus::Canceled, 0, 0);
    }
    // To the questions from before and to the new ones.
    for _ in 0..2 {
        desk.step(&Event::OpenOrders { market: M, reports: &[] });
        desk.step(&Event::MyTrades { market: M, trades: &[] });
        desk.balances(M, 10 * SCALE, Money(paid_out));
    }
    assert!(desk.engine.is_reconciled(V), "the new balance is the right one");
    quiet(&mut desk, 400 * MS);
    assert!(!placed(&desk.tick(M, 1)).is_empty());
}

#[test]
fn contradicting_report_has_everything_compared_anew() {
    let (mut desk, bid, ask) = comparing();
    answer(&mut desk, &[bid, ask], &[], 10 * SCALE);
    let mut other = report(&bid, VenueOrderStatus::New, 0, None);
    other.venue_order_id += 1;
    let outputs = desk.step(&Event::Order { venue: V, report: other });
    assert_eq!(opened(&outputs), [BreakClass::ContradictingReport]);
    assert_eq!(desk.engine.reconciliation(V), Stage::Running);
    for new in [bid, ask] {
        desk.report(&new, VenueOrderStatus::New, 0, 0);
    }
    answer(&mut desk, &[bid, ask], &[], 10 * SCALE);
    assert_eq!(last_ended(&desk).class, BreakClass::ContradictingReport);
    assert_eq!(last_ended(&desk).state, BreakState::Ended(EndedBy::Reconciliation));
}

#[test]
fn breaks_outlive_a_restart_and_a_lost_stream() {
    let (mut desk, bid, ask) = comparing();
    desk.step(&Event::OpenOrders { market: M, reports: &resting(&[bid, ask]) });
    insist(&mut desk, 10 * SCALE + LOT, FULL);
    let before = desk.engine.breaks().open().to_vec();
    desk.engine = engine::Engine::decode(&desk.engine.encode()).expect("decodes");
    desk.step(&Event::Started);
    assert_eq!(desk.engine.breaks().open(), before);
    assert_eq!(desk.engine.reconciliation(V), Stage::Waiting);
}

/// A desk whose bid the venue has ended as filled, without telling any fill.
fn counting_untold_fills() -> (Desk, NewOrder, NewOrder) {
    let (mut desk, bid, ask) = comparing();
    answer(&mut desk, &[bid, ask], &[], 10 * SCALE);
    desk.report(&bid, VenueOrderStatus::Canceled, bid.quantity.0, 0);
    let mut outputs = Vec::new();
    for _ in 0..40 {
        outputs.extend(quiet(&mut desk, REPAIR_NS / 20));
        outputs.extend(desk.step(&Event::MyTrades { market: M, trades: &[] }));
    }
    outputs.extend(quiet(&mut desk, 1_000 * MS));
    assert_eq!(opened(&outputs), [BreakClass::FillMissed]);
    let [found] = desk.engine.breaks().open() else { panic!("one break") };
    assert_eq!((found.about, found.ours), (About::Order(bid.client_order_id), 0));
    assert_eq!(found.theirs, i128::from(bid.quantity.0));
    assert_eq!(found.state, BreakState::Escalated, "the history does not tell them either");
    assert_eq!(desk.engine.reconciliation(V), Stage::Broken);
    (desk, bid, ask)
}

#[test]
fn fills_that_are_counted_and_never_told_are_escalated_until_they_are() {
    let (mut desk, bid, ask) = counting_untold_fills();
    desk.report(&ask, VenueOrderStatus::Canceled, 0, 0);
    let quantity = bid.quantity.0;
    desk.step(&Event::MyTrades { market: M, trades: &[trade_of(&bid, 70, quantity)] });
    assert_eq!(last_ended(&desk).state, BreakState::Ended(EndedBy::TradeHistory));
    for _ in 0..2 {
        answer(&mut desk, &[], &[], 10 * SCALE + quantity);
    }
    assert!(desk.engine.is_reconciled(V));
}

#[test]
fn person_accepts_that_untold_fills_did_not_happen() {
    let (mut desk, _, ask) = counting_untold_fills();
    desk.report(&ask, VenueOrderStatus::Canceled, 0, 0);
    let id = desk.engine.breaks().open()[0].id;
    let (actor, reason) = ("ada".to_owned(), "the venue's support says so".to_owned());
    desk.command(&Command::AcceptBreak { id, actor, reason });
    assert_eq!(last_ended(&desk).state, BreakState::Ended(EndedBy::Person));
    for _ in 0..2 {
        answer(&mut desk, &[], &[], 10 * SCALE);
    }
    assert!(desk.engine.is_reconciled(V), "nothing of it is waited for any more");
}

#[test]
fn state_with_anything_behind_it_is_of_another_version() {
    let (desk, ..) = comparing();
    let mut bytes = desk.engine.encode();
    assert!(engine::Engine::decode(&bytes).is_ok());
    bytes.push(0);
    assert!(engine::Engine::decode(&bytes).is_err(), "a field of it would have been misread");
}

/// A fill of the first quote with its fee in a third asset.
fn pay_in_bnb(desk: &mut Desk, new: &NewOrder, trade_id: u64) {
    let charge = Charge { asset: FeeAsset::Other(Asset::new(b"BNB")), amount: Money(2_000) };
    let done = Execution { charge, fee: Money::ZERO, ..execution(trade_id, new, new.quantity.0) };
    let told = report(new, VenueOrderStatus::Filled, new.quantity.0, Some(done));
    desk.step(&Event::Order { venue: V, report: told });
}

#[test]
fn fee_in_a_third_asset_is_worth_its_markets_price_or_kept_apart() {
    let mut config = config(vec![maker()]);
    config.markets[1].base = "BNB".into();
    config.markets[1].instrument = 1;
    for is_priced in [true, false] {
        let mut desk = Desk::new(config.clone());
        desk.step(&Event::Started);
        desk.connect(V);
        if is_priced {
            desk.books[1].bid = 600 * SCALE;
            desk.connect(VenueId(1));
            desk.tick(MarketId(1), 1);
        }
        desk.now_ns += 300 * MS;
        desk.step(&Event::Heartbeat { venue: V, channel: Channel::Market });
        let bid = placed(&desk.tick(M, 1))[0];
        assert_eq!(bid.side, Side::Buy);
        pay_in_bnb(&mut desk, &bid, 9);
        let mark = desk.engine.mark(MarketId(1));
        let position = desk.engine.strategy_position(M, StrategyId(0));
        let totals: Vec<_> = position.paid().iter().copied().collect();
        assert_eq!((totals.len(), totals[0].paid), (1, Money(2_000)));
        if is_priced {
            assert!(mark > Price(599 * SCALE));
            let worth = 2_000 * i128::from(mark.0) / i128::from(SCALE);
            assert_eq!((position.fees(), totals[0].unvalued), (Money(worth), Money::ZERO));
        } else {
            assert_eq!((position.fees(), totals[0].unvalued), (Money::ZERO, Money(2_000)));
        }
        assert_eq!(desk.engine.position(M).quantity(), Quantity(bid.quantity.0));
    }
}

#[test]
fn order_that_was_placed_after_the_question_is_not_missing_from_its_answer() {
    let (mut desk, bid, ask) = comparing();
    let younger = placed(&desk.report(&bid, VenueOrderStatus::Canceled, 0, 0));
    assert_eq!(younger.len(), 1, "the bid is quoted anew");
    desk.report(&younger[0], VenueOrderStatus::New, 0, 0);
    answer(&mut desk, &[ask], &[], 10 * SCALE);
    assert!(opened(&quiet(&mut desk, GRACE_NS)).is_empty(), "it rests, and nobody said otherwise");
}

#[test]
fn order_whose_end_the_history_tells_late_is_missing_no_more() {
    let (mut desk, bid, ask) = comparing();
    answer(&mut desk, &[ask], &[], 10 * SCALE);
    quiet(&mut desk, GRACE_NS);
    assert_eq!(desk.engine.breaks().lasting(BreakClass::OrderMissing), 1);
    let quantity = bid.quantity.0;
    desk.step(&Event::MyTrades { market: M, trades: &[trade_of(&bid, 70, quantity)] });
    desk.failed(Purpose::QueryOrder(bid.client_order_id), RequestFailure::Unknown);
    assert_eq!(desk.engine.breaks().lasting(BreakClass::OrderMissing), 0);
    quiet(&mut desk, REPAIR_NS);
    assert!(desk.engine.is_reconciled(V), "nothing is left to escalate");
}

#[test]
fn balances_that_each_run_ahead_of_another_fill_are_no_break() {
    let (mut desk, bid, ask) = comparing();
    desk.step(&Event::OpenOrders { market: M, reports: &resting(&[bid, ask]) });
    let mut filled = 0;
    for lots in [1, 2, 1, 2, 1, 2] {
        let quantity = lots * LOT;
        desk.step(&Event::MyTrades { market: M, trades: &[] });
        // The venue has booked one more fill than the stream has told so far.
        let cash = CASH * i128::from(SCALE) + desk.engine.position(M).cash().0;
        let worth = i128::from(bid.price.0) * i128::from(quantity) / i128::from(SCALE);
        desk.balances(M, 10 * SCALE + filled + quantity, Money(cash - worth));
        filled += quantity;
        desk.report(&bid, VenueOrderStatus::PartiallyFilled, filled, quantity);
        quiet(&mut desk, 3_400 * MS);
    }
    assert!(desk.engine.breaks().open().is_empty());
    assert!(desk.engine.is_reconciled(V), "trading goes on");
}
