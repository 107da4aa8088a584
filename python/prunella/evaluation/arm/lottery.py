"""Symptoms in, an accusation and a remedy drawn by lot out: what luck alone is worth."""

import random

from prunella.evaluation.arm.base import Surroundings
from prunella.healing.diagnose import AgentSpec
from prunella.healing.incident import Hypothesis, Proposal, Topology
from prunella.healing.loop import Agent
from prunella.healing.reason import Answer, Finding, Prompt
from prunella.healing.remediate import load_catalogue

REDRAWN_NS = 5_000_000_000
"""How long a lot is kept: an agent that changed its mind twenty times a second would only fill the
ledger."""


class Lots:
    """Accuses anybody of anything that some workflow cures, and proposes that workflow."""

    name = "random@1"

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a lottery, not a secret
        self._workflows = tuple(load_catalogue().values())
        self._drawn_ns = 0
        self._answer = Answer()

    def diagnose(self, prompt: Prompt) -> Answer:
        """One finding."""
        if not self._answer.findings or prompt.window_end_ns - self._drawn_ns > REDRAWN_NS:
            self._drawn_ns = prompt.window_end_ns
            self._answer = self._draw(prompt)
        return self._answer

    def _draw(self, prompt: Prompt) -> Answer:
        workflow = self._random.choice(self._workflows)
        suspects = {each.name for each in prompt.topology} | {e.entity for e in prompt.symptoms}
        culprit = self._random.choice(sorted(suspects))
        confidence = self._random.uniform(0.6, 1.0)
        evidence = prompt.symptoms[0]
        return Answer(
            findings=(
                Finding(
                    severity="high",
                    hypothesis=Hypothesis(
                        fault_class=self._random.choice(workflow.causes),
                        culprit=culprit,
                        confidence=confidence,
                        evidence=(f"{evidence.metric}@{evidence.entity}",),
                        rule="lot",
                    ),
                    proposal=Proposal(
                        workflow=workflow.name, target=culprit, confidence=confidence
                    ),
                ),
            )
        )


def random_agent(spec: AgentSpec, topology: Topology, around: Surroundings) -> Agent:
    """The delivered agent's detectors, and a lottery in place of its expert."""
    return Agent(spec, topology, Lots(around.seed ^ sum(spec.name.encode())))
