"""What the healing plane is told at start: the stack, its agents, and how patient to be."""

import msgspec

from prunella.healing.decide import DecideSettings
from prunella.healing.incident import Component


class LoopSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the orchestrator.

    Attributes:
        components: The topology.
        venues: Component name by venue name, the preferred venue first.
        agents: Agents whose heartbeats are expected.
        decide: How much the plane may do by itself.
        independent_classes: Faults that no other fault explains: a dead process stays dead
            whatever its surroundings do, so it is always an incident of its own.
        settle_ns: How long advice from other agents is waited for before deciding; faults of an
            independent class are decided at once.
        heartbeat_age_ns_max: An agent that is mute for longer is lost.
        deaf_ns: When nothing at all came over the bus for so long, the bus (or we) must be at
            fault, and no agent is accused.
        grace_ns: After the start, how long agents may take to appear.
        straggler_ns: How long after its end an incident takes in late evidence of itself.
        reopen_ns: A cause that is back so soon was not cured: the incident is reopened.
        reopens_max: How often.
        suppressed_quiet_ns: How long a suppressed incident's fault must be gone to be over.
        escalated_quiet_ns: The same for an escalated one.
    """

    components: tuple[Component, ...]
    venues: dict[str, str]
    agents: tuple[str, ...] = ()
    decide: DecideSettings = msgspec.field(default_factory=DecideSettings)
    independent_classes: tuple[str, ...] = ("process.crashed", "agent.lost")
    settle_ns: int = 200_000_000
    heartbeat_age_ns_max: int = 2_000_000_000
    deaf_ns: int = 1_000_000_000
    grace_ns: int = 5_000_000_000
    straggler_ns: int = 30_000_000_000
    reopen_ns: int = 10_000_000_000
    reopens_max: int = 1
    suppressed_quiet_ns: int = 3_000_000_000
    escalated_quiet_ns: int = 10_000_000_000


def local_stack(stages: tuple[str, ...] = ()) -> LoopSettings:
    """The stack that `prunella up` runs: two venues, the engine, the watcher and five agents.

    Args:
        stages: The processes that the engine trades through, where it is not all of them itself.
    """
    agents = tuple(f"agent-{each}" for each in ("cpu", "network", "io", "execution", "http"))
    return LoopSettings(
        components=(
            Component(name="host", kind="host"),
            Component(name="bus", kind="process", depends_on=("host",)),
            Component(name="exchange-primary", kind="venue", depends_on=("host",)),
            Component(name="exchange-backup", kind="venue", depends_on=("host",)),
            Component(
                name="engine",
                kind="process",
                depends_on=("host", "exchange-primary", "exchange-backup", *stages),
            ),
            *(Component(name=each, kind="process", depends_on=("host",)) for each in stages),
            Component(name="monitor", kind="process", depends_on=("host", "engine")),
            Component(name="watch", kind="process", depends_on=("host", "bus")),
            Component(name="healing", kind="process", depends_on=("host", "bus")),
            *(Component(name=each, kind="process", depends_on=("host", "bus")) for each in agents),
        ),
        venues={"primary": "exchange-primary", "backup": "exchange-backup"},
        agents=agents,
    )
