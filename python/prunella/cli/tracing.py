"""`prunella trace`: an incident's id in; its trace on the screen, or at an OTLP endpoint."""

import http.client
import urllib.parse
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from prunella.cli.output import console, print_json
from prunella.cli.stack import home_at
from prunella.errors import UsageError
from prunella.healing.audit import Span, incident_trail, trace_incident
from prunella.journal.checkpoint import CHECKPOINTS

_TIMEOUT_S = 10.0
_PATH = "/v1/traces"
_INTERNAL, _OK, _ERROR = 1, 1, 2
"""Numbers of OTLP's span kind and status codes."""


def trace(
    incident: Annotated[str, typer.Argument(help="An id such as inc-000007.")],
    *,
    otlp: Annotated[
        str, typer.Option(help="Send it there, such as http://127.0.0.1:4318 (OTLP over HTTP).")
    ] = "",
    folder: Annotated[
        Path | None, typer.Option(help="Ledger folder (default: the stack's own).")
    ] = None,
    home: Annotated[Path | None, typer.Option("--home", help="Folder of the stack.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Show one trace from the first telemetry sample to the verified repair, or send it by OTLP.

    It is made from the ledger: the same incident gives the same trace and span ids each time.
    """
    ledger = folder or home_at(home).ledger
    if not any(ledger.glob("*.journal")) and not (ledger / CHECKPOINTS).exists():
        raise UsageError(f"{ledger} holds no ledger; give the ledger folder of a stack")
    spans = trace_incident(incident_trail(ledger, incident))
    if otlp:
        _send(otlp, _encoded(spans))
    if json_output:
        print_json(spans)
        return
    table = Table(title=f"trace {spans[0].trace_id}", title_justify="left")
    for heading in ("span", "after", "took", "ledger"):
        table.add_column(heading, justify="left" if heading == "span" else "right")
    for each in spans:
        table.add_row(
            escape(("  " if each.parent_id else "") + each.name),
            f"{(each.start_ns - spans[0].start_ns) / 1e6:.0f} ms",
            f"{(each.end_ns - each.start_ns) / 1e6:.0f} ms",
            f"#{each.attributes['prunella.ledger.entry']}",
        )
    console.print(table)
    if otlp:
        console.print(f"{len(spans)} spans sent to {otlp}")


def _encoded(spans: list[Span]) -> bytes:
    """The spans in OTLP's JSON: identifiers in hexadecimal, 64-bit numbers as text."""
    told = [
        {
            "traceId": each.trace_id,
            "spanId": each.span_id,
            "parentSpanId": each.parent_id,
            "name": each.name,
            "kind": _INTERNAL,
            "startTimeUnixNano": str(each.start_ns),
            "endTimeUnixNano": str(each.end_ns),
            "attributes": [_attribute(name, value) for name, value in each.attributes.items()],
            "status": {"code": _OK if each.ok else _ERROR},
        }
        for each in spans
    ]
    service = {"attributes": [_attribute("service.name", "prunella-healing")]}
    scope = {"scope": {"name": "prunella.ledger"}, "spans": told}
    return msgspec.json.encode({"resourceSpans": [{"resource": service, "scopeSpans": [scope]}]})


def _attribute(name: str, value: str | int) -> dict[str, object]:
    typed = {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}
    return {"key": name, "value": typed}


def _send(endpoint: str, body: bytes) -> None:
    """Posts to the endpoint.

    Raises:
        UsageError: It is no HTTP address, does not answer, or refuses.
    """
    parts = urllib.parse.urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError(f"--otlp {endpoint}: expected an address such as http://127.0.0.1:4318")
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    path = parts.path if parts.path.strip("/") else _PATH
    try:
        connection = kinds[parts.scheme](parts.hostname, parts.port, timeout=_TIMEOUT_S)
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        raise UsageError(f"{endpoint} does not take the trace: {error}") from None
    if answer.status != http.client.OK:
        raise UsageError(f"{endpoint} does not take the trace: HTTP {answer.status}")
