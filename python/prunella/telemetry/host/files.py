"""A path of the kernel in; its lines, or none where the kernel does not have it, out."""

import os
from collections.abc import Sequence


def lines(path: str) -> list[str]:
    """A small file's lines; none where it is missing or may not be read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123  half the time
            return file.read().splitlines()
    except OSError:
        return []


def entries(path: str) -> Sequence[str]:
    """Names in a folder; none where it is missing."""
    try:
        return os.listdir(path)  # noqa: PTH208  names are wanted
    except OSError:
        return ()


def headed(path: str, group: str) -> dict[str, int]:
    """The figures of one group of a file like /proc/net/snmp: a line of names, one of values.

    Example:
        >>> "RetransSegs" in headed("/proc/net/snmp", "Tcp"), headed("/nonexistent", "Tcp")
        (True, {})
    """
    found = [line.split()[1:] for line in lines(path) if line.startswith(f"{group}:")]
    if len(found) != 2:
        return {}
    return {name: int(value) for name, value in zip(*found, strict=False)}
