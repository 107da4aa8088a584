"""Heartbeats in; which agents' replicas there are, how well they do, and who is lost, out.

An agent of the settings is expected whether or not it was ever heard. A further replica registers
by its first heartbeat and is expected from then on, until it says that it leaves.
"""

from collections.abc import Iterator

import msgspec

from prunella.healing.incident import (
    Diagnosis,
    Heartbeat,
    Hypothesis,
    Proposal,
    Symptom,
    replicated,
)
from prunella.healing.loop.settings import LoopSettings
from prunella.telemetry import Reading

REPLICAS_MAX = 64
"""Names come from outside; the memory stays bounded."""


class ReplicaView(msgspec.Struct, frozen=True, kw_only=True):
    """One replica of an agent, as the plane sees it.

    Attributes:
        name: Such as `agent-cpu` or `agent-cpu.2`.
        agent: Of which agent, such as `agent-cpu`.
        state: `serving`, `mute` (its heartbeats stopped), `absent` (never heard) or `disabled`.
        health: 0 to 1: what it says of itself, less for late heartbeats, 0 when it does not serve.
        share: Which part of the components and processes it tells about, 0 to 1.
        age_s: Seconds since its last heartbeat; -1: never.
        series: How many series it looks at.
        told: How many faults it has told in this life.
        why: Why it is disabled.
    """

    name: str
    agent: str
    state: str
    health: float
    share: float
    age_s: float
    series: int
    told: int
    why: str = ""


class Registry:
    """All replicas of all agents.

    Args:
        settings: Who is expected, and how patiently.
        started_ns: When the plane began.
    """

    def __init__(self, settings: LoopSettings, started_ns: int) -> None:
        self._settings = settings
        self._started_ns = started_ns
        self._heard_ns: dict[str, int] = {}
        self._beats: dict[str, Heartbeat] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Everybody who is expected."""
        further = sorted(self._heard_ns.keys() - set(self._settings.agents))
        return (*self._settings.agents, *further)

    def hear(self, beat: Heartbeat, now_ns: int) -> None:
        """Takes a sign of life, or the word that a replica leaves."""
        name = beat.source
        expected = name in self._settings.agents
        if replicated(name) not in self._settings.agents:
            return
        if beat.leaving and not expected:
            self._heard_ns.pop(name, None)
            self._beats.pop(name, None)
        elif name in self._heard_ns or expected or len(self._heard_ns) < REPLICAS_MAX:
            self._heard_ns[name] = now_ns
            self._beats[name] = beat

    def ages_s(self, now_ns: int) -> dict[str, float]:
        """Seconds since each was heard; -1: never."""
        return {
            name: (now_ns - self._heard_ns[name]) / 1e9 if name in self._heard_ns else -1.0
            for name in self.names
        }

    def readings(self, now_ns: int) -> Iterator[Reading]:
        """How long ago each was heard, as readings."""
        for name in self.names:
            yield Reading(
                metric="agent_heartbeat_age_seconds",
                entity=name,
                value=self._age_ns(name, now_ns) / 1e9,
                ts_event_ns=now_ns,
                ts_init_ns=now_ns,
            )

    def lost(self, now_ns: int) -> Iterator[Diagnosis]:
        """A mute replica is a fault of its own."""
        for name in self.names:
            age_ns = self._age_ns(name, now_ns)
            if age_ns > self._settings.heartbeat_age_ns_max:
                yield _lost(name, now_ns - age_ns, self._settings, now_ns)

    def views(self, now_ns: int, disabled: dict[str, str]) -> tuple[ReplicaView, ...]:
        """Everybody for people; `disabled` says who is, and why."""
        ages = self.ages_s(now_ns)
        return tuple(self._view(name, ages[name], disabled.get(name)) for name in self.names)

    def _view(self, name: str, age_s: float, why: str | None) -> ReplicaView:
        beat = self._beats.get(name)
        mute_s = self._settings.heartbeat_age_ns_max / 1e9
        if why is not None:
            state = "disabled"
        elif beat is None:
            state = "absent"
        else:
            state = "serving" if age_s <= mute_s else "mute"
        serving = state == "serving" and beat is not None
        # Heartbeats come twice a second: a second is not late yet.
        punctual = min(1.0, max(0.0, (mute_s - age_s) / (mute_s - 1.0)))
        return ReplicaView(
            name=name,
            agent=replicated(name),
            state=state,
            health=beat.health * punctual if serving and beat else 0.0,
            share=beat.share if serving and beat else 0.0,
            age_s=age_s,
            series=beat.series if beat else 0,
            told=beat.told if beat else 0,
            why=why or "",
        )

    def _age_ns(self, name: str, now_ns: int) -> int:
        heard_ns = self._heard_ns.get(name, self._started_ns + self._settings.grace_ns)
        return max(0, now_ns - heard_ns)


def _lost(agent: str, heard_ns: int, settings: LoopSettings, now_ns: int) -> Diagnosis:
    """The diagnosis of a mute agent, which the plane makes itself."""
    age_ns = now_ns - heard_ns
    symptom = Symptom(
        domain="execution",
        detector="heartbeat",
        metric="agent_heartbeat_age_seconds",
        entity=agent,
        kind="silence",
        score=age_ns / settings.heartbeat_age_ns_max,
        value=age_ns / 1e9,
        expected=0.5,
        onset_ns=heard_ns,
        detected_ns=now_ns,
    )
    proposal = Proposal(workflow="restart-with-warm-up", target=agent, confidence=0.95)
    return _own(symptom, "agent.lost", 0.95, "heartbeat", (proposal,))


def unreliable(agent: str, now_ns: int) -> Diagnosis:
    """The diagnosis of a replica that was set aside: a person has to look at it."""
    symptom = Symptom(
        domain="execution",
        detector="agent_supervisor",
        metric="agent_disabled",
        entity=agent,
        kind="error_burst",
        score=1.0,
        value=1.0,
        expected=0.0,
        onset_ns=now_ns,
        detected_ns=now_ns,
    )
    return _own(symptom, "agent.unreliable", 0.9, "agent_supervisor", ())


def _own(
    symptom: Symptom,
    fault_class: str,
    confidence: float,
    rule: str,
    proposals: tuple[Proposal, ...],
) -> Diagnosis:
    """What the plane itself says of the agent that the symptom is about."""
    return Diagnosis(
        agent="healing",
        domain="execution",
        severity="medium",
        hypotheses=(
            Hypothesis(
                fault_class=fault_class,
                culprit=symptom.entity,
                confidence=confidence,
                evidence=(f"{symptom.metric}@{symptom.entity}",),
                rule=rule,
            ),
        ),
        proposals=proposals,
        symptoms=(symptom,),
        reasoner=f"{rule}@1",
        made_ns=symptom.detected_ns,
    )
