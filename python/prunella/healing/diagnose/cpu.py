"""The CPU agent: which processes are gone or stopped, and who makes whom wait for a processor."""

from prunella.healing.diagnose.base import AgentSpec
from prunella.healing.incident import Watch

AGENT = AgentSpec(
    domain="cpu",
    watches=(
        # From the list of processes itself: one reading is a fact.
        Watch(detector="absence", metric="process_up", by=("process",), options={"misses": 1}),
        # A debugger stops a process for a moment; three rounds are no moment.
        Watch(
            detector="saturation",
            metric="process_state_stopped",
            options={"limit": 1.0, "tau_s": 0.001, "sustain_s": 0.2, "clear_s": 0.3},
        ),
        # Two busy neighbours that share a processor have half each. The collector averages over
        # half a second already, so there is little left to smooth.
        Watch(
            detector="saturation",
            metric="process_cpu_ratio",
            by=("start_ticks",),
            entities=("pid:*",),
            options={"limit": 0.45, "tau_s": 0.05},
        ),
        # The engine's hot thread sleeps most of the time. Waiting for a tenth of the time
        # more than usual is what one pinned stranger of plain priority costs it (measured: 0.12 to
        # 0.16; a greedy one: 0.7); a compiler that passes by costs less.
        Watch(
            detector="shift",
            metric="process_run_delay_ratio",
            by=("thread",),
            entities=("engine",),
            options={"rise_min": 0.1, "certain": 0.5, "scale_min": 0.008, "tau_s": 0.05},
        ),
    ),
)
