"""Settings, keys, ledger and targets in; a wired orchestrator out. The only place that wires."""

from collections.abc import Iterable, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from prunella.control import Target
from prunella.healing.decide import Decider, Policy
from prunella.healing.incident import Topology
from prunella.healing.incident.trail import Trail
from prunella.healing.loop.approvals import Persons
from prunella.healing.loop.book import Book
from prunella.healing.loop.orchestrator import Ledger, Orchestrator
from prunella.healing.loop.settings import LoopSettings
from prunella.healing.loop.thought import Thinker
from prunella.healing.reason import ReasonSettings, Redactor
from prunella.healing.remediate import Executor, Pool, Table, Workflow, load_catalogue
from prunella.healing.remediate.workflow import COMMANDS

OWN_METRICS = frozenset({"agent_heartbeat_age_seconds"})


def assemble(
    *,
    settings: LoopSettings,
    ledger: Ledger,
    earlier: Iterable[tuple[int, int, Trail]],
    targets: Mapping[str, Target],
    private_key: Ed25519PrivateKey,
    pool: Pool,
    now_ns: int,
    policy: Policy | None = None,
    catalogue: Mapping[str, Workflow] | None = None,
    persons: Persons = dict,
    thinker: Thinker | None = None,
    reason: ReasonSettings | None = None,
    redactor: Redactor | None = None,
) -> Orchestrator:
    """The orchestrator, with an earlier life's ledger folded in.

    Args:
        settings: The stack and its limits.
        ledger: Where every record goes.
        earlier: What it already holds: sequence number, time, record.
        targets: By the names that workflows use: `engine`, `supervisor`, `host`.
        private_key: The decider's.
        pool: For calls that may block.
        now_ns: Nanoseconds UTC.
        policy: The rules; the project's own when not given.
        catalogue: The workflows; the project's own when not given.
        persons: Who may sign approvals; nobody when not given.
        thinker: Who asks a model; nobody when not given.
        reason: When and how patiently.
        redactor: Takes secrets out of what is written down; by default what looks like one.
    """
    workflows = load_catalogue() if catalogue is None else catalogue
    asked = {metric for each in workflows.values() for metric in each.metrics}
    table = Table(asked | OWN_METRICS)
    orchestrator = Orchestrator(
        settings=settings,
        ledger=ledger,
        decider=Decider(
            policy=policy or Policy.load(),
            settings=settings.decide,
            topology=Topology(settings.components),
            private_key=private_key,
        ),
        catalogue=workflows,
        table=table,
        book=Book(),
        started_ns=now_ns,
        persons=persons,
        impossible=lambda workflow: impossible_here(workflow, targets),
        redactor=redactor,
    )
    executor = Executor(
        catalogue=workflows,
        targets=targets,
        public_key=private_key.public_key(),
        table=table,
        write=orchestrator.record,
        pool=pool,
        hold=orchestrator.hold,
    )
    orchestrator.attach(executor)
    if thinker is not None:
        orchestrator.think(thinker, reason or ReasonSettings(), workflows)
    orchestrator.resume(earlier, now_ns)
    return orchestrator


def impossible_here(workflow: Workflow, targets: Mapping[str, Target]) -> str:
    """Why no step of the workflow should be begun on this machine; empty when all can be.

    A target may tell it by a method `why_not(command's type)`; one that has none can do what it is
    asked, or says no then.
    """
    for step in workflow.steps:
        target = targets.get(step.through)
        if target is None:
            return f"there is no {step.through}"
        why_not = getattr(target, "why_not", None)
        why = str(why_not(COMMANDS[step.action])) if why_not else ""
        if why:
            return why
    return ""
