"""Symptoms in, "restart it" out: the oldest remedy of all, whatever it is that looks unwell."""

from prunella.evaluation.arm.base import Surroundings
from prunella.healing.diagnose import AgentSpec
from prunella.healing.incident import Hypothesis, Proposal, Topology
from prunella.healing.loop import Agent
from prunella.healing.reason import Answer, Finding, Prompt

CONFIDENCE = 0.9


class Restarter:
    """Accuses every component that a symptom is about of having hung."""

    name = "restart-everything@1"

    def diagnose(self, prompt: Prompt) -> Answer:
        """One finding for each component with a symptom."""
        ours = {each.name for each in prompt.topology if each.kind == "process"}
        named = {
            each.labels.get("process") or each.labels.get("target") or each.entity: each
            for each in prompt.symptoms
        }
        return Answer(
            findings=tuple(
                Finding(
                    severity="high",
                    hypothesis=Hypothesis(
                        fault_class="process.hung",
                        culprit=name,
                        confidence=CONFIDENCE,
                        evidence=(f"{symptom.metric}@{symptom.entity}",),
                        rule="restart-everything",
                    ),
                    proposal=Proposal(
                        workflow="restart-with-warm-up", target=name, confidence=CONFIDENCE
                    ),
                )
                for name, symptom in sorted(named.items())
                if name in ours
            )
        )


def restart_agent(spec: AgentSpec, topology: Topology, _around: Surroundings) -> Agent:
    """The delivered agent's detectors, and one answer to all they see."""
    return Agent(spec, topology, Restarter())
