//! Seeded lives with everything that can go wrong. `PRUNELLA_SEED=n` runs one of them again.

use journal::Durability;
use simulation::dice::Dice;
use simulation::disk::VirtualDisk;
use simulation::life::{Deaths, Life, Met};
use simulation::venue::{MS, Manners};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Manners and deaths of a seed: each kind of trouble is there or not, so that some lives meet one
/// alone and some meet all at once.
fn troubles(seed: u64) -> (Manners, Deaths) {
    let mut dice = Dice::new(seed ^ 0x7201);
    let mut some = |chance: u32| if dice.roll(2) == 0 { 0 } else { chance };
    let manners = Manners {
        answer_lost: some(80),
        arrives_late: some(60),
        swallowed: some(60),
        server_error: some(60),
        refused: some(60),
        throttled: some(30),
        fills_at_once: some(200),
        query_lost: some(120),
        repeats: some(150),
        fills: 60,
        expires: some(15),
    };
    let deaths = Deaths {
        kill: some(8),
        torn: some(4),
        in_disk: some(6),
        power: some(6),
        sync_fails: some(3),
        full: some(3),
        disconnect: some(4),
    };
    (manners, deaths)
}

fn live(seed: u64, disk: &'static VirtualDisk) -> Met {
    let durability = if seed.is_multiple_of(2) { Durability::Process } else { Durability::Power };
    let mut life = Life::new(seed, durability, disk);
    let (manners, deaths) = troubles(seed);
    life.be(manners);
    life.deaths = deaths;
    life.run(6_000 * MS);
    life.settle();
    life.met
}

/// Lives these seeds on all processors; the first failure is told with how to run it again.
fn live_all(seeds: std::ops::Range<u64>) -> Met {
    let (next, total) = (AtomicU64::new(seeds.start), Mutex::new(Met::default()));
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let work = || {
        let disk = VirtualDisk::leaked();
        loop {
            let seed = next.fetch_add(1, Ordering::SeqCst);
            if seed >= seeds.end {
                return;
            }
            let met = catch_unwind(AssertUnwindSafe(|| live(seed, disk))).unwrap_or_else(|cause| {
                next.store(seeds.end, Ordering::SeqCst);
                eprintln!(
                    "seed {seed} failed; run it alone with\n    \
                     PRUNELLA_SEED={seed} cargo test -p prunella-simulation --test lives one_seed"
                );
                resume_unwind(cause)
            });
            let done = seed + 1 - seeds.start;
            if done.is_multiple_of(1_000) && seeds.end - seeds.start > 1_000 {
                eprintln!("{done} of {} lives", seeds.end - seeds.start);
            }
            let mut sum = total.lock().expect("no worker panics with it");
            sum.orders += met.orders;
            sum.recoveries += met.recoveries;
            sum.power += met.power;
            sum.from_snapshot += met.from_snapshot;
            sum.entries_lost += met.entries_lost;
            sum.reconnects += met.reconnects;
            sum.stalls += met.stalls;
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            if let Err(cause) = thread.join() {
                resume_unwind(cause);
            }
        }
    });
    *total.lock().expect("all workers have ended")
}

#[test]
fn thousand_lives_lose_nothing_that_was_promised_and_agree_with_the_venue() {
    let met = live_all(1..1_001);
    eprintln!("{met:?}");
    // The faults have happened, so that the promises were put to the test.
    assert!(met.orders > 10_000 && met.recoveries > 3_000 && met.power > 500, "{met:?}");
    assert!(met.from_snapshot > 500 && met.entries_lost > 500, "{met:?}");
}

#[test]
#[ignore = "an hour or so; `make nightly` runs it"]
fn hundred_thousand_lives() {
    eprintln!("{:?}", live_all(1_001..101_001));
}

#[test]
fn one_seed() {
    let seed = std::env::var("PRUNELLA_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let disk = VirtualDisk::leaked();
    let first = live(seed, disk);
    let second = live(seed, disk);
    assert_eq!(format!("{first:?}"), format!("{second:?}"), "the same seed is the same life");
}
