"""Nothing in; the way of an order through five processes, hop by hop, printed.

A stack trades over two simulated exchanges; everything but trading is stopped. Each order that a
market frame caused is timed from the frame's bytes in the market process to the order's bytes in
the execution process, on the clock that all processes of a host share. Goal: 150 µs at the median.

    python bench/split.py [ORDERS]
"""

import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from prunella.cli.stack import free_port_base, prepare, start
from prunella.config import Settings, StackSettings, save
from prunella.evaluation.bench import Latency, describe_machine
from prunella.evaluation.stack import RunningStack
from prunella.values import Home

ORDERS = 300
GOAL = "≤ 150 µs"


def figures(*, quick: bool) -> Iterable[Latency]:
    """The figures for `prunella bench`."""
    return _figures(measure(20 if quick else ORDERS))


def measure(orders: int) -> dict[str, Any]:
    """The execution process's status after so many orders that frames caused."""
    with tempfile.TemporaryDirectory(prefix="prunella-") as folder:
        home = Home(Path(folder)).create()
        settings = Settings(stack=StackSettings(port_base=free_port_base()))
        trading = msgspec.structs.replace(settings.trading, topology="split")
        settings = msgspec.structs.replace(settings, trading=trading)
        save(settings, home.settings)
        prepare(home)
        stack = start(home, settings, lambda *_: None)
        try:
            stack.leave_trading_alone()
            stack.wait(lambda: _timed(stack) >= orders, f"{orders} orders", timeout_s=300)
            return _page(stack)
        finally:
            stack.close()
            stack.supervisor.stop()


def _page(stack: RunningStack) -> dict[str, Any]:
    found: dict[str, Any] | None = stack.get("execution", "/status")
    return found or {}


def _timed(stack: RunningStack) -> int:
    """Orders that frames caused so far."""
    page = _page(stack)
    return int(page["stage"]["hops"]["execution"]["count"]) if page else 0


def _figures(page: dict[str, Any]) -> Iterator[Latency]:
    """The whole way, and each process's part of it."""
    hops = page["stage"]["hops"]
    whole = page["latency_us"]["tick_to_order"] | {"count": hops["execution"]["count"]}
    yield _latency("tick to order over five processes", whole, GOAL)
    for hop, found in hops.items():
        yield _latency(f"until {hop} has sent", found, "")


def _latency(name: str, found: dict[str, float], goal: str) -> Latency:
    """A histogram's percentiles, each within 3 %."""
    return Latency(
        name=name,
        goal=goal,
        count=int(found["count"]),
        p50_us=found["p50"],
        p99_us=found["p99"],
        p999_us=found["p999"],
        max_us=found["max"],
    )


def main() -> None:
    """Measures and prints."""
    print(describe_machine())
    for figure in _figures(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ORDERS)):
        print(figure)


if __name__ == "__main__":
    main()
