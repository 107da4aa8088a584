"""The command `prunella` as a process of its own: what a person types in, what it said out."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from prunella.bridge.supervisor import STACK_VARIABLE

COMMAND = (sys.executable, "-m", "prunella")
TIMEOUT_S = 60.0


class Said(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)


def run(*arguments: str, home: Path) -> Said:
    """Runs a command on the stack of a home folder and waits for its end."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=os.environ | {"PRUNELLA_HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def processes_of(home: Path) -> list[int]:
    """Every process that belongs to the stack of a home folder: each carries its path."""
    mark = f"{STACK_VARIABLE}={home}\0".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
    return found
