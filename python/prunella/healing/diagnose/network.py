"""The network agent: which venue or process has fallen silent."""

from prunella.healing.diagnose.base import AgentSpec
from prunella.healing.incident import Watch

AGENT = AgentSpec(
    domain="network",
    watches=(
        # A silent channel is asked for a pong after 100 ms and the engine's own reflex acts at
        # 250 ms; twice that is no hiccup, and leaves half of the second for the rest.
        Watch(
            detector="overdue",
            metric="venue_feed_age_seconds",
            by=("venue",),
            options={"limit_s": 0.5, "clear_s": 1.5},
        ),
        Watch(
            detector="stall",
            metric="venue_frames_total",
            by=("venue",),
            options={"limit_s": 1.0, "clear_s": 1.0},
        ),
        # What the engine says is wrong with a venue; each of these is over in a moment, or is not.
        Watch(
            detector="saturation",
            metric="venue_health_reason",
            by=("venue", "reason"),
            options={"limit": 1.0, "tau_s": 0.001, "sustain_s": 0.4, "clear_s": 2.0},
        ),
        # A lost scrape happens under load; four in a row do not.
        Watch(
            detector="absence",
            metric="scrape_up",
            by=("target",),
            options={"misses": 4, "clear_s": 0.2},
        ),
    ),
)
