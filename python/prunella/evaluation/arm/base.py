"""`Arm`: how the healing plane is assembled for one column of the comparison."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from prunella.healing.diagnose import AgentSpec
from prunella.healing.incident import Topology
from prunella.healing.loop import Agent


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What an arm's agents are told beyond what every agent is told.

    Attributes:
        seed: For an arm that draws lots.
        truth: The door through which an informed arm hears what was injected; no other process
            is told where it is.
    """

    seed: int = 0
    truth: Path | None = None


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One way to judge and act. Policy, signatures and the ledger are the same for all of them.

    Attributes:
        name: Catalogue name.
        title: For tables.
        acts: Whether the healing plane may act; else it watches, diagnoses and writes down.
        agent: Makes one domain's agent; None: the agent that is delivered.
        naive: Whether workflows run without looking first whether the fault is there.
        informed: Whether it is told what was injected.
        model: What a scripted language model, asked over a real socket, answers: one behaviour
            after the other; none: no model is configured.
    """

    name: str
    title: str
    acts: bool = True
    agent: Callable[[AgentSpec, Topology, Surroundings], Agent] | None = None
    naive: bool = False
    informed: bool = False
    model: tuple[str, ...] = ()
