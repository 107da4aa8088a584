"""A monitor's events in; the trade dashboard as a terminal frame out. No sockets here."""

import datetime as dt
from collections import deque

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from prunella.cli.flow import OrderFlow
from prunella.cli.live import colour
from prunella.trading.runtime.monitor_pb2 import Event, Latencies, Market, View
from prunella.values import SCALE

LEVELS = 5
ORDERS = 10
NOTES = 8


class Dashboard:
    """Books, orders, positions, profit and latencies of a running engine.

    Attributes:
        lost: Messages that never came, as the subscriber counts them.
    """

    def __init__(self) -> None:
        self.lost = 0
        self._view: View | None = None
        self._latencies: Latencies | None = None
        self._ts_ns = 0
        self._notes: deque[str] = deque(maxlen=NOTES)
        self._flow = OrderFlow()

    def take(self, event: Event) -> None:
        """Takes in one event."""
        self._flow.take(event)
        self._ts_ns = max(self._ts_ns, event.ts_ns)
        match event.WhichOneof("what"):
            case "view":
                self._view = event.view
            case "latencies":
                self._latencies = event.latencies
            case "fill" | "denied" | "reflex" | "break" | "reconciled" | "command":
                self._notes.append(f"{_clock(event.ts_ns)}  {note(event)}")

    def __rich__(self) -> RenderableType:
        view = self._view
        if view is None:
            return Panel("waiting for the monitor", title="prunella watch")
        top = Table.grid(expand=True, padding=(0, 1))
        for _ in view.markets:
            top.add_column(ratio=1)
        if view.markets:
            top.add_row(*(_market(market) for market in view.markets))
        bottom = Table.grid(expand=True, padding=(0, 1))
        bottom.add_column(ratio=3)
        bottom.add_column(ratio=2)
        bottom.add_row(_orders(view), self._timing())
        return Group(self._head(view), top, bottom, Panel("\n".join(self._notes), title="events"))

    def _head(self, view: View) -> RenderableType:
        head = Table.grid(expand=True, padding=(0, 2))
        profit = f"profit {_money(view.profit)}  realised {_money(view.realised)}"
        cells: list[RenderableType] = [
            Text("trading ").append_text(colour(view.trading_state)),
            f"active venue {view.active_venue}",
            f"{profit}  unrealised {_money(view.unrealised)}",
            f"journal {view.seq}",
            _clock(self._ts_ns) + " UTC",
        ]
        if self.lost:
            cells.append(Text(f"{self.lost} messages lost", style="bold red"))
        for _ in cells:
            head.add_column()
        head.add_row(*cells)
        return Panel(head, title=f"prunella watch · run {view.run}")

    def _timing(self) -> RenderableType:
        table = Table(expand=True, title="latency, µs · orders")
        for name in ("", "p50", "p99", "p99.9", "max"):
            table.add_column(name, justify="right" if name else "left")
        for stage in self._latencies.stages if self._latencies else ():
            figures = (stage.p50_ns, stage.p99_ns, stage.p999_ns, stage.max_ns)
            table.add_row(stage.stage, *(f"{value / 1e3:,.1f}" for value in figures))
        for name, flow in self._flow.figures().items():
            sent = f"{flow['sent']} sent, {flow['sent_per_second']}/s"
            table.add_row(f"orders {name}", sent, f"{flow['filled']} filled")
        return table


def note(event: Event) -> str:
    """One line about an event that is worth a line."""
    match event.WhichOneof("what"):
        case "fill":
            fill = event.fill
            return (
                f"{fill.venue}: {fill.side} {fill.quantity / SCALE:g} {fill.symbol} "
                f"at {fill.price / SCALE:,.2f}"
            )
        case "denied":
            denied = event.denied
            return f"{denied.venue}: {denied.strategy} denied, {denied.reason}"
        case "reflex":
            return f"{event.reflex.venue or 'everywhere'}: reflex {event.reflex.reflex}"
        case "break":
            return f"{getattr(event, 'break').venue}: break with the venue's account"
        case "reconciled":
            return f"{event.reconciled.venue}: reconciled"
        case _:
            return f"{event.command.actor}: {event.command.command} ({event.command.reason})"


def _market(market: Market) -> RenderableType:
    table = Table(expand=True, title=f"{market.venue} {market.symbol}")
    table.add_column("bid", justify="right")
    table.add_column("price", justify="right")
    table.add_column("ask", justify="right")
    for level in reversed(market.asks[:LEVELS]):
        price = Text(f"{level.price / SCALE:,.2f}", style="red")
        table.add_row("", price, f"{level.quantity / SCALE:.5f}")
    for level in market.bids[:LEVELS]:
        price = Text(f"{level.price / SCALE:,.2f}", style="green")
        table.add_row(f"{level.quantity / SCALE:.5f}", price, "")
    state = Text().append_text(colour(market.status))
    if not market.is_reconciled:
        state.append(" not reconciled", style="yellow")
    if market.is_halted:
        state.append(" halted", style="bold red")
    position = f"{market.position / SCALE:+.5f}"
    if market.position:
        position += f" at {market.average_cost / SCALE:,.2f}"
    profit = market.realised + market.unrealised - market.fees
    return Group(table, state, Text(f"position {position}"), Text(f"profit {_money(profit)}"))


def _orders(view: View) -> RenderableType:
    table = Table(expand=True, title=f"working orders ({len(view.orders)})")
    for name in ("id", "venue", "strategy", "side", "price", "quantity", "filled", "state"):
        table.add_column(name)
    for order in view.orders[:ORDERS]:
        table.add_row(
            order.id,
            order.venue,
            order.strategy,
            Text(order.side, style="green" if order.side == "buy" else "red"),
            f"{order.price / SCALE:,.2f}",
            f"{order.quantity / SCALE:g}",
            f"{order.filled / SCALE:g}",
            order.state,
        )
    return table


def _money(raw: int) -> str:
    return f"{raw / SCALE:+,.2f}"


def _clock(ts_ns: int) -> str:
    when = dt.datetime.fromtimestamp(ts_ns / 1e9, tz=dt.UTC)
    return f"{when:%H:%M:%S}.{ts_ns // 1_000_000 % 1000:03d}"
