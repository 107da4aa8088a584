"""The injector's truth in, the right diagnosis and the right remedy out: what could be had at best.

It validates the catalogue and the scorer: a fault that even the oracle cannot cure is no fault to
judge anybody by. It exists in evaluation alone; its door is a file that only its own process is
told of, and nothing that is delivered can read it.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from prunella.evaluation.arm.base import Surroundings
from prunella.healing.diagnose import AgentSpec
from prunella.healing.incident import Diagnosis, Hypothesis, Proposal, Symptom, Topology
from prunella.healing.loop import Agent
from prunella.telemetry import Reading, Readings

REPEATED_NS = 500_000_000


class Revelation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an informed arm is told of an injection.

    Attributes:
        target: Whom the remedy acts on.
        workflows: The remedies that are right.
    """

    fault_class: str
    culprit: str
    target: str
    workflows: tuple[str, ...]
    effective_ns: int


def reveal(path: Path, revelation: Revelation | None) -> None:
    """Tells what is so now; None: nothing is wrong any more."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(revelation))
    fresh.replace(path)


class Oracle(Agent):
    """An agent that looks at no reading."""

    def __init__(self, spec: AgentSpec, topology: Topology, truth: Path) -> None:
        super().__init__(spec, topology)
        self._truth = truth
        self._told_ns = 0
        self._open: Diagnosis | None = None

    def observe(self, batch: Readings, now_ns: int) -> None:  # noqa: ARG002 - it knows already
        """Counts the readings and looks away."""
        self.readings += len(batch.items)

    def _look(self, readings: Iterable[Reading], now_ns: int, *, first_hand: bool) -> None:
        """Sees nothing."""

    def tick(self, now_ns: int) -> list[Diagnosis]:
        """The truth, every half second as long as it is so; once more, as over, when it is not."""
        known = self._revelation()
        if known is None:
            ended, self._open = self._open, None
            return [] if ended is None else [_over(ended, now_ns)]
        if self._open is not None and now_ns - self._told_ns < REPEATED_NS:
            return []
        self._told_ns = now_ns
        self._open = _diagnosis(self.spec, known, now_ns)
        return [self._open]

    def _revelation(self) -> Revelation | None:
        try:
            return msgspec.json.decode(self._truth.read_bytes(), type=Revelation | None)
        except (OSError, msgspec.DecodeError):
            return None


def _diagnosis(spec: AgentSpec, known: Revelation, now_ns: int) -> Diagnosis:
    symptom = Symptom(
        domain=spec.domain,
        detector="oracle",
        metric="truth",
        entity=known.culprit,
        kind="absence",
        score=1.0,
        value=1.0,
        expected=0.0,
        onset_ns=known.effective_ns,
        detected_ns=now_ns,
    )
    return Diagnosis(
        agent=spec.name,
        domain=spec.domain,
        severity="critical",
        hypotheses=(
            Hypothesis(
                fault_class=known.fault_class,
                culprit=known.culprit,
                confidence=1.0,
                evidence=(f"truth@{known.culprit}",),
                rule="oracle",
            ),
        ),
        proposals=tuple(
            Proposal(workflow=each, target=known.target, confidence=1.0) for each in known.workflows
        ),
        symptoms=(symptom,),
        reasoner="oracle@1",
        made_ns=now_ns,
    )


def _over(diagnosis: Diagnosis, now_ns: int) -> Diagnosis:
    symptoms = tuple(
        msgspec.structs.replace(each, active=False, detected_ns=now_ns)
        for each in diagnosis.symptoms
    )
    return msgspec.structs.replace(diagnosis, symptoms=symptoms, made_ns=now_ns)


class Mute(Oracle):
    """An agent that says nothing but that it is alive."""

    def tick(self, now_ns: int) -> list[Diagnosis]:  # noqa: ARG002
        """Nothing."""
        return []


def oracle_agent(spec: AgentSpec, topology: Topology, around: Surroundings) -> Agent:
    """One oracle is enough; the other agents keep silent."""
    if around.truth is None:
        raise ValueError("the oracle needs the door to the truth")
    chosen = Oracle if spec.domain == "execution" else Mute
    return chosen(spec, topology, around.truth)
