"""Positions of a real engine over a real exchange: two costs, fees, and what is at the venue."""

from collections import deque
from pathlib import Path
from typing import Any

import engine_process
import msgspec
from command_line import run
from engine_process import EAGER, Engine, wait_until
from exchange_process import Exchange
from prunella.control import AcceptBreak
from prunella.values import SCALE, parse_fixed

SYMBOL = "BTCUSDT"


def _first_in_first_out(trades: list[dict[str, Any]]) -> tuple[int, int]:
    """Held and realised (raw 1e-9) by a bookkeeper who knows only the venue's own trades."""
    lots: deque[tuple[int, int]] = deque()
    realised = 0
    for trade in trades:
        price = parse_fixed(trade["price"])
        left = parse_fixed(trade["qty"]) * (1 if trade["isBuyer"] else -1)
        while left and lots and (lots[0][0] > 0) != (left > 0):
            held, cost = lots.popleft()
            closed = min(abs(held), abs(left)) * (1 if held > 0 else -1)
            realised += closed * (price - cost)
            left += closed
            if held != closed:
                lots.appendleft((held - closed, cost))
        if left:
            lots.append((left, price))
    return sum(held for held, _ in lots), realised // SCALE


def test_positions_at_either_cost_are_those_of_the_venues_own_trades(
    tmp_path: Path, exchange: Exchange
) -> None:
    """First-in-first-out as counted from the trades; both costs tell the same total."""
    settings = msgspec.structs.replace(EAGER, strategies={"maker": EAGER.strategies["maker"]})
    with engine_process.running(tmp_path, {"primary": exchange}, settings) as engine:
        engine.wait_trading(fills=8)
        engine.settle()
        shown = engine.status()["positions"]
        assert engine.stop() == 0, engine.log()
    trades = exchange.signed("GET", "myTrades", symbol=SYMBOL, limit=1000).body
    held, realised = _first_in_first_out(trades)
    fees = sum(parse_fixed(trade["commission"]) for trade in trades)
    journal = str(engine.home.engine_journal)
    found = {}
    for cost in ("average", "fifo"):
        done = run("positions", "--journal", journal, "--cost", cost, "--json", home=tmp_path)
        assert done.status == 0, done.err
        [found[cost]] = done.json
    fifo = found["fifo"]
    assert parse_fixed(fifo["quantity"]) == held
    assert abs(parse_fixed(fifo["realised"]) - realised) <= 1
    assert parse_fixed(fifo["fees"]) == fees
    assert [(fee["asset"], parse_fixed(fee["paid"])) for fee in fifo["fees_paid"]] == [
        ("USDT", fees)
    ]
    assert abs(parse_fixed(found["average"]["profit"]) - parse_fixed(fifo["profit"])) <= 2
    assert [row["fills"] for row in shown] == [len(trades)]
    text = run("positions", "--journal", journal, "--by", "account", home=tmp_path).out
    assert "account" in text
    assert "worst drawdown" in text


def _break(engine: Engine, kind: str) -> dict[str, Any]:
    """The latest break of a class; nothing while there is none."""
    found = [row for row in engine.status().get("breaks", ()) if row["class"] == kind]
    return found[-1] if found else {}


def test_transfer_at_the_exchange_is_escalated_until_a_person_accepts_it(
    tmp_path: Path, exchange: Exchange
) -> None:
    """Cash that nobody traded away: found at the next comparison, trading stops, ada knows why."""
    settings = msgspec.structs.replace(EAGER, reconcile_every_s=1.0)
    with engine_process.running(tmp_path, {"primary": exchange}, settings) as engine:
        engine.wait_trading(fills=2)
        assert engine.status()["breaks"] == []
        exchange.admin("transfer", asset="USDT", amount=-250 * SCALE)
        wait_until(lambda: bool(_break(engine, "cash_differs")), "the break")
        wait_until(lambda: _break(engine, "cash_differs")["state"] == "escalated", "escalation")
        found = _break(engine, "cash_differs")
        assert (found["venue"], found["about"]) == ("primary", "USDT")
        moved = parse_fixed(found["theirs"]) - parse_fixed(found["ours"])
        assert abs(moved + 250 * SCALE) < SCALE // 1000
        assert not engine.venue()["reconciled"]
        wait_until(lambda: engine.venue()["orders_open"] == 0, "the venue to be empty of us")
        page = engine.get("/metrics")[1].decode()
        assert 'reconciliation_breaks_open{class="cash_differs"} 1' in page
        accept = AcceptBreak(id=found["id"])
        refused = engine.target().apply(accept, actor="healing:inc-000001", reason="x")
        assert refused.code == "PERSON_NEEDED"
        assert engine.target().apply(accept, actor="ada", reason="paid out").ok
        wait_until(lambda: bool(engine.venue().get("reconciled")), "agreement")
        assert _break(engine, "cash_differs")["state"] == "accepted"
        engine.wait_trading(fills=1)
        assert engine.stop() == 0, engine.log()
    journal = str(engine.home.engine_journal)
    done = run("breaks", "--journal", journal, "--json", home=tmp_path)
    assert [(row["class"], row["state"]) for row in done.json] == [("cash_differs", "accepted")]
    assert run("breaks", "--open", "--journal", journal, "--json", home=tmp_path).json == []
    assert "accepted" in run("breaks", "--journal", journal, home=tmp_path).out


def test_fills_that_the_stream_lost_are_found_and_booked(
    tmp_path: Path, exchange: Exchange
) -> None:
    """A stream that tells nothing: each lost word becomes a break that its rule repairs."""
    settings = msgspec.structs.replace(
        EAGER, reconcile_every_s=1.0, strategies={"maker": EAGER.strategies["maker"]}
    )
    with engine_process.running(tmp_path, {"primary": exchange}, settings) as engine:
        engine.wait_trading(fills=1)
        exchange.admin("behaviour", user={"drop_ratio": 1.0})
        wait_until(lambda: bool(_break(engine, "fill_missed")), "a fill that was not told")
        exchange.admin("behaviour")
        engine.settle()
        found = _break(engine, "fill_missed")
        assert (found["state"], found["ended_by"]) == ("repaired", "trade_history")
        trades = exchange.signed("GET", "myTrades", symbol=SYMBOL, limit=1000).body
        ours = engine.venue()
        assert ours["fills"] == len(trades)
        signed = (parse_fixed(t["qty"]) * (1 if t["isBuyer"] else -1) for t in trades)
        assert parse_fixed(ours["position"]) == sum(signed)
        wait_until(lambda: all(row["closed_ns"] for row in engine.status()["breaks"]), "all to end")
        assert {row["state"] for row in engine.status()["breaks"]} == {"repaired"}
