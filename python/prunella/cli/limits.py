"""`prunella limits`: what a person may risk, shown and changed; a looser value needs their key."""

import json
import secrets
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from prunella.cli.clock import SystemClock
from prunella.cli.operate import tell_engine
from prunella.cli.output import print_json
from prunella.cli.stack import home_at, running
from prunella.config import load
from prunella.control import Rearm, Reply, SetLimit
from prunella.control.acts import public_text, read_persons, sign_limit
from prunella.errors import UsageError
from prunella.journal.keys import ensure_key_pair, load_private_key
from prunella.trading.risk import config_limits
from prunella.values import Home

app = typer.Typer(help="Limits in force: show, tighten, loosen.", no_args_is_help=True)
console = Console()

HomeOption = Annotated[Path | None, typer.Option("--home", help="Folder of the stack.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; goes into the journal.")]
PERSONS = "persons.toml"
_SIGNED_NS = 60_000_000_000


@app.command()
def show(home: HomeOption = None, json_output: JsonOption = False) -> None:
    """Show every limit in force, and what is set to observe only."""
    status = engine_status(home_at(home))
    found = {"limits": status["limits"], "observe_only": status["observe_only"]}
    if json_output:
        print_json(found)
        return
    table = Table("limit", "in force")
    for name, value in status["limits"].items():
        if value is not None:
            table.add_row(name, value)
    console.print(table)
    for code in status["observe_only"]:
        console.print(f"{code}: observe only, {status['observed'].get(code, 0)} would be denied")


@app.command("set")
def set_limit(
    name: Annotated[str, typer.Argument(help="Such as strategy.maker.gross_max.")],
    value: Annotated[str, typer.Argument(help="The new value.")],
    *,
    reason: ReasonOption,
    sign_with: Annotated[
        Path | None, typer.Option(help="Your private key: needed to loosen a limit.")
    ] = None,
    person: Annotated[str, typer.Option(help="Your name in keys/persons.toml.")] = "",
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """Put a limit's value in force: a tighter one at once, a looser one with your signature."""
    command = SetLimit(name=name, value=value)
    if sign_with is not None:
        command = sign_limit(
            name,
            value,
            person=person,
            nonce=secrets.token_hex(16),
            until_ns=SystemClock().now_ns() + _SIGNED_NS,
            key=load_private_key(sign_with),
        )
    reply = tell_engine(home_at(home), command, actor=person or None, reason=reason)
    _answer(name, reply, json_output=json_output)


@app.command()
def reload(reason: ReasonOption, home: HomeOption = None, json_output: JsonOption = False) -> None:
    """Read settings.toml again: tighter limits are put in force, looser ones are named."""
    place = home_at(home)
    status = engine_status(place)
    wanted = limits_of(load(place.root / "settings.toml").trading.core())
    outcome: dict[str, str] = {}
    for name, value in wanted.items():
        if value is not None and value != status["limits"].get(name):
            reply = tell_engine(place, SetLimit(name=name, value=value), actor=None, reason=reason)
            outcome[name] = reply.code if reply.ok else f"{reply.code}: {reply.message}"
    if json_output:
        print_json(outcome)
    else:
        for name, text in outcome.items():
            console.print(f"{name}: {text}")
        if not outcome:
            console.print("the limits in force are those of the settings")
    raise typer.Exit(0 if all(text == "OK" for text in outcome.values()) else 1)


@app.command()
def key(
    person: Annotated[str, typer.Argument(help="A person's name.")],
    path: Annotated[Path, typer.Argument(help="Where the private key is, or is to be made.")],
    home: HomeOption = None,
) -> None:
    """Allow a person to sign: makes the key if there is none, and adds it to keys/persons.toml."""
    allowed = home_at(home).key(PERSONS)
    persons = read_persons(allowed) | {person: public_text(ensure_key_pair(path))}
    text = "".join(f"{json.dumps(name)} = {json.dumps(persons[name])}\n" for name in persons)
    allowed.write_text(text, encoding="utf-8")
    allowed.chmod(0o600)
    console.print(f"{person} may sign; {allowed}")


@app.command()
def rearm(
    strategy: Annotated[str, typer.Argument(help="The stopped strategy.")],
    reason: ReasonOption,
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """Let a strategy go on that the throttle of repeated executions has stopped."""
    reply = tell_engine(home_at(home), Rearm(strategy=strategy), actor=None, reason=reason)
    _answer(strategy, reply, json_output=json_output)


def engine_status(home: Home) -> dict[str, Any]:
    """What the engine says of itself.

    Raises:
        UsageError: No engine answers.
    """
    with running(home) as stack:
        status: dict[str, Any] | None = stack.get("engine", "/status")
    if not status or "limits" not in status:
        raise UsageError("the engine does not answer; start the stack with `prunella up`")
    return status


def limits_of(config: bytes) -> dict[str, str | None]:
    """Every limit by name, as a configuration of the core has it."""
    found: dict[str, str | None] = json.loads(config_limits(config))
    return found


def _answer(what: str, reply: Reply, *, json_output: bool) -> None:
    if json_output:
        print_json(reply)
    elif reply.ok:
        before = reply.replaced.get("value")
        was = "" if before is None else f" (was {before or 'not limited'})"
        console.print(f"{what}: done{was}")
    if not reply.ok:
        raise UsageError(f"{reply.code}: {reply.message}")
