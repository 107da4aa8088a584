"""A real strategy process for tests: a person's file, hosted beside a running engine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from engine_process import Engine
from exchange_process import free_port
from prunella.trading.strategy import PythonStrategy
from prunella.values import Home


@contextmanager
def running(
    engine: Engine, name: str, settings: PythonStrategy
) -> Iterator["subprocess.Popen[bytes]"]:
    """The strategy's process; killed at the end of the block if it still runs."""
    file = engine.home.root / f"{name}.json"
    file.write_bytes(msgspec.json.encode(settings))
    command = [sys.executable, __file__, str(engine.home.root), name, str(free_port())]
    with engine.home.log(name).open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


class _SystemClock:
    """The operating system's clock: this file is a command line of its own."""

    def now_ns(self) -> int:
        return time.time_ns()  # noqa: TID251 - the one real clock of this process

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


def _main() -> None:
    from prunella.trading.runtime.hosting import StrategyHost  # noqa: PLC0415 - the child's alone

    root, name, port = sys.argv[1:4]
    home = Home(Path(root))
    settings = msgspec.json.decode((home.root / f"{name}.json").read_bytes(), type=PythonStrategy)
    StrategyHost(name, settings, home=home, port=int(port), clock=_SystemClock()).run()


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(__file__))  # noqa: PTH120 - no import is made for it
    _main()
