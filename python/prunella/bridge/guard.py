"""Runs a program so that it dies with supervisord: `python -I -S guard.py PROGRAM …`.

A supervisord that was killed leaves its children running, unwatched: an engine that trades with
nobody to stop it. The kernel can be asked to kill a process when its parent dies; the request
survives `exec`, so this is all there is to do. Run by its path and
without site packages, because every start of a process, the engine's too, goes through it.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Asks the kernel, then becomes the program."""
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606  the program that the supervisor was given


if __name__ == "__main__":
    main()
