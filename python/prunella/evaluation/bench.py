"""Recorded sessions in; how fast the core is on this machine out, with p50, p99, p99.9 and maximum.

Figures depend on the machine and on what else runs there, so they are printed and never tested.
"""

import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from prunella.journal import JournalWriter
from prunella.trading.engine import measure_session, replay
from prunella.trading.execution import VenueLimits
from prunella.trading.runtime import TradingSettings
from prunella.trading.strategy import MarketMaker
from prunella.values import Clock

RUNS = 3
"""More orders than one session gives, so that p99.9 is more than one value."""
APPENDS = 200_000
FRAME_BYTES = 200
"""A typical market frame."""

# A quote follows every move of the price, so that as many frames as can cause an order.
SETTINGS = TradingSettings(
    venues={"primary": VenueLimits(order_rate_per_second=100_000, stale_after_ms=60_000)},
    strategies={
        "maker": MarketMaker(quantity="0.01", half_spread_ppm=8, skew_ppm=20, requote_ppm=0)
    },
)


class Latency(msgspec.Struct, frozen=True, kw_only=True, tag="latency"):
    """Durations in microseconds, of how many; `system` is whose, where peers stand beside."""

    name: str
    goal: str
    count: int
    p50_us: float
    p99_us: float
    p999_us: float
    max_us: float
    system: str = "prunella"

    def __str__(self) -> str:
        """One line for a terminal."""
        return (
            f"{self.name}: p50 {self.p50_us:.2f}  p99 {self.p99_us:.2f}  p99.9 {self.p999_us:.2f}  "
            f"max {self.max_us:.1f} µs  ({self.count:,} values)"
            + (f"  goal {self.goal}" if self.goal else "")
        )


class Rate(msgspec.Struct, frozen=True, kw_only=True, tag="rate"):
    """How many a second; `system` is whose."""

    name: str
    goal: str
    per_second: float
    system: str = "prunella"


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured, and where."""

    machine: str
    latencies: tuple[Latency, ...]
    rates: tuple[Rate, ...]


def measure(recordings: Sequence[str], clock: Clock) -> Figures:
    """Measures tick-to-order, replay and journal.

    Args:
        recordings: Recorded sessions of one market, one after the other.
        clock: The time.

    Raises:
        RecordingError: A file is missing, damaged or no recording; trying again cannot help.
    """
    config = SETTINGS.core()
    runs = [measure_session(recordings, config=config) for _ in range(RUNS)]
    orders = [value for run in runs for value in run.orders_ns]
    frames = [value for run in runs for value in run.frames_ns]
    with tempfile.TemporaryDirectory(prefix="prunella-bench-") as folder:
        journal = Path(folder, "journal")
        journal.mkdir()
        measure_session(recordings, config=config, journal=journal)
        replayed = max(replay(journal)["frames_per_second"] for _ in range(RUNS))
        appends = _appends(Path(folder, "appends"), clock)
    return Figures(
        machine=describe_machine(),
        latencies=(
            latency("tick to order", orders, goal="p50 ≤ 5 µs, p99 ≤ 20 µs"),
            latency("every frame", frames),
            latency("journal append from Python, 200 bytes", appends),
        ),
        rates=(Rate(name="replay, frames", goal="≥ 500,000/s", per_second=replayed),),
    )


def latency(
    name: str, values_ns: Sequence[int], *, goal: str = "", system: str = "prunella"
) -> Latency:
    """Percentiles of durations in nanoseconds.

    Example:
        >>> latency("x", [1_000, 2_000, 3_000]).p50_us
        2.0
    """
    ordered = sorted(values_ns)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1_000

    return Latency(
        name=name,
        goal=goal,
        count=len(ordered),
        p50_us=at(0.5),
        p99_us=at(0.99),
        p999_us=at(0.999),
        max_us=ordered[-1] / 1_000,
        system=system,
    )


def describe_machine() -> str:
    """Processor, count, kernel and load; a figure without these says nothing."""
    info = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    models = [
        line.split(":", 1)[1].strip() for line in info.splitlines() if line.startswith("model name")
    ]
    return (
        f"{models[0] if models else platform.machine()}, {os.cpu_count()} processors, "
        f"{platform.system()} {platform.release()}, load {os.getloadavg()[0]:.1f}"
    )


def _appends(folder: Path, clock: Clock) -> list[int]:
    """How long each append took, nanoseconds."""
    folder.mkdir()
    writer = JournalWriter(folder)
    payload = bytes(FRAME_BYTES)
    taken = []
    for number in range(APPENDS):
        began_ns = clock.monotonic_ns()
        writer.append(number, 1, payload)
        taken.append(clock.monotonic_ns() - began_ns)
    writer.close()
    return taken
