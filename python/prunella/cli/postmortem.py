"""`prunella postmortem`: an incident's id in; its story from the ledger out."""

from pathlib import Path
from typing import Annotated

import typer

from prunella.cli.output import console, print_json
from prunella.cli.stack import home_at
from prunella.errors import UsageError
from prunella.healing.audit import incident_trail, to_html, to_markdown, write_postmortem
from prunella.journal.checkpoint import CHECKPOINTS


def postmortem(
    incident: Annotated[str, typer.Argument(help="An id such as inc-000007.")],
    *,
    as_html: Annotated[
        bool, typer.Option("--html", help="One HTML page instead of Markdown.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write it to this file (an .html one is a page).")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Ledger folder (default: the stack's own).")
    ] = None,
    home: Annotated[Path | None, typer.Option("--home", help="Folder of the stack.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Write up an incident from the ledger: each sentence with the ledger entries that say so.

    Works with everything down; `prunella ledger verify` says whether the ledger is whole.
    """
    ledger = folder or home_at(home).ledger
    if not any(ledger.glob("*.journal")) and not (ledger / CHECKPOINTS).exists():
        raise UsageError(f"{ledger} holds no ledger; give the ledger folder of a stack")
    story = write_postmortem(incident_trail(ledger, incident))
    page = as_html or (out is not None and out.suffix in {".html", ".htm"})
    text = to_html(story) if page else to_markdown(story)
    if out is not None:
        try:
            out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write {out}: {error.strerror}") from None
    if json_output:
        print_json(story)
    elif out is not None:
        console.print(f"{story.title}: {story.entries} entries told in {out}")
    else:
        typer.echo(text, nl=False)
