"""A person's orders at a live engine and two exchanges: taken in, changed, worked off, told."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import engine_process
import exchange_process
import msgspec
import pytest
from engine_process import Engine, wait_until
from exchange_process import Exchange
from prunella.control import (
    AmendOrder,
    CancelOrder,
    Command,
    PauseOrder,
    Reply,
    ResumeOrder,
    SubmitOrder,
)
from prunella.trading.engine import order_trails, replay
from prunella.trading.runtime import LoopSettings, TradingSettings
from prunella.trading.strategy import Momentum
from prunella.values import format_fixed, parse_fixed

SYMBOL = "BTCUSDT"
FINAL = {"FILLED", "CANCELED", "EXPIRED"}
# Its trigger is out of reach: everything at the exchanges follows from a test's own orders.
_IDLE = Momentum(quantity="0.01", fast_updates=2, slow_updates=8, trigger_ppm=900_000)
BY_HAND = TradingSettings(strategies={"idle": _IDLE}, loop=LoopSettings(snapshot_every_s=0.5))
_TICK = parse_fixed("0.01")


class Desk:
    """What a person does and sees, and what the exchanges say of it."""

    def __init__(self, engine: Engine, exchanges: Mapping[str, Exchange]) -> None:
        self.engine = engine
        self.exchanges = exchanges

    def tells(self, command: Command, *, actor: str = "ada") -> Reply:
        """Gives a command over the authenticated socket."""
        return self.engine.target().apply(command, actor=actor, reason="test")

    def submits(self, **order: Any) -> int:
        """Gives an order that must be taken in; its number."""
        reply = self.tells(SubmitOrder(symbol=SYMBOL, **order))
        assert reply.ok, reply
        return reply.order

    def row(self, order: int) -> dict[str, Any]:
        """What the status says of it; empty before it does."""
        rows = self.engine.status().get("orders", [])
        return next((row for row in rows if row["id"] == order), {})

    def wait_end(self, order: int) -> dict[str, Any]:
        """Waits until it is done."""
        wait_until(lambda: self.row(order).get("state") == "done", f"the end of order {order}")
        return self.row(order)

    def mid(self) -> int:
        """The middle of the primary's market, 1e-9."""
        market = self.engine.status()["markets"][0]
        return (parse_fixed(market["best_bid"]) + parse_fixed(market["best_ask"])) // 2

    def price(self, away_ppm: int) -> str:
        """A price on the grid, so far from the middle."""
        raw = self.mid() * (1_000_000 + away_ppm) // 1_000_000
        return format_fixed(raw - raw % _TICK)

    def resting(self) -> list[dict[str, Any]]:
        """Our orders that rest, at either exchange."""
        return [
            {"venue": name, **order}
            for name, exchange in self.exchanges.items()
            for order in exchange.signed("GET", "openOrders", symbol=SYMBOL).body
        ]

    def wait_resting(self, price: str | None) -> None:
        """Waits until exactly one order rests, at this price; or none."""
        wanted = [] if price is None else [parse_fixed(price)]
        wait_until(
            lambda: [parse_fixed(order["price"]) for order in self.resting()] == wanted,
            f"resting orders {wanted}, found {self.resting()}",
        )

    def all_orders(self) -> list[dict[str, Any]]:
        """Everything of ours that either exchange has seen."""
        asked = [
            exchange.signed("GET", "allOrders", symbol=SYMBOL, limit=1000).body
            for exchange in self.exchanges.values()
        ]
        return [order for orders in asked for order in orders]


@pytest.fixture(name="desk")
def fixture_desk(tmp_path: Path) -> Iterator[Desk]:
    """An engine that only people use, over two exchanges of different markets."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    arguments = ("--orders-per-10s", "1000", "--weight-per-minute", "10000000", "--speed", "3")
    with (
        exchange_process.running(tmp_path / "a", *arguments, "--seed", "3") as primary,
        exchange_process.running(tmp_path / "b", *arguments, "--seed", "4") as backup,
    ):
        exchanges = {"primary": primary, "backup": backup}
        with engine_process.running(tmp_path, exchanges, BY_HAND) as engine:
            wait_until(lambda: engine.venue("backup").get("reconciled", False), "the backup venue")
            yield Desk(engine, exchanges)


def _assert_books_agree(desk: Desk) -> None:
    """Our position at each venue is the sum of its trades; nothing rests, doubled or broke."""
    assert desk.resting() == []
    orders = desk.all_orders()
    assert len({order["clientOrderId"] for order in orders}) == len(orders)
    assert {order["status"] for order in orders} <= FINAL
    for name, exchange in desk.exchanges.items():
        trades = exchange.signed("GET", "myTrades", symbol=SYMBOL, limit=1000).body
        signed = sum(parse_fixed(t["qty"]) * (1 if t["isBuyer"] else -1) for t in trades)
        ours = desk.engine.venue(name)
        assert (parse_fixed(ours["position"]), ours["fills"]) == (signed, len(trades))
        assert ours["breaks"] == 0


def test_only_a_named_person_trades_by_hand(desk: Desk) -> None:
    """Others are refused with a code, and nothing follows; they may only pause and cancel."""
    order = SubmitOrder(symbol=SYMBOL, side="buy", quantity="0.01", style="market")
    for command in (order, AmendOrder(order=1), ResumeOrder(order=1)):
        for actor in ("healing:plane", "agent-risk", " "):
            reply = desk.tells(command, actor=actor)
            assert (reply.ok, reply.code) == (False, "ORDER_NEEDS_PERSON"), (command, actor)
    for tightening in (CancelOrder(order=1), PauseOrder(order=1)):
        assert desk.tells(tightening, actor="healing:plane").code == "ORDER_UNKNOWN"
    assert desk.engine.status()["orders"] == []
    assert desk.all_orders() == []


def test_what_cannot_be_worked_is_refused_with_what_was_expected(desk: Desk) -> None:
    """Each mistake names itself; none becomes an order."""
    good = SubmitOrder(symbol=SYMBOL, side="buy", quantity="0.01", style="limit", limit="60000")
    for change, code, text in (
        ({"symbol": "ETHUSDT"}, "ORDER_INVALID", "expected one of"),
        ({"venue": "nowhere"}, "ORDER_INVALID", "at nowhere"),
        ({"quantity": "much"}, "ORDER_INVALID", "quantity"),
        ({"limit": ""}, "ORDER_INVALID", "expected a limit price"),
        ({"limit": "60000.001"}, "ORDER_INVALID", "tick grid"),
    ):
        reply = desk.tells(msgspec.structs.replace(good, **change))
        assert (reply.ok, reply.code) == (False, code)
        assert text in reply.message
    unknown = desk.tells(AmendOrder(order=99, limit="60000"))
    assert (unknown.ok, unknown.code) == (False, "ORDER_UNKNOWN")
    assert desk.all_orders() == []


def test_market_and_stop_orders_fill_where_the_books_are(desk: Desk) -> None:
    """Bought with protection, sold by a stop that is reached; the journal replays to both."""
    bought = desk.wait_end(desk.submits(side="buy", quantity="0.01", style="market"))
    assert (bought["end"], bought["filled"]) == ("filled", "0.01")
    stop = desk.submits(
        side="sell",
        quantity="0.02",
        style="stop",
        trigger=desk.price(2_000),
        trigger_on="mid",
        reduce_only=True,
    )
    sold = desk.wait_end(stop)
    assert sold["filled"] == "0.01", "a protective stop sells what is held"
    _assert_books_agree(desk)
    assert desk.engine.stop() == 0, desk.engine.log()
    assert replay(desk.engine.home.engine_journal)["hash_equal"]
    parents = {trail["parent"] for trail in order_trails(desk.engine.home.engine_journal)}
    assert parents == {bought["id"], stop}


def test_resting_order_is_amended_paused_resumed_survives_a_crash_and_is_cancelled(
    desk: Desk,
) -> None:
    """At each step the exchanges hold exactly one order of it, or none."""
    low, lower = desk.price(-2_000), desk.price(-3_000)
    order = desk.submits(
        side="buy", quantity="0.01", style="limit", limit=low, time_in_force="post_only"
    )
    desk.wait_resting(low)
    amended = desk.tells(AmendOrder(order=order, limit=lower, quantity="0.02"))
    assert amended.ok
    assert parse_fixed(amended.replaced["limit"]) == parse_fixed(low)
    desk.wait_resting(lower)
    assert parse_fixed(desk.resting()[0]["origQty"]) == parse_fixed("0.02")
    assert desk.tells(PauseOrder(order=order)).ok
    desk.wait_resting(None)
    assert desk.tells(ResumeOrder(order=order)).ok
    desk.wait_resting(lower)
    assert desk.tells(ResumeOrder(order=order)).code == "ORDER_STATE"

    desk.engine.kill()
    desk.engine.start()
    desk.engine.wait_ready()
    wait_until(lambda: desk.row(order).get("state") == "working", "the kept order to be back")
    desk.wait_resting(lower)
    assert desk.tells(CancelOrder(order=order)).ok
    assert desk.wait_end(order)["end"] == "canceled"
    assert desk.tells(AmendOrder(order=order, limit=low)).code == "ORDER_UNKNOWN"
    _assert_books_agree(desk)


def test_iceberg_shows_its_display_and_no_more(desk: Desk) -> None:
    """Four parts that cross, one after the other."""
    limit = desk.price(2_000)
    order = desk.submits(
        side="buy", quantity="0.01", style="iceberg", limit=limit, display="0.0025"
    )
    done = desk.wait_end(order)
    assert (done["end"], done["filled"]) == ("filled", "0.01")
    assert done["children"] >= 4
    parts = [parse_fixed(each["origQty"]) for each in desk.all_orders()]
    assert max(parts) <= parse_fixed("0.0025")
    _assert_books_agree(desk)


def test_schedules_fill_whole_in_parts_and_a_share_follows_the_tape(desk: Desk) -> None:
    """TWAP and VWAP are done by their end; POV takes part and expires with the rest."""
    second = 1_000_000_000
    window = {"duration_ns": 2 * second, "interval_ns": second // 4, "slippage_ppm": 2_000}
    orders = [
        desk.submits(side="buy", quantity="0.02", style="twap", **window),
        desk.submits(side="sell", quantity="0.02", style="vwap", curve=(1, 3), **window),
    ]
    share = desk.submits(
        side="buy",
        quantity="1",
        style="pov",
        share_ppm=50_000,
        **{**window, "duration_ns": 4 * second},
    )
    for order in orders:
        row = desk.wait_end(order)
        assert (row["end"], row["filled"]) == ("filled", "0.02"), row
        assert row["children"] >= 4
        assert row["average_price"]
        assert row["arrival_price"]
    row = desk.wait_end(share)
    assert row["end"] == "expired"
    assert 0 < parse_fixed(row["filled"]) < parse_fixed("1")
    _assert_books_agree(desk)
