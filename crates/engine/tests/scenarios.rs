//! Lives of orders, one situation each; named after what must not happen again elsewhere.

mod desk;

use desk::{Desk, LOT, MS, cancelled, config, execution, maker, momentum, placed, queried, report};
use engine::Engine;
use engine::breaker::BreakerState;
use engine::command::CommandRefusal;
use engine::config::StrategyKind;
use engine::event::{
    Channel, Command, Event, OwnTrade, Purpose, RequestFailure, Side, VenueOrderStatus,
};
use engine::order::OrderState;
use engine::output::{Output, Reflex};
use engine::reason::DenialReason;
use engine::reconcile::Stage;
use engine::risk::TradingState;
use values::{ClientOrderId, MarketId, Quantity, SCALE, StrategyId, VenueId};

const M: MarketId = MarketId(0);
const V: VenueId = VenueId(0);
const NOT_THERE: RequestFailure = RequestFailure::Refused { code: -2013 };

/// A trading desk with the maker's first two quotes out.
fn quoting() -> (Desk, engine::output::NewOrder, engine::output::NewOrder) {
    let mut desk = Desk::ready(config(vec![maker()]));
    let orders = placed(&desk.tick(M, 1));
    assert_eq!(orders.len(), 2, "one quote a side");
    assert_eq!((orders[0].side, orders[1].side), (Side::Buy, Side::Sell));
    (desk, orders[0], orders[1])
}

fn state(desk: &Desk, id: ClientOrderId) -> OrderState {
    desk.engine.orders().get(id).expect("known").state
}

#[test]
fn timeout_makes_an_order_unknown_and_never_sends_it_again() {
    let (mut desk, bid, _) = quoting();
    let outputs = desk.wait(1_000 * MS);
    assert_eq!(state(&desk, bid.client_order_id), OrderState::Unknown);
    assert!(queried(&outputs).contains(&bid.client_order_id));
    desk.tick(M, 1);
    assert_eq!(desk.engine.orders_unknown(V), 2);
    assert!(placed(&desk.tick(M, 2)).is_empty(), "an unknown quote is a quote");
}

#[test]
fn swallowed_order_that_filled_is_found_and_booked_once() {
    let (mut desk, bid, _) = quoting();
    desk.failed(Purpose::Place(bid.client_order_id), RequestFailure::Unknown);
    let quantity = bid.quantity.0;
    let outputs = desk.report(&bid, VenueOrderStatus::Filled, quantity, 0);
    assert!(outputs.iter().any(|o| matches!(o, Output::FetchMyTrades { market: M, .. })));
    assert_eq!(desk.engine.position(M).quantity(), Quantity::ZERO, "no trade seen yet");
    let trade = OwnTrade {
        venue_order_id: u64::from(bid.client_order_id.number) + 5_000,
        execution: execution(77, &bid, quantity),
        side: Side::Buy,
    };
    for _ in 0..2 {
        desk.step(&Event::MyTrades { market: M, trades: &[trade] });
    }
    let late =
        report(&bid, VenueOrderStatus::Filled, quantity, Some(execution(77, &bid, quantity)));
    desk.step(&Event::Order { venue: V, report: late });
    assert_eq!(desk.engine.position(M).quantity(), Quantity(quantity));
    assert_eq!(desk.engine.counters().venues[0].fills, 1);
}

#[test]
fn not_found_is_believed_only_after_the_receive_window() {
    let (mut desk, bid, _) = quoting();
    let id = bid.client_order_id;
    let outputs = desk.failed(Purpose::Place(id), RequestFailure::Unknown);
    assert_eq!(queried(&outputs), [id]);
    desk.failed(Purpose::QueryOrder(id), NOT_THERE);
    assert_eq!(state(&desk, id), OrderState::Unknown, "it may still sit in a socket's buffer");
    // Receive window 500 ms, clocks 1 s, a request's life 2 s.
    desk.wait(3_500 * MS);
    desk.failed(Purpose::QueryOrder(id), NOT_THERE);
    assert_eq!(state(&desk, id), OrderState::Unknown, "may answer a question from within");
    assert!(queried(&desk.wait(500 * MS)).contains(&id));
    desk.failed(Purpose::QueryOrder(id), NOT_THERE);
    assert_eq!(state(&desk, id), OrderState::NotReceived);
}

#[test]
fn lost_network_while_asking_is_never_taken_for_not_found() {
    let (mut desk, bid, _) = quoting();
    let id = bid.client_order_id;
    desk.failed(Purpose::Place(id), RequestFailure::Unknown);
    for _ in 0..20 {
        desk.wait(5_000 * MS);
        desk.failed(Purpose::QueryOrder(id), RequestFailure::Unknown);
    }
    assert_eq!(state(&desk, id), OrderState::Unknown);
}

#[test]
fn reports_in_any_order_give_the_same_position() {
    let half = 6 * LOT;
    for swap in [false, true] {
        let (mut desk, bid, _) = quoting();
        let mut reports = [
            report(&bid, VenueOrderStatus::New, 0, None),
            report(&bid, VenueOrderStatus::PartiallyFilled, half, Some(execution(1, &bid, half))),
            report(&bid, VenueOrderStatus::Filled, 2 * half, Some(execution(2, &bid, half))),
        ];
        if swap {
            reports.reverse();
        }
        for report in reports {
            desk.step(&Event::Order { venue: V, report });
        }
        assert_eq!(state(&desk, bid.client_order_id), OrderState::Filled);
        assert_eq!(desk.engine.position(M).quantity(), Quantity(2 * half));
        assert_eq!(desk.engine.counters().venues[0].breaks, 0);
    }
}

#[test]
fn fill_that_races_a_cancel_is_booked() {
    let (mut desk, bid, _) = quoting();
    desk.report(&bid, VenueOrderStatus::New, 0, 0);
    desk.command(&Command::CancelAll(None));
    desk.report(&bid, VenueOrderStatus::Canceled, 3 * LOT, 0);
    desk.report(&bid, VenueOrderStatus::PartiallyFilled, 3 * LOT, 3 * LOT);
    assert_eq!(desk.engine.position(M).quantity(), Quantity(3 * LOT));
    assert_eq!(state(&desk, bid.client_order_id), OrderState::Canceled);
    assert_eq!(desk.engine.counters().venues[0].breaks, 0);
}

#[test]
fn order_that_was_refused_and_lives_opens_a_break_and_counts_as_working() {
    let (mut desk, bid, _) = quoting();
    desk.failed(Purpose::Place(bid.client_order_id), RequestFailure::Refused { code: -1013 });
    assert_eq!(state(&desk, bid.client_order_id), OrderState::Rejected);
    let outputs = desk.report(&bid, VenueOrderStatus::New, 0, 0);
    assert!(outputs.iter().any(|o| matches!(o, Output::Break { .. })));
    assert_eq!(state(&desk, bid.client_order_id), OrderState::Accepted);
    assert_eq!(desk.engine.reconciliation(V), Stage::Running);
}

#[test]
fn silent_feed_trips_the_reflex_cancels_and_denies() {
    let (mut desk, bid, ask) = quoting();
    desk.report(&bid, VenueOrderStatus::New, 0, 0);
    desk.report(&ask, VenueOrderStatus::New, 0, 0);
    assert!(cancelled(&desk.wait(250 * MS)).is_empty(), "at the limit");
    let outputs = desk.wait(1);
    assert_eq!(cancelled(&outputs), [bid.client_order_id, ask.client_order_id]);
    let stale = Output::Reflex { venue: Some(V), reflex: Reflex::StaleMarket };
    assert!(outputs.contains(&stale));
    let outputs = desk.wait(1_000 * MS);
    assert!(outputs.contains(&Output::Reconnect(V)));
    desk.tick(M, 1);
    let fresh = Output::Reflex { venue: Some(V), reflex: Reflex::FreshMarket };
    assert!(desk.wait(1).contains(&fresh));
}

#[test]
fn unreadable_frame_is_a_gap_that_stops_trading_until_the_next_snapshot() {
    let mut desk = Desk::ready(config(vec![maker()]));
    let outputs = desk.step(&Event::Malformed { venue: V, channel: Channel::Market });
    assert!(outputs.contains(&Output::FetchSnapshot(M)));
    assert!(placed(&desk.tick(M, 1)).is_empty());
    desk.give_snapshot(M);
    desk.tick(M, 1);
    assert_eq!(desk.engine.orders().open().len(), 2, "quotes again");
}

#[test]
fn unreadable_report_is_caught_up_with_before_the_next_order() {
    let (mut desk, ..) = quoting();
    let outputs = desk.step(&Event::Malformed { venue: V, channel: Channel::User });
    assert!(outputs.iter().any(|o| matches!(o, Output::FetchMyTrades { market: M, .. })));
    assert!(!desk.engine.is_reconciled(V));
}

#[test]
fn heartbeat_keeps_a_quiet_market_trading() {
    let (mut desk, ..) = quoting();
    for _ in 0..10 {
        desk.step(&Event::Heartbeat { venue: V, channel: Channel::Market });
        let outputs = desk.wait(200 * MS);
        let stale = Output::Reflex { venue: Some(V), reflex: Reflex::StaleMarket };
        assert!(!outputs.contains(&stale));
    }
}

#[test]
fn error_burst_opens_the_breaker_and_one_probe_closes_it() {
    let mut desk = Desk::ready(config(vec![maker(), momentum()]));
    let mut failures = 0;
    for _ in 0..40 {
        for new in placed(&desk.tick(M, 40)) {
            desk.failed(
                Purpose::Place(new.client_order_id),
                RequestFailure::Throttled { retry_after_ns: 0 },
            );
            failures += 1;
        }
        if matches!(desk.engine.breaker(V), BreakerState::Open { .. }) {
            break;
        }
        desk.wait(130 * MS);
    }
    assert_eq!(failures, 4, "the third opens it; its twin of the same tick was on its way");
    assert!(placed(&desk.tick(M, 40)).is_empty());
    desk.wait(200 * MS);
    assert_eq!(desk.engine.breaker(V), BreakerState::HalfOpen { probe: None });
    desk.now_ns += 100 * MS;
    let probes = placed(&desk.tick(M, 40));
    assert_eq!(probes.len(), 1, "one probe only");
    desk.report(&probes[0], VenueOrderStatus::New, 0, 0);
    assert_eq!(desk.engine.breaker(V), BreakerState::Closed);
}

#[test]
fn kill_cancels_everything_and_stays_until_resumed_even_over_a_restart() {
    let (mut desk, bid, ask) = quoting();
    desk.report(&bid, VenueOrderStatus::New, 0, 0);
    let outputs = desk.command(&Command::Kill);
    assert_eq!(cancelled(&outputs), [bid.client_order_id, ask.client_order_id]);
    desk.command(&Command::Reduce);
    assert_eq!(desk.engine.trading_state(), TradingState::Halted, "reduce never loosens");
    desk.engine = engine::Engine::decode(&desk.engine.encode()).expect("decodes");
    desk.step(&Event::Started);
    assert_eq!(desk.engine.trading_state(), TradingState::Halted);
    desk.command(&Command::Resume);
    assert_eq!(desk.engine.trading_state(), TradingState::Active);
}

#[test]
fn restart_asks_for_what_was_in_flight_and_trades_only_when_reconciled() {
    let (mut desk, bid, ask) = quoting();
    desk.report(&bid, VenueOrderStatus::New, 0, 0);
    desk.engine = engine::Engine::decode(&desk.engine.encode()).expect("decodes");
    let outputs = desk.step(&Event::Started);
    assert_eq!(queried(&outputs), [bid.client_order_id, ask.client_order_id]);
    desk.step(&Event::ChannelUp { venue: V, channel: Channel::Market });
    desk.tick(M, 1);
    desk.give_snapshot(M);
    desk.step(&Event::ChannelUp { venue: V, channel: Channel::User });
    desk.report(&bid, VenueOrderStatus::Filled, bid.quantity.0, bid.quantity.0);
    desk.step(&Event::OpenOrders { market: M, reports: &[] });
    desk.step(&Event::MyTrades { market: M, trades: &[] });
    assert!(placed(&desk.tick(M, 2)).is_empty());
    desk.account(M, 10 * SCALE + bid.quantity.0);
    assert!(!desk.engine.is_reconciled(V), "nobody has spoken of the offer yet");
    let outputs = desk.report(&ask, VenueOrderStatus::Canceled, 0, 0);
    assert!(outputs.contains(&Output::Reconciled(V)));
    desk.wait(300 * MS);
    assert!(!placed(&desk.tick(M, 3)).is_empty());
}

#[test]
fn balance_that_differs_opens_a_break_and_heals_when_it_agrees_again() {
    let mut desk = Desk::ready(config(vec![maker()]));
    desk.step(&Event::ChannelDown { venue: V, channel: Channel::User });
    desk.step(&Event::ChannelUp { venue: V, channel: Channel::User });
    desk.step(&Event::OpenOrders { market: M, reports: &[] });
    let mut breaks = 0;
    for _ in 0..10 {
        desk.step(&Event::MyTrades { market: M, trades: &[] });
        let outputs = desk.account(M, 10 * SCALE + LOT);
        breaks += outputs.iter().filter(|o| matches!(o, Output::Break { .. })).count();
        desk.wait(3_300 * MS);
    }
    assert_eq!(breaks, 1);
    assert_eq!(desk.engine.reconciliation(V), Stage::Broken);
    desk.step(&Event::MyTrades { market: M, trades: &[] });
    let outputs = desk.account(M, 10 * SCALE);
    assert!(outputs.contains(&Output::Reconciled(V)));
}

#[test]
fn order_of_ours_that_we_do_not_know_is_cancelled_before_trading() {
    let (mut desk, bid, _) = quoting();
    let mut foreign = bid;
    foreign.client_order_id = ClientOrderId { run: 6, number: 9 };
    desk.step(&Event::ChannelUp { venue: V, channel: Channel::User });
    let rests = report(&foreign, VenueOrderStatus::New, 0, None);
    let outputs = desk.step(&Event::OpenOrders { market: M, reports: &[rests] });
    assert_eq!(cancelled(&outputs), [foreign.client_order_id]);
    assert!(!desk.engine.is_reconciled(V));
    let outputs = desk.wait(125 * MS);
    assert!(outputs.contains(&Output::FetchOpenOrders(M)), "looks again");
}

#[test]
fn lease_slows_orders_down_and_lapses_in_the_core() {
    let mut desk = Desk::ready(config(vec![maker()]));
    let until_ns = desk.now_ns + 1_000 * MS;
    let lease =
        |per_second| Command::SetOrderRate { venue: V, per_second, until_ns, lease: "shed".into() };
    assert!(desk.engine.refusal(desk.now_ns, &lease(20)).is_some());
    desk.command(&lease(1));
    let outputs = desk.tick(M, 1);
    assert_eq!(placed(&outputs).len(), 1);
    assert_eq!(desk.engine.counters().denied(DenialReason::RateOrders), 1);
    assert_eq!(desk.engine.order_rate(V, until_ns), 20);
}

#[test]
fn switch_makes_the_old_venue_a_quarter_and_the_new_one_full() {
    let mut desk = Desk::ready(config(vec![maker()]));
    desk.command(&Command::SwitchVenue(VenueId(1)));
    let primary = placed(&desk.tick(M, 1));
    let backup = placed(&desk.tick(MarketId(1), 1));
    assert_eq!(primary[0].quantity, Quantity(3 * LOT));
    assert_eq!(backup[0].quantity, Quantity(12 * LOT));
}

#[test]
fn momentum_takes_once_then_turns_by_reducing_first() {
    let mut desk = Desk::ready(config(vec![momentum()]));
    let mut orders = Vec::new();
    let walk = |desk: &mut Desk, ticks: i64, orders: &mut Vec<(Side, i64)>| {
        for _ in 0..60 {
            desk.now_ns += 20 * MS;
            for new in placed(&desk.tick(M, ticks)) {
                orders.push((new.side, new.quantity.0 / LOT));
                desk.report(&new, VenueOrderStatus::Filled, new.quantity.0, new.quantity.0);
            }
        }
    };
    walk(&mut desk, 30, &mut orders);
    assert_eq!(orders, [(Side::Buy, 8)], "one move is bought once");
    walk(&mut desk, -30, &mut orders);
    assert_eq!(orders[1..], [(Side::Sell, 8), (Side::Sell, 8)], "to zero, then short");
}

#[test]
fn shutdown_cancels_and_denies_and_the_next_start_trades_again() {
    let (mut desk, bid, ask) = quoting();
    let outputs = desk.command(&Command::Shutdown);
    assert_eq!(cancelled(&outputs), [bid.client_order_id, ask.client_order_id]);
    assert_eq!(desk.engine.trading_state(), TradingState::Halted);
    desk.step(&Event::Started);
    assert_eq!(desk.engine.trading_state(), TradingState::Active);
}

#[test]
fn waiting_order_is_forbidden_as_soon_as_the_state_forbids_it() {
    use DenialReason::{
        BreakerOpen, ChannelUserDown, MarketStale, StateHalted, StateNotReconciled, StateReducing,
    };
    type Case = (&'static str, fn(&mut Desk), &'static [DenialReason]);
    let cases: [Case; 6] = [
        ("halt", |desk| drop(desk.command(&Command::Halt(None))), &[StateHalted]),
        ("halt of the venue", |desk| drop(desk.command(&Command::Halt(Some(V)))), &[StateHalted]),
        ("reduce", |desk| drop(desk.command(&Command::Reduce)), &[StateReducing]),
        (
            "user stream",
            |desk| {
                desk.step(&Event::ChannelDown { venue: V, channel: Channel::User });
            },
            &[ChannelUserDown, StateNotReconciled],
        ),
        (
            "market",
            |desk| {
                desk.step(&Event::ChannelDown { venue: V, channel: Channel::Market });
            },
            &[MarketStale],
        ),
        (
            "breaker",
            |desk| {
                let ask = desk.engine.orders().open()[1].new.client_order_id;
                for _ in 0..3 {
                    desk.failed(Purpose::Place(ask), RequestFailure::Unknown);
                }
            },
            &[BreakerOpen],
        ),
    ];
    for (name, forbid, reasons) in cases {
        let (mut desk, bid, _) = quoting();
        let id = bid.client_order_id;
        assert_eq!(desk.engine.forbids(desk.now_ns, id), None, "{name}");
        forbid(&mut desk);
        let found = desk.engine.forbids(desk.now_ns, id).expect(name);
        assert!(reasons.contains(&found), "{name}: {found:?}");
        let outputs = desk.failed(Purpose::Place(id), RequestFailure::Withdrawn);
        assert_eq!(state(&desk, id), OrderState::NotReceived, "{name}");
        let is_recorded =
            |output: &Output| matches!(output, Output::Denied { reason, .. } if *reason == found);
        assert!(outputs.iter().any(is_recorded), "{name}: {outputs:?}");
    }
}

#[test]
fn strategy_goes_on_with_other_parameters_of_its_kind_and_no_others() {
    let mut desk = Desk::ready(config(vec![maker(), momentum()]));
    let StrategyKind::MarketMaker { half_spread_ppm, skew_ppm, requote_ppm, quantity: before } =
        maker().kind
    else {
        unreachable!()
    };
    assert_eq!(placed(&desk.tick(M, 1))[0].quantity, before);
    let smaller = Quantity(before.0 / 2);
    let kind =
        StrategyKind::MarketMaker { half_spread_ppm, skew_ppm, requote_ppm, quantity: smaller };
    let (first, second) = (StrategyId(0), StrategyId(1));
    for (strategy, kind, refusal) in [
        (first, maker().kind, "PARAMETERS_SAME"),
        (first, momentum().kind, "PARAMETERS_INVALID"),
        (second, kind.clone(), "PARAMETERS_INVALID"),
        (StrategyId(9), kind.clone(), "PARAMETERS_INVALID"),
    ] {
        let refused = desk.engine.refusal(0, &Command::SetParameters { strategy, kind });
        assert_eq!(refused.map(CommandRefusal::code), Some(refusal));
    }
    desk.command(&Command::SetParameters { strategy: first, kind: kind.clone() });
    desk.command(&Command::CancelAll(None));
    for order in desk.engine.orders().open().to_vec() {
        desk.report(&order.new, VenueOrderStatus::Canceled, 0, 0);
    }
    desk.wait(300 * MS);
    desk.tick(M, 1);
    let quoted: Vec<Quantity> =
        desk.engine.orders().open().iter().map(|order| order.new.quantity).collect();
    assert_eq!(quoted, [smaller; 2]);
    let again = Engine::decode(&desk.engine.encode()).expect("its own snapshot");
    assert_eq!(again.config().strategies[0].kind, kind, "kept over a restart");
}
