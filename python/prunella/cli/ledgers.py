"""`ledger …`: a ledger's folder in; whether it is whole, proofs, bundles, cosignatures out."""

import inspect
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from prunella.cli.clock import SystemClock
from prunella.cli.output import console, print_json
from prunella.cli.stack import home_at
from prunella.errors import JournalError, UsageError
from prunella.healing.audit import incident_of
from prunella.journal import (
    Witness,
    cosign,
    export_bundle,
    load_private_key,
    load_public_key,
    merkle_leaf,
    proof,
    prove,
    read_notebook,
    verify_ledger,
)
from prunella.journal.checkpoint import CHECKPOINTS, append, cut_torn_tail, load

ledger_app = typer.Typer(
    help="The evidence: what was seen, decided and done.", no_args_is_help=True
)

_Folder = Annotated[Path | None, typer.Argument(help="Ledger folder (default: the stack's own).")]
_FolderOption = Annotated[
    Path | None, typer.Option("--folder", help="Ledger folder (default: the stack's own).")
]
_Key = Annotated[
    Path | None, typer.Option(help="Public key (default: keys/ledger.pub in the home folder).")
]
_Home = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the stack. Default: $PRUNELLA_HOME, else ./.prunella"),
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
_Witness = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE[=KEY.pub]",
        help="A notebook of checkpoints kept elsewhere; with a key only those that it cosigned.",
    ),
]


@ledger_app.command("verify")
def verify(
    folder: _Folder = None,
    *,
    key: _Key = None,
    witness: _Witness = None,
    needed: Annotated[
        int, typer.Option(min=0, help="How many of the witnesses must vouch for the ledger.")
    ] = 0,
    home: _Home = None,
    json_output: _Json = False,
) -> None:
    """Check the ledger offline: chain, Merkle tree, signatures. Names the first bad entry.

    A cut-off tail and a second history are found by what was kept elsewhere: `--witness`.
    """
    folder, key = _ledger(folder, key, home)
    public = load_public_key(key)
    try:
        found = verify_ledger(folder, public, witnesses=_witnesses(witness), needed=needed)
    except JournalError as error:
        if json_output:
            print_json({"whole": False, "problem": str(error)})
        else:
            console.print("[bold red]not whole[/bold red]:", escape(str(error)), soft_wrap=True)
        raise typer.Exit(1) from None
    if json_output:
        print_json({"whole": True, **msgspec.to_builtins(found)})
        return
    kept = f"{found.witnessed} vouched for by {max(needed, 1)} of {len(witness or ())} witnesses, "
    console.print(
        f"[bold green]whole[/bold green]: {found.entries} entries, "
        f"{found.checkpoints} signed checkpoints, {kept if witness else ''}"
        f"{found.unsigned} entries since the last one\nroot {found.root}",
        soft_wrap=True,
    )


@ledger_app.command("prove")
def prove_record(
    record: Annotated[int, typer.Argument(min=1, help="The entry's number.")],
    *,
    folder: _FolderOption = None,
    home: _Home = None,
    json_output: _Json = False,
) -> None:
    """Show one record and the hashes that lead from its bytes to the signed root."""
    folder, _ = _ledger(folder, None, home)
    evidence = prove(folder, lambda each: each.seq == record)
    if not evidence.records:
        raise UsageError(f"{folder} holds no entry {record}")
    bundle = export_bundle(evidence)
    if json_output:
        print_json(msgspec.Raw(bundle))
        return
    (found,) = evidence.records
    entry, path = found.entry, found.proof or ()
    about = f", {entry.incident}" if entry.incident else ""
    console.print(f"entry {entry.seq}: {escape(entry.kind + about)}, at {entry.ts_ns} ns")
    console.print(escape(msgspec.json.encode(entry.fields()).decode()), soft_wrap=True)
    console.print(f"leaf {merkle_leaf(entry.leaf).hex()}")
    for step in path:
        console.print(f"  +  {step.hex()}")
    console.print(f"leads to the root of the first {evidence.size} entries:\n{evidence.checkpoint}")


@ledger_app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="The bundle to write (JSON).")],
    *,
    incident: Annotated[str, typer.Option(help="Only this incident's records; all without.")] = "",
    since: Annotated[
        list[Path] | None,
        typer.Option(help="Checkpoints kept earlier: the bundle proves that it goes on from them."),
    ] = None,
    script: Annotated[
        Path | None,
        typer.Option(
            help="Also write here the script that checks it, for whoever has no Prunella."
        ),
    ] = None,
    folder: _FolderOption = None,
    home: _Home = None,
    json_output: _Json = False,
) -> None:
    """Write records with their proofs into one file that can be checked without the ledger."""
    folder, _ = _ledger(folder, None, home)
    sizes = {each.size for path in since or () for each in load(path, None)}
    evidence = prove(
        folder, lambda each: not incident or incident_of(each) == incident, since=sizes
    )
    if incident and not evidence.records:
        raise UsageError(f"{folder} holds no record of {incident!r}")
    signed = [each for each in evidence.records if each.proof is not None]
    left = len(evidence.records) - len(signed)
    _write(file, export_bundle(msgspec.structs.replace(evidence, records=tuple(signed))))
    if script is not None:
        _write(script, inspect.getsource(proof).encode())
    if json_output:
        print_json({"file": str(file), "records": len(signed), "unsigned": left})
        return
    newest = f"; the newest {left} are not signed yet and left out" if left else ""
    console.print(f"{len(signed)} records of {evidence.size} signed entries in {file}{newest}")
    if script is not None:
        console.print(f"check it anywhere: python {script} {file} ledger.pub")


@ledger_app.command("cosign")
def cosign_ledger(
    notebook: Annotated[
        Path, typer.Argument(help="Your own file of checkpoints; made if missing.")
    ],
    *,
    sign_with: Annotated[Path, typer.Option("--sign-with", help="Your private key (PEM).")],
    name: Annotated[str, typer.Option(help="Your name in the signature, without spaces.")],
    folder: _FolderOption = None,
    key: _Key = None,
    home: _Home = None,
    json_output: _Json = False,
) -> None:
    """Be a witness: check the ledger against your notebook, and cosign its newest checkpoint.

    Keep notebook and key where the ledger's machine cannot write. Refuses, with exit status 1, a
    ledger that does not go on from what you cosigned before.
    """
    folder, key = _ledger(folder, key, home)
    if not name or any(letter.isspace() or letter == "+" for letter in name):
        raise UsageError(f"--name {name!r} should be one word without `+`")
    public, own = load_public_key(key), load_private_key(sign_with)
    if notebook.exists():
        cut_torn_tail(notebook)
    mine = [Witness(path=notebook)] if notebook.exists() and notebook.stat().st_size else []
    try:
        # The checkpoint that is signed is read first: what is verified afterwards covers it.
        newest = load(folder / CHECKPOINTS, public)[-1:]
        verify_ledger(folder, public, witnesses=mine)
        before = read_notebook(mine[0], public)[-1].size if mine else 0
    except JournalError as error:
        if json_output:
            print_json({"cosigned": False, "problem": str(error)})
        else:
            console.print("[bold red]not cosigned[/bold red]:", escape(str(error)), soft_wrap=True)
        raise typer.Exit(1) from None
    fresh = [each for each in newest if each.size > before]
    for each in fresh:
        append(notebook, cosign(each, name, own, SystemClock().now_ns()))
    size = fresh[0].size if fresh else before
    if json_output:
        print_json({"cosigned": bool(fresh), "entries": size, "before": before})
    else:
        grew = f"{size} entries, {size - before} more than before" if fresh else "nothing new"
        console.print(f"{'cosigned' if fresh else 'whole'}: {grew}; kept in {notebook}")


def _ledger(folder: Path | None, key: Path | None, home: Path | None) -> tuple[Path, Path]:
    """The folder and the key: those given, else the stack's own.

    Raises:
        UsageError: No ledger is there: nothing was looked at, which must not look like success.
    """
    if folder is None or key is None:
        own = home_at(home)
        folder, key = folder or own.ledger, key or own.key("ledger.pub")
    if not any(folder.glob("*.journal")) and not (folder / CHECKPOINTS).exists():
        raise UsageError(f"{folder} holds no ledger; give the ledger folder of a stack")
    return folder, key


def _witnesses(given: list[str] | None) -> list[Witness]:
    found = []
    for each in given or ():
        path, _, key = each.partition("=")
        if not Path(path).is_file():
            raise UsageError(f"--witness {path}: no such file, expected checkpoints kept elsewhere")
        found.append(Witness(path=Path(path), key=load_public_key(Path(key)) if key else None))
    return found


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from None
