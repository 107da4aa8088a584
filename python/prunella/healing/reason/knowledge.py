"""TOML knowledge files in, checked rules out; a rule that cannot work is refused at load.

A rule reads like a sentence of a runbook: *when* these symptoms are seen (`needs`), and the newest
values say so (`facts`), and nothing speaks against it (`unless`), and the parts concerned are past
their warm-up, *then* this is the culprit, of this class, and this workflow would help. The first
symptom of `needs` is the anchor: its entity and labels fill the `${placeholders}`.
"""

import re
from importlib.resources import files
from typing import Literal

import msgspec

from prunella.errors import ConfigError
from prunella.healing.incident import Severity, SymptomKind
from prunella.telemetry import DOMAINS, Domain

PLACEHOLDER = re.compile(r"\$\{([a-z_]+(?:\|[a-z_]+)*)\}")
"""`${venue}`, or `${process|entity}`: the first that is there."""

Comparison = Literal["<", "<=", "==", "!=", ">=", ">"]
CulpritKind = Literal["process", "venue", "host", "foreign"]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the parts of a rule."""


class Pattern(_Part, frozen=True, kw_only=True):
    """Which symptoms fit. Texts may hold placeholders and `*`; `!x` means anything else than x.

    Attributes:
        kind: What it looks like; empty: any.
        metric: Which metric.
        entity: Whom it is about.
        labels: Wanted labels; a label that is not there never fits.
        lead_s_max: In `needs`: the anchor began at most so long before it; what went on for long
            without harm is not the cause of harm that begins now.
        adds: In `supports`: confidence added when such a symptom is open.
    """

    kind: SymptomKind | Literal[""] = ""
    metric: str
    entity: str = "*"
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    lead_s_max: float = 1e9
    adds: float = 0.05


class FactTest(_Part, frozen=True, kw_only=True):
    """What the newest values must say.

    Attributes:
        metric: Which metric.
        entity: Whom it is about; may hold placeholders and `*`.
        labels: Wanted labels, as in `Pattern`.
        comparison: How the value stands to the threshold.
        threshold: A number, or a placeholder whose value is one.
        need: `any`: one value fits; `all`: at least one, and every one, fits; `none`: none fits.
        age_s_max: Older values are not there.
    """

    metric: str
    entity: str = "*"
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    comparison: Comparison
    threshold: float | str
    need: Literal["any", "all", "none"] = "any"
    age_s_max: float = 1.0


class WarmUp(_Part, frozen=True, kw_only=True):
    """An entity that must have been up and read for so long; one never read is not asked for."""

    entity: str
    seconds: float


class Advice(_Part, frozen=True, kw_only=True):
    """The workflow to propose; texts may hold placeholders, `${culprit}` among them."""

    workflow: str
    target: str = "${culprit}"
    parameters: dict[str, str] = msgspec.field(default_factory=dict)
    impact: str


class Rule(_Part, frozen=True, kw_only=True):
    """One sentence of knowledge.

    Attributes:
        name: Unique in its file.
        because: Why it is so, for people.
        fault_class: What is wrong.
        culprit: Who is to blame, with placeholders.
        culprit_kinds: What the culprit may be; `foreign` is a process of no component.
        culprit_like: Pattern that its name must fit; `!x` for all but x.
        confidence: 0 to 1, before `supports`.
        strongest_only: Of several culprits accuse only the one whose anchor has the highest value.
        hold_s: For how long it must be found without a break before it is told.
    """

    name: str
    because: str
    severity: Severity
    fault_class: str
    culprit: str
    culprit_kinds: tuple[CulpritKind, ...]
    culprit_like: str = "*"
    confidence: float
    strongest_only: bool = False
    hold_s: float = 0.0
    needs: tuple[Pattern, ...]
    facts: tuple[FactTest, ...] = ()
    unless: tuple[Pattern, ...] = ()
    supports: tuple[Pattern, ...] = ()
    warm_up: tuple[WarmUp, ...] = ()
    proposal: Advice | None = None


class Knowledge(_Part, frozen=True, kw_only=True):
    """All rules of one domain.

    Attributes:
        version: Raised with every change; part of the reasoner's name, so that a diagnosis tells
            which knowledge it came from.
    """

    domain: Domain
    version: int
    rules: tuple[Rule, ...]

    @property
    def metrics(self) -> frozenset[str]:
        """Metrics whose newest values the rules ask about."""
        return frozenset(each.metric for rule in self.rules for each in rule.facts)

    @property
    def symptom_metrics(self) -> frozenset[str]:
        """Metrics whose symptoms the rules ask about."""
        return frozenset(
            each.metric
            for rule in self.rules
            for each in (*rule.needs, *rule.unless, *rule.supports)
        )


def load_knowledge(domain: Domain) -> Knowledge:
    """The knowledge that is delivered for a domain."""
    path = files("prunella.healing.reason") / "knowledge" / f"{domain}.toml"
    return parse_knowledge(path.read_text(encoding="utf-8"), source=f"{domain}.toml")


def whole_knowledge() -> Knowledge:
    """The rules of all domains together, for one who sees the evidence of all agents."""
    parts = [load_knowledge(each) for each in DOMAINS]
    return Knowledge(
        domain=parts[0].domain,
        version=max(each.version for each in parts),
        rules=tuple(rule for each in parts for rule in each.rules),
    )


def parse_knowledge(text: str, *, source: str) -> Knowledge:
    r"""Knowledge from TOML text.

    Raises:
        ConfigError: Not TOML, an unknown field, or a rule that cannot work; the message names the
            source, the rule and what was expected.

    Example:
        >>> parse_knowledge("domain = 'cpu'\nversion = 1\nrule = []", source="cpu.toml")
        Traceback (most recent call last):
        ...
        prunella.errors.ConfigError: cpu.toml: Object contains unknown field `rule`
    """
    try:
        knowledge = msgspec.toml.decode(text, type=Knowledge)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{source}: {error}") from None
    names: set[str] = set()
    for rule in knowledge.rules:
        complaint = "its name is given twice" if rule.name in names else _complaint(rule)
        if complaint:
            raise ConfigError(f"{source}: rule {rule.name!r}: {complaint}")
        names.add(rule.name)
    return knowledge


def _complaint(rule: Rule) -> str:
    """What is wrong with a rule; empty when nothing is."""
    if not rule.needs:
        return "needs at least one symptom to begin with"
    if not 0.0 < rule.confidence <= 1.0:
        return f"confidence {rule.confidence} should be above 0 and at most 1"
    if not rule.culprit_kinds:
        return "culprit_kinds should name at least one kind"
    for text in _texts(rule):
        rest = PLACEHOLDER.sub("", text)
        if "$" in rest or "{" in rest or "}" in rest:
            return f"{text!r} should have placeholders like ${{venue}} or ${{process|entity}}"
    for test in rule.facts:
        if isinstance(test.threshold, str) and not PLACEHOLDER.fullmatch(test.threshold):
            return f"threshold {test.threshold!r} should be a number or one placeholder"
    return ""


def _texts(rule: Rule) -> list[str]:
    texts = [rule.culprit, *(each.entity for each in rule.warm_up)]
    parts: tuple[Pattern | FactTest, ...] = (
        *rule.needs,
        *rule.unless,
        *rule.supports,
        *rule.facts,
    )
    for part in parts:
        texts += [part.entity, *part.labels.values()]
    if rule.proposal is not None:
        texts += [rule.proposal.target, *rule.proposal.parameters.values(), rule.proposal.impact]
    return texts
