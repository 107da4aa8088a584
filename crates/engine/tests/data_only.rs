//! A venue whose market data alone is used: its books are kept, and nothing is sent there.

mod desk;

use desk::{Desk, LOT, MS, TICK, config, maker, momentum};
use engine::command::CommandRefusal;
use engine::config::CoreConfig;
use engine::event::{Channel, Command, Event, Level, Side, TimeInForce};
use engine::market::{BookPart, MarketStatus, PartKind};
use engine::output::Output;
use engine::protocol::Protocol;
use engine::reason::DenialReason;
use engine::risk::PlaceIntent;
use engine::scoped::Asked;
use values::{MarketId, Price, Quantity, SCALE, StrategyId, VenueId};

const OTHER: VenueId = VenueId(1);
const THERE: MarketId = MarketId(1);

fn watching() -> CoreConfig {
    let mut config = config(vec![maker(), momentum()]);
    config.venues[1].is_data_only = true;
    config.venues[1].protocol = Protocol::Kraken;
    config.limits.observe_only = vec![DenialReason::VenueDataOnly];
    config
}

fn desk() -> Desk {
    let mut desk = Desk::new(watching());
    desk.step(&Event::Started);
    desk.connect(VenueId(0));
    desk.step(&Event::ChannelUp { venue: OTHER, channel: Channel::Market });
    desk
}

fn level(price: i64) -> Level {
    Level { price: Price(price * SCALE), quantity: Quantity(SCALE) }
}

/// A book with its best prices around `middle`, as so many levels a side.
fn part(desk: &mut Desk, kind: PartKind, middle: i64, depth: Option<usize>) -> Vec<Output> {
    let bids: Vec<Level> = (1..=12).map(|at| level(middle - at)).collect();
    let asks: Vec<Level> = (1..=12).map(|at| level(middle + at)).collect();
    let (update_id, previous_update_id, checksum) = (None, None, None);
    let (bids, asks) = (&bids[..], &asks[..]);
    let part = BookPart { kind, update_id, previous_update_id, bids, asks, depth, checksum };
    desk.step(&Event::Book { market: THERE, part, ts_event_ns: 0 })
}

#[test]
fn its_book_is_live_and_valued_while_no_strategy_quotes_there() {
    let mut desk = desk();
    part(&mut desk, PartKind::Snapshot, 10_000, None);
    desk.outputs.clear();
    for _ in 0..50 {
        desk.wait(20 * MS);
        desk.tick(MarketId(0), 40);
        part(&mut desk, PartKind::Snapshot, 10_000, None);
    }
    let places = desk.outputs.iter().filter_map(|output| match output {
        Output::Place(order) => Some(order.market),
        _ => None,
    });
    let markets: Vec<MarketId> = places.collect();
    assert!(!markets.is_empty() && markets.iter().all(|market| *market == MarketId(0)));
    assert_eq!(desk.engine.market(THERE).status(), MarketStatus::Live);
    assert_eq!(desk.engine.mark(THERE), Price(10_000 * SCALE));
    assert!(desk.engine.is_reconciled(OTHER) && desk.engine.is_user_up(OTHER));
}

#[test]
fn every_way_to_trade_there_is_refused_even_in_observe_only() {
    let mut desk = desk();
    part(&mut desk, PartKind::Snapshot, 10_000, None);
    let intent = PlaceIntent {
        side: Side::Buy,
        price: Price(10_000 * SCALE - TICK),
        quantity: Quantity(LOT),
        time_in_force: TimeInForce::PostOnly,
    };
    let asked = Asked { market: THERE, strategy: StrategyId(0), parent: 0, intent };
    let found = desk.engine.denial_of(desk.now_ns, &asked);
    assert_eq!(found, Some(DenialReason::VenueDataOnly));
    let switch = Command::SwitchVenue(OTHER);
    let refused = desk.engine.refusal(desk.now_ns, &switch);
    assert_eq!(refused, Some(CommandRefusal::VenueDataOnly));
    desk.command(&switch);
    assert_eq!(desk.engine.active_venue(), VenueId(0));
}

#[test]
fn first_venue_cannot_be_one() {
    let mut config = watching();
    config.venues[0].is_data_only = true;
    assert!(config.problem().unwrap().contains("venue 0 is the primary"));
}

#[test]
fn subscription_that_brings_no_book_is_asked_for_again_and_one_that_does_is_not() {
    let mut desk = desk();
    let asks = |outputs: &[Output]| {
        outputs.iter().filter(|output| **output == Output::FetchSnapshot(THERE)).count()
    };
    assert_eq!(asks(&desk.wait(4_900 * MS)), 0, "the subscription has asked");
    assert_eq!(asks(&desk.wait(200 * MS)), 1);
    assert_eq!(asks(&part(&mut desk, PartKind::Snapshot, 10_000, None)), 0);
    assert_eq!(asks(&desk.wait(20_000 * MS)), 0);
}

#[test]
fn confirmed_depth_holds_until_the_next_connection_and_survives_a_snapshot_of_the_state() {
    let mut desk = desk();
    desk.step(&Event::Depth { market: THERE, depth: 10 });
    part(&mut desk, PartKind::Snapshot, 10_000, Some(25));
    let depth = |desk: &Desk| desk.engine.market(THERE).book().depth(Side::Buy);
    assert_eq!(depth(&desk), 10, "what was confirmed goes before what a snapshot looks like");
    desk.engine = engine::Engine::decode(&desk.engine.encode()).unwrap();
    part(&mut desk, PartKind::Change, 10_000, None);
    assert_eq!(depth(&desk), 10);
    desk.step(&Event::ChannelUp { venue: OTHER, channel: Channel::Market });
    part(&mut desk, PartKind::Snapshot, 10_000, Some(25));
    assert_eq!(depth(&desk), 12);
}
