"""`orders` and `best-execution`: an engine's journal in; every order's life, with reasons, out."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from prunella.cli.output import print_json
from prunella.errors import UsageError
from prunella.trading.engine import order_trails

_NS = 1_000_000_000


def show_orders(journal: Path, order: str, *, console: Console, json_output: bool) -> None:
    """All orders of a journal with their last state, or every change of one.

    Raises:
        JournalError: The journal is damaged.
        UsageError: There is no such order.
    """
    trails = _chosen(journal, order)
    if json_output:
        print_json(trails)
        return
    if order:
        _tell_trail(trails[0], console)
        return
    table = Table(title=f"{len(trails)} orders", title_justify="left")
    for heading in ("order", "by", "where", "what", "state", "filled", "changes"):
        table.add_column(heading)
    for trail in trails:
        last = trail["events"][-1] if trail["events"] else {"state": "–", "filled": "0"}
        where = f"{trail['symbol']} {trail['venue']}"
        what = f"{trail['side']} {trail['quantity']} at {trail['price']}"
        changes = str(len(trail["events"]))
        table.add_row(
            trail["id"], trail["strategy"], where, what, last["state"], last["filled"], changes
        )
    console.print(table)


def show_best_execution(journal: Path, order: str, *, console: Console, json_output: bool) -> None:
    """What every venue offered when an order was routed, and which was chosen.

    Raises:
        JournalError: The journal is damaged.
        UsageError: There is no such order.
    """
    trails = _chosen(journal, order)
    if json_output:
        kept = ("id", "parent", "strategy", "venue", "symbol", "side", "price", "quantity")
        print_json([{name: t[name] for name in (*kept, "is_routed", "offers")} for t in trails])
        return
    for trail in trails:
        _tell_offers(trail, console)
    if not trails:
        console.print("the journal holds no order")


def _chosen(journal: Path, order: str) -> list[dict[str, Any]]:
    trails = order_trails(journal)
    if not order:
        return trails
    found = [trail for trail in trails if trail["id"] == order]
    if not found:
        raise UsageError(f"{journal} holds no order {order!r}; `prunella orders` lists them")
    return found


def _tell_trail(trail: dict[str, Any], console: Console) -> None:
    console.print(
        f"{trail['id']}: {trail['side']} {trail['quantity']} {trail['symbol']} at "
        f"{trail['price']}, {trail['venue']}, by {trail['strategy']}"
    )
    for event in trail["events"]:
        console.print(
            f"  {_clock(event['at_ns'])}  {event['state']:<17} filled {event['filled']:<12} "
            f"{event['cause']} (entry {event['seq']})"
        )


def _tell_offers(trail: dict[str, Any], console: Console) -> None:
    title = (
        f"{trail['id']}: {trail['side']} {trail['quantity']} {trail['symbol']}, "
        f"{'routed' if trail['is_routed'] else 'named'} to {trail['venue']}"
    )
    table = Table(title=title, title_justify="left")
    for heading in ("venue", "bid", "ask", "depth", "fee", "latency", "cost", "score", "share"):
        table.add_column(heading)
    for offer in trail["offers"]:
        table.add_row(
            offer["venue"],
            offer["bid"],
            offer["ask"],
            offer["depth"],
            f"{offer['fee_ppm']} ppm",
            f"{offer['latency_ns'] / 1_000_000:.2f} ms",
            f"{offer['cost_ppm']} ppm",
            f"{offer['score_ppm']} ppm",
            offer["obstacle"] or offer["share"],
        )
    console.print(table)


def _clock(ns: int) -> str:
    whole = datetime.fromtimestamp(ns // _NS, UTC)
    return f"{whole:%Y-%m-%d %H:%M:%S}.{ns % _NS // 1_000:06d}"
