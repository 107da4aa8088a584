"""`prunella policy`: the rules of what the healing plane may do, checked, tested and explained."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from prunella.cli.output import console, print_json
from prunella.cli.stack import home_at
from prunella.errors import UsageError
from prunella.healing.audit import incident_entries
from prunella.healing.decide import Policy
from prunella.healing.decide.policy import HERE, read_rules
from prunella.healing.decide.trial import failures, load_cases, mutants, survivors
from prunella.healing.incident import ProposalJudged, Verdict

app = typer.Typer(help="What the healing plane may do: check, test, explain.", no_args_is_help=True)

HomeOption = Annotated[Path | None, typer.Option("--home", help="Folder of the stack.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def check(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of own rules (default: the stack's policies/).")
    ] = None,
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """Check the rules against their schema, those of the stack's own folder too."""
    local = folder or home_at(home).policies
    policy = Policy.load(local=local)
    own = [each for each in policy.rule_names if each.startswith("forbid-local-")]
    if json_output:
        print_json({"rules": policy.rule_names, "own": own, "sha256": policy.sha256})
        return
    for name in policy.rule_names:
        console.print(name)
    count = len(policy.rule_names)
    console.print(f"{count} rules, {len(own)} of {local}; they fit the schema ({policy.sha256})")


@app.command("test")
def run_tests(
    file: Annotated[
        Path | None, typer.Argument(help="A file of tests (default: the project's own).")
    ] = None,
    bend: Annotated[
        bool, typer.Option("--mutants", help="Also bend every rule: each bent one must fail.")
    ] = False,
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """Run the tests of the rules; exit status 0 only when all pass and no bent rule does."""
    cases = load_cases() if file is None else load_cases(file)
    failed = list(failures(Policy.load(local=home_at(home).policies), cases))
    rules = read_rules(HERE / "policies")
    schema = (HERE / "schema.cedarschema").read_text(encoding="utf-8")
    alive = list(survivors(rules, schema, cases)) if bend else []
    bent = sum(1 for _ in mutants(rules)) if bend else 0
    if json_output:
        unnoticed = [{"rule": each.rule, "how": each.how} for each in alive]
        print_json(
            {"tests": len(cases.cases), "failed": failed, "mutants": bent, "unnoticed": unnoticed}
        )
    else:
        for sentence in failed:
            console.print(escape(sentence))
        for each in alive:
            console.print(escape(f"{each.rule}: nothing notices {each.how}"))
        told = f", {bent - len(alive)} of {bent} bent rules noticed" if bend else ""
        console.print(f"{len(cases.cases) - len(failed)} of {len(cases.cases)} tests pass{told}")
    raise typer.Exit(1 if failed or alive else 0)


@app.command()
def explain(
    incident: Annotated[str, typer.Argument(help="An id such as inc-000007.")],
    home: HomeOption = None,
    json_output: JsonOption = False,
) -> None:
    """Explain every verdict of an incident: the rules, what they were told, and what holds now."""
    place = home_at(home)
    policy = Policy.load(local=place.policies)
    verdicts = [
        (entry.seq, entry.record.verdict)
        for entry in incident_entries(place.ledger, incident)
        if isinstance(entry.record, ProposalJudged)
    ]
    if not verdicts:
        raise UsageError(f"{place.ledger} holds no verdict of {incident!r}")
    if json_output:
        print_json([{"entry": seq, "verdict": each} for seq, each in verdicts])
        return
    for seq, verdict in verdicts:
        _tell(policy, seq, verdict)


def _tell(policy: Policy, seq: int, verdict: Verdict) -> None:
    action = verdict.action
    said = "allowed" if verdict.allowed else f"refused: {verdict.reason}"
    console.print(f"[bold]entry {seq}: {action.workflow} on {escape(action.target)}: {said}[/bold]")
    for rule in verdict.rules:
        text = policy.texts.get(rule, "no rule of the policy: nothing permits it, or it cannot be")
        console.print(escape(f"{rule}:\n{text}"), highlight=False)
    told = ", ".join(f"{name} = {value}" for name, value in verdict.circumstances.items())
    console.print(escape(f"told: autonomy {verdict.autonomy}; {told or 'not kept'}"))
    if verdict.policy_sha256 != policy.sha256:
        console.print(f"by policy {verdict.policy_sha256}; today's is {policy.sha256}")
