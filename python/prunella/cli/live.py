"""The demo's live picture: what a stack says of itself in, a terminal frame out."""

from collections import deque
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

_LOG_LINES = 6
_INCIDENT_LINES = 5
_STATE_COLOURS = {
    "active": "green",
    "live": "green",
    "ready": "green",
    "resolved": "green",
    "reducing": "yellow",
    "syncing": "yellow",
    "starting": "yellow",
    "half-open": "yellow",
    "suppressed": "cyan",
    "observed": "cyan",
}
"""Anything else is red: a state that nobody thought of deserves a look."""


def colour(state: str) -> Text:
    """A state's word in its colour."""
    return Text(state, style=_STATE_COLOURS.get(state, "bold red"))


class LiveView:
    """Collects what is known of a stack and draws it; holds no connection itself.

    Attributes:
        phase: What the demo is doing right now, for people.
        components: Component name to (state, detail).
        engine: The engine's `/status`, or empty while it does not answer.
        incidents: One line per incident, newest last.
        order_rates: Orders a second by venue.
    """

    def __init__(self) -> None:
        self.phase = "starting"
        self.elapsed_s = 0.0
        self.components: dict[str, tuple[str, str]] = {}
        self.engine: dict[str, Any] = {}
        self.incidents: list[tuple[str, str]] = []
        self.order_rates: dict[str, float] = {}
        self._log: deque[str] = deque(maxlen=_LOG_LINES)

    def note(self, line: str) -> None:
        """Adds a line to the story below the tables."""
        self._log.append(f"{self.elapsed_s:6.1f} s  {line}")

    def __rich__(self) -> RenderableType:
        top = Table.grid(expand=True, padding=(0, 1))
        top.add_column(ratio=2)
        top.add_column(ratio=3)
        top.add_row(
            Panel(self._components(), title="processes", border_style="dim"),
            Group(
                Panel(self._trading(), title="trading", border_style="dim"),
                Panel(self._latency(), title="latency", border_style="dim"),
            ),
        )
        return Group(
            Text.assemble(
                (" Prunella ", "bold reverse"), f"  {self.elapsed_s:5.1f} s  ", (self.phase, "bold")
            ),
            top,
            Panel(
                self._incidents(),
                title="incidents: evidence → diagnosis → decision → action → verified",
                border_style="dim",
            ),
            Panel(Text("\n".join(self._log) or " "), title="story", border_style="dim"),
        )

    def _components(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for name, (state, detail) in self.components.items():
            table.add_row(name, colour(state), Text(detail, style="dim", overflow="ellipsis"))
        return table

    def _trading(self) -> RenderableType:
        if not self.engine:
            return Text("the engine does not answer", style="bold red")
        table = Table(box=None, padding=(0, 1), pad_edge=False)
        for heading in (
            "venue",
            "feed",
            "frames/s",
            "orders/s",
            "orders",
            "filled",
            "open",
            "position",
        ):
            table.add_column(heading, justify="left" if heading in {"venue", "feed"} else "right")
        for name, venue in self.engine["venues"].items():
            active = " *" if venue["active"] else ""
            table.add_row(
                f"{name}{active}",
                colour(venue["state"]),
                f"{venue['frames_per_second']:.0f}",
                f"{self.order_rates.get(name, 0.0):.1f}",
                str(venue["orders_submitted"]),
                str(venue["orders_filled"]),
                f"{venue['orders_open']}+{venue['orders_unknown']}?",
                venue["position"],
            )
        profit = self.engine["profit"]
        return Group(
            table,
            Text.assemble(
                "state ",
                colour(self.engine["trading_state"]),
                f"   P&L {profit['realized']} realised, {profit['unrealized']} unrealised",
                "   (* active venue)",
            ),
        )

    def _latency(self) -> RenderableType:
        if not self.engine:
            return Text(" ")
        rows = self.engine["latency_us"]
        return Text(
            "   ".join(
                f"{name} p50 {row['p50']:.1f} p99 {row['p99']:.1f} µs" for name, row in rows.items()
            )
        )

    def _incidents(self) -> RenderableType:
        if not self.incidents:
            return Text("none", style="green")
        table = Table.grid(padding=(0, 1))
        for state, line in self.incidents[-_INCIDENT_LINES:]:
            table.add_row(colour(state), Text(line, overflow="fold"))
        return table
