"""Five processes over real exchanges: trade, lose each of them in turn, prove the journal."""

from collections.abc import Iterator
from pathlib import Path

import engine_process
import msgspec
import pytest
import zmq
from engine_process import EAGER, SYMBOL, SplitEngine, assert_books_agree, wait_until
from exchange_process import Exchange
from metric_labels import unlisted_on
from prunella.control import Resume
from prunella.trading.engine import replay
from prunella.trading.runtime import STAGES
from prunella.trading.runtime.stage_pb2 import Advanced, Positions
from prunella.trading.runtime.stages import OPERATOR, stage_secret, stage_socket

SPLIT = msgspec.structs.replace(EAGER, topology="split")


@pytest.fixture(name="engine")
def fixture_engine(tmp_path: Path, exchange: Exchange) -> Iterator[SplitEngine]:
    """Five ready processes over it."""
    with engine_process.running_split(tmp_path, {"primary": exchange}, SPLIT) as running:
        yield running


def test_five_processes_trade_and_the_fused_core_replays_the_same_states(
    engine: SplitEngine, exchange: Exchange
) -> None:
    """Orders go through signal, risk and execution; every recorded hash is the fused core's."""
    engine.wait_trading(fills=5)
    execution = engine.stage_status("execution")["stage"]
    assert execution["orders_differing"] == 0
    assert set(execution["hops"]) == {"market", "signal", "risk", "execution"}
    assert engine.stage_status("signal")["orders_sent"] > 0
    assert engine.stage_status("risk")["orders_sent"] > 0
    for name in STAGES:
        assert engine.get_stage(name, "/health")[0] == 200
        assert unlisted_on(engine.get_stage(name, "/metrics")[1].decode()) == {}
    engine.settle()
    assert_books_agree(engine, exchange)
    assert engine.stop() == 0, engine.log()
    assert exchange.signed("GET", "openOrders", symbol=SYMBOL).body == []
    whole = replay(engine.home.engine_journal)
    assert whole["hash_equal"], whole
    assert whole["checks"] >= 2


def test_each_process_killed_in_turn_comes_back_and_nothing_is_doubled_or_lost(
    engine: SplitEngine, exchange: Exchange
) -> None:
    """SIGKILL to one after the other in mid trading; trading goes on and the books agree."""
    for name in STAGES:
        engine.wait_trading(fills=2)
        engine.kill_stage(name)
        engine.start_stage(name)
        engine.wait_ready()
    engine.wait_trading(fills=2)
    engine.settle()
    assert_books_agree(engine, exchange)
    engine.kill()
    whole = replay(engine.home.engine_journal)
    assert whole["hash_equal"], whole


@pytest.mark.parametrize("missing", ["signal", "risk"])
def test_without_signal_or_risk_no_order_leaves_and_a_kill_still_cancels(
    engine: SplitEngine, exchange: Exchange, missing: str
) -> None:
    """A dead stage before it keeps orders from leaving, and cannot keep a cancel from leaving."""
    engine.wait_trading(fills=1)
    engine.kill_stage(missing)
    before = engine.venue()["orders_not_received"]
    wait_until(lambda: engine.venue()["orders_not_received"] > before + 3, "orders taken back")
    count = len(exchange.signed("GET", "allOrders", symbol=SYMBOL, limit=1000).body)
    engine.settle()
    assert exchange.signed("GET", "openOrders", symbol=SYMBOL).body == []
    after = exchange.signed("GET", "allOrders", symbol=SYMBOL, limit=1000).body
    assert len(after) == count
    engine.start_stage(missing)
    engine.wait_ready()
    assert engine.target().apply(Resume(), actor="ada", reason="back").ok
    engine.wait_trading(fills=1)
    engine.settle()
    assert_books_agree(engine, exchange)


def test_positions_are_told_to_operators_and_sockets_are_private(engine: SplitEngine) -> None:
    """A subscriber with the operator's secret hears fills; a stage's secret is not enough."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    path = stage_socket(engine.home, "positions")
    socket = _subscriber(context, path, OPERATOR, stage_secret(engine.home, OPERATOR))
    stranger = _subscriber(context, path, "signal", stage_secret(engine.home, "signal"))
    try:
        assert socket.poll(20_000)
        told = Positions.FromString(socket.recv())
        assert [each.symbol for each in told.positions] == [SYMBOL]
        assert told.positions[0].fills > 0
        assert not stranger.poll(0)
    finally:
        socket.close()
        stranger.close()
        context.term()
    for name in ("stream", "intents", "orders", "facts", "positions"):
        assert stage_socket(engine.home, name).stat().st_mode & 0o777 == 0o600


def test_libzmq_reads_the_bells_and_may_not_write_orders(
    engine: SplitEngine, exchange: Exchange
) -> None:
    """What the stages say on their sockets is ZeroMQ's own protocol; inlets know their writer."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    secret = stage_secret(engine.home, "position")
    stream = _subscriber(context, stage_socket(engine.home, "stream"), "position", secret)
    forger = context.socket(zmq.PUSH)
    forger.plain_username, forger.plain_password = b"position", secret.encode()
    forger.setsockopt(zmq.LINGER, 0)
    forger.setsockopt(zmq.IMMEDIATE, 1)
    forger.connect(f"ipc://{stage_socket(engine.home, 'orders')}")
    try:
        bells: list[Advanced] = []
        while len(bells) < 20:
            assert stream.poll(5_000)
            bells.append(Advanced.FromString(stream.recv()[1:]))
        assert [bell.seq for bell in bells] == sorted(bell.seq for bell in bells)
        assert not forger.poll(500, zmq.POLLOUT)
    finally:
        stream.close()
        forger.close()
        context.term()
    engine.wait_trading(fills=1)
    engine.settle()
    assert_books_agree(engine, exchange)


def _subscriber(
    context: "zmq.Context[zmq.Socket[bytes]]", path: Path, name: str, secret: str
) -> "zmq.Socket[bytes]":
    socket = context.socket(zmq.SUB)
    socket.plain_username, socket.plain_password = name.encode(), secret.encode()
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.connect(f"ipc://{path}")
    return socket
