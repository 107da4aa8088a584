"""`incidents`: evidence in; a story, entry by entry, out."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from prunella.cli.live import colour
from prunella.cli.output import print_json
from prunella.cli.stack import running
from prunella.errors import UsageError
from prunella.healing.audit import Entry, incident_entries, read_trail
from prunella.healing.incident import IncidentOpened
from prunella.values import Home

_FACTS_SHOWN_MAX = 300
"""Characters of a record in the table; `--json` has the whole."""


def show_incidents(home: Home, *, console: Console, json_output: bool) -> None:
    """Lists every incident that the healing plane remembers."""
    with running(home) as stack:
        incidents = stack.healing.incidents()
    if json_output:
        print_json(incidents)
        return
    if not incidents:
        console.print("no incidents")
        return
    table = Table()
    for heading in ("incident", "opened", "state", "evidence → diagnosis → decision → action"):
        table.add_column(heading, overflow="fold")
    for each in incidents:
        table.add_row(each.id, _clock(each.opened_ns), colour(str(each.state)), each.line)
    console.print(table)


def show_incident(home: Home, incident: str, *, console: Console, json_output: bool) -> None:
    """Tells one incident, entry by entry, from the ledger itself; works with everything down.

    Raises:
        UsageError: The ledger holds no such incident; the message lists those that it has.
    """
    entries = incident_entries(home.ledger, incident)
    if not entries:
        known = [
            e.incident for e in read_trail(home.ledger) if isinstance(e.record, IncidentOpened)
        ]
        raise UsageError(f"no incident {incident!r}; there are: {', '.join(known) or 'none'}")
    if json_output:
        print_json([_plain(entry) for entry in entries])
        return
    began_ns = entries[0].ts_ns
    table = Table(title=f"{incident}, opened {_clock(began_ns)}", title_justify="left")
    for heading in ("ledger", "after", "what", "facts"):
        table.add_column(
            heading, overflow="fold", justify="right" if heading == "after" else "left"
        )
    for entry in entries:
        facts = msgspec.json.encode(_facts(entry)).decode()
        table.add_row(
            f"#{entry.seq}",
            f"{(entry.ts_ns - began_ns) / 1e6:.0f} ms",
            entry.kind,
            facts if len(facts) <= _FACTS_SHOWN_MAX else facts[:_FACTS_SHOWN_MAX] + " …",
        )
    console.print(table)


def _plain(entry: Entry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "ts_ns": str(entry.ts_ns),
        "kind": entry.kind,
        "record": _facts(entry),
    }


def _facts(entry: Entry) -> Any:
    """The record as plain values; bytes in base64."""
    return msgspec.json.decode(msgspec.json.encode(entry.record))


def _clock(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, tz=UTC).strftime("%H:%M:%S.%f")[:-3]
