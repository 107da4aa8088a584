"""Runs a test's act in a network namespace of its own: real links, routes and sockets."""

import ctypes
import os
import shutil
import subprocess
import traceback
from collections.abc import Callable

_CLONE_NEWNET = 0x40000000


def missing() -> str:
    """Why there can be no namespace here; empty when there can."""
    if shutil.which("ip") is None:
        return "no ip here: apt-get install -y --no-install-recommends iproute2"
    child = os.fork()
    if child == 0:
        os._exit(0 if _leave() else 1)
    may = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return "" if may else "network namespaces need root (CAP_SYS_ADMIN)"


def _leave() -> bool:
    return bool(ctypes.CDLL(None).unshare(_CLONE_NEWNET) == 0)


def inside(act: Callable[[], None]) -> None:
    """Does it in a fork with a fresh network; its failure is this one's."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 0
        try:
            assert _leave()
            tool("ip", "link", "set", "lo", "up")
            act()
        except BaseException:  # noqa: BLE001  the parent is told
            os.write(write, traceback.format_exc().encode()[-4000:])
            status = 1
        os._exit(status)
    os.close(write)
    told = b""
    while chunk := os.read(read, 65536):
        told += chunk
    os.close(read)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status == 0, told.decode()


def tool(*command: str) -> str:
    """A command's output; it must succeed."""
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout
