"""A live session's journal replayed for a post-mortem: the orders and fills that the venue saw."""

from pathlib import Path

import engine_process
import exchange_process
from engine_process import EAGER, wait_until
from prunella.control import Kill
from prunella.trading.backtest import replay_session
from prunella.values import parse_fixed

SYMBOL = "BTCUSDT"


def test_replay_of_a_live_session_gives_the_venues_own_orders_and_fills(tmp_path: Path) -> None:
    """Killed once in between and gone on; price, size and side of every trade are the venue's."""
    (tmp_path / "x").mkdir()
    arguments = ("--seed", "3", "--speed", "3", "--orders-per-10s", "1000")
    with exchange_process.running(tmp_path / "x", *arguments) as exchange:
        with engine_process.running(tmp_path, {"primary": exchange}, EAGER) as engine:
            engine.wait_trading(fills=3)
            engine.kill()
            engine.start().wait_ready()
            engine.wait_trading(fills=3)
            assert engine.target().apply(Kill(), actor="test", reason="settle").ok
            wait_until(
                lambda: engine.venue()["orders_open"] + engine.venue()["orders_unknown"] == 0,
                "all orders to be settled",
            )
            engine.stop()
            trades = exchange.signed("GET", "myTrades", symbol=SYMBOL, limit=1000).body
            orders = exchange.signed("GET", "allOrders", symbol=SYMBOL, limit=1000).body
        session = replay_session(engine.home.engine_journal)
    told = sorted(
        (parse_fixed(t["price"]), parse_fixed(t["qty"]), not t["isBuyer"]) for t in trades
    )
    ours = sorted((int(f["price"]), int(f["quantity"]), bool(f["sells"])) for f in session.fills)
    assert ours == told
    # What the venue refused at once, or never got before the kill, is not among its orders.
    sent = {
        int(o["number"]): (int(o["price"]), int(o["quantity"]), bool(o["sells"]))
        for o in session.orders
    }
    for order in orders:
        number = int(order["clientOrderId"].rpartition("-")[2])
        is_sell = order["side"] == "SELL"
        assert sent[number] == (parse_fixed(order["price"]), parse_fixed(order["origQty"]), is_sell)
