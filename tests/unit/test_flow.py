"""The order flow: events in, figures out."""

from prunella.cli.dashboard import Dashboard, note
from prunella.cli.flow import flow_of
from prunella.trading.runtime.monitor_pb2 import (
    Denied,
    Event,
    Fill,
    Level,
    Market,
    Order,
    View,
)
from prunella.values import SCALE
from rich.console import Console

MS = 1_000_000


def order(at_ms: int, number: int, state: str, *, side: str = "buy") -> Event:
    """An order that has moved."""
    moved = Order(
        id=f"PRN-1-{number}",
        venue="primary",
        symbol="BTCUSDT",
        strategy="maker",
        side=side,
        price=100 * SCALE,
        quantity=SCALE,
        state=state,
    )
    return Event(ts_ns=at_ms * MS, order=moved)


def test_flow_counts_times_and_sums() -> None:
    """Two orders: one filled, one rejected; one intent denied; acknowledgements timed."""
    fill = Fill(venue="primary", side="sell", quantity=2 * SCALE, price=100 * SCALE)
    flow = flow_of(
        [
            order(0, 1, "submitted"),
            order(4, 1, "accepted"),
            order(5, 2, "submitted"),
            order(7, 2, "rejected"),
            order(9, 1, "filled"),
            Event(ts_ns=9 * MS, fill=fill),
            Event(ts_ns=9 * MS, denied=Denied(venue="primary", reason="PRICE_COLLAR")),
        ]
    )
    figures = flow.figures()["primary"]
    assert (figures["sent"], figures["filled"], figures["rejected"]) == (2, 1, 1)
    assert figures["fill_ratio"] == 0.5
    assert (figures["bought"], figures["sold"]) == (0.0, 2.0)
    assert figures["acknowledged_ms_p50"] == 3.0
    assert figures["denied"] == {"PRICE_COLLAR": 1}
    assert figures["sent_per_second"] == 0.2
    assert "rejected" in flow.latest[3]


def test_rate_forgets_what_is_older_than_ten_seconds() -> None:
    """Only the last ten seconds count."""
    events = [order(0, 1, "submitted"), order(11_000, 2, "submitted")]
    assert flow_of(events).figures()["primary"]["sent_per_second"] == 0.1


def test_dashboard_shows_book_orders_position_and_profit() -> None:
    """What a trader looks for is on the screen."""
    market = Market(
        venue="primary",
        symbol="BTCUSDT",
        status="live",
        is_reconciled=True,
        position=-2 * SCALE,
        average_cost=99 * SCALE,
        realised=5 * SCALE,
        bids=[Level(price=100 * SCALE, quantity=SCALE)],
        asks=[Level(price=101 * SCALE, quantity=3 * SCALE)],
    )
    working = order(0, 7, "accepted").order
    dashboard = Dashboard()
    dashboard.take(
        Event(ts_ns=1, view=View(trading_state="active", markets=[market], orders=[working]))
    )
    dashboard.take(Event(ts_ns=2, denied=Denied(venue="primary", strategy="maker", reason="X")))
    dashboard.lost = 3
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(dashboard)
    shown = console.export_text()
    for text in ("100.00", "101.00", "-2.00000 at 99.00", "+5.00", "PRN-1-7", "3 messages lost"):
        assert text in shown
    assert "maker denied, X" in shown


def test_every_event_worth_a_line_has_one() -> None:
    """No event makes the dashboard fail."""
    for what in ("fill", "denied", "reflex", "break", "reconciled", "command"):
        event = Event()
        getattr(event, what).SetInParent()
        assert note(event)
