"""Nothing in; a line that says on which machine and how busy it is out."""

import os
import platform
from pathlib import Path


def describe() -> str:
    """Processor, count, kernel and load; a figure without these says nothing."""
    info = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    models = [
        line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")
    ]
    load = os.getloadavg()[0]
    return (
        f"{models[0] if models else platform.machine()}, {os.cpu_count()} processors, "
        f"{platform.system()} {platform.release()}, load {load:.1f}"
    )


def percentiles(values_ns: tuple[int, ...]) -> str:
    """p50, p99, p99.9 and maximum of durations, in microseconds."""
    ordered = sorted(values_ns)
    if not ordered:
        return "nothing measured"

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1_000

    return (
        f"p50 {at(0.5):8.2f}   p99 {at(0.99):8.2f}   p99.9 {at(0.999):8.2f}   "
        f"max {ordered[-1] / 1_000:10.2f} µs   ({len(ordered)} values)"
    )
