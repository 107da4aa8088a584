"""`prunella reason`: are the configured language models there, and what did they cost so far."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table as Grid

from prunella.cli.clock import SystemClock
from prunella.cli.output import console, print_json
from prunella.cli.stack import home_at
from prunella.config import load
from prunella.errors import ConfigError
from prunella.healing.incident import Symptom
from prunella.healing.loop import local_stack
from prunella.healing.loop.thinker import gateway_of, writer_of
from prunella.healing.reason import Option, Prompt, ReasonSettings, Redactor, load_key
from prunella.healing.remediate import load_catalogue

app = typer.Typer(
    help="Language models that advise where the expert does not know.", no_args_is_help=True
)

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the stack. Default: $PRUNELLA_HOME, else ./.prunella"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What one endpoint did with the question.

    Attributes:
        outcome: `answered`, or what went wrong.
        says: Cause, culprit and workflow that it named.
    """

    endpoint: str
    kind: str
    model: str
    url: str
    outcome: str
    says: str
    seconds: float
    tokens_in: int
    tokens_out: int
    cost_usd: float


@app.command("check")
def check(home: HomeOption = None, json_output: JsonOption = False) -> None:
    """Put a made-up question to every configured endpoint; tell who gives a usable answer.

    The question is about an engine that is gone. It costs one call (two where the first answer is
    unusable) for each endpoint. Exit status 1 when one of them is no help.
    """
    settings = load(home_at(home).settings)
    reason = settings.healing.reason
    results = [_check(name, reason, settings.stages()) for name in reason.endpoints]
    if json_output:
        print_json(results)
    elif not results:
        console.print("No endpoint is configured: the expert reasons alone, and nothing is sent.")
        console.print("Add one under [healing.reason.endpoints.NAME]; see docs/guides/reasoning.md")
    else:
        grid = Grid(box=None)
        for title in ("endpoint", "model", "outcome", "says", "seconds", "tokens", "USD"):
            grid.add_column(title)
        for each in results:
            tokens = f"{each.tokens_in}+{each.tokens_out}"
            grid.add_row(
                each.endpoint,
                each.model,
                each.outcome,
                each.says,
                f"{each.seconds:.2f}",
                tokens,
                f"{each.cost_usd:.6f}",
            )
        console.print(grid)
    if any(each.outcome != "answered" for each in results):
        raise typer.Exit(1)


def _check(name: str, reason: ReasonSettings, stages: tuple[str, ...]) -> Checked:
    """Asks one endpoint alone, past cache and recordings."""
    endpoint = reason.endpoints[name]
    outcome, says = "", ""
    seconds, tokens_in, tokens_out, cost = 0.0, 0, 0, 0
    try:
        key = load_key(name, endpoint, os.environ)
    except ConfigError as error:
        outcome = str(error)
    else:
        only = msgspec.structs.replace(
            reason, endpoints={name: endpoint}, recordings="off", cache_s=0.0
        )
        stack = local_stack(stages)
        redactor = Redactor([key])
        clock = SystemClock()
        writer = writer_of(
            only, components=stack.components, venues=stack.venues, redactor=redactor
        )
        gateway = gateway_of(only, keys={name: key}, redactor=redactor, clock=clock)
        prompt = _question(clock.now_ns(), stages)
        said = gateway.consult(prompt, writer.write(prompt))
        last = said.attempts[-1]
        outcome = last.outcome
        seconds = said.elapsed_ns / 1e9
        tokens_in = sum(each.tokens_in for each in said.attempts)
        tokens_out = sum(each.tokens_out for each in said.attempts)
        cost = sum(each.cost_microusd for each in said.attempts)
        if said.by_model:
            says = "does not know"
            for finding in said.answer.findings:
                workflow = finding.proposal.workflow if finding.proposal else "no remedy"
                says = f"{finding.hypothesis.fault_class} of {finding.hypothesis.culprit}: "
                says += workflow
    return Checked(
        endpoint=name,
        kind=endpoint.kind,
        model=endpoint.model,
        url=endpoint.url,
        outcome=outcome,
        says=says,
        seconds=seconds,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        cost_usd=cost / 1e6,
    )


def _question(now_ns: int, stages: tuple[str, ...]) -> Prompt:
    """An engine that is gone, as the agent for processors would see it."""
    return Prompt(
        agent="healing",
        domain="cpu",
        window_start_ns=now_ns - 1_000_000_000,
        window_end_ns=now_ns,
        symptoms=(
            Symptom(
                domain="cpu",
                detector="absence",
                metric="process_up",
                entity="engine",
                kind="absence",
                score=1.0,
                value=0.0,
                expected=1.0,
                onset_ns=now_ns - 1_000_000_000,
                detected_ns=now_ns,
                labels={"process": "engine"},
            ),
        ),
        topology=local_stack(stages).components,
        why="unexplained",
        options=tuple(
            Option(workflow=each.name, summary=each.summary, causes=each.causes)
            for each in load_catalogue().values()
        ),
    )
