"""`prunella send` over a real engine: parameters and limits take hold at once and over restarts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_process import Engine, running_on_two, wait_until
from msgspec.structs import replace
from prunella.cli.app import app
from prunella.cli.send import with_parameters
from prunella.config import Settings, load, save
from prunella.errors import UsageError
from prunella.trading.engine import order_trails
from prunella.trading.runtime import TradingSettings
from prunella.trading.strategy import Momentum, PythonStrategy
from typer.testing import CliRunner

EAGER = replace(
    TradingSettings(),
    strategies=TradingSettings().strategies
    | {"momentum": Momentum(quantity="0.01", fast_updates=2, slow_updates=8, trigger_ppm=1)},
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine that trades on two real exchange processes, with its settings in its home."""
    with running_on_two(tmp_path, EAGER) as engine:
        save(Settings(trading=EAGER), engine.home.settings)
        yield engine


def send(engine: Engine, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit status and the reply of `prunella send`."""
    said = CliRunner().invoke(app, ["send", *words, "--home", str(engine.home.root)])
    assert said.exception is None or isinstance(said.exception, SystemExit), said.exception
    return said.exit_code, json.loads(said.stdout) if said.stdout.startswith("{") else {}


def quantities(engine: Engine, *, after_seq: int) -> set[str]:
    """Sizes of the momentum strategy's orders that were sent after an entry of the journal."""
    trails = order_trails(engine.home.engine_journal)
    return {
        trail["quantity"]
        for trail in trails
        if trail["strategy"] == "momentum" and trail["events"][0]["seq"] > after_seq
    }


def test_parameters_take_hold_between_two_events_and_stay(engine: Engine) -> None:
    """Orders have the new size from then on, also after a restart; settings.toml says the same."""
    engine.wait_ready()
    code, reply = send(engine, "parameters", "momentum", "quantity=0.005", "trigger_ppm=2")
    assert (code, reply["code"]) == (0, "OK"), reply
    assert "10000000" in reply["replaced"]["parameters"], "0.01, raw"
    wait_until(lambda: "0.005" in quantities(engine, after_seq=reply["seq"]), "a small order")
    saved = load(engine.home.settings).trading.strategies["momentum"]
    assert (saved.quantity, saved.trigger_ppm) == ("0.005", 2)  # type: ignore[union-attr]
    assert send(engine, "parameters", "momentum", "quantity=0.005")[1]["code"] == "PARAMETERS_SAME"
    engine.kill()
    trails = order_trails(engine.home.engine_journal)
    last = max(trail["events"][0]["seq"] for trail in trails)
    engine.start().wait_ready()
    # This process was started with the first settings: it follows them.
    wait_until(lambda: "0.01" in quantities(engine, after_seq=last), "an order of the old size")


def test_limit_is_tightened_at_once_and_never_loosened_unsigned(engine: Engine) -> None:
    """What `send` may do without a key."""
    engine.wait_ready()
    limit = "market.primary.BTCUSDT.position_max"
    assert send(engine, "limit", limit, "0.1")[0] == 0
    wait_until(lambda: engine.status()["limits"][limit] == "0.1", "the limit in the status")
    code, reply = send(engine, "limit", limit, "0.2")
    assert (code, reply["code"]) == (1, "LIMIT_LOOSER_UNSIGNED")
    assert engine.status()["limits"][limit] == "0.1"


@pytest.mark.parametrize(
    ("strategy", "value", "found"),
    [
        ("nobody", "quantity=1", "there is no strategy 'nobody'; there are maker, momentum"),
        ("maker", "colour=red", "one of quantity, half_spread_ppm.*'colour=red'"),
        ("maker", "kind=momentum", "found 'kind=momentum'"),
        ("maker", "quantity=-1", "quantity"),
        ("maker", "half_spread_ppm=0", "half_spread_ppm: expected"),
        ("maker", "half_spread_ppm=wide", "half_spread_ppm"),
        ("momentum", "slow_updates=5", "slow_updates: expected"),
    ],
)
def test_what_cannot_be_is_refused_with_what_was_expected(
    strategy: str, value: str, found: str
) -> None:
    """Before anything is sent or written."""
    with pytest.raises(UsageError, match=found):
        with_parameters(Settings(), strategy, [value])


def test_strategy_of_its_own_process_is_not_told_over_this_way() -> None:
    """It says what to do instead."""
    trading = replace(TradingSettings(), strategies={"own": PythonStrategy(path="a.py:A")})
    with pytest.raises(UsageError, match="a process of its own: change"):
        with_parameters(Settings(trading=trading), "own", ["x=1"])
