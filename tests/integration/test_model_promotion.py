"""Models on a running engine: promoted, swapped, killed, rolled back, replayed."""

import json
from collections.abc import Iterator
from pathlib import Path

import command_line
import engine_process
import pytest
from engine_process import Engine, wait_until
from exchange_process import Exchange
from prunella.control import Kill
from prunella.trading.engine import replay
from prunella.trading.execution import VenueLimits
from prunella.trading.model import Registry
from prunella.trading.runtime import LoopSettings, TradingSettings
from prunella.trading.strategy import Onnx
from prunella.values import parse_fixed

model_files = pytest.importorskip("model_files", reason="needs the extra `models`")

FIGURES_S_MAX = 90.0
"""The figures need 34 s of the market."""
TRADING = TradingSettings(
    venues={"primary": VenueLimits(order_rate_per_second=9, receive_window_ms=1000)},
    strategies={
        "signal": Onnx(quantity="0.01", threshold="0.5", horizon_ms=60_000, cooldown_ms=100)
    },
    loop=LoopSettings(snapshot_every_s=0.5),
)
STRATEGY = """
[trading.strategies.{}]
kind = "onnx"
quantity = "0.01"
threshold = "0.5"
"""


@pytest.fixture(name="engine")
def fixture_engine(tmp_path: Path, exchange: Exchange) -> Iterator[Engine]:
    """A ready engine over it, with three models in its registry."""
    with engine_process.running(tmp_path, {"primary": exchange}, TRADING) as running:
        home = running.home
        home.settings.write_text(STRATEGY.format("signal") + STRATEGY.format("another"))
        model_files.add(home.models, "buys", model_files.constant(1.0))
        model_files.add(home.models, "sells", model_files.constant(-1.0))
        yield running


def _model(engine: Engine) -> dict[str, object]:
    found: dict[str, object] = engine.status().get("models", {}).get("signal", {})
    return found


def _position(engine: Engine) -> int:
    return parse_fixed(engine.venue().get("position", "0"))


def _typed(engine: Engine, *arguments: str) -> command_line.Said:
    said = command_line.run("model", *arguments, "--strategy", "signal", home=engine.home.root)
    assert said.status == 0, said.err
    return said


def test_models_are_swapped_under_a_running_engine_and_survive_its_death(engine: Engine) -> None:
    """Two models in one process: the position turns; killed, it comes back with the second."""
    pid = engine.pid
    assert _model(engine)["state"] == "MODEL_MISSING"
    said = _typed(engine, "promote", "buys", "--json")
    assert json.loads(said.out)["running"] is True
    assert _model(engine)["model"] == "buys"
    wait_until(lambda: _position(engine) > 0, "a long position", timeout_s=FIGURES_S_MAX)

    _typed(engine, "promote", "sells")
    assert _model(engine)["model"] == "sells"
    wait_until(lambda: _position(engine) < 0, "a short position")
    assert engine.pid == pid

    engine.kill()
    engine.start()
    engine.wait_ready()
    wanted = Registry(engine.home.models).manifest("sells").sha256
    after = _model(engine)
    assert (after["model"], after["sha256"], after["state"]) == ("sells", wanted, "MODEL_RUNNING")

    _typed(engine, "rollback", "--reason", "test")
    assert _model(engine)["model"] == "buys"
    assert engine.target().apply(Kill(), actor="test", reason="settle").ok
    assert engine.stop() == 0, engine.log()
    whole = replay(engine.home.engine_journal)
    assert whole["hash_equal"], whole
    assert whole["checks"]


def test_model_that_the_core_does_not_know_trades_by_onnx_runtime(engine: Engine) -> None:
    """Its scores are journaled, so that the replay needs no library; it survives kill -9."""
    model_files.add(engine.home.models, "foreign", model_files.foreign())
    _typed(engine, "promote", "foreign")
    assert _model(engine)["runtime"] == "onnxruntime"
    wait_until(lambda: _position(engine) != 0, "a position", timeout_s=FIGURES_S_MAX)
    engine.kill()
    engine.start()
    engine.wait_ready()
    after = _model(engine)
    assert (after["model"], after["state"], after["runtime"]) == (
        "foreign",
        "MODEL_RUNNING",
        "onnxruntime",
    )
    assert engine.target().apply(Kill(), actor="test", reason="settle").ok
    assert engine.stop() == 0, engine.log()
    whole = replay(engine.home.engine_journal)
    assert whole["hash_equal"], whole


def test_promotion_that_the_engine_refuses_leaves_no_trace(engine: Engine) -> None:
    """The settings name a strategy that the running engine does not have."""
    said = command_line.run(
        "model", "promote", "buys", "--strategy", "another", home=engine.home.root
    )
    assert said.status == 2
    assert "STRATEGY_UNKNOWN" in said.err
    assert Registry(engine.home.models).promotions() == ()
