"""Ctrl-C of a running demo, at its start and in the middle: nothing is left running or lying."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_line import COMMAND, processes_of
from engine_process import wait_until
from prunella.config import COMPONENTS

END_S_MAX = 25.0


@pytest.fixture
def room() -> Iterator[Path]:
    """An empty folder with a short path, in which the demo makes its home folder."""
    with tempfile.TemporaryDirectory(prefix="pr-", dir="/tmp") as folder:
        yield Path(folder)


def _home(room: Path) -> Path | None:
    """The demo's home folder, as soon as it is there."""
    return next(iter(room.glob("prunella-*")), None)


def _starting(room: Path) -> bool:
    """Keys are made; supervisord is about to start."""
    home = _home(room)
    return home is not None and (home / "supervisord.conf").exists()


def _trading(room: Path) -> bool:
    """Every process runs, and the last to start answers."""
    home = _home(room)
    return (
        home is not None
        and len(processes_of(home)) > len(COMPONENTS)
        and (home / "run" / "healing.sock").exists()
    )


@pytest.mark.parametrize(
    ("moment", "number"),
    [(_starting, signal.SIGINT), (_trading, signal.SIGINT), (_trading, signal.SIGTERM)],
)
def test_interrupted_demo_leaves_nothing(
    room: Path, moment: Callable[[Path], bool], number: signal.Signals
) -> None:
    """Exit status 130, no process of its home, the home folder removed, no trace for people.

    While processes are being stopped the signal comes again: impatience must not cut that short.
    """
    demo = subprocess.Popen(
        [*COMMAND, "demo"],
        env=os.environ | {"TMPDIR": str(room)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: moment(room), "the demo to come so far", timeout_s=40)
        home = _home(room)
        assert home is not None
        before = len(processes_of(home))
        demo.send_signal(number)
        wait_until(
            lambda: len(processes_of(home)) < before or demo.poll() is not None, "its end to begin"
        )
        if processes_of(home):
            demo.send_signal(number)
        _, err = demo.communicate(timeout=END_S_MAX)
        assert demo.returncode == 130
        assert "Traceback" not in err
        assert processes_of(home) == []
        assert list(room.iterdir()) == []
    finally:
        demo.kill()
        demo.communicate()
