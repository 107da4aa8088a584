"""A prompt in, an answer out: the only door to whoever reasons, an expert or a language model.

Both get the same `Prompt` and give the same `Answer`; neither can do more than name a workflow.
"""

from prunella.healing.reason.base import Answer, Finding, Reasoner
from prunella.healing.reason.brief import Brief, Writer
from prunella.healing.reason.expert import Expert
from prunella.healing.reason.gateway import Consultation, Gateway
from prunella.healing.reason.keys import load_key
from prunella.healing.reason.knowledge import Knowledge, Rule, load_knowledge, whole_knowledge
from prunella.healing.reason.prompt import (
    Anomaly,
    Fact,
    Impact,
    Note,
    Option,
    Precedent,
    Prompt,
    View,
)
from prunella.healing.reason.redact import Redactor, without_secrets
from prunella.healing.reason.settings import EndpointSettings, ReasonSettings
from prunella.healing.reason.vocabulary import Vocabulary, own_words

__all__ = [
    "Anomaly",
    "Answer",
    "Brief",
    "Consultation",
    "EndpointSettings",
    "Expert",
    "Fact",
    "Finding",
    "Gateway",
    "Impact",
    "Knowledge",
    "Note",
    "Option",
    "Precedent",
    "Prompt",
    "ReasonSettings",
    "Reasoner",
    "Redactor",
    "Rule",
    "View",
    "Vocabulary",
    "Writer",
    "load_key",
    "load_knowledge",
    "own_words",
    "whole_knowledge",
    "without_secrets",
]
