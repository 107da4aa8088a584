"""Nothing in; how soon after the kill switch the last order left, over real processes, printed.

A stack of two exchanges and the engine trades; the healing plane and everything else is stopped
before each measurement. Time runs from just before the command is sent to the engine's journal
entry of it; the replay of the journal proves that no later entry made an order. Goal: 5 ms.

    python bench/kill_switch.py [TRIES]
"""

import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from prunella.cli.clock import SystemClock
from prunella.cli.operate import tell_engine
from prunella.cli.stack import free_port_base, prepare, start
from prunella.config import Settings, StackSettings, save
from prunella.control import Kill, Resume
from prunella.evaluation.bench import Latency, describe_machine, latency
from prunella.evaluation.stack import RunningStack
from prunella.trading.engine import replay
from prunella.values import Home

TRIES = 20


def trading(stack: RunningStack, since: int) -> bool:
    """Whether orders were sent beyond `since`."""
    return sent(stack) > since


def sent(stack: RunningStack) -> int:
    """Orders sent so far."""
    venues = (stack.get("engine", "/status") or {"venues": {}})["venues"].values()
    return sum(venue["orders_submitted"] for venue in venues)


def figures(*, quick: bool) -> Iterable[Latency]:
    """The figure for `prunella bench`."""
    taken, _, _ = measure(3 if quick else TRIES)
    yield latency("kill to journal entry", taken, goal="≤ 5 ms")


def measure(tries: int) -> tuple[list[int], int, int]:
    """How long each kill took; the entry of the last one, and that of the last order."""
    clock = SystemClock()
    taken = []
    with tempfile.TemporaryDirectory(prefix="prunella-") as folder:
        home = Home(Path(folder)).create()
        settings = Settings(stack=StackSettings(port_base=free_port_base()))
        save(settings, home.settings)
        prepare(home)
        stack = start(home, settings, lambda *_: None)
        try:
            stack.leave_trading_alone()
            for _ in range(tries):
                before = sent(stack)
                stack.wait(lambda seen=before: trading(stack, seen), "an order", timeout_s=30)  # type: ignore[misc]
                asked_ns = clock.now_ns()
                reply = tell_engine(home, Kill(), actor="bench", reason="bench")
                taken.append(reply.at_ns - asked_ns)
                tell_engine(home, Resume(), actor="bench", reason="bench")
            last = tell_engine(home, Kill(), actor="bench", reason="bench")
            stack.supervisor.stop_process("engine")
            replayed = replay(home.engine_journal)
        finally:
            stack.close()
            stack.supervisor.stop()
    return taken, last.seq, replayed["last_order_seq"]


def main() -> None:
    """Prints the figures."""
    taken, kill_seq, order_seq = measure(int(sys.argv[1]) if sys.argv[1:] else TRIES)
    print(describe_machine())
    print(latency("kill to journal entry", taken, goal="≤ 5 ms"))
    print(
        f"last kill at entry {kill_seq}, last order at entry {order_seq}: "
        f"{'no order after it' if order_seq < kill_seq else 'AN ORDER AFTER IT'}"
    )


if __name__ == "__main__":
    main()
