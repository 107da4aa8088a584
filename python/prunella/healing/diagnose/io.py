"""The I/O agent: watches disks, pressure and the journal; it has no rules yet and reports."""

from prunella.healing.diagnose.base import AgentSpec
from prunella.healing.incident import Watch

AGENT = AgentSpec(
    domain="io",
    watches=(
        Watch(
            detector="saturation",
            metric="host_disk_busy_ratio",
            by=("device",),
            options={"limit": 0.95, "tau_s": 1.0, "sustain_s": 2.0},
        ),
        Watch(
            detector="saturation",
            metric="host_pressure_some_ratio",
            by=("resource",),
            options={"limit": 0.5, "tau_s": 1.0, "sustain_s": 2.0},
        ),
        Watch(
            detector="spike",
            metric="host_disk_await_seconds",
            by=("device",),
            options={"floor": 0.1, "scale_min": 0.005},
        ),
        Watch(detector="stall", metric="journal_entries_total", options={"limit_s": 2.0}),
    ),
)
