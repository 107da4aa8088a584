//! What a strategy's own process is told, over a journal that is being written.

mod common;

use common::{config, frame, live};
use engine::config::{CoreConfig, StrategyConfig, StrategyKind};
use engine::strategy::breaker::{Gate, Patience};
use feed::input::{HEADER_SIZE_MAX, Input};
use feed::strategy::UP;
use feed::strategy_feed::Follower;
use journal::{Options, Writer};
use values::{Nanos, StrategyId};

const STRATEGY: StrategyId = StrategyId(0);
const BOOK: i64 = 1;

fn with_strategy() -> CoreConfig {
    let patience = Patience {
        budget_ns: 500_000_000,
        heartbeat_ns: 1_000_000_000,
        intents_per_second: 40,
        backoff_ns: 300_000_000,
        backoff_ns_max: 1_000_000_000,
    };
    let mine = StrategyConfig {
        name: "mine".into(),
        kind: StrategyKind::External(patience),
        instruments: vec![],
    };
    CoreConfig { strategies: vec![mine], ..config() }
}

fn write(journal: &mut Writer, ts_ns: Nanos, input: &Input<'_>) {
    let mut header = [0; HEADER_SIZE_MAX];
    journal.append(ts_ns, input.kind(), &input.payload(&mut header)).unwrap();
}

/// The best bids of the books that the strategy is told of now.
fn bids_told(follower: &mut Follower) -> Vec<i64> {
    let mut told = Vec::new();
    follower
        .look(|message| {
            let numbers: Vec<i64> =
                message.as_chunks::<8>().0.iter().map(|n| i64::from_le_bytes(*n)).collect();
            if numbers[0] == BOOK {
                told.push(numbers[3] / 10_000_000);
            }
        })
        .unwrap();
    told
}

/// Wants 0.01 bought at 99.
fn buys(asked_ns: Nanos) -> Vec<u8> {
    let numbers = [4, asked_ns, 0, 0, 0, 99_000_000_000, 10_000_000, 0];
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn strategy_is_told_nothing_between_its_answer_and_the_entry_that_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = Writer::open(dir.path(), Options::default()).unwrap();
    write(&mut journal, 1, &Input::Config(&serde_json::to_vec(&with_strategy()).unwrap()));
    let mut follower = Follower::open(dir.path(), "mine").unwrap().unwrap();
    write(&mut journal, 2, &Input::Strategy { strategy: STRATEGY, bytes: &UP });
    for (ts_ns, input) in (3..).zip(&live()) {
        write(&mut journal, ts_ns, input);
    }
    assert_eq!(bids_told(&mut follower), [10_000]);
    assert_eq!(follower.gate(), Gate::Closed);

    follower.answered();
    let moved =
        br#"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":12,"u":12,"b":[["100.01","1"]],"a":[]}"#;
    write(&mut journal, 6, &frame(moved));
    assert_eq!(bids_told(&mut follower), [0; 0], "it would ask for the same order again");
    write(&mut journal, 7, &Input::Strategy { strategy: STRATEGY, bytes: &buys(5) });
    assert_eq!(bids_told(&mut follower), [10_001]);

    follower.answered();
    follower.reconnected();
    let moved =
        br#"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":13,"u":13,"b":[["100.01","0"]],"a":[]}"#;
    write(&mut journal, 8, &frame(moved));
    assert_eq!(bids_told(&mut follower), [10_000], "an answer that was lost with the connection");
}
