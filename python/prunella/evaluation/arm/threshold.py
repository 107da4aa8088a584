"""Readings in, an alarm when one figure is beyond its fixed limit out: how most plants are watched.

Each domain has a list of rules of the kind that monitoring is usually set up with: one figure, one
limit, one length of time, one action. No history, no second figure, no topology.
"""

from importlib.resources import files

import msgspec

from prunella.evaluation.arm.base import Surroundings
from prunella.healing.diagnose import AgentSpec
from prunella.healing.incident import Topology, Watch
from prunella.healing.loop import Agent
from prunella.healing.reason import Expert
from prunella.healing.reason.knowledge import parse_knowledge
from prunella.telemetry import Domain

_WATCHES: dict[Domain, tuple[Watch, ...]] = {
    "cpu": (
        Watch(detector="absence", metric="process_up", by=("process",), options={"misses": 30}),
        Watch(
            detector="saturation",
            metric="process_cpu_ratio",
            by=("start_ticks",),
            entities=("pid:*",),
            options={"limit": 0.8, "tau_s": 0.5, "sustain_s": 3.0},
        ),
    ),
    "network": (
        Watch(
            detector="overdue",
            metric="venue_feed_age_seconds",
            by=("venue",),
            options={"limit_s": 3.0},
        ),
        Watch(detector="absence", metric="scrape_up", by=("target",), options={"misses": 30}),
    ),
    "http": (
        Watch(
            detector="error_burst",
            metric="order_requests_total",
            by=("venue",),
            options={
                "name": "overload",
                "failures": ("throttled", "server_error", "timeout"),
                "share": 0.5,
                "failures_min": 10,
            },
        ),
    ),
    "execution": (
        Watch(detector="overdue", metric="heartbeat_age_seconds", options={"limit_s": 5.0}),
    ),
    "io": (
        Watch(
            detector="saturation",
            metric="host_disk_busy_ratio",
            by=("device",),
            options={"limit": 0.9, "tau_s": 1.0, "sustain_s": 5.0},
        ),
    ),
}


def threshold_agent(spec: AgentSpec, topology: Topology, _around: Surroundings) -> Agent:
    """An agent with these watches, and rules of one symptom each."""
    fixed = msgspec.structs.replace(spec, watches=_WATCHES.get(spec.domain, ()))
    path = files("prunella.evaluation.arm") / "thresholds" / f"{spec.domain}.toml"
    knowledge = parse_knowledge(path.read_text(encoding="utf-8"), source=path.name)
    return Agent(fixed, topology, Expert(knowledge))
