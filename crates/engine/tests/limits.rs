//! Every limit of every scope: one step below it, at it, one step above it; and over any history.

mod desk;

use desk::{Desk, LOT, TICK, config, execution, maker, momentum, placed, report};
use engine::Engine;
use engine::config::CoreConfig;
use engine::event::{
    Channel, Command, Event, Purpose, RequestFailure, Side, SignedAct, TimeInForce,
    VenueOrderStatus,
};
use engine::limits::{BreakerConfig, LimitKind, LimitName, RateConfig, Scope};
use engine::output::{Output, Reflex};
use engine::reason::DenialReason;
use engine::risk::PlaceIntent;
use engine::scoped::Asked;
use proptest::prelude::*;
use values::{MarketId, Nanos, Price, Quantity, SCALE, StrategyId, VenueId};

const MS: Nanos = 1_000_000;
const HERE: MarketId = MarketId(0);
const FIRST: StrategyId = StrategyId(0);
const ONE: i128 = SCALE as i128;

fn with(mut config: CoreConfig, scope: Scope, kind: LimitKind, value: i128) -> CoreConfig {
    let limits = &mut config.limits;
    let (list, index) = match scope {
        Scope::Account | Scope::Market(_) => {
            limits.account.insert(kind, value);
            return config;
        }
        Scope::Venue(index) => (&mut limits.venues, index),
        Scope::Instrument(index) => (&mut limits.instruments, index),
        Scope::Strategy(index) => (&mut limits.strategies, index),
    };
    list.resize(usize::from(index) + 1, std::collections::BTreeMap::new());
    list[usize::from(index)].insert(kind, value);
    config
}

fn intent(desk: &Desk, side: Side, lots: i64) -> PlaceIntent {
    let price = desk.engine.mark(HERE).0;
    PlaceIntent {
        side,
        price: Price(price - price.rem_euclid(TICK)),
        quantity: Quantity(lots * LOT),
        time_in_force: TimeInForce::PostOnly,
    }
}

fn denial(desk: &Desk, intent: &PlaceIntent) -> Option<DenialReason> {
    denial_at(desk, HERE, intent)
}

fn denial_at(desk: &Desk, market: MarketId, intent: &PlaceIntent) -> Option<DenialReason> {
    let asked = Asked { market, strategy: FIRST, parent: 0, intent: *intent };
    desk.engine.denial_of(desk.now_ns, &asked)
}

/// A desk whose only strategy holds `lots` at the primary, and has no open orders.
fn holding(config: CoreConfig, lots: i64) -> Desk {
    let mut desk = Desk::ready(config);
    let side = if lots > 0 { Side::Buy } else { Side::Sell };
    let mut held = 0;
    while held < lots.abs() {
        desk.now_ns += 300 * MS;
        let orders = placed(&desk.tick(HERE, 0));
        for new in orders {
            let wanted = (lots.abs() - held) * LOT;
            let filled = if new.side == side { wanted.min(new.quantity.0) } else { 0 };
            desk.report(&new, VenueOrderStatus::Canceled, filled, filled);
            held += filled / LOT;
        }
        settle(&mut desk);
    }
    settle(&mut desk);
    desk
}

/// Ends every order that is open.
fn settle(desk: &mut Desk) {
    desk.command(&Command::Halt(None));
    for _ in 0..8 {
        let open: Vec<_> = desk.engine.orders().open().iter().map(|order| order.new).collect();
        for new in open {
            desk.report(&new, VenueOrderStatus::Canceled, 0, 0);
        }
    }
    desk.command(&Command::Resume);
}

#[test]
fn order_size_of_a_strategy_passes_at_its_limit_and_not_beyond() {
    use DenialReason::{NotionalStrategy, QuantityStrategy};
    let price = 10_000 * SCALE + TICK;
    for (kind, value, reason) in [
        (LimitKind::QuantityMax, i128::from(5 * LOT), QuantityStrategy),
        (LimitKind::NotionalMax, i128::from(price) * 5 * i128::from(LOT) / ONE, NotionalStrategy),
    ] {
        let desk = Desk::ready(with(config(vec![maker()]), Scope::Strategy(0), kind, value));
        for (lots, expected) in [(4, None), (5, None), (6, Some(reason))] {
            assert_eq!(denial(&desk, &intent(&desk, Side::Buy, lots)), expected, "{kind:?} {lots}");
        }
    }
}

#[test]
fn collar_of_a_strategy_holds_inside_the_market_s_own() {
    let config = with(config(vec![maker()]), Scope::Strategy(0), LimitKind::CollarPpm, 100);
    let desk = Desk::ready(config);
    let reference = desk.engine.mark(HERE).0;
    for (ticks, expected) in [(-1, None), (0, None), (1, Some(DenialReason::CollarStrategy))] {
        let price = Price(reference + reference / 10_000 / TICK * TICK + ticks * TICK);
        let asked = PlaceIntent { price, ..intent(&desk, Side::Buy, 1) };
        assert_eq!(denial(&desk, &asked), expected, "{ticks}");
    }
}

#[test]
fn exposures_pass_at_their_limit_and_not_one_lot_beyond() {
    use DenialReason as R;
    let unit = (i128::from(10_000 * SCALE + TICK)) * i128::from(LOT) / ONE;
    let scopes = [
        (Scope::Account, R::GrossAccount, R::NetAccount),
        (Scope::Venue(0), R::GrossVenue, R::NetVenue),
        (Scope::Instrument(0), R::GrossInstrument, R::NetInstrument),
        (Scope::Strategy(0), R::GrossStrategy, R::NetStrategy),
    ];
    for (scope, gross, net) in scopes {
        for (kind, reason) in [(LimitKind::GrossMax, gross), (LimitKind::NetMax, net)] {
            let mut desk = holding(config(vec![maker()]), 3);
            // The limit comes when the position is there: five lots in all.
            let name = LimitName { scope, kind };
            desk.command(&Command::SetLimit { name, value: 5 * unit, signed: None });
            assert_eq!(desk.engine.config().limit(name), Some(5 * unit));
            for (side, lots, expected) in [
                (Side::Buy, 1, None),
                (Side::Buy, 2, None),
                (Side::Buy, 3, Some(reason)),
                (Side::Sell, 3, None),
                (Side::Sell, 8, None),
                (Side::Sell, 9, Some(reason)),
            ] {
                let found = denial(&desk, &intent(&desk, side, lots));
                assert_eq!(found, expected, "{scope:?} {kind:?} {side:?} {lots}");
            }
        }
    }
}

#[test]
fn position_of_an_instrument_adds_up_over_venues() {
    let mut desk = holding(config(vec![maker()]), 3);
    let name = LimitName { scope: Scope::Instrument(0), kind: LimitKind::PositionMax };
    desk.command(&Command::SetLimit { name, value: i128::from(5 * LOT), signed: None });
    for market in [HERE, MarketId(1)] {
        desk.tick(market, 0);
        settle(&mut desk);
        for (lots, expected) in [(1, None), (2, None), (3, Some(DenialReason::PositionInstrument))]
        {
            let asked = intent(&desk, Side::Buy, lots);
            let found = denial_at(&desk, market, &asked);
            assert_eq!(found, expected, "{market:?} {lots}");
        }
    }
}

#[test]
fn losses_deny_at_their_limit_and_leave_the_way_out() {
    use DenialReason as R;
    for (scope, loss, daily, drawdown) in [
        (Scope::Account, R::LossLimit, R::DailyAccount, R::DrawdownAccount),
        (Scope::Venue(0), R::LossVenue, R::DailyVenue, R::DrawdownVenue),
        (Scope::Instrument(0), R::LossInstrument, R::DailyInstrument, R::DrawdownInstrument),
        (Scope::Strategy(0), R::LossStrategy, R::DailyStrategy, R::DrawdownStrategy),
    ] {
        for (kind, reason) in [
            (LimitKind::LossMax, loss),
            (LimitKind::DailyLossMax, daily),
            (LimitKind::DrawdownMax, drawdown),
        ] {
            let mut desk = holding(config(vec![maker()]), 3);
            desk.wait(0);
            desk.tick(HERE, -500);
            settle(&mut desk);
            desk.wait(0);
            let lost = match kind {
                LimitKind::LossMax => -desk.engine.profit_of(scope).0,
                LimitKind::DailyLossMax => {
                    -desk.engine.equity(scope).of_day(desk.engine.profit_of(scope)).0
                }
                _ => desk.engine.equity(scope).drawdown(desk.engine.profit_of(scope)).0,
            };
            assert!(lost > 0, "{scope:?} {kind:?}");
            for (value, expected) in
                [(lost + 1, None), (lost, Some(reason)), (lost - 1, Some(reason))]
            {
                let name = LimitName { scope, kind };
                desk.command(&Command::SetLimit { name, value, signed: None });
                assert_eq!(denial(&desk, &intent(&desk, Side::Buy, 1)), expected, "{name:?}");
                assert_eq!(denial(&desk, &intent(&desk, Side::Sell, 3)), None, "{name:?}: way out");
                assert_eq!(denial(&desk, &intent(&desk, Side::Sell, 4)), expected, "{name:?}");
            }
        }
    }
}

#[test]
fn daily_loss_starts_anew_at_midnight_utc() {
    let mut desk = holding(config(vec![maker()]), 3);
    desk.tick(HERE, -500);
    settle(&mut desk);
    desk.wait(0);
    let name = LimitName { scope: Scope::Account, kind: LimitKind::DailyLossMax };
    desk.command(&Command::SetLimit { name, value: 1, signed: None });
    let asked = intent(&desk, Side::Buy, 1);
    assert_eq!(denial(&desk, &asked), Some(DenialReason::DailyAccount));
    let day_ns = 86_400_000 * MS;
    desk.now_ns = (desk.now_ns / day_ns + 1) * day_ns;
    desk.step(&Event::Timer);
    // The feed is stale by now, which denies first: only the loss is asked for.
    let profit = desk.engine.profit_of(Scope::Account);
    assert_eq!(desk.engine.equity(Scope::Account).of_day(profit).0, 0);
}

/// A strategy that sends what it may: the maker's own orders.
fn sent(desk: &mut Desk, ticks: i64) -> Vec<Output> {
    desk.now_ns += 300 * MS;
    let outputs = desk.tick(HERE, ticks);
    for new in placed(&outputs) {
        desk.report(&new, VenueOrderStatus::Canceled, 0, 0);
    }
    outputs
}

#[test]
fn rate_and_duplicates_of_a_strategy_deny_one_beyond() {
    for (kind, reason) in [
        (LimitKind::OrderRate, DenialReason::RateStrategy),
        (LimitKind::DuplicatesMax, DenialReason::RateDuplicate),
    ] {
        let mut limited = with(config(vec![maker()]), Scope::Strategy(0), kind, 4);
        limited.limits.duplicate_window_ns = 60_000 * MS;
        let mut desk = Desk::ready(limited);
        for _ in 0..20 {
            desk.now_ns += 10 * MS;
            desk.tick(HERE, 0);
            let open: Vec<_> = desk.engine.orders().open().iter().map(|order| order.new).collect();
            for new in open {
                desk.report(&new, VenueOrderStatus::Canceled, 0, 0);
            }
        }
        assert!(desk.engine.counters().denied(reason) > 0, "{kind:?}");
        let submitted = desk.engine.counters().venues[0].submitted;
        assert!(submitted >= 4, "{kind:?}: {submitted} passed before");
    }
}

fn breaker() -> BreakerConfig {
    BreakerConfig {
        failures: 3,
        window_ns: 60_000 * MS,
        backoff_ns: 1_000 * MS,
        backoff_ns_max: 4_000 * MS,
    }
}

fn reflexes(outputs: &[Output]) -> Vec<Reflex> {
    let reflexes = outputs.iter().filter_map(|output| match output {
        Output::StrategyReflex { reflex, .. } => Some(*reflex),
        _ => None,
    });
    reflexes.collect()
}

#[test]
fn strategy_that_asks_for_what_it_must_not_have_is_broken_off_and_probed() {
    let mut limited = with(config(vec![maker()]), Scope::Strategy(0), LimitKind::QuantityMax, 1);
    limited.limits.strategy_breaker = Some(breaker());
    let mut desk = Desk::ready(limited);
    for _ in 0..4 {
        sent(&mut desk, 1);
    }
    assert!(reflexes(&desk.outputs).contains(&Reflex::StrategyBreakerOpened));
    let asked = intent(&desk, Side::Buy, 1);
    assert_eq!(denial(&desk, &asked), Some(DenialReason::StrategyBreakerOpen));
    // A person mends the limit; the breaker lets one order probe and closes when it is taken.
    let name = LimitName { scope: Scope::Strategy(0), kind: LimitKind::QuantityMax };
    let signed = Some(act("n1", desk.now_ns + 1));
    desk.command(&Command::SetLimit { name, value: i128::from(100 * LOT), signed });
    for _ in 0..16 {
        desk.wait(250 * MS);
        sent(&mut desk, 1);
    }
    let last = *reflexes(&desk.outputs).last().expect("there were reflexes");
    assert_eq!(last, Reflex::StrategyBreakerClosed);
    assert_eq!(desk.engine.counters().strategy_reflex(FIRST, last), 1);
}

#[test]
fn refusals_of_the_venue_open_the_strategy_s_breaker() {
    let mut limited = config(vec![maker()]);
    limited.limits.strategy_breaker = Some(breaker());
    limited.venues[0].breaker_failures = 100;
    let mut desk = Desk::ready(limited);
    for _ in 0..3 {
        desk.now_ns += 300 * MS;
        let orders = placed(&desk.tick(HERE, 1));
        for new in orders {
            let refused = RequestFailure::Refused { code: -1013 };
            desk.failed(Purpose::Place(new.client_order_id), refused);
        }
    }
    assert_eq!(reflexes(&desk.outputs), [Reflex::StrategyBreakerOpened]);
}

#[test]
fn repeated_executions_stop_the_strategy_over_restarts_until_a_person_rearms_it() {
    let mut limited = with(config(vec![maker()]), Scope::Strategy(0), LimitKind::ExecutionsMax, 3);
    limited.limits.execution_window_ns = 60_000 * MS;
    let mut desk = Desk::ready(limited);
    for fills in 1..=4 {
        assert!(!desk.engine.guardian(FIRST).is_stopped(), "{fills}");
        desk.now_ns += 300 * MS;
        desk.tick(HERE, 1);
        let mut open = desk.engine.orders().open().iter().map(|order| order.new);
        let new = open.find(|new| new.side == Side::Buy).expect("the maker bids");
        desk.report(&new, VenueOrderStatus::Canceled, LOT, LOT);
    }
    assert!(desk.engine.guardian(FIRST).is_stopped());
    settle(&mut desk);
    let asked = intent(&desk, Side::Buy, 1);
    assert_eq!(denial(&desk, &asked), Some(DenialReason::StrategyThrottled));
    desk.engine = Engine::decode(&desk.engine.encode()).expect("its own snapshot");
    desk.command(&Command::Resume);
    assert_eq!(denial(&desk, &asked), Some(DenialReason::StrategyThrottled), "resume is not it");
    let rearm = |actor: &str, reason: &str| Command::Rearm {
        strategy: FIRST,
        actor: actor.into(),
        reason: reason.into(),
    };
    for (actor, reason) in [("", "seen"), ("ann", " ")] {
        desk.command(&rearm(actor, reason));
        assert!(desk.engine.guardian(FIRST).is_stopped(), "{actor:?} {reason:?}");
    }
    desk.command(&rearm("ann", "seen"));
    assert_eq!(denial(&desk, &asked), None);
    assert_eq!(desk.engine.guardian(FIRST).stops(), 1);
}

#[test]
fn check_in_observe_only_counts_and_lets_pass() {
    let mut limited = with(config(vec![maker()]), Scope::Strategy(0), LimitKind::QuantityMax, 1);
    limited.limits.observe_only = vec![DenialReason::QuantityStrategy, DenialReason::BreakerOpen];
    let mut desk = Desk::ready(limited);
    let outputs = sent(&mut desk, 1);
    let orders = placed(&outputs).len() as u64;
    assert!(orders > 0);
    let seen = outputs.iter().filter(|output| {
        matches!(output, Output::Observed { reason: DenialReason::QuantityStrategy, .. })
    });
    assert_eq!(seen.count() as u64, orders);
    assert!(desk.engine.counters().observed(DenialReason::QuantityStrategy) >= orders);
    assert_eq!(desk.engine.counters().denied(DenialReason::QuantityStrategy), 0);
}

#[test]
fn person_s_halt_cannot_be_in_observe_only() {
    let mut limited = config(vec![maker()]);
    limited.limits.observe_only = vec![DenialReason::StateHalted];
    assert!(limited.problem().expect("it is refused").contains("STATE_HALTED always denies"));
}

fn act(nonce: &str, until_ns: Nanos) -> SignedAct {
    SignedAct {
        person: "ann".into(),
        nonce: nonce.into(),
        until_ns,
        signature: "checked by the shell".into(),
    }
}

#[test]
fn tighter_is_taken_looser_needs_an_act_that_is_good_once_and_in_time() {
    let mut desk = Desk::ready(config(vec![maker(), momentum()]));
    let now_ns = desk.now_ns;
    for text in [
        "account.loss_max",
        "account.gross_max",
        "venue.primary.order_rate",
        "strategy.maker.executions_max",
        "market.backup.BTCUSDT.position_max",
    ] {
        let name = desk.engine.config().limit_named(text).expect(text);
        assert_eq!(desk.engine.config().limit_text(name), text);
        let set = |value, signed| Command::SetLimit { name, value, signed };
        let code = |desk: &Desk, command: &Command| {
            desk.engine.refusal(now_ns, command).map(engine::command::CommandRefusal::code)
        };
        desk.command(&set(5, None));
        assert_eq!(desk.engine.config().limit(name), Some(5), "{text}");
        assert_eq!(code(&desk, &set(6, None)), Some("LIMIT_LOOSER_UNSIGNED"));
        desk.command(&set(6, None));
        assert_eq!(desk.engine.config().limit(name), Some(5), "{text}");
        assert_eq!(code(&desk, &set(6, Some(act(text, now_ns)))), Some("ACT_EXPIRED"));
        desk.command(&set(6, Some(act(text, now_ns + 1))));
        assert_eq!(desk.engine.config().limit(name), Some(6), "{text}");
        assert_eq!(code(&desk, &set(7, Some(act(text, now_ns + 1)))), Some("ACT_REPEATED"));
        assert_eq!(code(&desk, &set(-1, None)), Some("LIMIT_VALUE_INVALID"));
        desk.engine = Engine::decode(&desk.engine.encode()).expect("its own snapshot");
        assert_eq!(desk.engine.config().limit(name), Some(6), "{text}: after a restart");
    }
    let tightened = desk.engine.config();
    let fresh = config(vec![maker(), momentum()]);
    assert_ne!(tightened, &fresh);
    assert_eq!(tightened.without_limits(), fresh.without_limits());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the venue answers, in whatever order, restarts included: no order leaves that
    /// could carry a position or an exposure past its limit.
    #[test]
    fn no_history_makes_an_order_pass_a_limit(
        turns in proptest::collection::vec((0u8..8, -3i64..=3, 0usize..8), 20..200),
    ) {
        let position = i128::from(20 * LOT);
        let mut limited = config(vec![maker(), momentum()]);
        let of = |scope, kind| LimitName { scope, kind };
        for (scope, kind, value) in [
            (Scope::Instrument(0), LimitKind::PositionMax, position),
            (Scope::Account, LimitKind::GrossMax, 9_000 * ONE * i128::from(25 * LOT) / ONE),
            (Scope::Strategy(0), LimitKind::GrossMax, 9_000 * ONE * i128::from(15 * LOT) / ONE),
            (Scope::Venue(1), LimitKind::NetMax, 9_000 * ONE * i128::from(4 * LOT) / ONE),
        ] {
            limited = with(limited, scope, kind, value);
        }
        let mut desk = Desk::ready(limited);
        for (what, ticks, pick) in turns {
            desk.now_ns += 20 * MS;
            let open: Vec<_> = desk.engine.orders().open().to_vec();
            let chosen = (!open.is_empty()).then(|| open[pick % open.len()].clone());
            let outputs = match (what, chosen) {
                (0..=2, _) => desk.tick(MarketId(u8::from(ticks % 2 == 0)), ticks),
                (3, Some(order)) => {
                    let total = order.new.quantity.0;
                    let left = total - order.filled.0;
                    let filled = (left / 2 / LOT * LOT).max(LOT.min(left));
                    desk.trades += 1;
                    let done = execution(desk.trades, &order.new, filled);
                    let cumulative = order.filled.0 + filled;
                    let status = if cumulative == total {
                        VenueOrderStatus::Filled
                    } else {
                        VenueOrderStatus::PartiallyFilled
                    };
                    let word = report(&order.new, status, cumulative, Some(done));
                    desk.step(&Event::Order { venue: VenueId(order.new.market.0), report: word })
                }
                (4, Some(order)) => {
                    let id = order.new.client_order_id;
                    desk.failed(Purpose::Place(id), RequestFailure::Unknown)
                }
                (5, Some(order)) => {
                    let word =
                        report(&order.new, VenueOrderStatus::Canceled, order.filled.0, None);
                    desk.step(&Event::Order { venue: VenueId(order.new.market.0), report: word })
                }
                (6, _) => {
                    desk.engine = Engine::decode(&desk.engine.encode()).expect("its own snapshot");
                    Vec::new()
                }
                _ => desk.wait(10 * MS),
            };
            // A position limit holds whatever the price does afterwards.
            let engine = &desk.engine;
            let mut worst = (0_i128, 0_i128);
            for (market, held) in engine.positions(Scope::Instrument(0)) {
                let held = i128::from(held.quantity().0);
                worst = (worst.0 + held, worst.1 - held);
                for order in engine.orders().open().iter().filter(|o| o.new.market == market) {
                    match order.new.side {
                        Side::Buy => worst.0 += i128::from(order.exposure().0),
                        Side::Sell => worst.1 += i128::from(order.exposure().0),
                    }
                }
            }
            prop_assert!(worst.0 <= position && worst.1 <= position, "{worst:?}");
            if placed(&outputs).is_empty() {
                continue;
            }
            // A limit in money holds at the moment in which an order leaves.
            for scope in [Scope::Account, Scope::Strategy(0), Scope::Venue(1)] {
                let exposure = engine.exposure(scope);
                let gross = engine.config().limit(of(scope, LimitKind::GrossMax));
                let net = engine.config().limit(of(scope, LimitKind::NetMax));
                prop_assert!(gross.is_none_or(|most| exposure.gross.0 <= most), "{scope:?}");
                prop_assert!(net.is_none_or(|most| exposure.net().0 <= most), "{scope:?}");
            }
        }
    }
}

#[test]
fn rate_of_a_venue_that_no_memory_could_count_is_refused() {
    let mut desk = Desk::ready(config(vec![maker()]));
    let name = desk.engine.config().limit_named("venue.primary.order_rate").expect("known");
    let set = |value| {
        let signed = Some(act(&format!("{value}"), desk.now_ns + 1));
        Command::SetLimit { name, value, signed }
    };
    let code = |command: &Command| {
        desk.engine.refusal(desk.now_ns, command).map(engine::command::CommandRefusal::code)
    };
    assert_eq!(code(&set(1_000_000)), None);
    assert_eq!(code(&set(1_000_001)), Some("LIMIT_VALUE_INVALID"));
    assert_eq!(code(&set(i128::from(u32::MAX))), Some("LIMIT_VALUE_INVALID"));
    desk.command(&set(1_000_001));
    assert_eq!(desk.engine.config().limit(name), Some(20));
}

#[test]
fn order_in_a_currency_without_a_rate_yet_is_denied_because_its_loss_could_not_be_counted() {
    let mut limited = config(vec![maker()]);
    limited.markets[0].quote = "BTC".into();
    limited.markets[0].base = "ETH".into();
    limited.limits.currency = "USDT".into();
    let rate = |market| RateConfig { asset: "BTC".into(), rate: None, market: Some(market) };
    limited.limits.rates = vec![rate(1)];
    let mut desk = Desk::new(limited);
    desk.step(&Event::Started);
    desk.connect(VenueId(0));
    desk.now_ns += 300 * MS;
    desk.step(&Event::Heartbeat { venue: VenueId(0), channel: Channel::Market });
    let asked = intent(&desk, Side::Buy, 1);
    assert_eq!(denial(&desk, &asked), Some(DenialReason::ExposureUnpriced));
    desk.connect(VenueId(1));
    desk.step(&Event::Heartbeat { venue: VenueId(0), channel: Channel::Market });
    assert_eq!(denial(&desk, &asked), None, "the rate is known now");
}

#[test]
fn currency_needs_a_rate_only_where_something_is_traded() {
    let mut watched = config(vec![maker()]);
    watched.limits.currency = "USDT".into();
    watched.markets[1].quote = "USD".into();
    assert!(watched.problem().expect("no rate").contains("expected a rate of USD in USDT"));
    watched.venues[1].is_data_only = true;
    assert_eq!(watched.problem(), None);
}
