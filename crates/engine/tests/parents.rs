//! Orders that the core keeps: routed, stopped, sliced, scheduled, amended, over restarts.

mod desk;

use desk::{Desk, LOT, MS, TICK, cancelled, config, maker, placed};
use engine::Engine;
use engine::config::VenueFees;
use engine::event::{
    Amendment, Command, Event, Purpose, RequestFailure, Side, TimeInForce, VenueOrderStatus,
};
use engine::output::{NewOrder, Output};
use engine::reason::DenialReason;
use engine::schedule::{
    Curve, EndReason, Parent, ParentSpec, ParentState, Style, TriggerOn, Window,
};
use values::{MarketId, Nanos, Price, Quantity, SCALE, StrategyId, VenueId};

const M: MarketId = MarketId(0);
const BACKUP: VenueId = VenueId(1);
const ASK: i64 = 10_000 * SCALE + 2 * TICK;
const BID: i64 = 10_000 * SCALE;

fn spec(side: Side, lots: i64, style: Style) -> ParentSpec {
    ParentSpec {
        market: M,
        is_pinned: false,
        side,
        quantity: Quantity(lots * LOT),
        limit: None,
        style,
        reduce_only: false,
        worse_ppm_max: 0,
        child_max: Quantity::ZERO,
    }
}

fn market_order(side: Side, lots: i64) -> ParentSpec {
    spec(side, lots, Style::Market { slippage_ppm: 1_000 })
}

fn limit(side: Side, lots: i64, price: i64, time_in_force: TimeInForce) -> ParentSpec {
    ParentSpec { limit: Some(Price(price)), ..spec(side, lots, Style::Limit { time_in_force }) }
}

fn stop(lots: i64, trigger: i64) -> ParentSpec {
    let style = Style::Stop { trigger: Price(trigger), on: TriggerOn::Trade, slippage_ppm: 1_000 };
    ParentSpec { reduce_only: true, ..spec(Side::Sell, lots, style) }
}

fn window(desk: &Desk) -> Window {
    let start_ns = desk.now_ns;
    Window { start_ns, end_ns: start_ns + 10_000 * MS, interval_ns: 1_000 * MS }
}

/// Both venues in step and no strategy in the way.
fn desk() -> Desk {
    let mut config = config(vec![maker()]);
    config.strategies.clear();
    Desk::ready(config)
}

fn submit(desk: &mut Desk, spec: ParentSpec) -> Vec<Output> {
    assert_eq!(desk.engine.refusal(desk.now_ns, &Command::Submit(spec)), None);
    desk.command(&Command::Submit(spec))
}

fn fill(desk: &mut Desk, new: &NewOrder) -> Vec<Output> {
    desk.report(new, VenueOrderStatus::Filled, new.quantity.0, new.quantity.0)
}

fn end(desk: &mut Desk, new: &NewOrder, status: VenueOrderStatus, filled: i64) -> Vec<Output> {
    desk.report(new, status, filled, filled)
}

/// Keeps both markets fresh while time passes in steps of 10 ms.
fn pass(desk: &mut Desk, duration_ns: Nanos) -> Vec<Output> {
    let (mut outputs, until_ns) = (Vec::new(), desk.now_ns + duration_ns);
    while desk.now_ns < until_ns {
        outputs.extend(desk.wait(10 * MS));
        outputs.extend(desk.tick(M, 0));
        outputs.extend(desk.tick(MarketId(1), 0));
    }
    outputs
}

fn trade(desk: &mut Desk, price: i64, lots: i64) -> Vec<Output> {
    desk.trades += 1;
    let (price, quantity, trade_id) = (Price(price), Quantity(lots * LOT), desk.trades);
    let (buyer_is_maker, ts_event_ns) = (false, desk.now_ns);
    desk.step(&Event::Trade { market: M, trade_id, price, quantity, buyer_is_maker, ts_event_ns })
}

fn one(outputs: &[Output]) -> NewOrder {
    let orders = placed(outputs);
    assert_eq!(orders.len(), 1, "{outputs:?}");
    orders[0]
}

fn ended(desk: &Desk, id: u32) -> Parent {
    let mut closed = desk.engine.parents().closed();
    closed.find(|parent| parent.id == id).expect("ended").clone()
}

#[test]
fn market_order_is_a_protected_limit_and_its_record_names_every_venue() {
    let mut desk = desk();
    let outputs = submit(&mut desk, market_order(Side::Buy, 5));
    let new = one(&outputs);
    assert_eq!(new.time_in_force, TimeInForce::ImmediateOrCancel);
    assert_eq!(new.strategy, StrategyId(0), "people's");
    // The middle is 10,000.01; a thousandth above it, down to the tick.
    assert_eq!(new.price, Price(10_010 * SCALE + TICK));
    let offered: Vec<_> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Offered { market, share, decision, ask, .. } => {
                assert_eq!((*decision, ask.0), (new.client_order_id.number, ASK));
                Some((market.0, share.0))
            }
            _ => None,
        })
        .collect();
    assert_eq!(offered, [(0, 5 * LOT), (1, 0)]);
    fill(&mut desk, &new);
    let parent = ended(&desk, 1);
    assert_eq!((parent.end, parent.filled), (Some(EndReason::Filled), Quantity(5 * LOT)));
    assert_eq!(parent.average(), Some(new.price));
    assert_eq!(parent.slippage_ppm(), Some(999), "against the middle on arrival, rounded down");
}

#[test]
fn market_order_deeper_than_the_book_is_refused_whole() {
    let mut config = config(Vec::new());
    config.markets[0].quantity_max = Quantity(10_000 * LOT);
    config.markets[0].position_max = Quantity(10_000 * LOT);
    let mut desk = Desk::ready(config);
    let thin = ParentSpec { is_pinned: true, ..market_order(Side::Buy, 1_001) };
    let outputs = submit(&mut desk, thin);
    assert!(placed(&outputs).is_empty());
    assert_eq!(ended(&desk, 1).end, Some(EndReason::Denied(DenialReason::DepthInsufficient)));
}

#[test]
fn routed_order_goes_where_it_is_cheapest_and_after_a_switch_only_there() {
    let mut config = config(Vec::new());
    let fees = |taker_ppm| VenueFees { maker_ppm: 0, taker_ppm };
    config.execution.fees = vec![fees(500), fees(100)];
    let mut desk = Desk::ready(config);
    let new = one(&submit(&mut desk, market_order(Side::Buy, 5)));
    assert_eq!(new.market, MarketId(1), "its fee is lower");
    fill(&mut desk, &new);
    for (venue, market) in [(BACKUP, 1), (VenueId(0), 1)] {
        desk.command(&Command::SwitchVenue(venue));
        let new = one(&submit(&mut desk, market_order(Side::Buy, 1)));
        assert_eq!(new.market, MarketId(market), "switched to {venue:?}");
        end(&mut desk, &new, VenueOrderStatus::Expired, 0);
    }
    desk.command(&Command::Halt(Some(BACKUP)));
    let new = one(&submit(&mut desk, market_order(Side::Buy, 1)));
    assert_eq!(new.market, M, "the cheap one is halted");
}

#[test]
fn fill_or_kill_goes_whole_to_one_venue_and_an_ioc_ends_with_its_rest() {
    let mut desk = desk();
    let new = one(&submit(&mut desk, limit(Side::Buy, 5, ASK, TimeInForce::FillOrKill)));
    assert_eq!(new.time_in_force, TimeInForce::FillOrKill);
    end(&mut desk, &new, VenueOrderStatus::Expired, 0);
    assert_eq!(ended(&desk, 1).end, Some(EndReason::Expired));
    let new = one(&submit(&mut desk, limit(Side::Buy, 5, ASK, TimeInForce::ImmediateOrCancel)));
    end(&mut desk, &new, VenueOrderStatus::Expired, 2 * LOT);
    assert!(placed(&pass(&mut desk, 1_000 * MS)).is_empty(), "sent once");
    assert_eq!(ended(&desk, 2).filled, Quantity(2 * LOT));
}

#[test]
fn amend_waits_for_the_proof_and_sends_only_what_is_left() {
    let mut desk = desk();
    let price = BID - 10 * SCALE;
    let first = one(&submit(&mut desk, limit(Side::Buy, 10, price, TimeInForce::GoodTillCancel)));
    desk.report(&first, VenueOrderStatus::New, 0, 0);
    let change = Amendment { limit: Some(Price(price + SCALE)), ..Amendment::default() };
    let outputs = desk.command(&Command::Amend { id: 1, change });
    assert_eq!(cancelled(&outputs), [first.client_order_id]);
    assert!(placed(&outputs).is_empty());
    // The cancel's answer is lost: nothing is known, so nothing is sent.
    desk.failed(Purpose::Cancel(first.client_order_id), RequestFailure::Unknown);
    assert!(placed(&pass(&mut desk, 300 * MS)).is_empty());
    // It says cancelled with 4 filled, but the fills are not told yet.
    desk.report(&first, VenueOrderStatus::Canceled, 4 * LOT, 0);
    assert!(placed(&pass(&mut desk, 300 * MS)).is_empty(), "fills are missing");
    let outputs = desk.report(&first, VenueOrderStatus::Canceled, 4 * LOT, 4 * LOT);
    let mut orders = placed(&outputs);
    orders.extend(placed(&pass(&mut desk, 300 * MS)));
    assert_eq!(orders.len(), 1);
    assert_eq!((orders[0].price, orders[0].quantity), (Price(price + SCALE), Quantity(6 * LOT)));
}

#[test]
fn iceberg_shows_one_slice_at_a_time() {
    let mut desk = desk();
    let style = Style::Iceberg { display: Quantity(3 * LOT) };
    let iceberg = ParentSpec { limit: Some(Price(BID)), ..spec(Side::Buy, 8, style) };
    let mut orders = placed(&submit(&mut desk, iceberg));
    for expected in [3, 3, 2] {
        let new = orders.pop().expect("the next slice");
        assert_eq!((new.quantity, new.price), (Quantity(expected * LOT), Price(BID)));
        assert!(orders.is_empty(), "one at a time");
        fill(&mut desk, &new);
        orders = placed(&pass(&mut desk, 300 * MS));
    }
    assert_eq!(ended(&desk, 1).end, Some(EndReason::Filled));
}

/// A long position of `lots` at the primary.
fn long(desk: &mut Desk, lots: i64) {
    let bought = ParentSpec { is_pinned: true, ..market_order(Side::Buy, lots) };
    let new = one(&submit(desk, bought));
    fill(desk, &new);
    assert_eq!(desk.engine.position(M).quantity(), Quantity(lots * LOT));
}

#[test]
fn stop_survives_a_restart_and_triggers_on_a_trade_at_its_price() {
    let mut desk = desk();
    long(&mut desk, 5);
    assert!(placed(&submit(&mut desk, stop(5, BID - SCALE))).is_empty());
    desk.engine = Engine::decode(&desk.engine.encode()).expect("decodes");
    assert!(placed(&trade(&mut desk, BID, 1)).is_empty());
    assert_eq!(desk.engine.parents().open()[0].state, ParentState::Waiting);
    let new = one(&trade(&mut desk, BID - SCALE, 1));
    assert_eq!((new.side, new.quantity), (Side::Sell, Quantity(5 * LOT)));
    // What does not fill at once is tried again: a stop does not give up.
    end(&mut desk, &new, VenueOrderStatus::Expired, 2 * LOT);
    let again = one(&pass(&mut desk, 300 * MS));
    assert_eq!(again.quantity, Quantity(3 * LOT));
    fill(&mut desk, &again);
    assert_eq!(ended(&desk, 2).end, Some(EndReason::Filled));
}

#[test]
fn protective_stop_shrinks_with_its_position_and_ends_with_it() {
    let mut desk = desk();
    long(&mut desk, 5);
    submit(&mut desk, stop(5, BID - SCALE));
    let sold = ParentSpec { is_pinned: true, ..market_order(Side::Sell, 2) };
    let new = one(&submit(&mut desk, sold));
    fill(&mut desk, &new);
    desk.command(&Command::CancelAll(None));
    let new = one(&trade(&mut desk, BID - SCALE, 1));
    assert_eq!(new.quantity, Quantity(3 * LOT), "as much as is still held");
    end(&mut desk, &new, VenueOrderStatus::Expired, 0);
    let sold = ParentSpec { is_pinned: true, ..market_order(Side::Sell, 3) };
    let new = one(&submit(&mut desk, sold));
    fill(&mut desk, &new);
    assert!(placed(&pass(&mut desk, 1_000 * MS)).is_empty(), "no orphan");
    assert_eq!(ended(&desk, 2).end, Some(EndReason::PositionClosed));
}

#[test]
fn stop_that_may_open_a_position_keeps_its_room_free() {
    let mut desk = desk();
    let style =
        Style::Stop { trigger: Price(ASK + SCALE), on: TriggerOn::Mid, slippage_ppm: 1_000 };
    let entry = ParentSpec { is_pinned: true, ..spec(Side::Buy, 20, style) };
    submit(&mut desk, entry);
    let bought = ParentSpec { is_pinned: true, ..market_order(Side::Buy, 20) };
    submit(&mut desk, bought);
    assert_eq!(ended(&desk, 2).end, Some(EndReason::Denied(DenialReason::PositionLimit)));
    let new = one(&desk.tick(M, 200));
    assert_eq!(new.quantity, Quantity(20 * LOT), "the room of 30 had been kept for it");
}

#[test]
fn stop_that_may_go_anywhere_keeps_room_at_every_venue() {
    let mut desk = desk();
    let style =
        Style::Stop { trigger: Price(ASK + SCALE), on: TriggerOn::Mid, slippage_ppm: 1_000 };
    submit(&mut desk, spec(Side::Buy, 20, style));
    for market in [M, MarketId(1)] {
        let bought = ParentSpec { market, is_pinned: true, ..market_order(Side::Buy, 20) };
        submit(&mut desk, bought);
    }
    for id in [2, 3] {
        assert_eq!(ended(&desk, id).end, Some(EndReason::Denied(DenialReason::PositionLimit)));
    }
}

#[test]
fn order_of_a_named_venue_is_compared_with_all_right_after_its_step() {
    let mut desk = desk();
    let new = one(&submit(&mut desk, ParentSpec { is_pinned: true, ..market_order(Side::Buy, 3) }));
    let before = desk.engine.state_hash();
    let offers = desk.engine.compare(desk.now_ns, &new);
    let told: Vec<(MarketId, Price, Quantity, Option<DenialReason>)> = offers
        .iter()
        .map(|output| match *output {
            Output::Offered { market, ask, share, obstacle, .. } => (market, ask, share, obstacle),
            _ => panic!("{output:?}"),
        })
        .collect();
    let ask = Price(ASK);
    let expected = [(M, ask, Quantity(3 * LOT), None), (MarketId(1), ask, Quantity::ZERO, None)];
    assert_eq!(told, expected);
    assert_eq!(desk.engine.state_hash(), before, "comparing changes nothing");
}

#[test]
fn twap_sends_equal_slices_catches_up_and_rests_while_paused() {
    let mut desk = desk();
    let style = Style::Twap { window: window(&desk), slippage_ppm: 1_000 };
    let mut orders = placed(&submit(&mut desk, spec(Side::Buy, 20, style)));
    let first = orders.pop().expect("the first slice is due at the start");
    assert_eq!(first.quantity, Quantity(2 * LOT));
    end(&mut desk, &first, VenueOrderStatus::Expired, 0);
    let second = one(&pass(&mut desk, 900 * MS));
    assert_eq!(second.quantity, Quantity(2 * LOT), "what did not fill is due at once");
    fill(&mut desk, &second);
    desk.command(&Command::PauseOrder(1));
    assert!(placed(&pass(&mut desk, 5_000 * MS)).is_empty());
    let catching_up = one(&desk.command(&Command::ResumeOrder(1)));
    assert_eq!(catching_up.quantity, Quantity(6 * LOT), "three slices at the most");
    fill(&mut desk, &catching_up);
    let mut filled = 8;
    for _ in 0..60 {
        for new in placed(&pass(&mut desk, 100 * MS)) {
            filled += new.quantity.0 / LOT;
            fill(&mut desk, &new);
        }
    }
    assert_eq!(filled, 20);
    assert_eq!(ended(&desk, 1).end, Some(EndReason::Filled));
}

#[test]
fn vwap_follows_its_curve_and_participation_the_tape() {
    let mut desk = desk();
    let (window, curve) = (window(&desk), Curve::from(vec![1, 9]));
    let style = Style::Vwap { window, slippage_ppm: 1_000, curve };
    let vwap = ParentSpec { child_max: Quantity(20 * LOT), ..spec(Side::Buy, 20, style) };
    let mut done = [0, 0];
    submit(&mut desk, vwap);
    for half in &mut done {
        for _ in 0..49 {
            for new in placed(&pass(&mut desk, 100 * MS)) {
                *half += new.quantity.0 / LOT;
                fill(&mut desk, &new);
            }
        }
    }
    assert_eq!(done, [2, 18]);
    let window = Window { start_ns: desk.now_ns, end_ns: desk.now_ns + 60_000 * MS, ..window };
    let style = Style::Pov { window, slippage_ppm: 1_000, share_ppm: 100_000 };
    let pov = ParentSpec { child_max: Quantity(5 * LOT), ..spec(Side::Sell, 10, style) };
    submit(&mut desk, pov);
    assert!(placed(&pass(&mut desk, 1_000 * MS)).is_empty(), "nothing has traded");
    trade(&mut desk, BID, 25);
    let new = one(&pass(&mut desk, 20 * MS));
    assert_eq!(new.quantity, Quantity(2 * LOT), "a tenth, in whole lots");
}

#[test]
fn schedule_stops_when_it_becomes_too_dear() {
    let mut desk = desk();
    let style = Style::Twap { window: window(&desk), slippage_ppm: 1_000 };
    let dear = ParentSpec { worse_ppm_max: 500, ..spec(Side::Buy, 20, style) };
    let new = one(&submit(&mut desk, dear));
    // The desk fills at the child's limit, a thousandth above the arrival price.
    fill(&mut desk, &new);
    assert!(placed(&pass(&mut desk, 3_000 * MS)).is_empty());
    assert_eq!(ended(&desk, 1).end, Some(EndReason::Slippage));
}

#[test]
fn cancelled_parent_waits_for_the_end_of_its_child() {
    let mut desk = desk();
    let price = BID - 10 * SCALE;
    let new = one(&submit(&mut desk, limit(Side::Buy, 10, price, TimeInForce::PostOnly)));
    let outputs = desk.command(&Command::CancelOrder(1));
    assert_eq!(cancelled(&outputs), [new.client_order_id]);
    assert_eq!(desk.engine.parents().open()[0].state, ParentState::Ending);
    end(&mut desk, &new, VenueOrderStatus::Canceled, 0);
    assert_eq!(ended(&desk, 1).end, Some(EndReason::Canceled));
    assert!(desk.engine.refusal(desk.now_ns, &Command::CancelOrder(1)).is_some());
}

#[test]
fn lost_user_stream_cancels_what_works_there_after_a_while() {
    let mut desk = desk();
    let price = BID - 10 * SCALE;
    let new = one(&submit(&mut desk, limit(Side::Buy, 10, price, TimeInForce::GoodTillCancel)));
    desk.report(&new, VenueOrderStatus::New, 0, 0);
    desk.step(&Event::ChannelDown { venue: VenueId(0), channel: engine::event::Channel::User });
    assert!(cancelled(&pass(&mut desk, 4_900 * MS)).is_empty());
    assert_eq!(cancelled(&pass(&mut desk, 200 * MS)), [new.client_order_id]);
}

#[test]
fn order_that_provably_never_arrived_is_sent_again_once_under_its_own_id() {
    let mut desk = desk();
    let price = BID - 10 * SCALE;
    let pinned = |spec: ParentSpec| ParentSpec { is_pinned: true, ..spec };
    let new =
        one(&submit(&mut desk, pinned(limit(Side::Buy, 10, price, TimeInForce::GoodTillCancel))));
    let id = new.client_order_id;
    let not_there = RequestFailure::Refused { code: -2013 };
    desk.failed(Purpose::Place(id), RequestFailure::Unknown);
    assert!(placed(&desk.failed(Purpose::QueryOrder(id), not_there)).is_empty(), "too early");
    let mut sent = Vec::new();
    for _ in 0..2 {
        let before = pass(&mut desk, 5_000 * MS);
        assert!(placed(&before).is_empty(), "no proof, no order");
        sent.extend(placed(&desk.failed(Purpose::QueryOrder(id), not_there)));
        desk.failed(Purpose::Place(id), RequestFailure::Unknown);
    }
    assert_eq!(sent, [new], "the same order, once");
    // After the second proof it is given up, and the kept order goes on under a new id.
    let next = one(&pass(&mut desk, 300 * MS));
    assert_ne!(next.client_order_id, id);
    assert_eq!(next.quantity, new.quantity);
}
