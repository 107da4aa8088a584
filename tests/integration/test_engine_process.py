"""The engine as a process over real exchanges: trade, die, come back, be killed, go blind."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import engine_process
import exchange_process
import msgspec
import pytest
from engine_process import EAGER, SYMBOL, Engine, assert_books_agree, wait_until
from exchange_process import DATA, Exchange
from metric_labels import unlisted_on
from prunella.control import Halt, Kill, Restart, Resume, SetOrderRate, SwitchVenue
from prunella.errors import CommandUnsupportedError
from prunella.trading.engine import replay
from prunella.trading.runtime import LoopSettings

# Quotes at the very top and takes on the slightest move, so that fills come within seconds.

METRICS = """
    trading_state engine_ready engine_active_venue venue_feed_age_seconds venue_state
    venue_health venue_clock_offset_seconds
    venue_request_weight venue_timestamps_refused_total
    core_clock_ahead_seconds venue_reconciled
    venue_frames_total venue_gaps_total venue_resyncs_total venue_malformed_total
    orders_submitted_total orders_acknowledged_total orders_filled_total orders_rejected_total
    orders_open orders_unknown order_requests_total order_placement_latency_milliseconds_count
    circuit_breaker_state circuit_breaker_trips_total reflex_total tick_to_order_microseconds_sum
    market_data_processing_latency_microseconds_count risk_check_duration_microseconds_count
    position_quantity position_value_usd realized_pnl_usd unrealized_pnl_usd
    journal_entries_total journal_bytes_total hot_loop_iterations_total hot_loop_lag_seconds
"""


@pytest.fixture(name="engine")
def fixture_engine(tmp_path: Path, exchange: Exchange) -> Iterator[Engine]:
    """A ready engine over it."""
    with engine_process.running(tmp_path, {"primary": exchange}, EAGER) as running:
        yield running


def _assert_replay_proves_itself(engine: Engine) -> None:
    """The journal replays to the recorded hashes, from its beginning and from a snapshot."""
    whole = replay(engine.home.engine_journal)
    assert whole["hash_equal"], whole
    assert whole["checks"]
    short = replay(engine.home.engine_journal, from_snapshot=True)
    assert short["state_hash"] == whole["state_hash"]


def test_trading_then_terminated_leaves_agreeing_books_and_a_proven_journal(
    engine: Engine, exchange: Exchange
) -> None:
    """SIGTERM cancels every order and writes a snapshot; the replay gives the same state."""
    engine.wait_trading(fills=5)
    engine.settle()
    assert_books_agree(engine, exchange)
    assert engine.stop() == 0, engine.log()
    assert exchange.signed("GET", "openOrders", symbol=SYMBOL).body == []
    _assert_replay_proves_itself(engine)


def test_killed_in_mid_trading_comes_back_and_nothing_is_doubled_or_lost(
    engine: Engine, exchange: Exchange
) -> None:
    """Three times kill -9 while orders are under way; the books agree all the same."""
    for _ in range(3):
        engine.wait_trading(fills=2)
        engine.kill()
        engine.start()
        engine.wait_ready()
    assert engine.status()["replayed_entries"] > 0
    engine.wait_trading(fills=2)
    engine.settle()
    assert_books_agree(engine, exchange)
    engine.kill()
    _assert_replay_proves_itself(engine)


def test_killed_before_any_snapshot_comes_back_from_the_whole_journal(
    engine: Engine, exchange: Exchange
) -> None:
    """A damaged newest snapshot costs a longer replay only."""
    engine.wait_trading(fills=2)
    wait_until(lambda: engine.status()["snapshots"] >= 2, "two snapshots")
    engine.kill()
    snapshots = sorted(engine.home.engine_journal.glob("*snap*"))
    assert snapshots
    for snapshot in snapshots[-1:]:
        damaged = bytearray(snapshot.read_bytes())
        damaged[len(damaged) // 2] ^= 0xFF
        snapshot.write_bytes(damaged)
    engine.start()
    engine.wait_ready()
    engine.settle()
    assert_books_agree(engine, exchange)
    engine.kill()
    _assert_replay_proves_itself(engine)


def test_kill_switch_ends_new_orders_at_its_journal_entry(
    engine: Engine, exchange: Exchange
) -> None:
    """No order is placed by any entry after the kill, though the market goes on."""
    engine.wait_trading(fills=2)
    reply = engine.target().apply(Kill(), actor="ada", reason="test", key="k1")
    assert reply.ok
    assert reply.replaced["trading_state"] == "active"
    again = engine.target().apply(Kill(), actor="ada", reason="test", key="k1")
    assert again == reply
    frames = engine.venue()["frames"]
    wait_until(lambda: engine.venue()["frames"] > frames + 200, "the market to go on")
    assert engine.status()["trading_state"] == "halted"
    wait_until(lambda: engine.venue()["orders_open"] == 0, "all orders to be cancelled")
    assert_books_agree(engine, exchange)
    assert engine.stop() == 0
    found = replay(engine.home.engine_journal)
    assert 0 < int(found["last_order_seq"]) < reply.seq


def test_kill_survives_a_crash_and_only_a_named_person_resumes(engine: Engine) -> None:
    """The latch is in the journal; the healing plane and the nameless are refused."""
    target = engine.target()
    assert target.apply(Kill(), actor="ada", reason="test").ok
    engine.kill()
    engine.start()
    engine.wait_ready()
    assert engine.status()["trading_state"] == "halted"
    for actor, reason, code in (
        ("healing:inc-000001", "cured", "RESUME_NEEDS_PERSON"),
        ("agent-cpu", "cured", "RESUME_NEEDS_PERSON"),
        ("", "cured", "RESUME_NEEDS_PERSON"),
        ("ada", " ", "RESUME_NEEDS_REASON"),
    ):
        refused = target.apply(Resume(), actor=actor, reason=reason)
        assert (refused.ok, refused.code) == (False, code)
    assert engine.status()["trading_state"] == "halted"
    resumed = target.apply(Resume(), actor="ada", reason="cured")
    assert resumed.ok
    assert resumed.replaced["trading_state"] == "halted"
    engine.wait_trading()


def test_commands_reply_with_the_state_that_they_replaced(engine: Engine) -> None:
    """Leases tighten only, unknown venues and foreign commands are refused by code."""
    target = engine.target()
    rate = SetOrderRate(venue="primary", per_second=3, lease_ns=10**10, lease_id="inc-1")
    reply = target.apply(rate, actor="healing:inc-1", reason="test")
    assert reply.ok
    assert reply.replaced["per_second"] == "9"
    higher = SetOrderRate(venue="primary", per_second=50, lease_ns=10**10, lease_id="inc-2")
    assert target.apply(higher, actor="healing:inc-1", reason="test").code == "RATE_NOT_LOWER"
    unknown = target.apply(SwitchVenue(venue="nowhere"), actor="ada", reason="test")
    assert unknown.code == "VENUE_UNKNOWN"
    with pytest.raises(CommandUnsupportedError):
        target.apply(Restart(process="engine"), actor="ada", reason="test")
    halted = target.apply(Halt(), actor="healing:inc-1", reason="test")
    assert halted.replaced["trading_state"] == "active"
    wait_until(lambda: engine.status()["trading_state"] == "halted", "the halt to show")


def test_switched_venue_is_taken_at_by_a_pinned_thread_that_never_sleeps(
    tmp_path: Path, exchange: Exchange
) -> None:
    """Two venues, the hot thread bound and polling; after the switch the momentum takes there."""
    (tmp_path / "b").mkdir()
    cpu = min(os.sched_getaffinity(0))
    settings = msgspec.structs.replace(
        EAGER,
        venues=dict.fromkeys(("primary", "backup"), EAGER.venues["primary"]),
        loop=LoopSettings(cpu=cpu, busy_poll=True),
    )
    arguments = ("--seed", "4", "--speed", "3", "--orders-per-10s", "1000")
    with (
        exchange_process.running(tmp_path / "b", *arguments) as backup,
        engine_process.running(
            tmp_path, {"primary": exchange, "backup": backup}, settings
        ) as engine,
    ):
        assert engine.status()["hot_thread_cpu"] == cpu
        wait_until(lambda: bool(engine.venue("backup").get("reconciled")), "the backup")
        reply = engine.target().apply(SwitchVenue(venue="backup"), actor="healing:x", reason="t")
        assert reply.replaced["venue"] == "primary"
        engine.wait_trading(fills=2, venue="backup")
        assert engine.venue("backup")["active"]
        assert not engine.venue("primary")["active"]
        engine.settle()
        wait_until(lambda: engine.venue("backup")["orders_open"] == 0, "the backup to settle")
        assert_books_agree(engine, exchange)


def test_venue_says_why_it_is_not_healthy_and_whose_clock_is_off(
    engine: Engine, exchange: Exchange
) -> None:
    """Coded reasons come and go with their cause; on one host the clocks are equal."""
    engine.wait_trading()
    wait_until(lambda: engine.venue().get("health") == "healthy", "health")
    assert engine.venue()["reasons"] == []
    wait_until(lambda: engine.venue()["clock"]["offset_ms"] is not None, "the venue's clock")
    assert abs(engine.venue()["clock"]["offset_ms"]) < 500
    assert engine.venue()["clock"]["correction_ms"] == 0
    exchange.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: "stale" in engine.venue().get("reasons", ()), "the reason")
    assert engine.venue()["health"] == "down"
    page = engine.get("/metrics")[1].decode()
    assert 'venue_health_reason{venue="primary",reason="stale"} 1' in page
    exchange.process.send_signal(signal.SIGCONT)
    wait_until(lambda: engine.venue().get("health") == "healthy", "health again")


def test_frozen_exchange_is_stale_and_gets_no_order_until_it_is_back(
    engine: Engine, exchange: Exchange
) -> None:
    """SIGSTOP leaves the sockets open; the reflex stops orders, and thawing heals without help."""
    engine.wait_trading(fills=2)
    exchange.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: engine.venue()["reflexes"]["stale_market"] >= 1, "the reflex")
    submitted = engine.venue()["orders_submitted"]
    entries = engine.status()["journal"]["seq"]
    wait_until(lambda: engine.status()["journal"]["seq"] > entries + 150, "1.5 s of timers")
    assert engine.venue()["orders_submitted"] == submitted
    assert engine.get("/ready")[0] == 503
    exchange.process.send_signal(signal.SIGCONT)
    engine.wait_ready()
    engine.wait_trading(fills=1)
    engine.settle()
    assert_books_agree(engine, exchange)
    engine.kill()
    _assert_replay_proves_itself(engine)


def test_stopped_engine_does_not_take_old_frames_for_new(
    engine: Engine, exchange: Exchange
) -> None:
    """What waited in the sockets while the engine itself stood still is dropped and begun anew."""
    engine.wait_trading(fills=1)
    frames = exchange.status()["frames"]
    os.kill(engine.pid, signal.SIGSTOP)
    wait_until(lambda: exchange.status()["frames"] > frames + 200, "frames for nobody")
    os.kill(engine.pid, signal.SIGCONT)
    wait_until(lambda: "stood still" in engine.log(), "the engine to notice")
    engine.wait_ready()
    engine.wait_trading(fills=1)
    engine.settle()
    assert_books_agree(engine, exchange)


def test_order_path_that_loses_answers_never_doubles_an_order(
    engine: Engine, exchange: Exchange
) -> None:
    """Answers of 503 and 429, half of the former executed: asked, never sent again."""
    exchange.admin("behaviour", order_capacity_per_second=2, errors=[503, 429])
    wait_until(lambda: engine.venue()["orders_became_unknown"] >= 3, "orders of unknown fate")
    exchange.admin("behaviour", order_capacity_per_second=None)
    engine.settle()
    assert_books_agree(engine, exchange)
    engine.kill()
    _assert_replay_proves_itself(engine)


def test_dropped_connections_are_opened_again(engine: Engine, exchange: Exchange) -> None:
    """A venue that disconnects everybody is traded with again, books agreeing."""
    engine.wait_trading(fills=1)
    resyncs = engine.log().count("channel lost")
    exchange.admin("behaviour", disconnect=True)
    wait_until(lambda: engine.log().count("channel lost") > resyncs, "the loss to be noted")
    exchange.admin("behaviour", disconnect=False)
    engine.wait_ready()
    engine.wait_trading(fills=1)
    engine.settle()
    assert_books_agree(engine, exchange)


def test_old_connections_are_replaced_without_a_gap_or_a_repetition(
    tmp_path: Path, exchange: Exchange
) -> None:
    """The new connection listens before the old one is dropped; the core does not even notice."""
    loop = LoopSettings(snapshot_every_s=0.5, connection_life_s=2.0)
    settings = msgspec.structs.replace(EAGER, loop=loop)
    with engine_process.running(tmp_path, {"primary": exchange}, settings) as engine:
        before = engine.venue()
        wait_until(lambda: engine.venue().get("connections_renewed", 0) >= 6, "renewals")
        engine.wait_trading(fills=1)
        after = engine.venue()
        assert "channel lost" not in engine.log()
        for name in ("gaps", "resyncs", "malformed", "orders_became_unknown"):
            assert after[name] == before[name], name
        engine.settle()
        assert_books_agree(engine, exchange)
        engine.kill()
        _assert_replay_proves_itself(engine)


def test_recorded_session_is_traded_and_its_journal_proves_itself(tmp_path: Path) -> None:
    """The recorded BTCUSDT session, with its snapshot in mid-stream, at twenty times its pace."""
    files = [DATA / "market" / f"binance_spot_btcusdt_2024080{day}.gz" for day in (8, 9)]
    if not all(file.exists() for file in files):
        pytest.skip(f"the recordings are not in {DATA} (set PRUNELLA_DATA)")
    (tmp_path / "x").mkdir()
    arguments = ("--speed", "20", "--orders-per-10s", "1000", "--market", *map(str, files))
    with (
        exchange_process.running(tmp_path / "x", *arguments) as exchange,
        engine_process.running(tmp_path, {"primary": exchange}, EAGER) as engine,
    ):
        engine.wait_trading(fills=5)
        assert engine.venue()["malformed"] == 0
        engine.settle()
        assert_books_agree(engine, exchange)
        assert engine.stop() == 0
        _assert_replay_proves_itself(engine)


def test_journal_that_cannot_be_written_ends_trading_and_the_process(
    tmp_path: Path, exchange: Exchange
) -> None:
    """No segment can be made any more: the process says so and ends, and sends no order blindly."""
    loop = LoopSettings(snapshot_every_s=3600, journal_segment_bytes=1024 * 1024)
    settings = msgspec.structs.replace(EAGER, loop=loop)
    with engine_process.running(tmp_path, {"primary": exchange}, settings) as engine:
        engine.wait_trading()
        journal = engine.home.engine_journal
        journal.rename(journal.with_name("gone"))
        assert engine.process is not None
        assert engine.process.wait(timeout=30) != 0
        assert "the journal failed, trading stopped" in engine.log()
        journal.with_name("gone").rename(journal)
        engine.start()
        engine.wait_ready()
        engine.settle()
        assert_books_agree(engine, exchange)


def test_engine_at_power_level_sends_only_what_is_on_the_disk(
    tmp_path: Path, exchange: Exchange
) -> None:
    """Every order waited for its entry; killed in mid-trading, the books agree as ever."""
    loop = LoopSettings(snapshot_every_s=0.5, journal_durability="power")
    settings = msgspec.structs.replace(EAGER, loop=loop)
    with engine_process.running(tmp_path, {"primary": exchange}, settings) as engine:
        engine.wait_trading(fills=2)
        journal = engine.status()["journal"]
        assert journal["waits"] > 0
        assert 0 < journal["durable_seq"] <= journal["seq"]
        engine.kill()
        engine.start()
        engine.wait_trading(fills=2)
        engine.settle()
        assert_books_agree(engine, exchange)
        assert engine.stop() == 0, engine.log()
        _assert_replay_proves_itself(engine)


def test_replica_level_without_a_standby_is_refused_with_what_to_use_instead(
    tmp_path: Path, exchange: Exchange
) -> None:
    """No level is claimed that is not kept."""
    settings = msgspec.structs.replace(EAGER, loop=LoopSettings(journal_durability="replica"))
    engine = Engine(tmp_path, {"primary": exchange}, settings).start()
    assert engine.process is not None
    assert engine.process.wait(timeout=10) != 0
    assert 'use "power"' in engine.log()


def test_second_engine_on_the_same_journal_is_refused(engine: Engine) -> None:
    """One writer only; the second says who holds the journal and ends."""
    first = engine.process
    engine.start()
    second, engine.process = engine.process, first
    assert second is not None
    assert second.wait(timeout=10) != 0


def test_other_settings_on_the_same_journal_are_refused(
    engine: Engine, exchange: Exchange, tmp_path: Path
) -> None:
    """A run keeps its configuration; the message says what to do."""
    assert engine.stop() == 0
    other = msgspec.structs.replace(EAGER, strategies={"another": EAGER.strategies["maker"]})
    changed = Engine(tmp_path, {"primary": exchange}, other).start()
    assert changed.process is not None
    assert changed.process.wait(timeout=10) != 0
    assert "other settings" in changed.log()


def test_metrics_have_the_names_that_the_collectors_read(engine: Engine) -> None:
    """Prometheus text with every family that the engine is asked for."""
    engine.wait_trading()
    wait_until(lambda: engine.venue()["clock"]["offset_ms"] is not None, "the venue's clock")
    code, body = engine.get("/metrics")
    assert code == 200
    found = {line.split("{")[0].split(" ")[0] for line in body.decode().splitlines()}
    assert not set(METRICS.split()) - found
    assert unlisted_on(body.decode()) == {}
