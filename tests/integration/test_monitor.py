"""The monitor over a real engine: what happens is published, to those who may listen."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq
from engine_process import EAGER, Engine, running_on_two, wait_until
from exchange_process import free_port
from prunella.cli.operate import send_over_zeromq
from prunella.control import Kill
from prunella.control.curve import CurvePair, ensure_curve_pair, load_curve_pair
from prunella.errors import TargetUnavailableError
from prunella.trading.runtime import TradingSettings
from prunella.trading.runtime.monitor_pb2 import Event
from prunella.trading.runtime.subscriber import Subscriber

WAIT_S = 20.0
MONITOR = """
import sys, time
from pathlib import Path
from prunella.trading.runtime.monitor import MonitorService
from prunella.values import Home

class Clock:
    def now_ns(self): return time.time_ns()
    def monotonic_ns(self): return time.monotonic_ns()

home, port, engine_port = Home(Path(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3])
MonitorService(home=home, port=port, engine_port=engine_port, clock=Clock()).run()
"""


@contextlib.contextmanager
def monitor(engine: Engine) -> Iterator[subprocess.Popen[bytes]]:
    """A monitor of this engine, ended at the end."""
    command = [sys.executable, "-c", MONITOR, str(engine.home.root)]
    command += [str(free_port()), str(engine.port)]
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(timeout=10) == 0


def subscriber(engine: Engine, *topics: str, client: CurvePair | None = None) -> Subscriber:
    """A subscription with the operator's key, or another one."""
    home = engine.home
    return Subscriber(
        home.socket("monitor"),
        client=client or load_curve_pair(home.key("operator.curve")),
        server=load_curve_pair(home.key("engine.curve")).public,
        topics=topics,
        silence_s=1.0 if client else WAIT_S,
    )


def first(listener: Subscriber, **wanted: Any) -> Event:
    """The first event of a topic whose fields are so."""
    (topic, fields), deadline = next(iter(wanted.items())), time.monotonic() + WAIT_S
    for event in listener.events():
        assert time.monotonic() < deadline, f"no {topic} with {fields} in time"
        if event.WhichOneof("what") == topic:
            told = getattr(event, topic)
            if all(getattr(told, name) == value for name, value in fields.items()):
                return event
    raise AssertionError


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine that trades on one real exchange process each."""
    settings = msgspec.structs.replace(TradingSettings(), strategies=EAGER.strategies)
    with running_on_two(tmp_path, settings) as engine:
        yield engine


def test_orders_fills_and_the_view_are_published(engine: Engine) -> None:
    """From the order's sending to its end, and how things stand, in the engine's own figures."""
    with monitor(engine), subscriber(engine) as listener:
        sent = first(listener, order={"state": "submitted"})
        assert sent.seq > 0
        moved = first(listener, order={"id": sent.order.id})
        assert moved.order.state in {"accepted", "filled", "partially_filled", "canceled"}
        first(listener, fill={"venue": "primary"})
        view = first(listener, view={"trading_state": "active"}).view
        assert {(m.venue, m.symbol) for m in view.markets} == {
            ("primary", "BTCUSDT"),
            ("backup", "BTCUSDT"),
        }
        primary = view.markets[0]
        assert primary.status == "live"
        assert primary.bids[0].price < primary.asks[0].price
        stages = first(listener, latencies={}).latencies.stages
        assert {stage.stage for stage in stages} == {"tick_to_order", "market_data", "risk"}
        assert listener.lost == 0


def test_kill_over_zeromq_is_seen_by_whoever_watches(engine: Engine) -> None:
    """The command goes in at one socket, its record and the halt come out of the other."""
    home = engine.home
    with monitor(engine), subscriber(engine, "command", "view", "reflex") as listener:
        first(listener, view={"trading_state": "active"})
        reply = send_over_zeromq(home, Kill(), actor="ann", reason="drill")
        assert reply.ok
        told = first(listener, command={"actor": "ann"})
        assert (told.command.command, told.seq) == ("Kill", reply.seq)
        first(listener, view={"trading_state": "halted"})


def test_stranger_hears_nothing(engine: Engine, tmp_path: Path) -> None:
    """A key that is not on the list gets no message."""
    stranger = ensure_curve_pair(tmp_path / "stranger.curve")
    with (
        monitor(engine),
        subscriber(engine, client=stranger) as listener,
        pytest.raises(TargetUnavailableError, match="nothing came from the monitor"),
    ):
        next(listener.events())


def test_engine_killed_and_started_again_is_followed_on(engine: Engine) -> None:
    """The monitor outlives the engine, and goes on with the same journal."""
    with monitor(engine), subscriber(engine, "view", "order") as listener:
        before = first(listener, view={"trading_state": "active"}).view.seq
        engine.kill()
        engine.start()
        engine.wait_ready()
        wait_until(lambda: first(listener, view={}).view.seq > before + 100, "later entries")
        first(listener, order={"state": "submitted"})


def test_monitor_begun_anew_is_no_loss(engine: Engine) -> None:
    """Its numbers begin at one again, and the listener goes on."""
    with subscriber(engine, "view") as listener:
        with monitor(engine):
            for _ in range(5):
                first(listener, view={})
        with monitor(engine):
            assert first(listener, view={}).number < 5
        assert listener.lost == 0


def test_listener_that_does_not_read_knows_what_it_lost(engine: Engine) -> None:
    """Nobody waits for a listener; the numbers say how much never came."""
    with monitor(engine), subscriber(engine, "view") as listener:
        first(listener, view={})
        listener._socket.setsockopt(zmq.UNSUBSCRIBE, b"view")
        with subscriber(engine, "view") as other:
            seen = [first(other, view={}).number for _ in range(6)]
        listener._socket.setsockopt(zmq.SUBSCRIBE, b"view")
        wait_until(lambda: first(listener, view={}).number > seen[-1], "later views")
        assert listener.lost >= len(seen) - 2
