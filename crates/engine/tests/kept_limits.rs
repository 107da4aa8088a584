//! Limits of every scope on orders that the core routes and keeps: nothing goes around them.

mod desk;

use desk::{Desk, LOT, MS, config, maker, placed};
use engine::event::{Command, Purpose, RequestFailure, Side, SignedAct, TimeInForce};
use engine::limits::{LimitKind, LimitName, Scope};
use engine::output::Output;
use engine::reason::DenialReason;
use engine::schedule::{EndReason, ParentSpec, ParentState, Style, TriggerOn};
use values::{MarketId, Nanos, Price, Quantity, SCALE, VenueId};

const HERE: MarketId = MarketId(0);
/// What one lot is worth at most in these tests.
const LOT_USD: i128 = 10_020 * SCALE as i128 / 1_000;

fn spec(side: Side, lots: i64, style: Style) -> ParentSpec {
    ParentSpec {
        market: HERE,
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

fn resting(side: Side, lots: i64, price: i64) -> ParentSpec {
    let time_in_force = TimeInForce::GoodTillCancel;
    ParentSpec { limit: Some(Price(price)), ..spec(side, lots, Style::Limit { time_in_force }) }
}

fn desk() -> Desk {
    let mut config = config(vec![maker()]);
    config.strategies.clear();
    Desk::ready(config)
}

fn limit(desk: &mut Desk, scope: Scope, kind: LimitKind, value: i128) {
    let name = LimitName { scope, kind };
    let nonce = format!("{}", desk.now_ns);
    let signed = Some(SignedAct { person: "ann".into(), nonce, until_ns: i64::MAX, ..act() });
    desk.now_ns += 1;
    desk.command(&Command::SetLimit { name, value, signed });
    assert_eq!(desk.engine.config().limit(name), Some(value));
}

fn act() -> SignedAct {
    SignedAct { person: String::new(), nonce: String::new(), until_ns: 0, signature: String::new() }
}

fn submit(desk: &mut Desk, spec: ParentSpec) -> Vec<Output> {
    assert_eq!(desk.engine.refusal(desk.now_ns, &Command::Submit(spec)), None);
    desk.command(&Command::Submit(spec))
}

fn pass(desk: &mut Desk, duration_ns: Nanos) -> Vec<Output> {
    let (mut outputs, until_ns) = (Vec::new(), desk.now_ns + duration_ns);
    while desk.now_ns < until_ns {
        outputs.extend(desk.wait(10 * MS));
        outputs.extend(desk.tick(HERE, 0));
        outputs.extend(desk.tick(MarketId(1), 0));
    }
    outputs
}

fn denials(outputs: &[Output]) -> Vec<DenialReason> {
    let reasons = outputs.iter().filter_map(|output| match output {
        Output::Denied { reason, .. } => Some(*reason),
        _ => None,
    });
    reasons.collect()
}

#[test]
fn routing_goes_around_a_venue_at_its_limit_and_records_why() {
    let mut desk = desk();
    limit(&mut desk, Scope::Venue(0), LimitKind::GrossMax, 4 * LOT_USD);
    let outputs = submit(&mut desk, market_order(Side::Buy, 5));
    let orders = placed(&outputs);
    assert_eq!(orders.iter().map(|new| new.market.0).collect::<Vec<_>>(), [1], "{outputs:?}");
    let obstacles: Vec<_> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Offered { obstacle, .. } => Some(*obstacle),
            _ => None,
        })
        .collect();
    assert_eq!(obstacles, [Some(DenialReason::GrossVenue), None]);
}

#[test]
fn market_order_beyond_a_limit_of_any_scope_is_denied_and_ends() {
    for (scope, kind, value, reason) in [
        (Scope::Account, LimitKind::GrossMax, 4 * LOT_USD, DenialReason::GrossAccount),
        (Scope::Account, LimitKind::NetMax, 4 * LOT_USD, DenialReason::NetAccount),
        (Scope::Instrument(0), LimitKind::GrossMax, 4 * LOT_USD, DenialReason::GrossInstrument),
        (
            Scope::Instrument(0),
            LimitKind::PositionMax,
            i128::from(4 * LOT),
            DenialReason::PositionInstrument,
        ),
    ] {
        let mut desk = desk();
        limit(&mut desk, scope, kind, value);
        let outputs = submit(&mut desk, market_order(Side::Buy, 5));
        assert_eq!((placed(&outputs), denials(&outputs)), (vec![], vec![reason]));
        let closed = desk.engine.parents().closed().last().expect("ended").clone();
        assert_eq!(closed.end, Some(EndReason::Denied(reason)));
        let outputs = submit(&mut desk, market_order(Side::Buy, 4));
        assert_eq!(placed(&outputs).len(), 1, "{scope:?} {kind:?}: the limit itself is allowed");
    }
}

#[test]
fn kept_order_waits_for_room_under_a_limit_and_then_goes() {
    let mut desk = desk();
    limit(&mut desk, Scope::Account, LimitKind::GrossMax, 4 * LOT_USD);
    let outputs = submit(&mut desk, resting(Side::Buy, 5, 9_990 * SCALE));
    assert_eq!((placed(&outputs), denials(&outputs)), (vec![], vec![DenialReason::GrossAccount]));
    let outputs = pass(&mut desk, 2_000 * MS);
    assert!(placed(&outputs).is_empty());
    assert!(!denials(&outputs).is_empty(), "it is tried again");
    limit(&mut desk, Scope::Account, LimitKind::GrossMax, 5 * LOT_USD);
    assert_eq!(placed(&pass(&mut desk, 500 * MS)).len(), 1);
    let parent = &desk.engine.parents().open()[0];
    assert_eq!((parent.state, parent.denied), (ParentState::Working, None));
}

#[test]
fn protective_stop_is_the_way_out_whatever_the_limits_say() {
    let mut desk = desk();
    let new = placed(&submit(&mut desk, market_order(Side::Buy, 5)))[0];
    desk.report(&new, engine::event::VenueOrderStatus::Filled, new.quantity.0, new.quantity.0);
    for kind in [LimitKind::GrossMax, LimitKind::NetMax, LimitKind::DrawdownMax] {
        limit(&mut desk, Scope::Account, kind, 0);
    }
    let price = Price(9_990 * SCALE);
    let style = Style::Stop { trigger: price, on: TriggerOn::Trade, slippage_ppm: 1_000 };
    submit(&mut desk, ParentSpec { reduce_only: true, ..spec(Side::Sell, 5, style) });
    let outputs = desk.step(&engine::event::Event::Trade {
        market: HERE,
        trade_id: 1,
        price,
        quantity: Quantity(LOT),
        buyer_is_maker: false,
        ts_event_ns: desk.now_ns,
    });
    let orders = placed(&outputs);
    assert_eq!(orders.len(), 1, "{outputs:?}");
    assert_eq!((orders[0].side, orders[0].quantity), (Side::Sell, Quantity(5 * LOT)));
    assert_eq!(denials(&submit(&mut desk, market_order(Side::Buy, 1))).len(), 1);
}

#[test]
fn observe_only_counts_for_routed_orders_too() {
    let mut config = config(vec![maker()]);
    config.strategies.clear();
    config.limits.observe_only = vec![DenialReason::PriceCollar, DenialReason::GrossAccount];
    config.limits.account.insert(LimitKind::GrossMax, 0);
    let mut desk = Desk::ready(config);
    let outputs = submit(&mut desk, resting(Side::Buy, 5, 9_000 * SCALE));
    assert_eq!((placed(&outputs).len(), denials(&outputs).len()), (1, 0));
    for reason in [DenialReason::PriceCollar, DenialReason::GrossAccount] {
        assert_eq!(desk.engine.counters().observed(reason), 1, "{reason:?}");
    }
}

#[test]
fn order_that_never_arrived_is_not_sent_again_beyond_a_limit() {
    for (kind, value, again) in [
        (LimitKind::GrossMax, 5 * LOT_USD, 1),
        (LimitKind::GrossMax, 4 * LOT_USD, 0),
        (LimitKind::DailyLossMax, 0, 0),
    ] {
        let mut desk = desk();
        let new = placed(&submit(&mut desk, resting(Side::Buy, 5, 9_990 * SCALE)))[0];
        let id = new.client_order_id;
        desk.failed(Purpose::Place(id), RequestFailure::Unknown);
        pass(&mut desk, 10_000 * MS);
        limit(&mut desk, Scope::Account, kind, value);
        let venue = VenueId(new.market.0);
        let failure = RequestFailure::Refused { code: -2013 };
        let purpose = Purpose::QueryOrder(id);
        let answer = engine::event::Event::Failed { venue, purpose, failure };
        let outputs = desk.step(&answer);
        let sent: Vec<_> = placed(&outputs).iter().map(|new| new.client_order_id).collect();
        assert_eq!(sent, vec![id; again], "{kind:?} {value}");
    }
}
