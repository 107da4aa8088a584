"""Machine-readable output: any value in, one JSON document on standard output."""

import sys
from typing import Any

import msgspec


def print_json(value: Any) -> None:
    """Writes the value as indented JSON."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
