"""`prunella agents`: the agents' replicas and their work; more of them and fewer, meanwhile."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from prunella.bridge import Supervisor
from prunella.cli.output import console, print_json
from prunella.cli.stack import home_at, programs, running
from prunella.config import COMPONENTS
from prunella.errors import UsageError
from prunella.healing.incident import replicated
from prunella.healing.loop import ReplicaView

AGENTS = tuple(name for name in COMPONENTS if name.startswith("agent-"))
REPLICAS_MAX = 9
"""Of one agent on one host: beyond that each has little to do, and takes 60 MB all the same."""
JOIN_TIMEOUT_S = 20.0
_NAME = re.compile(rf"({'|'.join(AGENTS)})\.[2-{REPLICAS_MAX}]")

HomeOption = Annotated[Path | None, typer.Option("--home", help="Folder of the stack.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
ReplicaArgument = Annotated[str, typer.Argument(help="Such as agent-cpu or agent-cpu.2.")]
NameOption = Annotated[str, typer.Option("--name", help="Who takes the responsibility.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; goes into the ledger.")]

app = typer.Typer(help="The agents' replicas: who serves, how well, and with which share.")


@app.callback(invoke_without_command=True)
def show(context: typer.Context, home: HomeOption = None, json_output: JsonOption = False) -> None:
    """The agents' replicas: who serves, how well, and with which share of the work."""
    if context.invoked_subcommand is None:
        _show(home, json_output=json_output)


def _show(home: Path | None, *, json_output: bool) -> None:
    with running(home_at(home)) as stack:
        replicas = stack.healing.status().replicas
    if json_output:
        print_json(replicas)
        return
    table = Table("replica", "state", "health", "share", "series", "told", "last heartbeat")
    for each in sorted(replicas, key=lambda each: (AGENTS.index(each.agent), each.name)):
        heard = "never" if each.age_s < 0 else f"{each.age_s:.1f} s ago"
        state = escape(f"{each.state}: {each.why}" if each.why else each.state)
        figures = (f"{each.health:.2f}", f"{each.share:.0%}", str(each.series), str(each.told))
        table.add_row(each.name, state, *figures, heard)
    console.print(table)


@app.command()
def add(
    agent: Annotated[str, typer.Argument(help="Which agent, such as agent-cpu.")],
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """Start one more replica of an agent; it learns what is normal, then takes its share.

    Until `prunella down`, or `prunella agents remove`.
    """
    if agent not in AGENTS:
        raise UsageError(f"no agent {agent!r}; there are {', '.join(AGENTS)}")
    folder = home_at(home)
    with running(folder) as stack:
        supervisor = Supervisor(folder)
        taken = supervisor.programs()
        names = (f"{agent}.{number}" for number in range(2, REPLICAS_MAX + 1))
        name = next((each for each in names if each not in taken), "")
        if not name:
            raise UsageError(f"{agent} has {REPLICAS_MAX} replicas; more would only take memory")
        supervisor.add(programs(folder, [name])[0])

        def joined() -> bool:
            return any(each.name == name for each in stack.healing.status().replicas)

        stack.wait(joined, f"{name} to be heard", timeout_s=JOIN_TIMEOUT_S)
        _tell(stack.healing.status().replicas, name, "added", json_output=json_output)


@app.command()
def remove(
    replica: Annotated[str, typer.Argument(help="Which replica, such as agent-cpu.2.")],
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """Stop a replica that was added; the others take over its share at once."""
    folder = home_at(home)
    if not _NAME.fullmatch(replica):
        raise UsageError(
            f"{replica!r} is no replica that was added; expected a name like agent-cpu.2"
        )
    with running(folder) as stack:
        Supervisor(folder).remove(replica)
        agent = replicated(replica)

        def gone() -> bool:
            return all(each.name != replica for each in stack.healing.status().replicas)

        stack.wait(gone, f"{replica} to be forgotten", timeout_s=JOIN_TIMEOUT_S)
        _tell(stack.healing.status().replicas, agent, f"{replica} removed", json_output=json_output)


@app.command()
def disable(
    replica: ReplicaArgument, name: NameOption, reason: ReasonOption, home: HomeOption = None
) -> None:
    """Listen to a replica no more; the agent's others take over its share."""
    with running(home_at(home)) as stack:
        stack.healing.switch_agent(replica, enabled=False, actor=name, reason=reason)
    console.print(f"{replica}: disabled; see `prunella agents`")


@app.command()
def enable(
    replica: ReplicaArgument, name: NameOption, reason: ReasonOption, home: HomeOption = None
) -> None:
    """Listen to a replica again that was disabled; its record begins anew."""
    with running(home_at(home)) as stack:
        stack.healing.switch_agent(replica, enabled=True, actor=name, reason=reason)
    console.print(f"{replica}: enabled; see `prunella agents`")


def _tell(replicas: tuple[ReplicaView, ...], name: str, what: str, *, json_output: bool) -> None:
    if json_output:
        print_json([each for each in replicas if each.agent == replicated(name)])
    else:
        console.print(f"{name}: {what}; see `prunella agents`")
