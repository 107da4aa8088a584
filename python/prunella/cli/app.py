"""What a person types: every command with its help; each body is a few lines of wiring."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from prunella import __version__
from prunella.cli.agents import app as agents_app
from prunella.cli.approve import approvals, approve, reject
from prunella.cli.detect import app as detect_app
from prunella.cli.evaluate import evaluate
from prunella.cli.journals import journal_app
from prunella.cli.ledgers import ledger_app
from prunella.cli.limits import app as limits_app
from prunella.cli.market import market_app
from prunella.cli.models import app as models_app
from prunella.cli.orders import order_app
from prunella.cli.output import console, print_json
from prunella.cli.policy import app as policy_app
from prunella.cli.positions import breaks_app, positions
from prunella.cli.postmortem import postmortem
from prunella.cli.reason import app as reason_app
from prunella.cli.record import record
from prunella.cli.replaying import replay
from prunella.cli.send import send_app
from prunella.cli.stack import home_at, new_home
from prunella.cli.telemetry import app as telemetry_app
from prunella.cli.tracing import trace
from prunella.errors import UsageError
from prunella.evaluation.fault import FAULTS
from prunella.values import Home

RUN, TRADE, HEAL = "Run a stack", "Trade and look after it", "Watch over the healing"
PROVE, RESEARCH = "Prove what happened", "Research and measure"
"""What the commands are listed under."""

app = typer.Typer(
    name="prunella",
    help="A trading system that heals itself. Start with `prunella demo`.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the stack. Default: $PRUNELLA_HOME, else ./.prunella"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
SecondsOption = Annotated[float, typer.Option(min=0, help="For how long. Default: until Ctrl-C.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; goes into the journal.")]

# mypy reads only literal members; these come from the catalogue, so that no fault is forgotten.
_NAMES = {name.replace("-", "_").upper(): name for name in FAULTS}
FaultName = StrEnum("FaultName", _NAMES)  # type: ignore[misc]


class Topology(StrEnum):
    """Of the trading plane."""

    FUSED = "fused"
    SPLIT = "split"


def _version(wanted: bool) -> None:
    if wanted:
        console.print(f"prunella {__version__}")
        raise typer.Exit


@app.callback()
def root(
    _version_wanted: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """A trading system that heals itself."""


@app.command(rich_help_panel=RUN)
def demo(
    market: Annotated[
        str,
        typer.Option(
            help="Recorded session(s) to play, separated by commas: Binance frames, plain or .gz. "
            "Without it: a seeded synthetic order flow."
        ),
    ] = "",
    speed: Annotated[
        float, typer.Option(min=0.01, max=100, help="1 plays the market as recorded.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of the synthetic flow.")] = 7,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Also write the report to this file.")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(help="Keep journal, ledger and logs in this folder (must be new or empty)."),
    ] = None,
) -> None:
    """Trade on two exchanges, break things for real, and watch them heal (about 90 seconds).

    Exit status 0 only when every fault was cured, no negative was acted on and the books agree.
    """
    from prunella.cli.demo import run_demo  # noqa: PLC0415  evaluation is heavy to import

    good = run_demo(
        recordings=tuple(part for part in market.split(",") if part),
        speed=speed,
        seed=seed,
        json_file=json_file,
        keep=keep,
        console=console,
    )
    raise typer.Exit(0 if good else 1)


@app.command(rich_help_panel=RUN)
def up(
    home: HomeOption = None,
    market: Annotated[
        str, typer.Option(help="Recorded session(s) to play, separated by commas.")
    ] = "",
    topology: Annotated[
        Topology | None,
        typer.Option(help="One trading process, or one for each stage; kept in the settings."),
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Start a stack: two simulated exchanges, the engine, the healing plane and its agents."""
    from prunella.cli.lifecycle import bring_up  # noqa: PLC0415

    bring_up(
        new_home(home),
        market=market,
        topology=topology.value if topology else "",
        console=console,
        json_output=json_output,
    )


@app.command(rich_help_panel=RUN)
def status(home: HomeOption = None, json_output: JsonOption = False) -> None:
    """Show every process, what is traded, and open incidents."""
    from prunella.cli.lifecycle import show_status  # noqa: PLC0415

    show_status(home_at(home), console=console, json_output=json_output)


@app.command(rich_help_panel=RUN)
def down(home: HomeOption = None, json_output: JsonOption = False) -> None:
    """Stop the stack: cancel working orders first, then every process."""
    from prunella.cli.lifecycle import bring_down  # noqa: PLC0415

    bring_down(home_at(home), console=console, json_output=json_output)


@app.command(rich_help_panel=RUN)
def inject(
    fault: Annotated[FaultName, typer.Argument(help="Which fault of the catalogue.")],
    seconds: Annotated[
        float | None,
        typer.Option(min=0, help="Revert it after this long (default: the fault's own)."),
    ] = None,
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """Do something bad to the running stack, for real, and take it back afterwards."""
    from prunella.cli.lifecycle import inject_fault  # noqa: PLC0415

    inject_fault(
        home_at(home), fault.value, seconds=seconds, console=console, json_output=json_output
    )


@app.command(rich_help_panel=HEAL)
def incidents(
    incident: Annotated[str, typer.Argument(help="An id such as inc-000007; all without.")] = "",
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """List incidents, or tell one from evidence to outcome, each line with its ledger entry."""
    from prunella.cli.evidence import show_incident, show_incidents  # noqa: PLC0415

    if incident:
        show_incident(home_at(home), incident, console=console, json_output=json_output)
    else:
        show_incidents(home_at(home), console=console, json_output=json_output)


@app.command(rich_help_panel=TRADE)
def kill(
    reason: ReasonOption = "kill switch",
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """Kill switch: no new orders anywhere, cancel all working ones. Latched until `resume`.

    Needs the engine alone: it works with the bus, the database and every agent dead.
    """
    from prunella.cli.operate import kill_patience_s  # noqa: PLC0415
    from prunella.control import Kill  # noqa: PLC0415

    stack = home_at(home)
    _tell(
        stack,
        Kill(),
        actor=None,
        reason=reason,
        json_output=json_output,
        patience_s=kill_patience_s(stack),
    )


@app.command(rich_help_panel=TRADE)
def switch(
    venue: Annotated[str, typer.Argument(help="Venue that orders are to go to, such as `backup`.")],
    reason: ReasonOption = "switched by hand",
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """Make another venue the active one: taking orders and full-size quotes go there."""
    from prunella.control import SwitchVenue  # noqa: PLC0415

    _tell(
        home_at(home), SwitchVenue(venue=venue), actor=None, reason=reason, json_output=json_output
    )


@app.command(rich_help_panel=TRADE)
def resume(
    name: Annotated[str, typer.Option("--name", help="Who takes the responsibility.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is safe to trade again.")],
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """Trade again after a halt or the kill switch; needs a name and a reason."""
    from prunella.control import Resume  # noqa: PLC0415

    _tell(home_at(home), Resume(), actor=name, reason=reason, json_output=json_output)


def _tell(
    home: Home,
    command: Any,
    *,
    actor: str | None,
    reason: str,
    json_output: bool,
    patience_s: float = 0.0,
) -> None:
    """Sends a command to the engine and prints its answer; a refusal is exit status 1."""
    from prunella.cli.operate import tell_engine  # noqa: PLC0415

    reply = tell_engine(home, command, actor=actor, reason=reason, patience_s=patience_s)
    if json_output:
        print_json(reply)
    elif reply.ok:
        before = ", ".join(f"{name} was {value}" for name, value in reply.replaced.items())
        console.print(f"done (journal entry {reply.seq}){': ' + before if before else ''}")
    else:
        console.print(f"[red]refused[/red] {reply.code}: {reply.message}")
    raise typer.Exit(0 if reply.ok else 1)


@app.command(rich_help_panel=HEAL)
def maintenance(
    component: Annotated[str, typer.Argument(help="Which component you work on.")],
    seconds: Annotated[int, typer.Option(help="For how long.")] = 600,
    reason: ReasonOption = "planned work",
    home: HomeOption = None,
) -> None:
    """Announce work on a component, so that the healing plane leaves it alone meanwhile."""
    import getpass  # noqa: PLC0415

    from prunella.cli.stack import running  # noqa: PLC0415

    with running(home_at(home)) as stack:
        stack.healing.maintenance(
            component, seconds=seconds, actor=getpass.getuser(), reason=reason
        )
    console.print(f"{component}: maintenance for {seconds} s")


@app.command(rich_help_panel=HEAL)
def freeze(reason: ReasonOption = "frozen by hand", home: HomeOption = None) -> None:
    """Stop the healing plane from acting; it goes on watching. Until `thaw`, also over restarts."""
    _freeze(home_at(home), frozen=True, reason=reason)
    console.print("frozen: the healing plane watches and does nothing; `prunella thaw` ends it")


@app.command(rich_help_panel=HEAL)
def thaw(reason: ReasonOption = "thawed by hand", home: HomeOption = None) -> None:
    """Let the healing plane act again."""
    _freeze(home_at(home), frozen=False, reason=reason)
    console.print("the healing plane may act again")


def _freeze(home: Home, *, frozen: bool, reason: str) -> None:
    import getpass  # noqa: PLC0415

    from prunella.cli.stack import running  # noqa: PLC0415

    with running(home) as stack:
        stack.healing.freeze(frozen=frozen, actor=getpass.getuser(), reason=reason)


@app.command(rich_help_panel=TRADE)
def orders(
    order: Annotated[str, typer.Argument(help="An id such as PRN-7-42; all without.")] = "",
    journal: Annotated[
        Path | None, typer.Option(help="Journal folder of an engine (default: the stack's own).")
    ] = None,
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """Every order of the journal, or each change of one with its time and cause, by replay."""
    from prunella.cli.history import show_orders  # noqa: PLC0415

    show_orders(_journal(journal, home), order, console=console, json_output=json_output)


@app.command("best-execution", rich_help_panel=TRADE)
def best_execution(
    order: Annotated[str, typer.Argument(help="An id such as PRN-7-42; all without.")] = "",
    journal: Annotated[
        Path | None, typer.Option(help="Journal folder of an engine (default: the stack's own).")
    ] = None,
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """What every venue offered when an order was routed, and why it went where, by replay."""
    from prunella.cli.history import show_best_execution  # noqa: PLC0415

    show_best_execution(_journal(journal, home), order, console=console, json_output=json_output)


def _journal(given: Path | None, home: Path | None) -> Path:
    folder = given or home_at(home).engine_journal
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; give the journal folder of an engine")
    return folder


@app.command(rich_help_panel=TRADE)
def watch(
    seconds: SecondsOption = 0,
    home: HomeOption = None,
    json_output: Annotated[bool, typer.Option("--json", help="Print each event as JSON.")] = False,
) -> None:
    """Watch the trading: books, orders, positions, profit, latencies, as they change."""
    from prunella.cli.monitoring import watch_stack  # noqa: PLC0415

    watch_stack(home_at(home), console, json_output=json_output, seconds=seconds)


@app.command(rich_help_panel=TRADE)
def flow(
    seconds: SecondsOption = 0, home: HomeOption = None, json_output: JsonOption = False
) -> None:
    """Follow the flow of our orders: sent, acknowledged, filled, refused, and how fast."""
    from prunella.cli.monitoring import track_flow  # noqa: PLC0415

    track_flow(home_at(home), console, json_output=json_output, seconds=seconds)


@app.command(rich_help_panel=RESEARCH)
def bench(  # noqa: PLR0917  options of a command are given by name
    recordings: Annotated[
        str,
        typer.Option("--market", help="Recorded session(s), separated by commas."),
    ] = "",
    only: Annotated[
        list[str] | None, typer.Option("--only", help="A benchmark by name; may be repeated.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="How often each runs.")] = 3,
    quick: Annotated[
        bool, typer.Option("--quick", help="As little work as shows an order of magnitude.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option("--file", help="Where the report goes; else .prunella/bench/.")
    ] = None,
    base: Annotated[
        Path | None, typer.Option("--compare", help="An earlier report, to tell what changed.")
    ] = None,
    json_output: JsonOption = False,
) -> None:
    """Measure the core and everything in bench/ on this machine, beside other systems."""
    from prunella.cli.measure import Asked, run_benchmarks  # noqa: PLC0415

    asked = Asked(
        recordings=tuple(part for part in recordings.split(",") if part),
        only=tuple(only or ()),
        rounds=rounds,
        quick=quick,
        file=file,
        base=base,
    )
    run_benchmarks(asked, console=console, json_output=json_output)


@app.command(rich_help_panel=RESEARCH)
def backtest(  # noqa: PLR0917  options of a command are given by name
    strategy: Annotated[
        str,
        typer.Argument(
            help="`maker`, `momentum`, a settings file `.toml`, or `recorded` (the strategies of a "
            "journal)."
        ),
    ],
    data: Annotated[
        list[str],
        typer.Argument(
            help="Recordings, in order; `VENUE=FILE` for another venue than the first; or one "
            "journal folder of an engine."
        ),
    ],
    param: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE or STRATEGY.NAME=VALUE; may be repeated.")
    ] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(help="NAME=A,B,C: try each; several options: each with each."),
    ] = None,
    fees: Annotated[
        str, typer.Option(help="MAKER:TAKER, parts per million; VENUE=MAKER:TAKER after a comma.")
    ] = ("1000:1000"),
    latency: Annotated[
        str,
        typer.Option(help="Microseconds each way, MEDIAN~P99 (log-normal), or @FILE of samples."),
    ] = "5000",
    queue: Annotated[
        str, typer.Option(help="Our place in the queue: `conservative`, or a power such as `2`.")
    ] = "2",
    feed: Annotated[
        int, typer.Option(min=0, help="Microseconds that the venue has the data before us.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the delays.")] = 1,
    jobs: Annotated[int, typer.Option(min=0, help="Processes of a sweep; 0: one a processor.")] = 0,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report to this file.")] = None,
    json_output: JsonOption = False,
) -> None:
    """Trade recorded markets with the live core: fees, latency and queue position simulated."""
    from prunella.cli.backtest import (  # noqa: PLC0415
        parse_behaviour,
        parse_pairs,
        run_backtest_command,
    )

    run_backtest_command(
        strategy=strategy,
        data=data,
        parameters=parse_pairs(param or (), "--param"),
        sweeps=parse_pairs(sweep or (), "--sweep"),
        behaviour=parse_behaviour(fees=fees, latency=latency, queue=queue, feed=feed, seed=seed),
        jobs=jobs,
        report=report,
        console=console,
        json_output=json_output,
    )


# Last, so that the help begins with running a stack.
app.add_typer(order_app, name="order", rich_help_panel=TRADE)
app.add_typer(send_app, name="send", rich_help_panel=TRADE)
app.add_typer(limits_app, name="limits", rich_help_panel=TRADE)
app.add_typer(breaks_app, name="breaks", rich_help_panel=TRADE)
app.command(rich_help_panel=TRADE)(positions)
app.add_typer(policy_app, name="policy", rich_help_panel=HEAL)
app.add_typer(agents_app, name="agents", rich_help_panel=HEAL)
app.command(rich_help_panel=HEAL)(approvals)
app.command(rich_help_panel=HEAL)(approve)
app.command(rich_help_panel=HEAL)(reject)
app.add_typer(reason_app, name="reason", rich_help_panel=HEAL)
app.add_typer(ledger_app, name="ledger", rich_help_panel=PROVE)
app.add_typer(journal_app, name="journal", rich_help_panel=PROVE)
app.add_typer(telemetry_app, name="telemetry", rich_help_panel=PROVE)
app.command(rich_help_panel=PROVE)(replay)
app.command(rich_help_panel=PROVE)(postmortem)
app.command(rich_help_panel=PROVE)(trace)
app.add_typer(models_app, name="model", rich_help_panel=RESEARCH)
app.add_typer(detect_app, name="detect", rich_help_panel=RESEARCH)
app.add_typer(market_app, name="market", rich_help_panel=RESEARCH)
app.command(rich_help_panel=RESEARCH)(record)
app.command(rich_help_panel=RESEARCH)(evaluate)
