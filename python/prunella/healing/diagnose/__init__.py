"""Symptoms in, diagnoses out: five domain agents that advise and cannot act.

An agent is data: what it looks at (`AGENTS`) and its knowledge (`reason/knowledge/`). A
`Diagnostician` gives that data a memory: which symptoms are open and which faults were told.
Does not: detect (readings become symptoms in `detect`), decide, or act.
"""

from prunella.healing.diagnose.base import AgentSpec
from prunella.healing.diagnose.catalogue import AGENTS
from prunella.healing.diagnose.diagnostician import Diagnostician
from prunella.healing.diagnose.means import Means
from prunella.healing.diagnose.sources import SourceAges

__all__ = ["AGENTS", "AgentSpec", "Diagnostician", "Means", "SourceAges"]
