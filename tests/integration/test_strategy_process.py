"""A strategy in Python beside a live engine: it trades, and nothing it does hurts the engine."""

from pathlib import Path
from typing import Any

import engine_process
import pytest
import strategy_process
from engine_process import Engine, wait_until
from exchange_process import Exchange
from prunella.trading.engine import replay
from prunella.trading.execution import VenueLimits
from prunella.trading.runtime import LoopSettings, TradingSettings
from prunella.trading.strategy import PythonStrategy

NAME = "mine"
SYMBOL = "BTCUSDT"

# Rests one bid well below the market; does what `{then}` says when it is told to.
FILE = """
import time
from pathlib import Path
from prunella.trading.strategy.user import ONE, Book, Strategy

class Mine(Strategy):
    def on_book(self, book: Book) -> None:
        flag = Path({flag!r})
        if flag.exists():
            {then}
        if not book.orders:
            price = (book.bid - 200 * ONE) // ONE * ONE
            self.buy(book.market, price=price, quantity=ONE // 1000)
"""


def _settings(folder: Path, then: str) -> PythonStrategy:
    file = folder / "mine.py"
    file.write_text(FILE.format(flag=str(folder / "now"), then=then))
    return PythonStrategy(
        path=f"{file}:Mine",
        budget_ms=500,
        heartbeat_ms=1_000,
        intents_per_second=40,
        backoff_ms=300,
        backoff_ms_max=1_000,
    )


def _trading(strategy: PythonStrategy) -> TradingSettings:
    return TradingSettings(
        venues={"primary": VenueLimits(order_rate_per_second=9, receive_window_ms=1000)},
        strategies={NAME: strategy},
        loop=LoopSettings(snapshot_every_s=0.5),
    )


def _facts(engine: Engine) -> dict[str, Any]:
    """What the engine says of the strategy."""
    found: dict[str, Any] = engine.status().get("strategies", {}).get(NAME, {})
    return found


def _works(engine: Engine) -> bool:
    facts = _facts(engine)
    return bool(facts) and facts["gate"] == "closed" and facts["orders_open"] == 1


def _open_at(exchange: Exchange) -> int:
    return len(exchange.signed("GET", "openOrders", symbol=SYMBOL).body)


def _assert_guarded(engine: Engine, exchange: Exchange, fault: str) -> None:
    """The breaker opens for this cause, the strategy's orders go, the engine trades on."""
    wait_until(lambda: _facts(engine)["fault"] == fault, f"the fault {fault!r}")
    wait_until(lambda: _open_at(exchange) == 0, "its orders to be cancelled")
    entries = engine.status()["journal"]["seq"]
    wait_until(lambda: engine.status()["journal"]["seq"] > entries + 100, "the engine to go on")
    assert engine.is_ready()


def test_strategy_trades_live_and_its_session_replays_without_it(
    tmp_path: Path, exchange: Exchange
) -> None:
    """Its bid rests at the venue; the journal alone, without any Python, gives the same state."""
    settings = _settings(tmp_path, "pass")
    with engine_process.running(tmp_path, {"primary": exchange}, _trading(settings)) as engine:
        assert _facts(engine)["gate"] == "waiting"
        with strategy_process.running(engine, NAME, settings):
            wait_until(lambda: _works(engine), "its order to rest")
            assert _open_at(exchange) == 1
        wait_until(lambda: _open_at(exchange) == 0, "the order of a killed strategy to go")
        wait_until(lambda: _facts(engine)["fault"] == "gone", "the fault to be told")
        assert engine.stop() == 0, engine.log()
        whole = replay(engine.home.engine_journal)
        assert whole["hash_equal"]
        assert whole["orders"] >= 1


@pytest.mark.parametrize(
    ("then", "fault", "says"),
    [
        ("while True: pass", "silent", 'mine.py", line 10'),
        ("raise ValueError(book.bid)", "gone", "mine.py:10: ValueError"),
        ("time.sleep(0.6); self.cancel(book.market, 1)", "late", ""),
        ("[self.buy(0, price=ONE, quantity=ONE) for _ in range(60)]", "flood", ""),
    ],
    ids=["loop", "exception", "slow", "flood"],
)
def test_misbehaving_strategy_is_shut_out_and_comes_back(
    tmp_path: Path, exchange: Exchange, then: str, fault: str, says: str
) -> None:
    """Breaker open, orders cancelled, engine unhurt; mended, it trades again after the back-off."""
    settings = _settings(tmp_path, then)
    flag = tmp_path / "now"
    with engine_process.running(tmp_path, {"primary": exchange}, _trading(settings)) as engine:
        with strategy_process.running(engine, NAME, settings) as process:
            wait_until(lambda: _works(engine), "its order to rest")
            flag.touch()
            _assert_guarded(engine, exchange, fault)
            if says:
                process.wait(timeout=20)
                assert process.returncode == 1
                assert says in engine.home.log(NAME).read_text()
        if fault == "gone":
            assert says in _facts(engine)["trouble"]
        flag.unlink()
        with strategy_process.running(engine, NAME, settings):
            wait_until(lambda: _works(engine), "its order to rest again")
        assert _facts(engine)["trips"] >= 1
        engine.stop()
        assert replay(engine.home.engine_journal)["hash_equal"]


def test_engine_that_is_killed_finds_its_strategy_again(tmp_path: Path, exchange: Exchange) -> None:
    """The strategy's process waits for the engine and goes on, with the same journal."""
    settings = _settings(tmp_path, "pass")
    with engine_process.running(tmp_path, {"primary": exchange}, _trading(settings)) as engine:
        with strategy_process.running(engine, NAME, settings) as process:
            wait_until(lambda: _works(engine), "its order to rest")
            engine.kill()
            engine.start().wait_ready()
            wait_until(lambda: _works(engine), "the strategy to be back")
            assert process.poll() is None
        engine.stop()
        assert replay(engine.home.engine_journal)["hash_equal"]
