"""A question's evidence and the past in; the most similar closed incidents and rules out.

Two rankings that err differently. The *lexical* one asks which rare words of the evidence (metrics,
forms, entities) a past incident shares, weighed by how rare they are (BM25). The *feature* one asks
whether the class, the culprit, the domain and the severity are the same. They are fused by rank and
not by score, because their scores are not in one unit (reciprocal rank fusion, Cormack, Clarke and
Büttcher, 2009). Rejected: embeddings, which would need a second model to explain the first.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from prunella.healing.incident import Severity, Symptom
from prunella.healing.incident.records import Record
from prunella.healing.reason.knowledge import Knowledge
from prunella.healing.reason.prompt import Note, Precedent

PRECEDENTS_MAX = 5
NOTES_MAX = 4
SIMILARITY_MIN = 0.2
"""Below it two incidents have no more in common than that both are incidents."""
FUSION = 60
"""The constant of rank fusion; large, so that no single first place decides."""
_K1, _B = 1.2, 0.75


class Past(Record, frozen=True, kw_only=True, tag="past"):
    """A closed incident, or the question itself.

    Attributes:
        words: Of its evidence; see `words_of`.
        workflow: What ran last; empty when nothing did.
        cured: Whether that helped.
    """

    incident: str
    fault_class: str
    culprit: str
    severity: Severity
    domains: tuple[str, ...]
    words: tuple[str, ...]
    workflow: str = ""
    cured: bool = False


def words_of(symptoms: Iterable[Symptom]) -> tuple[str, ...]:
    """What the evidence says, as words: metric, metric with form, metric with entity.

    A foreign process is `pid:*`: its number says nothing about the next one.
    """
    words: list[str] = []
    for each in symptoms:
        entity = "pid:*" if each.entity.startswith("pid:") else each.entity
        words += [each.metric, f"{each.metric}/{each.kind}", f"{each.metric}@{entity}"]
    return tuple(dict.fromkeys(words))


def similar(question: Past, pasts: Sequence[Past]) -> tuple[Precedent, ...]:
    """The most similar past incidents, best first.

    Example:
        >>> gone = ("process_up", "process_up/absence", "process_up@engine")
        >>> past = Past(incident="inc-000001", fault_class="process.crashed", culprit="engine",
        ...             severity="critical", domains=("cpu",), words=gone,
        ...             workflow="restart-with-warm-up", cured=True)
        >>> question = Past(incident="", fault_class="", culprit="engine", severity="critical",
        ...                 domains=("cpu",), words=gone)
        >>> [(each.workflow, each.cured) for each in similar(question, [past])]
        [('restart-with-warm-up', True)]
    """
    lexical = _ranks(_bm25(question.words, [each.words for each in pasts]))
    features = _ranks([_features(question, each) for each in pasts])
    fused = [1 / (FUSION + a) + 1 / (FUSION + b) for a, b in zip(lexical, features, strict=True)]
    order = sorted(range(len(pasts)), key=lambda i: (-fused[i], pasts[i].incident))
    found = []
    for i in order:
        past, near = pasts[i], _overlap(question.words, pasts[i].words)
        if near >= SIMILARITY_MIN:
            found.append(
                Precedent(
                    incident=past.incident,
                    fault_class=past.fault_class,
                    workflow=past.workflow,
                    cured=past.cured,
                    similarity=round(near, 3),
                )
            )
    return tuple(found[:PRECEDENTS_MAX])


def notes_for(words: Sequence[str], knowledge: Iterable[Knowledge]) -> tuple[Note, ...]:
    """The rules of ours that speak of the same evidence, in their own words."""
    rules = [rule for each in knowledge for rule in each.rules]
    documents = [
        tuple(
            word
            for part in (*rule.needs, *rule.supports)
            for word in (part.metric, f"{part.metric}/{part.kind}")
        )
        for rule in rules
    ]
    scores = _bm25(words, documents)
    order = sorted(range(len(rules)), key=lambda i: (-scores[i], rules[i].name))
    return tuple(
        Note(source=rules[i].name, text=f"{rules[i].fault_class}: {rules[i].because}")
        for i in order[:NOTES_MAX]
        if scores[i] > 0
    )


def _bm25(query: Sequence[str], documents: Sequence[Sequence[str]]) -> list[float]:
    """How well each document answers the query; 0 where they share no word."""
    if not documents:
        return []
    mean = sum(len(each) for each in documents) / len(documents) or 1.0
    holders = Counter(word for each in documents for word in set(each))
    scores = []
    for each in documents:
        counts = Counter(each)
        score = 0.0
        for word in set(query) & counts.keys():
            rarity = math.log(1 + (len(documents) - holders[word] + 0.5) / (holders[word] + 0.5))
            often = counts[word]
            score += rarity * often * (_K1 + 1) / (often + _K1 * (1 - _B + _B * len(each) / mean))
        scores.append(score)
    return scores


def _features(question: Past, past: Past) -> float:
    shared = set(question.domains) & set(past.domains)
    return (
        2.0 * (question.fault_class == past.fault_class)
        + 2.0 * (question.culprit == past.culprit)
        + 0.5 * (question.severity == past.severity)
        + len(shared) / max(len(question.domains), 1)
    )


def _ranks(scores: Sequence[float]) -> list[int]:
    """1 for the best; equals share a rank."""
    best_first = sorted(set(scores), reverse=True)
    places = {score: place for place, score in enumerate(best_first, 1)}
    return [places[each] for each in scores]


def _overlap(mine: Sequence[str], theirs: Sequence[str]) -> float:
    """Shared words over all words of both, 0 to 1."""
    union = set(mine) | set(theirs)
    return len(set(mine) & set(theirs)) / len(union) if union else 0.0
