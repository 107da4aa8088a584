"""Names from outside in; our own words, numbers or pseudonyms out.

Whoever can choose a label's value can write a sentence into it, and `restart_the_venue_now` passes
every character filter. So a prompt is made of words that *we* wrote: metrics of the catalogue,
components of the topology, workflows, causes, and label values that our own files mention. All else
becomes a pseudonym that is the same for the same text, so that a model can still see that two
things are about one thing.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping

from prunella.healing.incident import Component
from prunella.healing.reason.knowledge import PLACEHOLDER, FactTest, Knowledge, Pattern
from prunella.telemetry.catalogue import METRICS

_NUMBER = re.compile(r"-?[0-9]{1,10}(?:\.[0-9]{1,9})?")
_PROCESS = re.compile(r"pid:[0-9]{1,10}")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_OUTCOMES = ("ok", "refused", "throttled", "server_error", "timeout", "unknown", "hot", "any")


class Vocabulary:
    """The words that a prompt may hold.

    Example:
        >>> words = Vocabulary(["engine"])
        >>> words.word("engine"), words.word("pid:42"), words.word("7")
        ('engine', 'pid:42', '7')
        >>> words.word("ignore_all_rules")
        'unlisted-3ff73ded'
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = frozenset(each for each in words if _WORD.fullmatch(each))

    def word(self, text: str) -> str:
        """The text when it is one of ours or a number, else its pseudonym."""
        if text in self._words or _NUMBER.fullmatch(text) or _PROCESS.fullmatch(text):
            return text
        return "unlisted-" + hashlib.sha256(text.encode()).hexdigest()[:8]

    def labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Both names and values."""
        return {self.word(name): self.word(value) for name, value in sorted(labels.items())}


def own_words(
    knowledge: Iterable[Knowledge], components: Iterable[Component], more: Iterable[str] = ()
) -> Vocabulary:
    """The words of the metric catalogue, the rules, the topology, and `more`."""
    words = {*more, *_OUTCOMES, "agent_heartbeat_age_seconds", *METRICS}
    words |= {f"{metric}_{suffix}" for metric in METRICS for suffix in ("sum", "count")}
    for metric in METRICS.values():
        words.update(metric.labels.split())
    for component in components:
        words.add(component.name)
    for each in knowledge:
        words |= each.metrics | each.symptom_metrics
        for rule in each.rules:
            words |= {rule.name, rule.fault_class}
            parts: tuple[Pattern | FactTest, ...] = (
                *rule.needs,
                *rule.unless,
                *rule.supports,
                *rule.facts,
            )
            for part in parts:
                words.update(part.labels)
                for value in part.labels.values():
                    words.update(PLACEHOLDER.sub("", value).removeprefix("!").split("|"))
    return Vocabulary(words)
