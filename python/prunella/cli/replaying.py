"""`prunella replay`: an incident's id or an engine's journal in; whether all comes out again."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from prunella.cli.output import console, print_json
from prunella.cli.stack import home_at
from prunella.config import load
from prunella.errors import UsageError
from prunella.healing.audit import read_trail
from prunella.healing.decide import Policy
from prunella.healing.decide.policy import HERE, read_rules
from prunella.healing.incident import Topology
from prunella.healing.loop import local_stack
from prunella.healing.loop.replay import Replay, Replayed
from prunella.healing.reason import Expert, Prompt, Reasoner, load_knowledge, whole_knowledge
from prunella.healing.reason.knowledge import parse_knowledge
from prunella.journal import load_public_key
from prunella.journal.checkpoint import CHECKPOINTS
from prunella.trading.engine import replay as replay_engine
from prunella.values import Home

_COLOURS = {"identical": "green", "equal": "green", "different": "red", "unknown": "yellow"}


def replay(
    what: Annotated[
        str,
        typer.Argument(
            help="An incident such as inc-000007, or an engine's journal folder (default: the "
            "stack's own)."
        ),
    ] = "",
    *,
    policy: Annotated[
        Path | None,
        typer.Option(help="Other rules: a .cedar file or a folder; only forbids: added to ours."),
    ] = None,
    reasoner: Annotated[
        str,
        typer.Option(help="`expert`, `expert-all` (every domain's rules), or a .toml of rules."),
    ] = "expert",
    ledger: Annotated[
        Path | None, typer.Option(help="Ledger folder (default: the stack's own).")
    ] = None,
    home: Annotated[Path | None, typer.Option("--home", help="Folder of the stack.")] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Replay an engine's journal through the core, or think and decide an incident again.

    A journal: every recorded state hash is compared. An incident: every diagnosis and decision is
    made again from the ledger, and must be the same, byte for byte; with another policy or
    reasoner, each difference is explained. Exit status 1 when a replay without them differs.
    """
    if not re.fullmatch(r"inc-\d+", what):
        folder = Path(what) if what else home_at(home).engine_journal
        raise typer.Exit(0 if _journal(folder, json_output=json_output) else 1)
    place = home_at(home)
    entries = ledger or place.ledger
    if not any(entries.glob("*.journal")) and not (entries / CHECKPOINTS).exists():
        raise UsageError(f"{entries} holds no ledger; give the ledger folder of a stack")
    key = place.key("decider.pub")
    told = Replay(
        policy=_policy(policy, place),
        reasoner=_reasoner(reasoner),
        topology=Topology(local_stack(load(place.settings).stages()).components),
        key=load_public_key(key) if key.exists() and ledger is None else None,
    ).run(read_trail(entries), what)
    if json_output:
        print_json(told)
    else:
        _tell(what, told)
    other = policy is not None or reasoner != "expert"
    same = all(each.outcome in {"identical", "equal"} for each in told)
    raise typer.Exit(0 if same or other else 1)


def _tell(incident: str, told: list[Replayed]) -> None:
    for each in told:
        colour = _COLOURS[each.outcome]
        console.print(
            f"#{each.entry} {each.what}: [bold {colour}]{each.outcome}[/bold {colour}]:",
            escape(each.before),
            soft_wrap=True,
        )
        if each.now != each.before:
            console.print(escape(f"    now: {each.now}"), soft_wrap=True)
        for why in each.differences:
            console.print(escape(f"    {why}"), soft_wrap=True)
    count = sum(each.outcome == "identical" for each in told)
    console.print(f"{incident}: {count} of {len(told)} come out byte for byte")


def _policy(path: Path | None, place: Home) -> Policy:
    """The stack's own policy, or the rules in `path`.

    Rules that permit something are a whole policy; rules that only forbid are added to the
    project's own, as a stack's `policies` folder is.
    """
    if path is None:
        return Policy.load(local=place.policies)
    if not path.exists():
        raise UsageError(f"--policy {path}: no such file or folder")
    text = read_rules(path) if path.is_dir() else path.read_text(encoding="utf-8")
    schema = (HERE / "schema.cedarschema").read_text(encoding="utf-8")
    if re.search(r"^\s*permit\s*\(", text, re.MULTILINE):
        return Policy(text, schema)
    return Policy(read_rules(HERE / "policies"), schema, local=text)


def _reasoner(name: str) -> Callable[[Prompt], Reasoner]:
    if name == "expert":
        return lambda prompt: Expert(load_knowledge(prompt.domain))
    if name == "expert-all":
        everything = Expert(whole_knowledge())
        return lambda _: everything
    if not name.endswith(".toml") or not Path(name).is_file():
        raise UsageError(
            f"--reasoner {name}: expected `expert`, `expert-all` or a .toml file of rules"
        )
    own = Expert(parse_knowledge(Path(name).read_text(encoding="utf-8"), source=name))
    return lambda _: own


def _journal(folder: Path, *, json_output: bool) -> bool:
    """Replays an engine's journal; False when a recorded state hash differs."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; give the journal folder of an engine")
    result = replay_engine(folder)
    equal = bool(result["hash_equal"])
    if json_output:
        print_json(result)
    elif equal:
        console.print(
            f"[bold green]equal[/bold green]: {result['entries']} entries, {result['frames']} "
            f"frames, {result['orders']} orders; {result['checks']} recorded state hashes agree\n"
            f"state {result['state_hash']}\n"
            f"{result['seconds']:.3f} s, {result['frames_per_second']:,.0f} frames/s",
            soft_wrap=True,
        )
    else:
        console.print(f"[bold red]not equal[/bold red]: {result['problem']}", soft_wrap=True)
    return equal
