"""The execution agent: is the engine doing its work, and is the healing plane itself alive."""

from prunella.healing.diagnose.base import AgentSpec
from prunella.healing.incident import Watch

AGENT = AgentSpec(
    domain="execution",
    hears_heartbeats=True,
    watches=(
        # Two heartbeats a second; three in a row are not lost by chance.
        Watch(
            detector="overdue",
            metric="heartbeat_age_seconds",
            options={"limit_s": 1.6, "count_min": 2, "clear_s": 0.2},
        ),
        # Ten rounds a second.
        Watch(
            detector="overdue",
            metric="telemetry_age_seconds",
            options={"limit_s": 0.8, "count_min": 2, "clear_s": 0.2},
        ),
        Watch(
            detector="spike",
            metric="hot_loop_lag_seconds",
            options={"floor": 0.05, "scale_min": 0.002},
        ),
    ),
)
