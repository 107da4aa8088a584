"""The source in, the pages of `docs/reference/` out: `make docs` writes them, a test compares.

Each page is made from the one place where its facts are already written down: enums, tables and
docstrings. What cannot be read from there does not belong on these pages.
"""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect as types
from prunella import errors
from prunella.config import AutonomySettings, Settings
from prunella.healing.decide import reasons
from prunella.healing.remediate import load_catalogue
from prunella.indicators import arrays
from prunella.telemetry import DOMAINS
from prunella.telemetry.catalogue import METRICS
from prunella.trading.venue.catalogue import VENUES as VENUE_TABLE

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
NOTE = "<!-- Written by docs/generate.py (`make docs`). Change the source named below. -->\n"

DENIALS = """# Why an order was denied

*Denied* is by us, before anything is sent; *rejected* is by the venue. An order intent is
checked before it becomes an order; the first check that fails gives its code, and nothing is
sent. `orders_denied_total{reason}` counts them, and so does `prunella status --json`.

Source: `crates/engine/src/reason.rs`.

"""

REFUSALS = """# Why a remediation was refused

An agent proposes a workflow; policy allows it or refuses it with one of these codes. The verdict
with its rule is in the ledger: `prunella incidents ID`. A refusal that a person wanted (a
maintenance window, a frozen plane, `observe`) is quiet; after every other one, when no other
proposal is allowed, a person is asked.

Source: `python/prunella/healing/decide/reasons.py`, and `policies/*.cedar` beside it.

"""

METRICS_INTRO = """# Metrics

`watch` reads the `/metrics` pages of the engine and the exchanges and the busiest processes of
`/proc` ten times a second, the host's processors, disks and interfaces five times, and what costs
more (interrupts, connections, file systems, open files, clocks) once. Each metric belongs to one
domain, and the agent of that domain alone sees it. A reading is about an *entity*: a component,
`host`, or `pid:N` for a process that is not ours.
Histograms appear on the pages as `_bucket`, `_sum` and `_count`; agents see the last two.
`host_pressure_some_ratio` with `resource="cpu"` goes to the domain `cpu`. `host_tcp_*` with a
`peer` speak of servers that processes of this machine are connected to. The `source` of a clock's
figures is `kernel`, `chrony` or `ptp`; what is not there (a disk, a program, a file of the kernel)
is not told.

Source: `python/prunella/telemetry/catalogue.py`.
"""

ERRORS = """# Errors

Everything that this project raises on purpose is below `PrunellaError`; the kind says whether
trying again can help. On the command line an error is one sentence that says what was found and
what was expected, and the exit status is 2.

Source: `python/prunella/errors.py`.
"""

SETTINGS = """# Settings

`settings.toml` in the home folder; [how to use it](../guides/settings.md). A section that is not
written has what the file at the end of this page has. In a section that is written, a key that is
left out has the default of its table here, and one marked *required* must be there. `NAME` stands
for a name of your choice.

Source: the settings' own records, from `python/prunella/config.py` down.
"""


INDICATORS = """# Indicators

Each is a function over float64 arrays and, under the same name as a class, a stream that takes one
observation at a time; [how to use them](../guides/indicators.md). *Warm-up* is how many values are
NaN (of a stream: `None`) first.

Source: `python/prunella/indicators/arrays.py`; the arithmetic is `crates/engine/src/indicator/`.
"""


VENUES = """# Venues of market data

What `prunella record` connects to and `prunella market check` reads;
[how to use both](../guides/market-data.md). A proof is what tells that no message was lost or
wrong.

Source: `python/prunella/trading/venue/catalogue.py`.
"""


REMEDIES = """# Remedies

Each workflow is a file: which faults it cures, what our own readings must show before, its steps
with their inverses, what proves that the goal is reached, and how often it may run. *Undone*: its
steps are taken back when the goal is not reached, unless somebody has changed since what they set.

Source: `python/prunella/healing/remediate/workflows/`.

"""


class Own(NamedTuple):
    """A metric that a process tells of itself, for people; no agent looks at it."""

    name: str
    unit: str
    help: str
    labels: str = ""


OWN_METRICS: dict[str, tuple[Own, ...]] = {
    "bus": (
        Own("bus_carried_total", "count", "messages carried"),
        Own("bus_refused_messages_total", "count", "messages of a role that may not send them"),
        Own("bus_refused_subscriptions_total", "count", "subscriptions beyond the role"),
        Own("bus_refused_peers_total", "count", "connections without a valid password"),
    ),
    "watch": (
        Own("watch_rounds_total", "count", "rounds over the host and its processes"),
        Own("watch_readings_total", "count", "readings published"),
        Own("watch_round_seconds_max", "seconds", "longest round since the start"),
        Own("telemetry_recorded_readings_total", "count", "readings recorded"),
        Own("telemetry_recorded_bytes_total", "bytes", "what these took on disk"),
        Own("telemetry_recording_lost_total", "count", "messages and readings not recorded"),
        Own("telemetry_recording_failures_total", "count", "blocks that could not be written"),
    ),
    "otlp": (
        Own("otlp_taken_total", "count", "points, log records and spans taken"),
        Own("otlp_refused_total", "count", "the same, refused for want of room"),
        Own("otlp_malformed_total", "count", "requests that could not be read"),
        Own("otlp_unauthorised_total", "count", "requests without the token"),
        Own("otlp_series", "count", "series known"),
    ),
    "agent-*": (
        Own("agent_readings_total", "count", "readings seen"),
        Own("agent_series", "count", "series that its detectors look at"),
        Own("agent_symptoms_total", "count", "symptoms raised"),
        Own("agent_diagnoses_total", "count", "faults found"),
        Own("agent_told_total", "count", "diagnoses published; another replica tells the rest"),
        Own("agent_share_ratio", "ratio", "part of the components and processes it tells about"),
        Own("agent_health_ratio", "ratio", "how well it does its job, 0 to 1"),
        Own("agent_malformed_total", "count", "messages that could not be read"),
        Own("agent_open_symptoms", "count", "symptoms that still hold"),
        Own("agent_tick_seconds_max", "seconds", "longest turn since the start"),
    ),
    "healing": (
        Own("healing_incidents", "count", "incidents, by state", "state"),
        Own("healing_diagnoses_total", "count", "diagnoses heard"),
        Own("healing_repeated_total", "count", "diagnoses that said nothing new"),
        Own("healing_dropped_total", "count", "diagnoses lost because too many came at once"),
        Own("healing_ignored_total", "count", "diagnoses of disabled replicas, or plainly wrong"),
        Own("healing_ticks_total", "count", "turns of the orchestrator"),
        Own("healing_actions_last_hour", "count", "remediations begun in the last hour"),
        Own("healing_thoughts_asked_total", "count", "questions for a model"),
        Own("healing_thoughts_answered_total", "count", "questions that are over"),
        Own("healing_thoughts_by_model_total", "count", "answers of a model that could be used"),
        Own("healing_thoughts_differed_total", "count", "answers that differ from the expert's"),
        Own("healing_thoughts_overdue_total", "count", "questions waited for no longer"),
        Own("healing_malformed_total", "count", "messages that could not be read"),
        Own("healing_tick_seconds_max", "seconds", "longest turn since the start"),
    ),
}


def pages() -> dict[str, str]:
    """Every page's text, by file name."""
    made = {
        "denials.md": denials(),
        "errors.md": error_tree(),
        "indicators.md": indicator_page(),
        "metrics.md": metrics(),
        "refusals.md": refusals(),
        "remedies.md": remedies(),
        "settings.md": settings(),
        "venues.md": venues(),
    }
    return {name: NOTE + "\n" + text for name, text in made.items()}


def denials() -> str:
    """Codes and meanings from the core's own list."""
    source = (ROOT / "crates/engine/src/reason.rs").read_text(encoding="utf-8")
    found = re.findall(r'/// (.+)\n    \w+ = "(\w+)"', source)
    rows = ((f"`{code}`", meaning) for meaning, code in found)
    return DENIALS + table(("code", "meaning"), rows)


def refusals() -> str:
    """Codes from the enum, meanings from the text below each, rules from the mapping."""
    meanings = member_texts(Path(inspect.getfile(reasons)), "RefusalReason")
    rules = {reason: rule for rule, reason in reasons.RULE_REASONS.items()}
    return REFUSALS + table(
        ("code", "meaning", "rule of policy", "a person is asked"),
        (
            (
                f"`{reason}`",
                meanings[reason.name],
                f"`{rules[reason]}`" if reason in rules else "",
                "no" if reason in reasons.QUIET_REASONS else "yes",
            )
            for reason in reasons.RefusalReason
        ),
    )


def remedies() -> str:
    """Fault class to workflow, then every workflow."""
    workflows = load_catalogue()
    autonomy = AutonomySettings().by_workflow()
    cures: dict[str, list[str]] = {}
    for name, each in workflows.items():
        for cause in each.causes:
            cures.setdefault(cause, []).append(f"[{name}](../runbooks/{name}.md)")
    causes = [(f"`{cause}`", ", ".join(cures[cause])) for cause in sorted(cures)]
    rows = [
        (
            f"[{name}](../runbooks/{name}.md)",
            each.summary,
            ", ".join(f"`{step.action}` ({step.through})" for step in each.steps),
            "yes" if any(step.inverse for step in each.steps) else "no",
            ", ".join(each.blast_radius),
            f"{each.limits.per_hour} / {each.limits.per_day}",
            f"`{autonomy[name]}`",
        )
        for name, each in workflows.items()
    ]
    headings = ("workflow", "what it does", "steps", "undone", "touches", "hour / day", "autonomy")
    return (
        NOTE + REMEDIES + table(("fault class", "cured by"), causes) + "\n" + table(headings, rows)
    )


def metrics() -> str:
    """The table of telemetry by domain, then what each process tells of itself."""
    parts = [METRICS_INTRO]
    for domain in DOMAINS:
        rows = [each for each in METRICS.values() if each.domain == domain]
        parts.append(f"\n## Domain `{domain}`: seen by `agent-{domain}`\n\n" + metric_table(rows))
    parts.append("\n## What a process tells of itself\n\nFor people: no agent looks at these.\n")
    for process, own in OWN_METRICS.items():
        parts.append(f"\n### `{process}`\n\n" + metric_table(own))
    return "".join(parts)


def metric_table(rows: Iterable[Any]) -> str:
    """One table of metrics."""
    return table(
        ("metric", "unit", "labels", "meaning"),
        (
            (f"`{m.name}`", m.unit, ", ".join(f"`{label}`" for label in m.labels.split()), m.help)
            for m in rows
        ),
    )


def error_tree() -> str:
    """The tree as its module draws it, then each error's sentence."""
    tree = (errors.__doc__ or "").split("```")[1]
    rows = []
    for name, error in vars(errors).items():
        if inspect.isclass(error) and issubclass(error, errors.PrunellaError):
            retry = "yes" if issubclass(error, errors.RetryableError) else "no"
            first = (error.__doc__ or "").split("\n")[0]
            rows.append((f"`{name}`", "" if error is errors.PrunellaError else retry, first))
    heading = ("error", "trying again helps", "means")
    return f"{ERRORS}\n```{tree}```\n\n" + table(heading, rows)


def indicator_page() -> str:
    """Signature, formula, unit, warm-up, source and example of each, from its docstring."""
    parts = [INDICATORS]
    tree = ast.parse(Path(inspect.getfile(arrays)).read_text(encoding="utf-8"))
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        text = ast.get_docstring(node) or ""
        found = re.findall(r"^(Formula|Unit|Warm-up|Source): (.+(?:\n {4}.+)*)", text, re.MULTILINE)
        facts = "".join(f"- {key}: {' '.join(value.split())}\n" for key, value in found)
        example = inspect.cleandoc(text.partition("Example:\n")[2])
        call = f"{node.name}({ast.unparse(node.args)})"
        summary = text.partition("\n")[0]
        parts.append(f"\n## `{node.name}`\n\n{summary}\n\n`{call}`\n\n{facts}\n")
        parts.append(f"```python\n{example}\n```\n")
    return "".join(parts)


def venues() -> str:
    """The venues of the catalogue."""
    rows = []
    for venue in VENUE_TABLE.values():
        facts = venue.facts
        life = f"{facts.life_s / 3600:,.0f} h" if facts.life_s else "no limit"
        snapshot = "request" if venue.snapshot_path(facts.symbol) else "stream"
        cells = (f"`{facts.name}`", f"`{facts.symbol}`", facts.integrity, snapshot)
        rows.append((*cells, life, f"{facts.silence_s:g} s", facts.limits))
    headings = ("name", "symbol", "proof", "snapshot by", "connection's life", "silence", "limits")
    return VENUES + "\n" + table(headings, rows)


def settings() -> str:
    """Every section of `settings.toml`, with the defaults that a stack starts with."""
    delivered = Settings()
    sections = "".join(section("", types.type_info(Settings), delivered))
    whole = msgspec.toml.encode(delivered).decode().strip()
    return f"{SETTINGS}{sections}\n## The whole file as delivered\n\n```toml\n{whole}\n```\n"


def section(path: str, info: types.Type, value: object) -> Iterator[str]:
    """One struct as a section, and the sections below it."""
    if isinstance(info, types.UnionType):
        for each in info.types:
            yield from section(path, each, None)
        return
    if not isinstance(info, types.StructType):
        return
    texts = attribute_texts(info.cls)
    rows: list[tuple[str, ...]] = []
    below: list[tuple[str, types.Type, object]] = []
    for field in info.fields:
        inner = f"{path}.{field.encode_name}" if path else field.encode_name
        if isinstance(field.type, types.StructType):
            below.append((inner, field.type, getattr(value, field.name, None)))
        elif isinstance(field.type, types.DictType) and value is not None:
            below.append((f"{inner}.NAME", field.type.value_type, None))
        else:
            rows.append(
                (
                    f"`{field.encode_name}`",
                    type_name(field.type),
                    default_of(field),
                    texts.get(field.name, ""),
                )
            )
    if info.tag is not None:
        rows.insert(0, (f"`{info.tag_field}`", f'`"{info.tag}"`', "*required*", "Which strategy."))
    if rows:
        title = f"`[{path}]`" + (f' with `{info.tag_field} = "{info.tag}"`' if info.tag else "")
        summary = (inspect.getdoc(info.cls) or "").split("\n\n")[0].replace("\n", " ")
        yield f"\n## {title}\n\n{summary}\n\n"
        yield table(("key", "type", "default", "meaning"), rows)
    for name, kind, inner_value in below:
        yield from section(name, kind, inner_value)


def default_of(field: types.Field) -> str:
    """A key's default, as it would stand in the file."""
    if field.default is not msgspec.NODEFAULT:
        return f"`{msgspec.json.encode(field.default).decode()}`"
    if field.default_factory is not msgspec.NODEFAULT:
        return f"`{msgspec.json.encode(field.default_factory()).decode()}`"
    return "*required*"


def type_name(info: types.Type) -> str:
    """A type in words."""
    match info:
        case types.IntType():
            return "whole number"
        case types.FloatType():
            return "number"
        case types.BoolType():
            return "true or false"
        case types.LiteralType(values=values):
            return " or ".join(f'`"{value}"`' for value in values)
        case types.VarTupleType(item_type=item):
            return f"list of {type_name(item)}"
    return "text"


def attribute_texts(cls: type) -> dict[str, str]:
    """The `Attributes:` of a docstring, inherited ones included: name to sentence."""
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("prunella."):
            texts |= own_attribute_texts(base)
    return texts


def own_attribute_texts(cls: type) -> dict[str, str]:
    """The `Attributes:` of one class's docstring."""
    lines = (inspect.getdoc(cls) or "").partition("Attributes:\n")[2].split("\n")
    texts: dict[str, str] = {}
    name = ""
    for line in lines:
        begin = re.match(r"    (\w+): (.+)", line)
        if begin:
            name = begin[1]
            texts[name] = begin[2]
        elif line.startswith("        ") and name:
            texts[name] += " " + line.strip()
    return texts


def member_texts(path: Path, enum: str) -> Mapping[str, str]:
    """The text below each member of an enum in a file: name to sentence."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    body = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == enum).body
    texts = {}
    for member, text in pairwise(body):
        if isinstance(member, ast.Assign) and isinstance(text, ast.Expr):
            name = member.targets[0]
            if isinstance(name, ast.Name) and isinstance(text.value, ast.Constant):
                texts[name.id] = str(text.value.value)
    return texts


def table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [headings, tuple("---" for _ in headings), *rows]
    return "".join(("| " + " | ".join(cells) + " |\n").replace("|  |", "| |") for cells in lines)


def main() -> None:
    """Writes the pages."""
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
        print(f"docs/reference/{name}")


if __name__ == "__main__":
    main()
