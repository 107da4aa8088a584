"""`journal …`: a journal's folder in; whether it is whole, what it holds, what was removed out."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from prunella.cli.clock import SystemClock
from prunella.cli.output import console, print_json
from prunella.cli.stack import home_at
from prunella.errors import JournalError, UsageError
from prunella.journal import Checked, check_journal, list_segments, prune_segments

_DAY_NS = 86_400_000_000_000
_GB = 1_000_000_000

journal_app = typer.Typer(
    help="The engine's journal: check it, list its segments, remove old ones.",
    no_args_is_help=True,
)

_Folder = Annotated[
    Path | None, typer.Argument(help="Journal folder (default: that of the stack's engine).")
]
_Home = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the stack. Default: $PRUNELLA_HOME, else ./.prunella"),
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@journal_app.command("verify")
def verify(folder: _Folder = None, home: _Home = None, json_output: _Json = False) -> None:
    """Check every entry, link, segment and snapshot; works beside a running engine.

    Exit status 1 when anything is wrong; the first bad place is named by file, entry and byte.
    """
    path = _journal(folder, home)
    try:
        checked = _checked(path, quiet=json_output)
    except JournalError as error:
        if json_output:
            print_json({"whole": False, "problems": [str(error)]})
        else:
            console.print(f"[bold red]not whole[/bold red]: {error}", soft_wrap=True)
        raise typer.Exit(1) from None
    problems = [*checked.problems, *([f"torn end: {checked.torn}"] if checked.torn else [])]
    if json_output:
        plain = msgspec.structs.asdict(checked) | {"chain": checked.chain.hex()}
        print_json(plain | {"whole": checked.is_whole, "problems": problems})
    elif checked.is_whole:
        console.print(
            f"[bold green]whole[/bold green]: entries {checked.first_seq} to {checked.last_seq}, "
            f"{checked.payload_bytes:,} bytes, {checked.snapshots} snapshots\n"
            f"chain {checked.chain.hex()}",
            soft_wrap=True,
        )
    for problem in () if json_output else problems:
        console.print(f"[bold red]not whole[/bold red]: {problem}", soft_wrap=True)
    raise typer.Exit(0 if checked.is_whole else 1)


@journal_app.command("ls")
def ls(folder: _Folder = None, home: _Home = None, json_output: _Json = False) -> None:
    """List the segments: first entry, when it was written, size."""
    segments = list_segments(_journal(folder, home))
    if json_output:
        print_json(segments)
        return
    table = Table()
    for heading in ("first entry", "written (UTC)", "bytes"):
        table.add_column(heading, justify="right")
    for each in segments:
        when = "-" if each.first_ns is None else _utc(each.first_ns)
        table.add_row(str(each.first_seq), when, f"{each.size_bytes:,}")
    console.print(table)


@journal_app.command("prune")
def prune(
    folder: _Folder = None,
    keep_gb: Annotated[
        float | None, typer.Option(min=0, help="Keep at most so many GB (1e9 bytes).")
    ] = None,
    keep_days: Annotated[
        float | None, typer.Option(min=0, help="Keep what was written in the last so many days.")
    ] = None,
    home: _Home = None,
    json_output: _Json = False,
) -> None:
    """Check the journal of a stopped engine, then remove its oldest segments.

    Never one that is needed after the oldest snapshot. A running engine does this by itself, see
    `journal_keep_gb` and `journal_keep_days` in the settings. A damaged journal is left alone.
    """
    if keep_gb is None and keep_days is None:
        raise UsageError("nothing to do: give --keep-gb, --keep-days or both")
    path = _journal(folder, home)
    _checked(path, quiet=json_output)
    pruned = prune_segments(
        path,
        keep_bytes=None if keep_gb is None else int(keep_gb * _GB),
        since_ns=None if keep_days is None else SystemClock().now_ns() - int(keep_days * _DAY_NS),
    )
    if json_output:
        print_json(pruned)
    else:
        console.print(
            f"removed {pruned.segments} segments, {pruned.freed_bytes:,} bytes; the journal begins "
            f"with entry {pruned.first_seq}"
        )


def _checked(folder: Path, *, quiet: bool) -> Checked:
    """Checks and shows how far it is."""
    with Console(stderr=True, quiet=quiet).status("checking") as shown:
        return check_journal(folder, lambda seq: shown.update(f"checked entry {seq:,}"))


def _journal(given: Path | None, home: Path | None) -> Path:
    folder = given or home_at(home).engine_journal
    if not any(folder.glob("*.journal")):
        raise UsageError(f"{folder} holds no journal; give the journal folder of an engine")
    return folder


def _utc(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")
