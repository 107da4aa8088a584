"""`PathProxy`: the disturbed path as a process of its own, held by its stdin."""

import subprocess
import sys

import msgspec

from prunella.errors import UsageError
from prunella.evaluation.injector.path import Disturbance, PathFigures
from prunella.evaluation.injector.user import as_nobody


class PathProxy:
    """Runs the path between a port and a venue's port.

    Args:
        port: Where the stack connects to.
        target: Where the venue listens.
        seed: Of its weather.
    """

    def __init__(self, port: int, target: int, *, seed: int) -> None:
        self.port = port
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "prunella.evaluation.injector.path",
                *map(str, (port, target, seed)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            **as_nobody(),
        )
        self.figures()  # answers when it listens

    def disturb(self, disturbance: Disturbance | None = None) -> PathFigures:
        """Sets what happens to the path from now on; None: nothing.

        Raises:
            UsageError: The proxy is gone.
        """
        return self._ask(msgspec.json.encode(disturbance or Disturbance()))

    def figures(self) -> PathFigures:
        """What the path has seen.

        Raises:
            UsageError: The proxy is gone.
        """
        return self._ask(b"")

    def close(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.wait(timeout=5)

    def _ask(self, line: bytes) -> PathFigures:
        pipe_in, pipe_out = self._process.stdin, self._process.stdout
        try:
            if pipe_in is None or pipe_out is None:
                raise UsageError("the path's process has no pipes")
            pipe_in.write(line + b"\n")
            pipe_in.flush()
            return msgspec.json.decode(pipe_out.readline(), type=PathFigures)
        except (OSError, msgspec.DecodeError) as error:
            raise UsageError(f"the path's process does not answer: {error}") from None
