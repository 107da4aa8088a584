"""What many integration tests trade on."""

from collections.abc import Iterator
from pathlib import Path

import exchange_process
import pytest
from exchange_process import Exchange


@pytest.fixture(name="exchange")
def fixture_exchange(tmp_path: Path) -> Iterator[Exchange]:
    """A running exchange with a lively synthetic market."""
    (tmp_path / "x").mkdir()
    arguments = ("--seed", "3", "--speed", "3", "--orders-per-10s", "1000")
    with exchange_process.running(tmp_path / "x", *arguments) as running:
        yield running
