//! Ten ways in which other trading systems fail, each as a scenario that must not happen here.
//!
//! Numbered as they are told in `docs/guides/durability.md`. Every scenario runs over several seeds,
//! with all checkers of [`Life`] watching. A failure names its seed.

use engine::engine::Freshness;
use engine::event::{Channel, Command};
use engine::output::Reflex;
use journal::Durability;
use simulation::disk::VirtualDisk;
use simulation::life::{Deaths, Life};
use simulation::venue::{MS, Manners};
use std::collections::BTreeSet;
use values::{MarketId, Nanos, VenueId};

const SECOND: Nanos = 1_000 * MS;
const PRIMARY: VenueId = VenueId(0);
const FILLS: Manners = Manners {
    answer_lost: 0,
    arrives_late: 0,
    swallowed: 0,
    server_error: 0,
    refused: 0,
    throttled: 0,
    fills_at_once: 0,
    query_lost: 0,
    repeats: 0,
    fills: 60,
    expires: 0,
};

/// Runs a scenario over twenty seeds at both levels.
fn over_seeds(scenario: impl Fn(&mut Life)) {
    let disk = VirtualDisk::leaked();
    for seed in 1..=20_u64 {
        let level = if seed.is_multiple_of(2) { Durability::Process } else { Durability::Power };
        eprintln!("seed {seed}");
        let mut life = Life::new(seed, level, disk);
        scenario(&mut life);
    }
}

/// Runs until the condition holds, in a time that is ample: an order that a venue swallowed is given
/// up after seven seconds, and many may be in a row.
fn until(life: &mut Life, what: &str, holds: impl Fn(&Life) -> bool) {
    for _ in 0..20_000 {
        if holds(life) {
            return;
        }
        life.step(10 * MS);
    }
    panic!("{what} did not come about");
}

fn position(life: &Life) -> i64 {
    life.engine().position(MarketId(0)).quantity().0
}

fn unknown(life: &Life) -> usize {
    life.engine().orders_unknown(PRIMARY)
}

/// 1. A warm restart with a position begins flat, because the repair "corrects" it away.
#[test]
fn failure_01_warm_restart_with_a_position_is_not_flat() {
    over_seeds(|life| {
        life.be(FILLS);
        until(life, "a position", |life| position(life) != 0);
        life.be(Manners::default());
        life.run(SECOND);
        for _ in 0..3 {
            let before = position(life);
            life.kill();
            assert_eq!(position(life), before, "before a word of the venue");
            until(life, "reconciliation", |life| life.engine().is_reconciled(PRIMARY));
            assert_eq!(position(life), life.venues[0].position());
        }
        life.settle();
    });
}

/// 2. After SIGKILL the reconciliation drops orders that still work at the venue.
#[test]
fn failure_02_working_orders_survive_a_kill_and_its_reconciliation() {
    over_seeds(|life| {
        life.be(FILLS);
        life.run(2 * SECOND);
        life.be(Manners::default());
        until(life, "working orders", |life| life.venues[0].open().len() > 1);
        life.kill();
        for _ in 0..300 {
            let known: BTreeSet<_> =
                life.engine().open_orders(PRIMARY).map(|o| o.new.client_order_id).collect();
            for id in life.venues[0].open() {
                // It has been sent in this life or it was known; never forgotten while it works.
                assert!(known.contains(&id), "{id} works at the venue and was dropped");
            }
            life.step(5 * MS);
        }
        life.settle();
    });
}

/// 3. An order that filled at once is called rejected, because no poll ever saw it open.
#[test]
fn failure_03_filled_order_without_an_answer_is_never_rejected() {
    over_seeds(|life| {
        life.be(Manners { answer_lost: 1_000, fills_at_once: 1_000, ..Manners::default() });
        until(life, "a trade", |life| !life.venues[0].trades.is_empty());
        life.run(2 * SECOND);
        life.settle();
        let counters = &life.engine().counters().venues[0];
        // Those that were cancelled while they waited for the disk never left.
        let withdrawn = counters.submitted - life.venues[0].orders.len() as u64;
        assert_eq!((counters.rejected, counters.not_received), (0, withdrawn));
    });
}

/// 4. The answer times out, the stream says accepted, and the retry fires all the same.
#[test]
fn failure_04_timed_out_order_is_never_sent_again() {
    over_seeds(|life| {
        life.be(Manners { answer_lost: 500, arrives_late: 900, repeats: 300, ..FILLS });
        life.run(6 * SECOND);
        life.settle();
        assert!(life.engine().counters().venues[0].became_unknown > 0);
        let arrived = life.venues.iter().map(|venue| venue.orders.len()).sum::<usize>();
        assert_eq!(arrived, life.sent(), "each order arrived, and once");
    });
}

/// 5. The book is stale for seconds while the socket is "connected", and trading goes on.
#[test]
fn failure_05_silent_feed_stops_trading_though_it_is_connected() {
    over_seeds(|life| {
        life.be(FILLS);
        life.run(2 * SECOND);
        life.is_frozen = [true; 2];
        life.run(400 * MS);
        let sent = life.sent();
        assert_eq!(life.engine().freshness(PRIMARY), Freshness::Stale);
        life.run(400 * MS);
        assert_eq!(life.sent(), sent, "no order on data that is not there");
        until(life, "cancels", |life| life.venues[0].open().is_empty());
        life.settle();
    });
}

/// 6. Orders are called failed in a network outage, dropped, and trade later all the same.
#[test]
fn failure_06_network_outage_is_never_taken_for_order_not_found() {
    over_seeds(|life| {
        life.be(FILLS);
        life.run(SECOND);
        // The orders arrive; nothing is heard of them, and no question is answered.
        life.be(Manners { answer_lost: 1_000, query_lost: 1_000, ..Manners::default() });
        life.disconnect(PRIMARY, Channel::User);
        life.run(300 * MS);
        let before = life.engine().counters().venues[0].not_received;
        life.disconnect(PRIMARY, Channel::User);
        life.run(8 * SECOND);
        let known: BTreeSet<_> =
            life.engine().open_orders(PRIMARY).map(|o| o.new.client_order_id).collect();
        assert!(life.venues[0].open().iter().all(|id| known.contains(id)), "dropped in an outage");
        assert_eq!(life.engine().counters().venues[0].not_received, before);
        life.be(FILLS);
        life.run(2 * SECOND);
        life.settle();
    });
}

/// 7. Orders of unknown fate are not counted, more are sent, and all of them fill.
#[test]
fn failure_07_orders_of_unknown_fate_reserve_their_exposure() {
    over_seeds(|life| {
        life.run(SECOND);
        life.be(Manners {
            answer_lost: 400,
            arrives_late: 900,
            query_lost: 1_000,
            fills: 10,
            ..Manners::default()
        });
        // The exposure of what is under way is checked with each order that leaves.
        life.run(5 * SECOND);
        assert!(life.met.orders > 0);
        life.be(Manners { fills: 500, ..Manners::default() });
        life.run(3 * SECOND);
        life.settle();
    });
}

/// 8. Fills in the gap between two connections are dropped and never asked for.
#[test]
fn failure_08_fills_while_nobody_listened_are_caught_up() {
    over_seeds(|life| {
        life.run(2 * SECOND);
        until(life, "working orders", |life| !life.venues[0].open().is_empty());
        life.disconnect(PRIMARY, Channel::User);
        let mut dice = life.dice.clone();
        for id in life.venues[0].open() {
            life.venues[0].fill(id, &mut dice);
        }
        assert_ne!(life.venues[0].position(), position(life));
        until(life, "the catch-up", |life| {
            life.engine().is_reconciled(PRIMARY) && position(life) == life.venues[0].position()
        });
        life.settle();
    });
}

/// 9. A frozen feed is seen, and the only act on offer is to quit.
#[test]
fn failure_09_frozen_feed_is_reconnected_and_trading_resumes_by_itself() {
    over_seeds(|life| {
        life.be(FILLS);
        life.run(2 * SECOND);
        life.is_frozen = [true; 2];
        let (asked, sent) = (life.met.reconnects, life.sent());
        until(life, "a new connection", |life| life.met.reconnects >= asked + 2);
        until(life, "fresh data", |life| life.engine().freshness(PRIMARY) == Freshness::Fresh);
        until(life, "new orders", |life| life.sent() > sent);
        assert!(life.engine().counters().venues[0].reflex(Reflex::FreshMarket) > 0);
        life.settle();
    });
}

/// 10. Memory grows with what was ever seen, until the process is killed for it.
#[test]
fn failure_10_state_stays_flat_over_hours() {
    let mut life = Life::new(10, Durability::Process, VirtualDisk::leaked());
    life.be(Manners { answer_lost: 20, query_lost: 20, repeats: 50, refused: 20, ..FILLS });
    life.deaths = Deaths { disconnect: 1, ..Deaths::default() };
    let mut sizes = Vec::new();
    for _ in 0..8 {
        let until_ns = life.now_ns + 900 * SECOND;
        while life.now_ns < until_ns {
            life.step(60 * MS);
        }
        sizes.push(life.engine().encode().len());
    }
    let (early, late) = (sizes[3], sizes[7]);
    assert!(life.sent() > 5_000, "{} orders: every ring went round", life.sent());
    assert!(
        late < early + early / 20,
        "state sizes in bytes, one each quarter of an hour: {sizes:?}"
    );
}

/// A journal that stalls halts trading, and what waited for it never leaves.
#[test]
fn stalled_disk_halts_trading_and_its_orders_never_leave() {
    let disk = VirtualDisk::leaked();
    for seed in 1..=10 {
        let mut life = Life::new(seed, Durability::Power, disk);
        life.be(FILLS);
        life.run(2 * SECOND);
        life.is_disk_frozen = true;
        until(&mut life, "a halt", |life| life.met.stalls == 1);
        let sent = life.sent();
        life.run(SECOND);
        assert_eq!(life.sent(), sent, "nothing leaves that is not durable");
        life.is_disk_frozen = false;
        life.run(SECOND);
        assert_eq!(life.sent(), sent, "only a person lets it trade again");
        life.command(Command::Resume);
        until(&mut life, "new orders", |life| life.sent() > sent);
        life.settle();
    }
}

/// The most orders of unknown fate at once are bounded by the limit of open orders.
#[test]
fn orders_of_unknown_fate_are_bounded() {
    over_seeds(|life| {
        life.be(Manners { answer_lost: 1_000, query_lost: 1_000, ..Manners::default() });
        life.run(10 * SECOND);
        let limit = life.engine().config().markets[0].orders_open_max as usize;
        assert!(unknown(life) <= limit);
        life.settle();
    });
}
