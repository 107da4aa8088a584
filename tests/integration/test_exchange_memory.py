"""Exchanges that end and start again: what they must not forget, and what the engine sees of it."""

from pathlib import Path

import exchange_process
import pytest
from engine_process import Engine, wait_until
from exchange_process import Exchange, free_port
from prunella.control import Resume
from prunella.trading.execution import VenueLimits
from prunella.trading.runtime import TradingSettings
from prunella.trading.strategy import MarketMaker, Momentum
from prunella.values import parse_fixed

SYMBOL = "BTCUSDT"
MARKET = {"symbol": SYMBOL, "type": "MARKET", "quantity": "0.5"}
LIVELY = ("--seed", "3", "--speed", "3", "--orders-per-10s", "1000")
EAGER = TradingSettings(
    venues={"primary": VenueLimits(order_rate_per_second=9, receive_window_ms=1000)},
    strategies={
        "maker": MarketMaker(quantity="0.01", half_spread_ppm=1, skew_ppm=5, requote_ppm=1),
        "momentum": Momentum(
            quantity="0.01", fast_updates=2, slow_updates=8, trigger_ppm=1, cooldown_ms=200
        ),
    },
)


@pytest.fixture(name="state")
def fixture_state(tmp_path: Path) -> Path:
    """Where the exchange of a test keeps its accounts."""
    (tmp_path / "x").mkdir()
    return tmp_path / "x" / "kept" / "primary.json"


def _balances(exchange: Exchange) -> dict[str, tuple[int, int]]:
    account = exchange.signed("GET", "account").body
    return {
        each["asset"]: (parse_fixed(each["free"]), parse_fixed(each["locked"]))
        for each in account["balances"]
    }


def _trade_and_rest(exchange: Exchange) -> None:
    """A trade and an order far from the market."""
    assert exchange.signed("POST", "order", side="BUY", **MARKET).status == 200
    resting = {"type": "LIMIT", "timeInForce": "GTC", "price": "1000", "quantity": "1"}
    assert exchange.signed("POST", "order", symbol=SYMBOL, side="BUY", **resting).status == 200


def test_exchange_terminated_and_started_again_remembers_its_accounts(
    tmp_path: Path, state: Path
) -> None:
    """Balances, orders and trades are as before, what rested is cancelled, and numbers rise."""
    arguments = (*LIVELY, "--state-file", str(state))
    with exchange_process.running(tmp_path / "x", *arguments) as exchange:
        _trade_and_rest(exchange)
        before = _balances(exchange)
        trades = exchange.signed("GET", "myTrades", symbol=SYMBOL).body
        orders = exchange.signed("GET", "allOrders", symbol=SYMBOL).body
        update_id = exchange.status()["markets"]["BTCUSDT"]["update_id"]
        assert exchange.stop() == 0
    assert state.stat().st_mode & 0o777 == 0o600
    with exchange_process.running(tmp_path / "x", *arguments) as exchange:
        assert _balances(exchange) == {
            asset: (free + locked, 0) for asset, (free, locked) in before.items()
        }
        assert exchange.signed("GET", "myTrades", symbol=SYMBOL).body == trades
        again = exchange.signed("GET", "allOrders", symbol=SYMBOL).body
        assert [each["orderId"] for each in again] == [each["orderId"] for each in orders]
        assert [each["status"] for each in again] == ["FILLED", "CANCELED"]
        assert exchange.signed("GET", "openOrders", symbol=SYMBOL).body == []
        assert exchange.status()["markets"]["BTCUSDT"]["update_id"] > update_id
        placed = exchange.signed("POST", "order", side="SELL", **MARKET).body
        assert placed["orderId"] > orders[-1]["orderId"]
        assert placed["fills"][0]["tradeId"] > trades[-1]["id"]


def test_exchange_killed_gives_no_number_twice(tmp_path: Path, state: Path) -> None:
    """After a kill -9 numbers go on above all that were given, whatever was not yet written."""
    arguments = (*LIVELY, "--state-file", str(state))
    with exchange_process.running(tmp_path / "x", *arguments) as exchange:
        placed = exchange.signed("POST", "order", side="BUY", **MARKET).body
        update_id = exchange.status()["markets"]["BTCUSDT"]["update_id"]
        exchange.process.kill()
        exchange.process.wait()
    with exchange_process.running(tmp_path / "x", *arguments) as exchange:
        assert exchange.status()["markets"]["BTCUSDT"]["update_id"] > update_id
        again = exchange.signed("POST", "order", side="BUY", **MARKET).body
        assert again["orderId"] > placed["orderId"]
        assert again["fills"][0]["tradeId"] > placed["fills"][-1]["tradeId"]


@pytest.mark.parametrize("damage", ["cut", "digit", "stranger"])
def test_exchange_with_a_damaged_or_strange_state_file_refuses(
    tmp_path: Path, state: Path, damage: str
) -> None:
    """It ends with status 2, names the file and the remedy, and leaves the file alone."""
    arguments = ("--state-file", str(state))
    with exchange_process.running(tmp_path / "x", *arguments):
        pass
    whole = state.read_text()
    keys = [("anotherkey", "secret")] if damage == "stranger" else ()
    if damage == "cut":
        state.write_text(whole[:-20])
    elif damage == "digit":
        state.write_text(whole.replace('"BTC":1', '"BTC":9'))
    found = state.read_text()
    exchange = exchange_process.start(tmp_path / "x", *arguments, keys=keys)
    assert exchange.process.wait(timeout=20) == 2
    log = (tmp_path / "x" / "exchange.log").read_text()
    assert str(state) in log
    assert "delete" in log
    assert ("not in the settings" if damage == "stranger" else "damaged") in log
    assert state.read_text() == found


def test_stack_stopped_and_started_again_goes_on_where_it_was(tmp_path: Path, state: Path) -> None:
    """Engine and exchange both end and come back: reconciled, same position, still killed."""
    arguments = (*LIVELY, "--state-file", str(state))
    port = free_port()
    with exchange_process.running(tmp_path / "x", *arguments, port=port) as exchange:
        engine = Engine(tmp_path, {"primary": exchange}, EAGER).start()
        try:
            engine.wait_ready()
            engine.wait_trading(fills=5)
            engine.settle()
            before = engine.venue()
            assert engine.stop() == 0, engine.log()
        finally:
            engine.kill()
        assert exchange.stop() == 0
    with exchange_process.running(tmp_path / "x", *arguments, port=port) as exchange:
        engine.start()
        try:
            wait_until(lambda: bool(engine.venue().get("reconciled")), "reconciliation")
            after = engine.venue()
            assert engine.status()["trading_state"] == "halted"
            assert (after["position"], after["fills"]) == (before["position"], before["fills"])
            assert after["breaks"] == 0
            assert engine.target().apply(Resume(), actor="test", reason="go on").ok
            engine.wait_ready()
            engine.wait_trading(fills=3)
            engine.settle()
            trades = exchange.signed("GET", "myTrades", symbol=SYMBOL, limit=1000).body
            ours = engine.venue()
            signed = (parse_fixed(t["qty"]) * (1 if t["isBuyer"] else -1) for t in trades)
            assert ours["fills"] == len(trades)
            assert parse_fixed(ours["position"]) == sum(signed)
            assert ours["breaks"] == 0
        finally:
            engine.kill()
