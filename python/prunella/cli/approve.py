"""`prunella approvals`, `approve`, `reject`: what waits for a person, and their signed answer."""

import secrets
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from prunella.cli.clock import SystemClock
from prunella.cli.output import console, print_json
from prunella.cli.stack import home_at, running
from prunella.control.acts import sign_act
from prunella.errors import UsageError
from prunella.healing.loop import ApprovalView, approval_parts
from prunella.healing.loop.approvals import KIND
from prunella.journal.keys import load_private_key
from prunella.values import Home

HomeOption = Annotated[Path | None, typer.Option("--home", help="Folder of the stack.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
IncidentArgument = Annotated[str, typer.Argument(help="An id such as inc-000007.")]
WorkflowOption = Annotated[str, typer.Option("--workflow", help="Which, when several wait.")]
KeyOption = Annotated[
    Path, typer.Option("--sign-with", help="Your private key; `prunella limits key` allows it.")
]
PersonOption = Annotated[str, typer.Option("--person", help="Your name in keys/persons.toml.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; goes into the ledger.")]
MinutesOption = Annotated[
    int, typer.Option("--minutes", min=1, max=1440, help="For how long the signature is good.")
]


def approvals(home: HomeOption = None, json_output: JsonOption = False) -> None:
    """List the actions that wait for people's signatures, with everything that is signed."""
    with running(home_at(home)) as stack:
        waiting = stack.healing.approvals()
    if json_output:
        print_json(waiting)
        return
    table = Table("incident", "cause", "action", "with", "sure", "signed", "waits for")
    for each in waiting:
        action = each.action
        table.add_row(
            action.incident,
            each.fault_class,
            escape(f"{action.workflow} on {action.target}"),
            escape(", ".join(f"{name} = {value}" for name, value in action.parameters.items())),
            f"{each.confidence_permille / 1000:.2f}",
            ", ".join(each.signed),
            f"{each.needed - len(each.signed)} of {each.needed}: {each.reason}",
        )
    console.print(table if waiting else "nothing waits for a signature")


def approve(
    incident: IncidentArgument,
    *,
    sign_with: KeyOption,
    person: PersonOption,
    workflow: WorkflowOption = "",
    reason: ReasonOption = "",
    minutes: MinutesOption = 10,
    home: HomeOption = None,
) -> None:
    """Sign for an action that waits; it runs if the fault is still there and nothing forbids it."""
    told = _sign(
        home_at(home),
        incident,
        workflow,
        approve=True,
        person=person,
        key=sign_with,
        reason=reason,
        minutes=minutes,
    )
    console.print(escape(f"{incident}: {told}: signed by {person}"))


def reject(
    incident: IncidentArgument,
    *,
    sign_with: KeyOption,
    person: PersonOption,
    workflow: WorkflowOption = "",
    reason: ReasonOption = "",
    home: HomeOption = None,
) -> None:
    """Say no to an action that waits; it is not asked for again in this incident."""
    told = _sign(
        home_at(home),
        incident,
        workflow,
        approve=False,
        person=person,
        key=sign_with,
        reason=reason,
        minutes=10,
    )
    console.print(escape(f"{incident}: {told}: rejected by {person}"))


def _sign(
    home: Home,
    incident: str,
    workflow: str,
    *,
    approve: bool,
    person: str,
    key: Path,
    reason: str,
    minutes: int,
) -> str:
    """Signs what the plane says waits, and hands the signature in."""
    private = load_private_key(key)
    with running(home) as stack:
        view = _only(stack.healing.approvals(), incident, workflow)
        act = sign_act(
            KIND,
            approval_parts(view.action, approve=approve),
            person=person,
            nonce=secrets.token_hex(16),
            until_ns=SystemClock().now_ns() + minutes * 60_000_000_000,
            key=private,
        )
        return stack.healing.approve(
            incident, view.action.workflow, approve=approve, signed=act, reason=reason
        )


def _only(waiting: tuple[ApprovalView, ...], incident: str, workflow: str) -> ApprovalView:
    found = [
        each
        for each in waiting
        if each.action.incident == incident and workflow in {"", each.action.workflow}
    ]
    if len(found) == 1:
        return found[0]
    names = ", ".join(each.action.workflow for each in found)
    if found:
        raise UsageError(f"{incident}: several actions wait; choose --workflow: {names}")
    raise UsageError(f"{incident}: no such action waits; see `prunella approvals`")
