"""The expert: a prompt and rules in, ranked findings out; deterministic, no model needed."""

import operator
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase

from prunella.healing.incident import Component, Hypothesis, Proposal, Symptom, replicated
from prunella.healing.reason.base import Answer, Finding
from prunella.healing.reason.knowledge import (
    PLACEHOLDER,
    Advice,
    FactTest,
    Knowledge,
    Pattern,
    Rule,
)
from prunella.healing.reason.prompt import Fact, Prompt

CONFIDENCE_MAX = 0.99
"""Nobody is certain: supporting evidence never makes it 1."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_FOREIGN = re.compile(r"pid:[0-9]{1,10}")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}
_Bindings = Mapping[str, str]


class Expert:
    """Applies the rules of one domain to a prompt.

    Example:
        >>> from prunella.healing.reason.knowledge import load_knowledge
        >>> Expert(load_knowledge("cpu")).name
        'expert@1'
    """

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    @property
    def name(self) -> str:
        """`expert@` and the version of the knowledge."""
        return f"expert@{self._knowledge.version}"

    def diagnose(self, prompt: Prompt) -> Answer:
        """All findings, surest first; for each class and culprit only the surest."""
        best: dict[tuple[str, str], Finding] = {}
        components = {each.name: each for each in prompt.topology}
        for rule in self._knowledge.rules:
            for finding in _findings(rule, prompt, components):
                key = (finding.hypothesis.fault_class, finding.hypothesis.culprit)
                known = best.get(key)
                if known is None or finding.hypothesis.confidence > known.hypothesis.confidence:
                    best[key] = finding
        ranked = sorted(
            best.values(),
            key=lambda each: (
                -each.hypothesis.confidence,
                each.hypothesis.fault_class,
                each.hypothesis.culprit,
            ),
        )
        return Answer(findings=tuple(ranked))


def _findings(rule: Rule, prompt: Prompt, components: Mapping[str, Component]) -> list[Finding]:
    """What one rule finds, with each symptom as its anchor in turn."""
    found = [
        (anchor.value, finding)
        for anchor in prompt.symptoms
        if (finding := _apply(rule, anchor, prompt, components)) is not None
    ]
    if rule.strongest_only and found:
        return [max(found, key=lambda each: (each[0], each[1].hypothesis.culprit))[1]]
    return [finding for _, finding in found]


def _apply(
    rule: Rule, anchor: Symptom, prompt: Prompt, components: Mapping[str, Component]
) -> Finding | None:
    """The rule's finding with this symptom as the anchor; None when it does not hold."""
    first, *others = rule.needs
    if not _fits(first, anchor, anchor.labels):
        return None
    bindings = {**anchor.labels, "entity": anchor.entity}
    culprit = _fill(rule.culprit, bindings)
    if culprit is None or not _may_be_culprit(rule, culprit, components):
        return None
    bindings["culprit"] = culprit
    evidence = [anchor]
    for pattern in others:
        found = _find(pattern, prompt.symptoms, bindings)
        if found is None or found.onset_ns - anchor.onset_ns > pattern.lead_s_max * 1e9:
            return None
        evidence.append(found)
    if not _allowed(rule, prompt, bindings):
        return None
    confidence = rule.confidence
    for pattern in rule.supports:
        found = _find(pattern, prompt.symptoms, bindings)
        if found is not None:
            evidence.append(found)
            confidence += pattern.adds
    confidence = round(min(confidence, max(rule.confidence, CONFIDENCE_MAX)), 4)
    names = tuple(dict.fromkeys(f"{each.metric}@{each.entity}" for each in evidence))
    return Finding(
        severity=rule.severity,
        hold_s=rule.hold_s,
        hypothesis=Hypothesis(
            fault_class=rule.fault_class,
            culprit=culprit,
            confidence=confidence,
            evidence=names,
            rule=rule.name,
        ),
        proposal=_proposal(rule.proposal, bindings, confidence),
    )


def _allowed(rule: Rule, prompt: Prompt, bindings: _Bindings) -> bool:
    """Whether the facts hold, nothing speaks against it, and the warm-ups are over."""
    for test in rule.facts:
        if not _holds(test, prompt.facts, bindings):
            return False
    if any(_find(each, prompt.symptoms, bindings) is not None for each in rule.unless):
        return False
    for warm_up in rule.warm_up:
        entity = _fill(warm_up.entity, bindings)
        age_ns = None if entity is None else prompt.ages_ns.get(entity)
        if age_ns is not None and age_ns < warm_up.seconds * 1e9:
            return False
    return True


def _may_be_culprit(rule: Rule, culprit: str, components: Mapping[str, Component]) -> bool:
    """Only a component of the topology or a numbered foreign process can be accused."""
    if not _NAME.fullmatch(culprit) or not _like(culprit, rule.culprit_like, {}):
        return False
    component = components.get(replicated(culprit))
    if component is None:
        return "foreign" in rule.culprit_kinds and _FOREIGN.fullmatch(culprit) is not None
    return component.kind in rule.culprit_kinds


def _find(pattern: Pattern, symptoms: tuple[Symptom, ...], bindings: _Bindings) -> Symptom | None:
    return next((each for each in symptoms if _fits(pattern, each, bindings)), None)


def _fits(pattern: Pattern, symptom: Symptom, bindings: _Bindings) -> bool:
    return (
        pattern.metric == symptom.metric
        and pattern.kind in {"", symptom.kind}
        and _like(symptom.entity, pattern.entity, bindings)
        and _labels_fit(symptom.labels, pattern.labels, bindings)
    )


def _labels_fit(labels: _Bindings, wanted: _Bindings, bindings: _Bindings) -> bool:
    return all(
        name in labels and _like(labels[name], each, bindings) for name, each in wanted.items()
    )


def _like(value: str, wanted: str, bindings: _Bindings) -> bool:
    """Whether `value` fits `wanted`, its placeholders filled; an unfilled one never fits."""
    filled = _fill(wanted.removeprefix("!"), bindings)
    if filled is None:
        return False
    return fnmatchcase(value, filled) != wanted.startswith("!")


def _fill(text: str, bindings: _Bindings) -> str | None:
    """The text with its placeholders filled; None when one has no plain name to fill it."""
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        for name in match[1].split("|"):
            found = bindings.get(name)
            if found and _NAME.fullmatch(found):
                return found
        missing = True
        return ""

    filled = PLACEHOLDER.sub(value, text)
    return None if missing else filled


def _holds(test: FactTest, facts: tuple[Fact, ...], bindings: _Bindings) -> bool:
    threshold = test.threshold
    if isinstance(threshold, str):
        filled = _fill(threshold, bindings)
        try:
            threshold = float(filled or "")
        except ValueError:
            return False
    compare = _COMPARE[test.comparison]
    answers = [
        compare(each.value, threshold)
        for each in facts
        if each.metric == test.metric
        and each.age_ns <= test.age_s_max * 1e9
        and _like(each.entity, test.entity, bindings)
        and _labels_fit(each.labels, test.labels, bindings)
    ]
    if test.need == "none":
        return not any(answers)
    return any(answers) if test.need == "any" else bool(answers) and all(answers)


def _proposal(advice: Advice | None, bindings: _Bindings, confidence: float) -> Proposal | None:
    """The proposal; None where there is none or a placeholder has nothing to fill it."""
    if advice is None:
        return None
    target, impact = _fill(advice.target, bindings), _fill(advice.impact, bindings)
    parameters = {key: _fill(each, bindings) for key, each in advice.parameters.items()}
    if target is None or impact is None:
        return None
    known = {key: each for key, each in parameters.items() if each is not None}
    if len(known) != len(parameters):
        return None
    return Proposal(
        workflow=advice.workflow,
        target=target,
        parameters=known,
        confidence=confidence,
        impact=impact,
    )
