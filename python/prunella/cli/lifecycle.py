"""`up`, `status`, `down` and `inject`: a home folder in, tables or JSON out."""

import contextlib
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from prunella.bridge import Supervisor
from prunella.cli.live import colour
from prunella.cli.output import print_json
from prunella.cli.stack import (
    attach,
    refuse_second,
    running,
    start,
    terminated_like_interrupted,
    undisturbed,
)
from prunella.config import EXCHANGES, load, save
from prunella.errors import ConfigError, PrunellaError, UsageError
from prunella.evaluation.fault import FAULTS
from prunella.evaluation.stack import RunningStack
from prunella.exchange.recording import check_recordings
from prunella.values import Home


def bring_up(
    home: Home, *, market: str, topology: str, console: Console, json_output: bool
) -> None:
    """Starts a stack and shows it.

    Args:
        home: Its folder.
        market: Recordings to play, separated by commas; empty leaves the settings' ones.
        topology: `fused` or `split`; empty leaves the settings' one.
        console: Where people read.
        json_output: Print JSON instead.

    Raises:
        UsageError: It is up already: its settings must not change under it.
    """
    refuse_second(home)
    settings = load(home.settings)
    recordings = tuple(str(Path(part).absolute()) for part in market.split(",") if part)
    if recordings:
        settings = msgspec.structs.replace(
            settings, market=msgspec.structs.replace(settings.market, recordings=recordings)
        )
    check_recordings(settings.market.recordings)
    if topology:
        trading = msgspec.structs.replace(settings.trading, topology=topology)
        settings = msgspec.structs.replace(settings, trading=trading)
    if recordings or topology or not home.settings.exists():
        save(settings, home.settings)

    def tell(component: str, state: str) -> None:
        if not json_output:
            console.print(f"  {component:18} {state}")

    start(home, settings, tell)
    # The whole stack is up with these: what a remedy may go back to.
    home.good_settings.write_bytes(home.settings.read_bytes())
    home.good_settings.chmod(0o600)
    show_status(home, console=console, json_output=json_output)


def show_status(home: Home, *, console: Console, json_output: bool) -> None:
    """Prints processes, trading and open incidents."""
    with running(home) as stack:
        facts = _facts(stack)
    if json_output:
        print_json(facts)
        return
    table = Table(title=f"stack in {home.root}", title_justify="left")
    for heading in ("process", "state", "pid", "port"):
        table.add_column(heading)
    for row in facts["processes"]:
        table.add_row(row["name"], colour(row["state"]), str(row["pid"] or "–"), str(row["port"]))
    console.print(table)
    engine = facts["engine"]
    if engine is None:
        console.print("[bold red]the engine does not answer[/bold red]")
    else:
        for name, venue in engine["venues"].items():
            console.print(_venue_line(name, venue), markup=False)
        console.print(f"trading is {engine['trading_state']}")
    if facts["incidents"] is None:
        console.print("[bold red]the healing plane does not answer[/bold red]")
        return
    if facts["frozen"]:
        console.print("[yellow]the healing plane is frozen: `prunella thaw` lets it act[/yellow]")
    open_incidents = [i for i in facts["incidents"] if i["state"] != "resolved"]
    console.print(f"open incidents: {len(open_incidents)}")
    for incident in open_incidents:
        console.print(f"  {incident['id']} {incident['state']}: {incident['line']}")


def _venue_line(name: str, venue: dict[str, Any]) -> str:
    """One venue: how it does, and what we did there."""
    how = f"{name:8} {venue['state']:8} {_health(venue)}"
    if venue["data_only"]:
        trouble = f"; {venue['trouble']}" if venue["trouble"] else ""
        return f"{how} market data only, {venue['frames_per_second']:.0f} frames/s{trouble}"
    return (
        f"{how} position {venue['position']}, "
        f"{venue['orders_submitted']} orders sent, {venue['orders_filled']} filled, "
        f"{venue['orders_open']} open, {venue['orders_unknown']} of unknown fate"
    )


def _health(venue: dict[str, Any]) -> str:
    """How a venue does and why, such as `degraded (throttled)`."""
    reasons = ", ".join(venue["reasons"])
    return f"{venue['health']} ({reasons})" if reasons else str(venue["health"])


def _facts(stack: RunningStack) -> dict[str, Any]:
    """Everything that `status` shows, as plain values."""
    states = {s.name: s for s in stack.supervisor.states()}
    incidents = stack.incidents()
    processes = []
    for name in stack.ports:
        state = states.get(name)
        word = "missing" if state is None else state.state.lower()
        if word == "running":
            word = "ready" if stack.ready(name) else "not ready"
        processes.append(
            {
                "name": name,
                "state": word,
                "pid": state.pid if state else 0,
                "port": stack.ports[name],
            }
        )
    return {
        "processes": processes,
        "engine": stack.get("engine", "/status"),
        "incidents": None if incidents is None else msgspec.to_builtins(incidents),
        "frozen": stack.frozen(),
    }


def bring_down(home: Home, *, console: Console, json_output: bool) -> None:
    """Stops every process; the engine cancels its working orders before it ends.

    The trading state stays as it is, so that a stack which traded trades again after `up`, and one
    that was halted by a person stays halted.

    Raises:
        UsageError: Nothing is up here.
    """
    supervisor = Supervisor(home)
    if not supervisor.is_running() and not supervisor.pid():
        raise UsageError(f"no stack is up in {home.root}; start one with `prunella up`")
    with undisturbed():
        # The healing plane first: it must not take a planned end for faults. The exchanges after
        # the engine: it needs them for its cancels.
        for name in ("healing", "engine"):
            with contextlib.suppress(PrunellaError):
                supervisor.stop_process(name)
        left = _orders_left(home)
        supervisor.stop()
    if json_output:
        print_json({"down": True, "orders_left": left})
        return
    for venue, count in left.items():
        if count is None:
            console.print(f"{venue} does not answer, so its working orders may not be cancelled")
        elif count:
            console.print(f"[bold red]{count} orders are still open at {venue}[/bold red]")
    console.print("down")


def _orders_left(home: Home) -> dict[str, int | None]:
    """Orders still open at each simulated exchange; None where it does not answer."""
    try:
        stack = attach(home, load(home.settings))
    except ConfigError:
        return dict.fromkeys(EXCHANGES)
    pages = {name: stack.get(name, "/status") for name in EXCHANGES}
    return {name: page and int(page["orders_open"]) for name, page in pages.items()}


def inject_fault(
    home: Home, name: str, *, seconds: float | None, console: Console, json_output: bool
) -> None:
    """Injects one fault, waits, and reverts it; also when interrupted."""
    fault = FAULTS[name]
    with running(home) as stack, terminated_like_interrupted():
        injection = fault.inject(stack)
        if not json_output:
            effect_ms = (injection.effective_ns - injection.commanded_ns) / 1e6
            console.print(f"{fault.title}: in effect after {effect_ms:.0f} ms")
        try:
            stack.pause(fault.hold_s or 10.0 if seconds is None else seconds)
        finally:
            fault.revert(stack, injection)
    if json_output:
        print_json(injection)
    else:
        console.print("reverted; see `prunella incidents` for what became of it")
