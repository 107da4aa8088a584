"""Output: tables for people on the console; any value as one JSON document for machines."""

import sys
from typing import Any

import msgspec
from rich.console import Console

WIDTH_OF_FILES = 140
"""A file or a pipe has no width of its own, and tables must not be crushed to 80 columns."""

console = Console(width=None if sys.stdout.isatty() else WIDTH_OF_FILES)


def print_json(value: Any) -> None:
    """Writes the value as indented JSON."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
