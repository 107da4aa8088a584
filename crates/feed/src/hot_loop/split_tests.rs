//! The same inputs through one process and through five: the journals, the states and the orders'
//! bytes must be equal. The stages are the real ones; only the wire between them is a queue.

use super::follower::Follower;
use super::link::Link;
use super::machine::Machine;
use super::measure::Paper;
use super::performing::encode;
use super::records::Records;
use super::session::Session;
use super::voice::Voice;
use super::{recovery, replica_of};
use crate::binance::Requests;
use crate::core::Core;
use crate::input::Input;
use crate::stage::{Ends, Orders, Socket, Stage};
use engine::config::{CoreConfig, MarketConfig, StrategyConfig, StrategyKind, VenueConfig};
use engine::event::Purpose;
use engine::output::Output;
use engine::protocol::Protocol;
use journal::{Reader, Writer};
use prost::Message as _;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Mutex;
use values::{MarketId, Money, Nanos, Price, Quantity, VenueId};

const START_NS: Nanos = 1_700_000_000_000_000_000;
const STEP_NS: Nanos = 20_000_000;
const FRAMES: u64 = 3_000;

type Queue = Mutex<VecDeque<Vec<u8>>>;

/// One end of a wire.
fn end(queue: &'static Queue) -> Socket {
    Socket::Queue(queue)
}

fn wire() -> &'static Queue {
    Box::leak(Box::default())
}

fn config() -> CoreConfig {
    CoreConfig {
        run: 17,
        venues: vec![VenueConfig {
            name: "primary".into(),
            stale_after_ns: 250_000_000,
            receive_window_ns: 2_000_000_000,
            order_rate_per_second: 8,
            breaker_failures: 5,
            breaker_window_ns: 2_000_000_000,
            breaker_backoff_ns: 500_000_000,
            breaker_backoff_ns_max: 8_000_000_000,
            protocol: Protocol::default(),
            is_data_only: false,
        }],
        markets: vec![MarketConfig {
            venue: 0,
            symbol: "BTCUSDT".into(),
            base: "BTC".into(),
            quote: "USDT".into(),
            tick: Price(10_000_000),
            lot: Quantity(10_000),
            quantity_min: Quantity(10_000),
            quantity_max: Quantity(1_000_000_000),
            notional_min: Money(0),
            notional_max: Money(1 << 80),
            position_max: Quantity(1_000_000_000),
            collar_ppm: 50_000,
            orders_open_max: 8,
            ..MarketConfig::default()
        }],
        strategies: vec![
            StrategyConfig {
                name: "maker".into(),
                kind: StrategyKind::MarketMaker {
                    half_spread_ppm: 10,
                    quantity: Quantity(10_000_000),
                    skew_ppm: 20,
                    requote_ppm: 1,
                },
                instruments: vec![],
            },
            StrategyConfig {
                name: "momentum".into(),
                kind: StrategyKind::Momentum {
                    fast_updates: 2,
                    slow_updates: 8,
                    trigger_ppm: 1,
                    quantity: Quantity(10_000_000),
                    cooldown_ns: 200_000_000,
                },
                instruments: vec![],
            },
        ],
        loss_max: Money(1 << 80),
        ..CoreConfig::default()
    }
}

fn requests() -> Requests {
    Requests::new("127.0.0.1:9001", "key", "secret", 2_000_000_000).unwrap()
}

/// A session of one process with a venue that accepts everything, over a price that wanders.
fn record(dir: &Path) {
    let session = Session::new(config(), dir, vec![requests()], START_NS).unwrap();
    let mut paper = Paper { session, orders: 0 };
    paper.connect(START_NS).unwrap();
    let mut price = 60_000_u64;
    for id in 1..=FRAMES {
        let now_ns = START_NS + id as Nanos * STEP_NS;
        let before = price;
        price = 60_000 + id * 7 % 13 + id / 50 % 40;
        let frame = format!(
            r#"{{"e":"depthUpdate","E":{},"s":"BTCUSDT","U":{id},"u":{id},"b":[["{before}.00","0"],["{price}.00","1"]],"a":[["{before}.01","0"],["{price}.01","1"]]}}"#,
            now_ns / 1_000_000,
        );
        paper.session.frame(now_ns, VenueId(0), frame.as_bytes()).unwrap();
        if id == 1 {
            let bytes =
                br#"{"lastUpdateId":1,"bids":[["60007.00","1"]],"asks":[["60007.01","1"]]}"#;
            let purpose = Purpose::Snapshot(MarketId(0));
            let (venue, status, retry_after_ns) = (VenueId(0), 200, 0);
            let reply = Input::Reply { venue, purpose, status, retry_after_ns, bytes };
            paper.session.input(now_ns, &reply).unwrap();
        }
        paper.answer(now_ns).unwrap();
        paper.take(now_ns, &Input::Timer).unwrap();
    }
    assert!(paper.orders > 100, "{}", paper.orders);
    paper.session.finish(START_NS + FRAMES as Nanos * STEP_NS).unwrap();
}

/// The requests of all new orders of a journal, as one process sends them.
fn fused_orders(dir: &Path) -> Vec<Vec<u8>> {
    let users = [Voice::trading(requests(), &config(), VenueId(0))];
    let mut found = Vec::new();
    recovery::replay_seen(dir, |core, _, ts_ns, _, outputs| {
        for output in outputs.iter().filter(|output| matches!(output, Output::Place(_))) {
            let mut bytes = Vec::new();
            encode(output, core.engine().config(), &users, ts_ns, &mut bytes).unwrap();
            found.push(bytes);
        }
    })
    .unwrap();
    found
}

/// Five stages in one thread.
struct Rig {
    market: Machine,
    signal: Follower,
    risk: Follower,
    execution: Machine,
    bells: &'static Queue,
    streams: [&'static Queue; 3],
    intents: &'static Queue,
    sent: Vec<Vec<u8>>,
}

impl Rig {
    fn new(dir: &Path, ts_ns: Nanos, first: &Input<'_>) -> Rig {
        let Input::Config(bytes) = first else { panic!("{first:?}") };
        let (mut journal, _) = Writer::open(dir, journal::Options::default()).unwrap();
        journal.append(ts_ns, first.kind(), &[bytes]).unwrap();
        let core = Core::new(config()).unwrap();
        let (bells, facts, intents, passed) = (wire(), wire(), wire(), wire());
        let streams = [wire(), wire(), wire()];
        let follow = |at: usize, stage, inlet, outlet| {
            let ends = Ends { stream: end(streams[at]), inlet, outlet };
            Follower::new(stage, replica_of(dir).unwrap(), ends)
        };
        let mut market = Machine::new(Records::Own { journal, core }, ts_ns);
        let ends = Ends { stream: end(bells), inlet: Some(end(facts)), outlet: None };
        market.link = Link::market(ends).unwrap();
        let replica = Box::new(replica_of(dir).unwrap());
        let mut execution = Machine::new(Records::Followed(replica), ts_ns);
        let (inlet, outlet) = (Some(end(passed)), Some(end(facts)));
        let ends = Ends { stream: end(streams[2]), inlet, outlet };
        execution.link = Link::execution(ends).unwrap();
        Rig {
            market,
            signal: follow(0, Stage::Signal, None, Some(end(intents))),
            risk: follow(1, Stage::Risk, Some(end(intents)), Some(end(passed))),
            execution,
            bells,
            streams,
            intents,
            sent: Vec::new(),
        }
    }

    fn take(&mut self, ts_ns: Nanos, input: &Input<'_>, tamper: impl Fn(&mut Orders)) {
        match input {
            Input::Check { .. } => self.market.record(ts_ns, input).unwrap(),
            _ => drop(self.market.take(ts_ns, input).unwrap()),
        }
        for bell in self.bells.lock().unwrap().drain(..) {
            let stages = [Stage::Signal, Stage::Risk, Stage::Execution];
            for (stream, stage) in self.streams.iter().zip(stages) {
                if stage.topics().contains(&bell[0]) {
                    stream.lock().unwrap().push_back(bell.clone());
                }
            }
        }
        self.signal.follow().unwrap();
        for bytes in self.intents.lock().unwrap().iter_mut() {
            let mut orders = Orders::decode(&bytes[..]).unwrap();
            tamper(&mut orders);
            *bytes = orders.encode_to_vec();
        }
        self.risk.follow().unwrap();
        self.risk.pass_on().unwrap();
        self.execute();
    }

    fn execute(&mut self) {
        let machine = &mut self.execution;
        let Link::Execution(link) = &mut machine.link else { panic!("no execution") };
        let until = link.listen(self.market.last_ns()).unwrap();
        while machine.records.last_seq() < until {
            let entry = machine.follow().unwrap().unwrap();
            for output in &machine.outputs {
                machine.link.performs(output, entry.ts_ns);
            }
            if let (true, Link::Execution(link)) = (entry.is_started, &mut machine.link) {
                link.session = entry.seq;
            }
        }
        let Link::Execution(link) = &mut machine.link else { panic!("no execution") };
        let users = [Voice::trading(requests(), &config(), VenueId(0))];
        while let Some((order, ts_ns, _)) = link.agreed.pop_front() {
            let mut bytes = Vec::new();
            let engine = machine.records.core().engine();
            encode(&Output::Place(order), engine.config(), &users, ts_ns, &mut bytes).unwrap();
            self.sent.push(bytes);
        }
    }
}

/// Plays a journal's inputs into five stages that write the journal in `into`.
fn split(from: &Path, into: &Path, tamper: impl Fn(&mut Orders) + Copy) -> Rig {
    let mut reader = Reader::open(from).unwrap();
    let first = reader.next().unwrap().unwrap();
    let mut rig = Rig::new(into, first.ts_ns, &Input::parse(first.kind, first.payload).unwrap());
    while let Some(entry) = reader.next().unwrap() {
        rig.take(entry.ts_ns, &Input::parse(entry.kind, entry.payload).unwrap(), tamper);
    }
    rig
}

/// Number, time, kind, payload and chain.
type Entry = (u64, Nanos, u16, Vec<u8>, [u8; 32]);

fn entries(dir: &Path) -> Vec<Entry> {
    let (mut reader, mut found) = (Reader::open(dir).unwrap(), Vec::new());
    while let Some(entry) = reader.next().unwrap() {
        found.push((entry.seq, entry.ts_ns, entry.kind, entry.payload.to_vec(), entry.chain));
    }
    found
}

#[test]
fn five_stages_make_the_same_journal_states_and_order_bytes_as_one() {
    let (one, five) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    record(one.path());
    let rig = split(one.path(), five.path(), |_| ());
    assert_eq!(entries(one.path()), entries(five.path()));
    let state_hash = rig.market.records.core().engine().state_hash();
    assert_eq!(rig.execution.records.core().engine().state_hash(), state_hash);
    let (core, told) = recovery::replay(five.path(), false).unwrap().unwrap();
    assert_eq!((core.engine().state_hash(), told.checks), (state_hash, 1));
    let Link::Execution(link) = &rig.execution.link else { panic!("no execution") };
    let agreement = &link.agreement;
    assert_eq!((agreement.waiting(), agreement.differing, agreement.ahead()), (0, 0, 0));
    let fused = fused_orders(one.path());
    assert!(fused.len() > 100, "{}", fused.len());
    assert!(rig.sent == fused, "{} of {} left", rig.sent.len(), fused.len());
}

#[test]
fn orders_that_signal_made_larger_never_get_as_far_as_the_venue() {
    let (one, five) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    record(one.path());
    let rig = split(one.path(), five.path(), |orders| {
        for order in orders.orders.iter_mut().filter(|order| order.number % 2 == 0) {
            order.quantity *= 10;
        }
    });
    let number = |bytes: &Vec<u8>| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let id = text.split_once("PRN-17-").unwrap().1;
        id.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse::<u32>().unwrap()
    };
    let honest: Vec<_> =
        fused_orders(one.path()).into_iter().filter(|bytes| number(bytes) % 2 == 1).collect();
    assert!(honest.len() > 50, "{}", honest.len());
    assert!(rig.sent == honest, "{} of {} left", rig.sent.len(), honest.len());
    assert!(entries(one.path()) == entries(five.path()));
}
