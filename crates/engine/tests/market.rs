//! The market's rules, one situation a test: what joins, what is refused, what asks for a snapshot.

use engine::cross_check::Top;
use engine::event::{Level, Side};
use engine::market::{Change, Diff, Market, MarketStatus};
use values::{Price, Quantity};

fn level(price: i64, quantity: i64) -> Level {
    Level { price: Price(price), quantity: Quantity(quantity) }
}

/// A spot change of the bid at 100 to a quantity that tells which change it was.
fn spot(market: &mut Market, first: u64, last: u64) -> Change {
    let bids = [level(100, last as i64)];
    let diff = Diff {
        first_update_id: first,
        final_update_id: last,
        previous_update_id: None,
        bids: &bids,
        asks: &[],
    };
    market.on_diff(last as i64, &diff)
}

fn futures(market: &mut Market, first: u64, last: u64, previous: u64) -> Change {
    let bids = [level(100, last as i64)];
    let diff = Diff {
        first_update_id: first,
        final_update_id: last,
        previous_update_id: Some(previous),
        bids: &bids,
        asks: &[],
    };
    market.on_diff(last as i64, &diff)
}

fn snapshot(market: &mut Market, id: u64) -> Change {
    market.on_snapshot(id, &[level(100, id as i64), level(99, 5)], &[level(110, 7)])
}

fn up() -> Market {
    let mut market = Market::new();
    market.on_channel_up(1);
    market
}

/// A live spot market at update 20.
fn live() -> Market {
    let mut market = up();
    assert_eq!(spot(&mut market, 11, 20), Change::NeedsSnapshot);
    assert_eq!(snapshot(&mut market, 15), Change::Updated);
    market
}

fn best_bid(market: &Market) -> i64 {
    market.book().best(Side::Buy).map_or(0, |level| level.quantity.0)
}

#[test]
fn a_market_without_snapshot_never_goes_live() {
    let mut market = up();
    assert_eq!(spot(&mut market, 11, 20), Change::NeedsSnapshot);
    for id in 21..40 {
        assert_eq!(spot(&mut market, id, id), Change::None, "asked once");
    }
    assert_eq!((market.status(), market.top()), (MarketStatus::Buffering, None));
}

#[test]
fn spot_snapshot_joins_the_changes_that_continue_it() {
    let mut market = up();
    for id in [8, 9, 10, 11] {
        spot(&mut market, id, id);
    }
    assert_eq!(snapshot(&mut market, 9), Change::Updated);
    assert_eq!(market.status(), MarketStatus::Live);
    assert_eq!((best_bid(&market), market.last_update_id()), (11, 11));
    assert_eq!(market.counters().diffs_before_snapshot, 2);
    assert_eq!(market.counters().diffs_applied, 2);
}

#[test]
fn snapshot_older_than_the_held_changes_is_asked_for_again() {
    let mut market = up();
    spot(&mut market, 11, 20);
    assert_eq!(snapshot(&mut market, 9), Change::NeedsSnapshot);
    assert_eq!(snapshot(&mut market, 10), Change::Updated, "11 is the very next");
    assert_eq!(best_bid(&market), 20);
}

#[test]
fn snapshot_before_the_first_change_is_asked_for_again() {
    let mut market = up();
    assert_eq!(snapshot(&mut market, 9), Change::NeedsSnapshot);
    assert_eq!(market.status(), MarketStatus::Buffering);
}

#[test]
fn snapshot_ahead_of_the_stream_waits_for_it() {
    let mut market = up();
    spot(&mut market, 11, 20);
    assert_eq!(snapshot(&mut market, 30), Change::Updated);
    assert_eq!(spot(&mut market, 21, 28), Change::None);
    assert_eq!(spot(&mut market, 29, 33), Change::Updated);
    assert_eq!((best_bid(&market), market.counters().gaps), (33, 0));
}

#[test]
fn second_snapshot_does_not_turn_a_live_book_back() {
    let mut market = live();
    assert_eq!(snapshot(&mut market, 12), Change::None);
    assert_eq!((best_bid(&market), market.counters().snapshots_ignored), (20, 1));
}

#[test]
fn futures_snapshot_joins_the_change_that_spans_it_and_then_follows_pu() {
    let mut market = up();
    futures(&mut market, 101, 105, 90);
    futures(&mut market, 108, 115, 105);
    futures(&mut market, 121, 125, 115);
    assert_eq!(snapshot(&mut market, 110), Change::Updated);
    assert_eq!((best_bid(&market), market.counters().diffs_applied), (125, 2));
    assert_eq!(
        futures(&mut market, 140, 150, 125),
        Change::Updated,
        "numbers may jump, pu may not"
    );
    assert_eq!(futures(&mut market, 151, 160, 149), Change::Gap);
}

#[test]
fn futures_snapshot_between_two_changes_joins_the_next() {
    let mut market = up();
    futures(&mut market, 101, 105, 90);
    assert_eq!(snapshot(&mut market, 105), Change::Updated);
    assert_eq!(futures(&mut market, 121, 125, 105), Change::Updated);
}

#[test]
fn dropped_change_is_a_gap_and_a_new_snapshot_heals_it() {
    let mut market = live();
    assert_eq!(spot(&mut market, 22, 25), Change::Gap);
    assert_eq!((market.status(), market.top()), (MarketStatus::Buffering, None));
    assert_eq!(spot(&mut market, 26, 27), Change::None);
    assert_eq!(snapshot(&mut market, 24), Change::Updated);
    assert_eq!((best_bid(&market), market.counters().gaps, market.counters().resyncs), (27, 1, 1));
}

#[test]
fn repeated_change_is_ignored_and_counted() {
    let mut market = live();
    assert_eq!(spot(&mut market, 11, 20), Change::None);
    assert_eq!(spot(&mut market, 21, 22), Change::Updated);
    assert_eq!((market.counters().diffs_old, market.counters().gaps), (1, 0));
}

#[test]
fn a_number_that_leapt_by_a_wrong_digit_does_not_freeze_the_book() {
    let mut market = live();
    assert_eq!(spot(&mut market, 21, 921), Change::Updated, "the digit is wrong");
    let healed = (22..60).find(|&id| spot(&mut market, id, id) == Change::Gap);
    assert_eq!(healed, Some(30));
    spot(&mut market, 31, 40);
    assert_eq!(snapshot(&mut market, 35), Change::Updated);
    assert_eq!(market.last_update_id(), 40);
}

#[test]
fn crossed_book_is_given_up() {
    let mut market = live();
    let asks = [level(100, 1)];
    let diff = Diff {
        first_update_id: 21,
        final_update_id: 21,
        previous_update_id: None,
        bids: &[],
        asks: &asks,
    };
    assert_eq!(market.on_diff(21, &diff), Change::Crossed);
    assert_eq!(market.top(), None);
    assert_eq!(snapshot(&mut market, 19), Change::NeedsSnapshot, "older than what we had");
    assert_eq!(snapshot(&mut market, 21), Change::Updated);
}

#[test]
fn unreadable_frame_voids_a_live_book() {
    let mut market = live();
    assert_eq!(market.on_malformed(), Change::Gap);
    assert_eq!(market.on_malformed(), Change::None, "already buffering");
    assert_eq!(market.counters().malformed, 2);
    assert_eq!(snapshot(&mut market, 20), Change::Updated);
}

#[test]
fn too_many_held_changes_drop_the_oldest_and_are_counted() {
    let mut market = up();
    for id in 1..=1_100 {
        spot(&mut market, id, id);
    }
    assert_eq!(market.counters().diffs_dropped, 76);
    assert_eq!(snapshot(&mut market, 50), Change::NeedsSnapshot, "76 and before are dropped");
    assert_eq!(snapshot(&mut market, 76), Change::Updated);
    assert_eq!(best_bid(&market), 1_100);
}

#[test]
fn book_that_contradicts_the_ticker_is_given_up() {
    let mut market = live();
    for id in 21..40 {
        let bid = level(100, 4_000);
        let ticker = Top { update_id: id, bid, ask: level(110, 7) };
        let from_ticker = market.on_ticker(1, ticker);
        if from_ticker == Change::Contradicted {
            assert_eq!(market.cross_check().differs, 4);
            assert_eq!(market.status(), MarketStatus::Buffering);
            return;
        }
        assert_eq!(spot(&mut market, id, id), Change::Updated);
    }
    panic!("the contradiction went unnoticed");
}

#[test]
fn top_is_the_newer_of_book_and_ticker() {
    let mut market = live();
    let ticker = |id| Top { update_id: id, bid: level(101, 1), ask: level(105, 3) };
    assert_eq!(market.on_ticker(1, ticker(20)), Change::None, "the book knows this one");
    assert_eq!(market.top(), Some((level(100, 20), level(110, 7))));
    assert_eq!(market.on_ticker(1, ticker(22)), Change::Updated);
    assert_eq!(market.top(), Some((level(101, 1), level(105, 3))));
    assert_eq!(market.microprice(), Some(Price(102)), "(101·3 + 105·1) / 4");
    assert_eq!(spot(&mut market, 21, 23), Change::Updated);
    assert_eq!(market.top(), Some((level(100, 23), level(110, 7))));
    assert_eq!(market.imbalance_ppm(1), Some((23 - 7) * 1_000_000 / 30));
    assert_eq!(market.imbalance_ppm(9), Some((28 - 7) * 1_000_000 / 35));
}

#[test]
fn nonsense_tickers_are_refused_until_they_outvote_a_wrong_number() {
    let mut market = live();
    let ticker = |id, bid| Top { update_id: id, bid: level(bid, 1), ask: level(105, 3) };
    assert_eq!(market.on_ticker(1, ticker(21, 105)), Change::None, "crossed");
    assert_eq!(market.on_ticker(1, ticker(921, 101)), Change::Updated, "the digit is wrong");
    let healed = (22..60).find(|&id| market.on_ticker(1, ticker(id, 102)) == Change::Updated);
    assert_eq!(healed, Some(30));
    assert_eq!(market.top().map(|(bid, _)| bid.price), Some(Price(102)));
}

#[test]
fn trades_are_counted_with_their_gaps_and_repeats() {
    let mut market = live();
    for id in [5, 6, 9, 9, 10] {
        market.on_trade(1, id);
    }
    let counters = market.counters();
    assert_eq!((counters.trades, counters.trade_gaps, counters.trades_old), (5, 1, 1));
}

#[test]
fn age_counts_from_the_last_frame_or_heartbeat_and_is_never_negative() {
    let mut market = Market::new();
    assert_eq!(market.age_ns(5), None);
    market.on_channel_up(10);
    market.on_heartbeat(20);
    assert_eq!((market.age_ns(25), market.age_ns(15)), (Some(5), Some(0)));
}

#[test]
fn a_lost_connection_forgets_everything() {
    let mut market = live();
    market.on_channel_down();
    assert_eq!((market.status(), market.top()), (MarketStatus::Down, None));
    assert_eq!(spot(&mut market, 21, 22), Change::None);
    market.on_channel_up(1);
    assert_eq!(spot(&mut market, 70, 71), Change::NeedsSnapshot);
}

#[test]
fn state_survives_encoding() {
    let mut market = live();
    spot(&mut market, 30, 31);
    let bytes = postcard::to_allocvec(&market).expect("encodes");
    assert_eq!(postcard::from_bytes::<Market>(&bytes), Ok(market));
}
