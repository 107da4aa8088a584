"""`prunella send`: what a person says in; a command through the engine's ZeroMQ door out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace

from prunella.cli.operate import send_over_zeromq, user_name
from prunella.cli.output import print_json
from prunella.cli.stack import home_at
from prunella.config import Settings, load, save
from prunella.control import (
    CancelAll,
    Command,
    Halt,
    Kill,
    Reduce,
    Resume,
    SetLimit,
    SetOrderRate,
    SwitchVenue,
)
from prunella.errors import UsageError
from prunella.trading.runtime import set_parameters
from prunella.trading.strategy import PythonStrategy

_NOT_PARAMETERS = ("kind", "instruments")

send_app = typer.Typer(
    help="Tell the engine something over ZeroMQ (encrypted): the second way, beside `kill` and co.",
    no_args_is_help=True,
)
HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the stack. Default: $PRUNELLA_HOME, else ./.prunella"),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; goes into the journal.")]
VenueOption = Annotated[str, typer.Option("--venue", help="Only this venue. Default: everywhere.")]
NameOption = Annotated[str, typer.Option("--name", help="Who you are. Default: the user's name.")]


def _send(home: Path | None, command: Command, *, name: str, reason: str) -> None:
    """Sends it and prints the answer; a refusal is exit status 1."""
    reply = send_over_zeromq(home_at(home), command, actor=name or user_name(), reason=reason)
    print_json(reply)
    raise typer.Exit(0 if reply.ok else 1)


@send_app.command("kill")
def send_kill(
    reason: ReasonOption = "killed over ZeroMQ", name: NameOption = "", home: HomeOption = None
) -> None:
    """Halt and cancel everything; latched until `resume`."""
    _send(home, Kill(), name=name, reason=reason)


@send_app.command("pause")
def send_pause(
    venue: VenueOption = "",
    reason: ReasonOption = "paused over ZeroMQ",
    name: NameOption = "",
    home: HomeOption = None,
) -> None:
    """No new orders; working ones stay."""
    _send(home, Halt(venue=venue), name=name, reason=reason)


@send_app.command("reduce")
def send_reduce(
    reason: ReasonOption = "reducing", name: NameOption = "", home: HomeOption = None
) -> None:
    """Only orders that make a position smaller."""
    _send(home, Reduce(), name=name, reason=reason)


@send_app.command("cancel-all")
def send_cancel_all(
    venue: VenueOption = "",
    reason: ReasonOption = "cancelled over ZeroMQ",
    name: NameOption = "",
    home: HomeOption = None,
) -> None:
    """Cancel all working orders."""
    _send(home, CancelAll(venue=venue), name=name, reason=reason)


@send_app.command("switch")
def send_switch(
    venue: Annotated[str, typer.Argument(help="The venue to route to.")],
    reason: ReasonOption = "switched over ZeroMQ",
    name: NameOption = "",
    home: HomeOption = None,
) -> None:
    """Route new flow to another venue."""
    _send(home, SwitchVenue(venue=venue), name=name, reason=reason)


@send_app.command("rate")
def send_rate(  # noqa: PLR0917 - options of a command are given by name
    venue: Annotated[str, typer.Argument(help="Which venue.")],
    per_second: Annotated[int, typer.Argument(min=1, help="New orders a second.")],
    seconds: Annotated[float, typer.Option(min=1, help="For how long.")] = 60,
    reason: ReasonOption = "fewer orders",
    name: NameOption = "",
    home: HomeOption = None,
) -> None:
    """Send a venue fewer orders for a while; only ever fewer than configured."""
    who = name or user_name()
    command = SetOrderRate(
        venue=venue, per_second=per_second, lease_ns=round(seconds * 1e9), lease_id=f"person:{who}"
    )
    _send(home, command, name=who, reason=reason)


@send_app.command("limit")
def send_limit(
    limit: Annotated[str, typer.Argument(help="Such as strategy.maker.gross_max.")],
    value: Annotated[str, typer.Argument(help="The new value, tighter than the one in force.")],
    *,
    reason: ReasonOption = "tightened over ZeroMQ",
    name: NameOption = "",
    home: HomeOption = None,
) -> None:
    """Tighten a limit at once; `prunella limits set` loosens one, with a signature."""
    _send(home, SetLimit(name=limit, value=value), name=name, reason=reason)


@send_app.command("parameters")
def send_parameters(
    strategy: Annotated[str, typer.Argument(help="The strategy's name in the settings.")],
    values: Annotated[list[str], typer.Argument(help="NAME=VALUE, as in settings.toml.")],
    *,
    reason: ReasonOption = "set over ZeroMQ",
    name: NameOption = "",
    home: HomeOption = None,
) -> None:
    """Change a running strategy's parameters, here and in settings.toml: both or neither."""
    place = home_at(home)
    before = load(place.settings)
    after = with_parameters(before, strategy, values)
    command = set_parameters(strategy, after.trading.strategies[strategy])
    save(after, place.settings)
    try:
        reply = send_over_zeromq(place, command, actor=name or user_name(), reason=reason)
    except BaseException:
        # Whether it was taken is not known: at its next start the engine follows the settings.
        save(before, place.settings)
        raise
    if not reply.ok and reply.code != "PARAMETERS_SAME":
        save(before, place.settings)
    print_json(reply)
    raise typer.Exit(0 if reply.ok else 1)


def with_parameters(settings: Settings, strategy: str, values: Sequence[str]) -> Settings:
    """The settings with other parameters of one strategy, `NAME=VALUE` each.

    Raises:
        UsageError: There is no such strategy or parameter, or no such value can be; trying again
            cannot help.

    Example:
        >>> changed = with_parameters(Settings(), "maker", ["half_spread_ppm=12"])
        >>> changed.trading.strategies["maker"].half_spread_ppm
        12
    """
    strategies = settings.trading.strategies
    if strategy not in strategies:
        raise UsageError(f"there is no strategy {strategy!r}; there are {', '.join(strategies)}")
    before = strategies[strategy]
    if isinstance(before, PythonStrategy):
        raise UsageError(
            f"{strategy} runs in a process of its own: change settings.toml, then "
            f"`prunella down` and `prunella up`"
        )
    told = msgspec.to_builtins(before)
    known = [field for field in told if field not in _NOT_PARAMETERS]
    for value in values:
        field, equals, text = value.partition("=")
        if not equals or field not in known:
            raise UsageError(f"expected NAME=VALUE with one of {', '.join(known)}; found {value!r}")
        told[field] = text
    try:
        after = msgspec.convert(told, type(before), strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise UsageError(f"{strategy}: {error}") from None
    trading = replace(settings.trading, strategies={**strategies, strategy: after})
    return replace(settings, trading=trading)


@send_app.command("resume")
def send_resume(
    name: Annotated[str, typer.Option("--name", help="Who you are.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why it is safe.")] = "",
    home: HomeOption = None,
) -> None:
    """Trade again after a halt or a kill; needs your name and a reason."""
    if not (name and reason):
        raise UsageError("resuming needs --name and --reason, for the journal")
    _send(home, Resume(), name=name, reason=reason)
