"""A prompt in, an answer out: the only door to whoever reasons, an expert or a language model.

Both get the same `Prompt` and give the same `Answer`; neither can do more than name a workflow.
"""

from prunella.healing.reason.base import Answer, Finding, Reasoner
from prunella.healing.reason.expert import Expert
from prunella.healing.reason.knowledge import Knowledge, Rule, load_knowledge
from prunella.healing.reason.prompt import Anomaly, Fact, Impact, Precedent, Prompt

__all__ = [
    "Anomaly",
    "Answer",
    "Expert",
    "Fact",
    "Finding",
    "Impact",
    "Knowledge",
    "Precedent",
    "Prompt",
    "Reasoner",
    "Rule",
    "load_knowledge",
]
