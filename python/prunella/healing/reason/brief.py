"""A `Prompt` in; what is sent to a model (text, schema, hash) and what it may answer out."""

import hashlib
from importlib.resources import files
from typing import Any

import msgspec

from prunella.errors import ConfigError
from prunella.healing.incident import Topology
from prunella.healing.reason.prompt import Fact, Precedent, Prompt
from prunella.healing.reason.redact import Redactor
from prunella.healing.reason.vocabulary import Vocabulary

TEMPLATE = "incident-v1"
"""Raised with every change of the words, so that an answer tells which ones it was given."""
EVIDENCE_MAX = 24
FACTS_MAX = 48
"""Small models lose the thread in longer questions, and every token costs time and money. The
oldest evidence stays, being nearest to the cause; of the facts those about who is concerned."""
UNKNOWN = "unknown"
NONE = "none"


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """One question as it is sent.

    Attributes:
        template: Name and version of the prompt file.
        system: Who is asked to do what; the file's text.
        question: The data, as JSON.
        sha256: Hash of template, system text, question and schema: what a recording is found by.
        schema: JSON schema of the answer; every choice is an enumeration.
        evidence: Symptom (`metric@entity`) by evidence id.
        culprits: Who may be blamed.
        targets: For each culprit, what may be acted on.
        causes: For each workflow, the causes that it cures.
        parameters: For each workflow, what may be chosen.
    """

    template: str
    system: str
    question: str
    sha256: str
    schema: dict[str, Any]
    evidence: dict[str, str]
    culprits: tuple[str, ...]
    targets: dict[str, tuple[str, ...]]
    classes: tuple[str, ...]
    causes: dict[str, tuple[str, ...]]
    parameters: dict[str, dict[str, tuple[str, ...]]]


class Writer:
    """Writes briefs: our own words, numbers and pseudonyms, and nothing else.

    Args:
        vocabulary: The words that may be sent.
        classes: Fault classes that may be named.
        redactor: The second lock.
        template: Name of a file in `prompts/`.

    Raises:
        ConfigError: There is no such file.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        classes: tuple[str, ...],
        redactor: Redactor,
        template: str = TEMPLATE,
    ) -> None:
        self._vocabulary = vocabulary
        self._classes = classes
        self._redactor = redactor
        self._template = template
        self._system = load_template(template)

    def write(self, prompt: Prompt) -> Brief:
        """The brief of one question; the same prompt gives the same brief."""
        evidence = {
            f"e{number}": f"{each.metric}@{each.entity}"
            for number, each in enumerate(prompt.symptoms[:EVIDENCE_MAX], 1)
        }
        culprits = _culprits(prompt)
        targets = _targets(prompt, culprits)
        known = {cause for each in prompt.options for cause in each.causes}
        classes = tuple(sorted({*self._classes, *known}))
        schema = _schema(prompt, evidence, culprits, targets, classes)
        question = self._redactor.clean(msgspec.json.encode(self._question(prompt)).decode())
        parts = (self._template, self._system, question, msgspec.json.encode(schema).decode())
        return Brief(
            template=self._template,
            system=self._system,
            question=question,
            sha256=hashlib.sha256("\0".join(parts).encode()).hexdigest(),
            schema=schema,
            evidence=evidence,
            culprits=culprits,
            targets=targets,
            classes=classes,
            causes={each.workflow: each.causes for each in prompt.options},
            parameters={each.workflow: each.parameters for each in prompt.options},
        )

    def _question(self, prompt: Prompt) -> dict[str, Any]:
        word, labels = self._vocabulary.word, self._vocabulary.labels
        end_ns = prompt.window_end_ns
        return {
            "why": prompt.why,
            "window_s": _round(max(end_ns - prompt.window_start_ns, 0) / 1e9),
            "evidence": [
                {
                    "id": f"e{number}",
                    "metric": word(each.metric),
                    "entity": word(each.entity),
                    "form": each.kind,
                    "domain": each.domain,
                    "value": _round(each.value),
                    "expected": _round(each.expected),
                    "lasting_s": _round(max(end_ns - each.onset_ns, 0) / 1e9),
                    "labels": labels(each.labels),
                }
                for number, each in enumerate(prompt.symptoms[:EVIDENCE_MAX], 1)
            ],
            "facts": [
                {
                    "metric": word(each.metric),
                    "entity": word(each.entity),
                    "value": _round(each.value),
                    "labels": labels(each.labels),
                }
                for each in _nearest(prompt)
            ],
            "components": [
                {"name": word(each.name), "kind": each.kind, "depends_on": list(each.depends_on)}
                for each in prompt.topology
            ],
            "harmed": [word(each) for each in prompt.impact.downstream],
            "expert": [
                {
                    "cause": word(each.fault_class),
                    "culprit": word(each.culprit),
                    "confidence_permille": round(each.confidence * 1000),
                    "workflow": word(each.workflow) if each.workflow else NONE,
                }
                for each in prompt.views
            ],
            "workflows": [
                {"name": each.workflow, "does": each.summary, "cures": list(each.causes)}
                for each in prompt.options
            ],
            "tried": [word(each) for each in prompt.tried],
            "precedents": [self._precedent(each) for each in prompt.precedents],
            "notes": [{"source": each.source, "text": each.text} for each in prompt.notes],
        }

    def _precedent(self, each: Precedent) -> dict[str, Any]:
        word = self._vocabulary.word
        return {
            "cause": word(each.fault_class),
            "workflow": word(each.workflow) if each.workflow else NONE,
            "cured": each.cured,
            "similarity": _round(each.similarity),
        }


def load_template(name: str) -> str:
    """The text of a prompt file.

    Raises:
        ConfigError: There is none of that name.
    """
    path = files("prunella.healing.reason") / "prompts" / f"{name}.md"
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        raise ConfigError(f"prompt {name!r}: there is no such file in reason/prompts/") from None


def _round(value: float) -> float:
    """Three digits: more would make every question a new one, and say nothing more."""
    return float(f"{value:.3g}") if value == value and abs(value) < 1e18 else 0.0  # noqa: PLR0124


def _nearest(prompt: Prompt) -> list[Fact]:
    """Facts about whom the evidence names first, in an order that does not depend on chance."""
    concerned = {each.entity for each in prompt.symptoms}
    ranked = sorted(
        prompt.facts,
        key=lambda each: (
            each.entity not in concerned,
            each.metric,
            each.entity,
            sorted(each.labels.items()),
        ),
    )
    return ranked[:FACTS_MAX]


def _culprits(prompt: Prompt) -> tuple[str, ...]:
    """Whom the evidence is about, what these depend on, and whom the expert named.

    A model cannot accuse anybody whom no evidence leads to.
    """
    topology = Topology(prompt.topology)
    named = {each.entity for each in prompt.symptoms} | {each.culprit for each in prompt.views}
    above = {up for each in named for up in topology.upstream(each)}
    known = {each.name for each in prompt.topology}
    foreign = {
        each
        for each in named
        if each.startswith("pid:") and each[4:].isdecimal() and each.isascii()
    }
    return tuple(sorted((named | above) & known | foreign))


def _targets(prompt: Prompt, culprits: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    topology = Topology(prompt.topology)
    return {each: (each, *sorted(topology.downstream(each))) for each in culprits}


def _schema(
    prompt: Prompt,
    evidence: dict[str, str],
    culprits: tuple[str, ...],
    targets: dict[str, tuple[str, ...]],
    classes: tuple[str, ...],
) -> dict[str, Any]:
    """JSON schema of the answer; bounded in every direction, so that no answer runs away."""
    every_target = sorted({each for all_of in targets.values() for each in all_of})
    names = sorted({name for each in prompt.options for name in each.parameters})
    values = sorted(
        {value for each in prompt.options for some in each.parameters.values() for value in some}
    )
    choice = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "enum": names or [NONE]},
            "value": {"type": "string", "enum": values or [NONE]},
        },
        "required": ["name", "value"],
        "additionalProperties": False,
    }
    properties: dict[str, Any] = {
        "cause": {"type": "string", "enum": [*classes, UNKNOWN]},
        "culprit": {"type": "string", "enum": [*culprits, UNKNOWN]},
        "workflow": {"type": "string", "enum": [*(e.workflow for e in prompt.options), NONE]},
        "target": {"type": "string", "enum": [*every_target, NONE]},
        "parameters": {"type": "array", "items": choice, "maxItems": len(names)},
        "severity": {"type": "string", "enum": ["critical", "high", "medium", "low"]},
        "priority": {"type": "string", "enum": ["urgent", "normal"]},
        "confidence_permille": {"type": "integer", "minimum": 0, "maximum": 1000},
        "evidence": {
            "type": "array",
            "items": {"type": "string", "enum": list(evidence) or [NONE]},
            "minItems": 1,
            "maxItems": max(len(evidence), 1),
        },
        "because": {"type": "string", "maxLength": 400},
    }
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
