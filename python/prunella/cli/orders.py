"""`order …`: an order as a person types it in; what the engine made of it out."""

import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from prunella.cli.operate import tell_engine
from prunella.cli.output import console, print_json
from prunella.cli.stack import home_at, running
from prunella.control import (
    AmendOrder,
    CancelOrder,
    Command,
    PauseOrder,
    Reply,
    ResumeOrder,
    SubmitOrder,
)
from prunella.errors import UsageError
from prunella.values import Home

_NS = 1_000_000_000
_SHOWN_WITHIN_S = 3.0
_POLL_S = 0.05

order_app = typer.Typer(
    help="Trade by hand: orders that the engine keeps, routes and works off, through every check.",
    no_args_is_help=True,
)

_Home = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the stack. Default: $PRUNELLA_HOME, else ./.prunella"),
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
_Reason = Annotated[str, typer.Option("--reason", help="Why; goes into the journal.")]
_Side = Annotated[str, typer.Argument(help="`buy` or `sell`.")]
_Quantity = Annotated[str, typer.Argument(help="How much in all, base units.")]
_Symbol = Annotated[str, typer.Option("--symbol", help="Which instrument.")]
_Venue = Annotated[str, typer.Option("--venue", help="The only venue; without it: the best.")]
_Limit = Annotated[str, typer.Option("--limit", help="Never at a worse price.")]
_Slippage = Annotated[
    int,
    typer.Option("--slippage-ppm", min=0, help="How far from the middle a taking part may go."),
]
_Worse = Annotated[
    int,
    typer.Option(
        "--worse-ppm-max",
        min=0,
        help="Stop when the average is worse than at the start by more; 0: never.",
    ),
]
_Seconds = Annotated[float, typer.Option("--for", min=0.001, help="For how long, seconds.")]
_Interval = Annotated[
    float, typer.Option("--every", min=0.001, help="Distance of slices, seconds.")
]
_Start = Annotated[float, typer.Option("--start-in", min=0, help="Begin after so many seconds.")]
_ChildMax = Annotated[str, typer.Option("--child-max", help="Largest part; default: 3 slices.")]
_Number = Annotated[int, typer.Argument(help="The order's number.")]


@order_app.command()
def submit(
    side: _Side,
    quantity: _Quantity,
    *,
    symbol: _Symbol = "BTCUSDT",
    venue: _Venue = "",
    limit: _Limit = "",
    time_in_force: Annotated[
        str, typer.Option("--tif", help="`gtc`, `ioc`, `fok` or `post_only`; with --limit.")
    ] = "gtc",
    stop: Annotated[str, typer.Option("--stop", help="Held until this price is reached.")] = "",
    stop_on: Annotated[str, typer.Option("--stop-on", help="`trade` or `mid`.")] = "trade",
    display: Annotated[str, typer.Option("--display", help="Iceberg: shown at a time.")] = "",
    slippage_ppm: _Slippage = 1_000,
    reduce_only: Annotated[
        bool, typer.Option("--reduce-only", help="Only make a position smaller.")
    ] = False,
    reason: _Reason = "by hand",
    home: _Home = None,
    json_output: _Json = False,
) -> None:
    """Market order (no price given), limit, stop or iceberg.

    A market order is sent as immediate-or-cancel at the slippage bound, and refused when the book
    has too little within it.
    """
    style: Literal["limit", "market", "stop", "iceberg"] = "limit" if limit else "market"
    if stop or display:
        style = "stop" if stop else "iceberg"
    command = SubmitOrder(
        symbol=symbol,
        venue=venue,
        side=_choice("side", side, "buy", "sell"),
        quantity=quantity,
        style=style,
        limit=limit,
        time_in_force=_choice("--tif", time_in_force, "gtc", "ioc", "fok", "post_only"),
        trigger=stop,
        trigger_on=_choice("--stop-on", stop_on, "trade", "mid"),
        display=display,
        slippage_ppm=slippage_ppm,
        reduce_only=reduce_only,
    )
    _submit(home_at(home), command, reason=reason, json_output=json_output)


@order_app.command()
def twap(
    side: _Side,
    quantity: _Quantity,
    *,
    seconds: _Seconds,
    every: _Interval,
    symbol: _Symbol = "BTCUSDT",
    venue: _Venue = "",
    limit: _Limit = "",
    start_in: _Start = 0.0,
    slippage_ppm: _Slippage = 1_000,
    worse_ppm_max: _Worse = 0,
    child_max: _ChildMax = "",
    reason: _Reason = "by hand",
    home: _Home = None,
    json_output: _Json = False,
) -> None:
    """Work an order off in equal slices over a time."""
    command = SubmitOrder(
        symbol=symbol,
        venue=venue,
        side=_choice("side", side, "buy", "sell"),
        quantity=quantity,
        style="twap",
        limit=limit,
        slippage_ppm=slippage_ppm,
        start_in_ns=round(start_in * _NS),
        duration_ns=round(seconds * _NS),
        interval_ns=round(every * _NS),
        worse_ppm_max=worse_ppm_max,
        child_max=child_max,
    )
    _submit(home_at(home), command, reason=reason, json_output=json_output)


@order_app.command()
def vwap(
    side: _Side,
    quantity: _Quantity,
    *,
    curve: Annotated[
        str, typer.Option(help="How much usually trades when, such as 3,1,1,2: relative parts.")
    ],
    seconds: _Seconds,
    every: _Interval,
    symbol: _Symbol = "BTCUSDT",
    venue: _Venue = "",
    limit: _Limit = "",
    start_in: _Start = 0.0,
    slippage_ppm: _Slippage = 1_000,
    worse_ppm_max: _Worse = 0,
    child_max: _ChildMax = "",
    reason: _Reason = "by hand",
    home: _Home = None,
    json_output: _Json = False,
) -> None:
    """Work an order off along a volume curve."""
    command = SubmitOrder(
        symbol=symbol,
        venue=venue,
        side=_choice("side", side, "buy", "sell"),
        quantity=quantity,
        style="vwap",
        limit=limit,
        slippage_ppm=slippage_ppm,
        start_in_ns=round(start_in * _NS),
        duration_ns=round(seconds * _NS),
        interval_ns=round(every * _NS),
        curve=_curve(curve),
        worse_ppm_max=worse_ppm_max,
        child_max=child_max,
    )
    _submit(home_at(home), command, reason=reason, json_output=json_output)


@order_app.command()
def pov(
    side: _Side,
    quantity: _Quantity,
    *,
    share: Annotated[float, typer.Option(min=0.0001, max=100, help="Share of volume, percent.")],
    seconds: _Seconds,
    symbol: _Symbol = "BTCUSDT",
    venue: _Venue = "",
    limit: _Limit = "",
    start_in: _Start = 0.0,
    slippage_ppm: _Slippage = 1_000,
    worse_ppm_max: _Worse = 0,
    child_max: _ChildMax = "",
    reason: _Reason = "by hand",
    home: _Home = None,
    json_output: _Json = False,
) -> None:
    """Work an order off as a share of what trades."""
    command = SubmitOrder(
        symbol=symbol,
        venue=venue,
        side=_choice("side", side, "buy", "sell"),
        quantity=quantity,
        style="pov",
        limit=limit,
        slippage_ppm=slippage_ppm,
        start_in_ns=round(start_in * _NS),
        duration_ns=round(seconds * _NS),
        # Only bounds the size of one part: three tenths of the whole.
        interval_ns=max(1, round(seconds * _NS / 10)),
        share_ppm=round(share * 10_000),
        worse_ppm_max=worse_ppm_max,
        child_max=child_max,
    )
    _submit(home_at(home), command, reason=reason, json_output=json_output)


@order_app.command("list")
def list_orders(home: _Home = None, json_output: _Json = False) -> None:
    """The orders that the engine keeps, and the latest that ended."""
    rows = _orders(home_at(home))
    if json_output:
        print_json(rows)
        return
    table = Table(title="kept orders", title_justify="left")
    for heading in ("no.", "what", "state", "filled", "average", "slippage", "by"):
        table.add_column(heading)
    for row in rows:
        table.add_row(
            str(row["id"]),
            _what(row),
            _state(row),
            f"{row['filled']} of {row['quantity']}",
            row["average_price"] or "–",
            "–" if row["slippage_ppm"] is None else f"{row['slippage_ppm']} ppm",
            row["strategy"],
        )
    console.print(table if rows else "no orders are kept")


@order_app.command()
def show(order: _Number, home: _Home = None, json_output: _Json = False) -> None:
    """One kept order: progress, average price, slippage against the price at its start."""
    _show(_order(home_at(home), order), json_output=json_output)


@order_app.command()
def cancel(
    order: _Number, reason: _Reason = "by hand", home: _Home = None, json_output: _Json = False
) -> None:
    """Cancel a kept order with everything of it that works."""
    _change(home_at(home), CancelOrder(order=order), reason=reason, json_output=json_output)


@order_app.command()
def pause(
    order: _Number, reason: _Reason = "by hand", home: _Home = None, json_output: _Json = False
) -> None:
    """Let a kept order rest: what works of it is cancelled."""
    _change(home_at(home), PauseOrder(order=order), reason=reason, json_output=json_output)


@order_app.command("resume")
def resume_order(
    order: _Number, reason: _Reason = "by hand", home: _Home = None, json_output: _Json = False
) -> None:
    """Let a paused order go on."""
    _change(home_at(home), ResumeOrder(order=order), reason=reason, json_output=json_output)


@order_app.command()
def amend(
    order: _Number,
    *,
    limit: _Limit = "",
    quantity: Annotated[str, typer.Option("--quantity", help="New total, filled included.")] = "",
    trigger: Annotated[str, typer.Option("--stop", help="New trigger of a stop.")] = "",
    reason: _Reason = "by hand",
    home: _Home = None,
    json_output: _Json = False,
) -> None:
    """Change a kept order: cancel, wait for the proof, send what is left. It cannot fill twice."""
    if not (limit or quantity or trigger):
        raise UsageError("expected a new --limit, --quantity or --stop, found none")
    command = AmendOrder(order=order, limit=limit, quantity=quantity, trigger=trigger)
    _change(home_at(home), command, reason=reason, json_output=json_output)


def _submit(home: Home, command: SubmitOrder, *, reason: str, json_output: bool) -> None:
    reply = _tell(home, command, reason=reason, json_output=json_output)
    deadline = time.monotonic() + _SHOWN_WITHIN_S
    # The status is published ten times a second; the first word on the order is worth waiting for.
    while True:
        found = [row for row in _orders(home) if row["id"] == reply.order]
        if found and (found[0]["state"] == "done" or time.monotonic() >= deadline - 2):
            break
        if time.monotonic() >= deadline:
            raise UsageError(f"order {reply.order} was taken in, but the engine does not show it")
        time.sleep(_POLL_S)
    _show(found[0], json_output=json_output)


def _change(home: Home, command: Command, *, reason: str, json_output: bool) -> None:
    reply = _tell(home, command, reason=reason, json_output=json_output)
    if json_output:
        print_json(reply)
    else:
        console.print(f"done (journal entry {reply.seq})")


def _tell(home: Home, command: Command, *, reason: str, json_output: bool) -> Reply:
    reply = tell_engine(home, command, actor=None, reason=reason)
    if reply.ok:
        return reply
    if json_output:
        print_json(reply)
    else:
        console.print(f"[red]refused[/red] {reply.code}: {reply.message}")
    raise typer.Exit(1)


def _orders(home: Home) -> list[dict[str, Any]]:
    with running(home) as stack:
        status = stack.get("engine", "/status")
    if status is None:
        raise UsageError("the engine does not answer; `prunella status` says why")
    orders: list[dict[str, Any]] = status.get("orders", [])
    return orders


def _order(home: Home, number: int) -> dict[str, Any]:
    for row in _orders(home):
        if row["id"] == number:
            return row
    raise UsageError(f"there is no order {number}; `prunella order list` shows all")


def _show(row: dict[str, Any], *, json_output: bool) -> None:
    if json_output:
        print_json(row)
        return
    console.print(f"order {row['id']}: {_what(row)}, by {row['strategy']}: {_state(row)}")
    console.print(f"  filled {row['filled']} of {row['quantity']} in {row['children']} part(s)")
    if row["average_price"] is not None:
        console.print(
            f"  average {row['average_price']}, arrival {row['arrival_price']}, "
            f"slippage {row['slippage_ppm']} ppm, fees {row['fees_usd']:.4f}"
        )
    if row["denied"]:
        console.print(f"  last refused: {row['denied']}")


def _what(row: dict[str, Any]) -> str:
    parts = [row["side"], row["quantity"], row["symbol"], row["style"]]
    if row["limit"]:
        parts.append(f"limit {row['limit']}")
    if row["trigger"]:
        parts.append(f"stop {row['trigger']}")
    if row["reduce_only"]:
        parts.append("reduce only")
    if row["venue"]:
        parts.append(f"at {row['venue']}")
    return " ".join(parts)


def _state(row: dict[str, Any]) -> str:
    return f"{row['state']} ({row['end']})" if row["end"] else str(row["state"])


def _choice(name: str, found: str, *known: str) -> Any:
    """One of the known words.

    Raises:
        UsageError: It is none of them.
    """
    word = found.lower().replace("-", "_")
    if word not in known:
        raise UsageError(f"{name}: expected one of {', '.join(known)}, found {found!r}")
    return word


def _curve(text: str) -> tuple[int, ...]:
    try:
        parts = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--curve: expected whole numbers such as 3,1,2, found {text!r}") from None
    if not 1 <= len(parts) <= 32 or min(parts) < 0 or max(parts) > 65_535:
        raise UsageError("--curve: expected 1 to 32 numbers from 0 to 65535")
    return parts
