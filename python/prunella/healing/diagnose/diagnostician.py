"""Open symptoms and newest readings in, diagnoses out: a fault told once, its growth, its end.

What it remembers is only what it can see again: open symptoms, newest values, which faults it has
told. After a restart the same telemetry makes the same diagnoses within a second.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from prunella.healing.diagnose.base import AgentSpec
from prunella.healing.diagnose.youth import Youth
from prunella.healing.incident import Diagnosis, Severity, Symptom, Topology
from prunella.healing.reason import Fact, Finding, Impact, Prompt, Reasoner
from prunella.healing.reason.prompt import describe
from prunella.telemetry import Reading

SYMPTOMS_MAX = 64
"""A storm of symptoms must not make a prompt of any length; the oldest stay, being nearest to the
cause."""
FACTS_MAX = 1024
"""An exporter with an unbounded label must not fill the memory."""
FACT_AGE_NS_MAX = 5_000_000_000
"""Older values are nobody's newest."""
TOLD_AGAIN_NS = 300_000_000
"""A diagnosis whose evidence grows is told again at most so often."""
REMINDER_NS = 2_000_000_000
"""An open diagnosis is repeated, so that who was restarted or lost a message hears of it."""
LINGER_NS = 1_000_000_000
"""A fault that is not found for so long is over; less would make one fault many."""

_SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")


@dataclass
class _Open:
    diagnosis: Diagnosis
    told_ns: int
    found_ns: int


class Diagnostician:
    """One agent's judgement.

    Attributes:
        diagnoses: How many faults it has told.
    """

    def __init__(
        self, spec: AgentSpec, reasoner: Reasoner, topology: Topology, metrics: Iterable[str]
    ) -> None:
        """Takes the agent's description, who reasons, and the metrics whose values they ask for."""
        self._spec = spec
        self._reasoner = reasoner
        self._topology = topology
        self._metrics = frozenset(metrics)
        self._carried = frozenset(each.metric for each in spec.watches)
        self._by = {each.metric: each.by for each in spec.watches}
        self._youth = Youth()
        self._facts: dict[tuple[object, ...], Reading] = {}
        self._symptoms: dict[tuple[object, ...], Symptom] = {}
        self._open: dict[str, _Open] = {}
        self._found_ns: dict[tuple[str, str], int] = {}
        self.diagnoses = 0

    @property
    def symptoms(self) -> tuple[Symptom, ...]:
        """The open symptoms, oldest first."""
        return tuple(sorted(self._symptoms.values(), key=lambda each: each.onset_ns))

    @property
    def open(self) -> tuple[Diagnosis, ...]:
        """The faults that are told and not over."""
        return tuple(each.diagnosis for each in self._open.values())

    @property
    def entities(self) -> tuple[str, ...]:
        """Everybody that readings were about lately."""
        return self._youth.entities

    def observe(self, readings: Iterable[Reading], now_ns: int, *, first_hand: bool) -> None:
        """Takes one round of readings for what detectors do not keep: newest values and ages.

        Args:
            readings: Cleaned readings.
            now_ns: Nanoseconds UTC.
            first_hand: Whether they came from outside; our own ages of silent sources are no sign
                of life.
        """
        for reading in readings:
            if first_hand:
                self._youth.observe(reading, now_ns)
            if reading.metric in self._metrics:
                by = reading.labels.items()
                key = (reading.metric, reading.entity, *by)
                if key not in self._facts and len(self._facts) >= FACTS_MAX:
                    self._forget_facts(now_ns)
                if key in self._facts or len(self._facts) < FACTS_MAX:
                    self._facts[key] = reading
            if self._symptoms and reading.metric in self._carried:
                self._refresh(reading)

    def _forget_facts(self, now_ns: int) -> None:
        self._facts = {
            key: each
            for key, each in self._facts.items()
            if now_ns - each.ts_event_ns <= FACT_AGE_NS_MAX
        }

    def _refresh(self, reading: Reading) -> None:
        """Labels that move (`last_cpu`) follow the newest reading while a symptom is open."""
        by = self._by[reading.metric]
        for key, symptom in self._symptoms.items():
            labels = symptom.labels
            if (
                symptom.metric == reading.metric
                and symptom.entity == reading.entity
                and labels != reading.labels
                and labels.keys() == reading.labels.keys()
                and all(labels.get(each) == reading.labels.get(each) for each in by)
            ):
                self._symptoms[key] = msgspec.structs.replace(symptom, labels=reading.labels)

    def take(self, symptoms: Iterable[Symptom]) -> None:
        """Takes symptoms that began, grew or are over."""
        for symptom in symptoms:
            key = self.key(symptom)
            if not symptom.active:
                self._symptoms.pop(key, None)
            elif key in self._symptoms or len(self._symptoms) < SYMPTOMS_MAX:
                self._symptoms[key] = symptom

    def key(self, symptom: Symptom) -> tuple[object, ...]:
        """What makes a symptom the same one when it is told again."""
        return (
            symptom.detector,
            symptom.metric,
            symptom.entity,
            symptom.labels.get("burst"),
            *(symptom.labels.get(each) for each in self._by.get(symptom.metric, ())),
        )

    def conclude(self, now_ns: int) -> list[Diagnosis]:
        """What is to be told now: new faults, known ones that grew or are due, ended ones."""
        if not self._symptoms and not self._open:
            return []
        found: dict[str, list[Finding]] = {}
        told: list[Diagnosis] = []
        if self._symptoms:
            prompt = self._prompt(now_ns)
            for finding in self._held(self._reasoner.diagnose(prompt).findings, now_ns):
                found.setdefault(finding.hypothesis.culprit, []).append(finding)
            for culprit, findings in found.items():
                fresh = diagnosis_of(prompt, findings, self._reasoner.name)
                diagnosis = self._judge(culprit, fresh, now_ns)
                if diagnosis is not None:
                    told.append(msgspec.structs.replace(diagnosis, prompt=encode_prompt(prompt)))
        for culprit, known in list(self._open.items()):
            if culprit not in found and now_ns - known.found_ns >= LINGER_NS:
                del self._open[culprit]
                told.append(_ended(known.diagnosis, now_ns))
        return told

    def unexplained(self, now_ns: int, after_ns: int) -> tuple[Symptom, ...]:
        """Symptoms that are open for so long and that no told fault rests on."""
        told = {
            name
            for each in self._open.values()
            for hypothesis in each.diagnosis.hypotheses
            for name in hypothesis.evidence
        }
        return tuple(
            each
            for each in self.symptoms
            if f"{each.metric}@{each.entity}" not in told and now_ns - each.detected_ns >= after_ns
        )

    def _held(self, findings: Iterable[Finding], now_ns: int) -> list[Finding]:
        """Those that were found for long enough without a break."""
        since_ns: dict[tuple[str, str], int] = {}
        held = []
        for finding in findings:
            key = (finding.hypothesis.fault_class, finding.hypothesis.culprit)
            since_ns[key] = self._found_ns.get(key, now_ns)
            if now_ns - since_ns[key] >= finding.hold_s * 1e9:
                held.append(finding)
        self._found_ns = since_ns
        return held

    def _judge(self, culprit: str, fresh: Diagnosis, now_ns: int) -> Diagnosis | None:
        """The diagnosis if it is worth telling; None when it was told already."""
        known = self._open.get(culprit)
        if known is None:
            self.diagnoses += 1
        else:
            known.found_ns = now_ns
            quiet_ns = now_ns - known.told_ns
            grown = quiet_ns >= TOLD_AGAIN_NS and _weight(fresh) > _weight(known.diagnosis)
            if not grown and quiet_ns < REMINDER_NS:
                return None
        self._open[culprit] = _Open(diagnosis=fresh, told_ns=now_ns, found_ns=now_ns)
        return fresh

    def _prompt(self, now_ns: int) -> Prompt:
        symptoms = self.symptoms
        entities = tuple(sorted({each.entity for each in symptoms}))
        downstream = sorted(
            {below for each in entities for below in self._topology.downstream(each)}
        )
        self._forget_facts(now_ns)
        return Prompt(
            agent=self._spec.name,
            domain=self._spec.domain,
            window_start_ns=symptoms[0].onset_ns,
            window_end_ns=now_ns,
            symptoms=symptoms,
            anomalies=tuple(describe(each, now_ns) for each in symptoms),
            facts=tuple(
                Fact(
                    metric=each.metric,
                    entity=each.entity,
                    value=each.value,
                    labels=each.labels,
                    age_ns=max(now_ns - each.ts_event_ns, 0),
                )
                for each in self._facts.values()
            ),
            topology=self._topology.components,
            ages_ns=self._youth.ages_ns(now_ns),
            impact=Impact(entities=entities, downstream=tuple(downstream)),
        )


def diagnosis_of(prompt: Prompt, findings: Sequence[Finding], reasoner: str) -> Diagnosis:
    """What is told of the findings about one culprit; the question itself is not in it yet."""
    evidence = {name for each in findings for name in each.hypothesis.evidence}
    return Diagnosis(
        agent=prompt.agent,
        domain=prompt.domain,
        severity=min((each.severity for each in findings), key=_SEVERITIES.index),
        hypotheses=tuple(each.hypothesis for each in findings),
        proposals=tuple(each.proposal for each in findings if each.proposal is not None),
        symptoms=tuple(
            each for each in prompt.symptoms if f"{each.metric}@{each.entity}" in evidence
        ),
        reasoner=reasoner,
        made_ns=prompt.window_end_ns,
    )


def encode_prompt(prompt: Prompt) -> bytes:
    """The question's canonical bytes."""
    return msgspec.msgpack.encode(prompt, order="deterministic")


def _weight(diagnosis: Diagnosis) -> tuple[float, int]:
    """How much speaks for it: a diagnosis is told again when this grows."""
    return (diagnosis.hypotheses[0].confidence, len(diagnosis.hypotheses[0].evidence))


def _ended(diagnosis: Diagnosis, now_ns: int) -> Diagnosis:
    """The same fault, over: all of its symptoms are inactive."""
    return msgspec.structs.replace(
        diagnosis,
        symptoms=tuple(
            msgspec.structs.replace(each, active=False, detected_ns=now_ns)
            for each in diagnosis.symptoms
        ),
        made_ns=now_ns,
        prompt=b"",
    )
