"""`positions` and `breaks`: the live engine's books, or a journal's, in; tables out."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from prunella.cli.limits import engine_status
from prunella.cli.operate import tell_engine
from prunella.cli.output import console, print_json
from prunella.cli.stack import home_at
from prunella.control import AcceptBreak
from prunella.errors import UsageError
from prunella.trading.engine import read_books
from prunella.values import format_fixed, parse_fixed

_CENTS = 2
_NS = 1_000_000_000
breaks_app = typer.Typer(help="Where our books and a venue's differ, and how each break ended.")
_HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the stack. Default: $PRUNELLA_HOME, else ./.prunella"),
]
_JournalOption = Annotated[
    Path | None,
    typer.Option("--journal", help="Journal folder of an engine, instead of the running stack."),
]
_JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
_Grouping = Literal["strategy", "venue", "account", "instrument"]


def positions(
    by: Annotated[
        _Grouping | None,
        typer.Option("--by", help="Sums with exposure and drawdown, in the account's currency."),
    ] = None,
    cost: Annotated[
        Literal["average", "fifo"],
        typer.Option("--cost", help="Which unit a sale closes: the average one or the oldest."),
    ] = "average",
    journal: _JournalOption = None,
    home: _HomeOption = None,
    json_output: _JsonOption = False,
) -> None:
    """What is held and what it earned: per strategy and market, or summed up."""
    books = _books(journal, home)
    if by is None:
        rows = [_position(row, cost) for row in books["positions"]]
        table = _positions_table(rows, cost)
    else:
        scopes = books["scopes"]
        names = [name for name in scopes if name.partition(".")[0] == by]
        rows = [_scope(scopes[name], cost) for name in names]
        table = _scopes_table(rows, f"by {by}, {cost} cost")
    if json_output:
        print_json(rows)
        return
    console.print(table if rows else "nothing has traded yet")
    if by == "strategy" and any(row["strategy"] == "manual" for row in books["positions"]):
        console.print("orders by hand belong to no strategy; they are in `--by account`")
    for line in _apart(rows):
        console.print(line)


@breaks_app.callback(invoke_without_command=True)
def breaks(
    context: typer.Context,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that last.")] = False,
    journal: _JournalOption = None,
    home: _HomeOption = None,
    json_output: _JsonOption = False,
) -> None:
    """Where our books and a venue's differ, or did lately: what, since when, how it ended."""
    if context.invoked_subcommand is not None:
        return
    found = _books(journal, home)["breaks"]
    rows = [row for row in found if not (open_only and row["closed_ns"])]
    if json_output:
        print_json(rows)
        return
    headings = ("no.", "class", "state", "where", "about", "ours", "theirs", "opened", "ended")
    table = _table("breaks", headings)
    for row in rows:
        table.add_row(
            str(row["id"]),
            row["class"],
            row["state"],
            f"{row['venue']} {row['symbol']}".strip(),
            row["about"],
            row["ours"],
            row["theirs"],
            _clock(row["opened_ns"]),
            f"{_clock(row['closed_ns'])} by {row['ended_by']}" if row["closed_ns"] else "–",
        )
    console.print(table if rows else "our books and the venues' agree")
    if any(row["state"] == "escalated" for row in rows):
        console.print("escalated: the venue only cancels until both agree, or until you")
        console.print('accept the difference: prunella breaks accept NO --name YOU --reason "…"')


@breaks_app.command()
def accept(
    number: Annotated[int, typer.Argument(help="The break's number.")],
    name: Annotated[str, typer.Option("--name", help="Who takes the responsibility.")],
    reason: Annotated[str, typer.Option("--reason", help="Why the balance is right.")],
    home: _HomeOption = None,
    json_output: _JsonOption = False,
) -> None:
    """Accept a difference: the balance is right at the venue, or the untold fills never were."""
    reply = tell_engine(home_at(home), AcceptBreak(id=number), actor=name, reason=reason)
    if json_output:
        print_json(reply)
    elif reply.ok:
        console.print(f"accepted (journal entry {reply.seq}); everything is compared anew")
    else:
        console.print(f"[red]refused[/red] {reply.code}: {reply.message}")
    raise typer.Exit(0 if reply.ok else 1)


def _books(journal: Path | None, home: Path | None) -> dict[str, Any]:
    if journal is None:
        return engine_status(home_at(home))
    if not journal.is_dir():
        raise UsageError(f"{journal} is not a folder; give the journal folder of an engine")
    return read_books(journal)


def _position(row: dict[str, Any], cost: str) -> dict[str, Any]:
    """One strategy's position in one market at the chosen cost."""
    kept = {name: value for name, value in row.items() if name not in {"average", "fifo"}}
    chosen = row[cost]
    net = sum(parse_fixed(chosen[name]) for name in ("realised", "unrealised"))
    profit = format_fixed(net - parse_fixed(row["fees"]))
    return kept | {"cost": chosen["price"]} | _split(chosen, "") | {"profit": profit}


def _scope(scope: dict[str, Any], cost: str) -> dict[str, Any]:
    """One scope's sums at the chosen cost."""
    kept = {
        name: value
        for name, value in scope.items()
        if not name.startswith(("realised", "unrealised"))
    }
    return kept | _split(scope, "_fifo" if cost == "fifo" else "")


def _split(found: dict[str, Any], suffix: str) -> dict[str, Any]:
    return {name: found[f"{name}{suffix}"] for name in ("realised", "unrealised")}


def _positions_table(rows: list[dict[str, Any]], cost: str) -> Table:
    table = _table(f"positions, {cost} cost", ("strategy", "venue", "symbol"))
    headings = ("quantity", "cost", "mark", "value", "realised", "unrealised", "fees", "profit")
    for heading in headings:
        table.add_column(heading, justify="right")
    money = headings[3:]
    for row in rows:
        table.add_row(
            row["strategy"],
            row["venue"],
            row["symbol"],
            row["quantity"],
            row["cost"] or "–",
            row["mark"],
            *(_cents(row[name]) for name in money),
        )
    return table


def _scopes_table(rows: list[dict[str, Any]], title: str) -> Table:
    table = _table(title, ("of",))
    headings = ("value", "gross", "net", "realised", "unrealised", "fees", "profit")
    for heading in (*headings, "of the day", "drawdown", "worst drawdown"):
        table.add_column(heading, justify="right")
    for row in rows:
        names = (*headings, "profit_of_day", "drawdown", "drawdown_max")
        table.add_row(row["name"].partition(".")[2] or "account", *(_cents(row[n]) for n in names))
    return table


def _table(title: str, headings: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading)
    return table


def _apart(rows: list[dict[str, Any]]) -> list[str]:
    """Fees in a third asset: they are easily overlooked, and some have no value in any profit."""
    lines = []
    for row in rows:
        name = row.get("name") or f"{row['strategy']} at {row['venue']} {row['symbol']}"
        own = {row.get("quote", "")}
        for fee in row["fees_paid"]:
            if fee["asset"] in own:
                continue
            apart = "" if fee["unvalued"] == "0" else f", {fee['unvalued']} of it in no profit"
            lines.append(f"{name}: fees of {fee['paid']} {fee['asset']}{apart}")
    return lines


def _clock(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns // _NS, UTC):%m-%d %H:%M:%S}"


def _cents(text: str) -> str:
    return f"{parse_fixed(text) / 1e9:,.{_CENTS}f}"
