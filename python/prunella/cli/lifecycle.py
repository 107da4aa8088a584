"""`up`, `status`, `down` and `inject`: a home folder in, tables or JSON out."""

from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from prunella.cli.live import colour
from prunella.cli.output import print_json
from prunella.cli.stack import running, start
from prunella.config import COMPONENTS, load, save
from prunella.control import CancelAll, Halt
from prunella.errors import PrunellaError
from prunella.evaluation.fault import FAULTS
from prunella.evaluation.stack import RunningStack
from prunella.exchange.recording import check_recordings
from prunella.values import Home


def bring_up(home: Home, *, market: str, console: Console, json_output: bool) -> None:
    """Starts a stack and shows it."""
    settings = load(home.settings)
    recordings = tuple(str(Path(part).absolute()) for part in market.split(",") if part)
    if recordings:
        settings = msgspec.structs.replace(
            settings, market=msgspec.structs.replace(settings.market, recordings=recordings)
        )
    check_recordings(settings.market.recordings)
    if recordings or not home.settings.exists():
        save(settings, home.settings)

    def tell(component: str, state: str) -> None:
        if not json_output:
            console.print(f"  {component:18} {state}")

    start(home, settings, tell)
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
            console.print(
                f"{name:8} {venue['state']:8} position {venue['position']}, "
                f"{venue['orders_submitted']} orders sent, {venue['orders_filled']} filled, "
                f"{venue['orders_open']} open, {venue['orders_unknown']} of unknown fate"
            )
        console.print(f"trading is {engine['trading_state']}")
    open_incidents = [i for i in facts["incidents"] if i["state"] != "resolved"]
    console.print(f"open incidents: {len(open_incidents)}")
    for incident in open_incidents:
        console.print(f"  {incident['id']} {incident['state']}: {incident['line']}")


def _facts(stack: RunningStack) -> dict[str, Any]:
    """Everything that `status` shows, as plain values."""
    states = {s.name: s for s in stack.supervisor.states()}
    processes = []
    for name in COMPONENTS:
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
        "incidents": [msgspec.to_builtins(i) for i in stack.healing.incidents()],
    }


def bring_down(home: Home, *, console: Console, json_output: bool) -> None:
    """Cancels working orders where the engine still answers, then stops every process."""
    from prunella.cli.operate import tell_engine  # noqa: PLC0415

    with running(home) as stack:
        cancelled = True
        try:
            for command in (Halt(), CancelAll()):
                tell_engine(home, command, actor=None, reason="prunella down")
        except PrunellaError:
            cancelled = False
        stack.supervisor.stop()
    if json_output:
        print_json({"down": True, "orders_cancelled": cancelled})
        return
    if not cancelled:
        console.print("the engine did not answer, so working orders were not cancelled")
    console.print("down")


def inject_fault(
    home: Home, name: str, *, seconds: float | None, console: Console, json_output: bool
) -> None:
    """Injects one fault, waits, and reverts it; also when interrupted."""
    fault = FAULTS[name]
    with running(home) as stack:
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
