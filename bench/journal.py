"""A folder in (default: the present one); durations of journal appends and of ledger work, printed.

Goal: an append of 200 B at p50 well below 1 µs. The Rust figures come from the journal's own
example, so that no Python is in them; they include the rotation into new segments.

    python bench/journal.py [FOLDER]
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prunella.evaluation.bench import Latency, Rate, describe_machine, latency
from prunella.journal import Ledger, verify_ledger

_RECORDS = 20_000
_QUICK_RECORDS = 1_000
_ROOT = Path(__file__).parents[1]


def _appends(folder: Path) -> None:
    command = ["cargo", "run", "--quiet", "--release", "--package", "prunella-journal"]
    subprocess.run([*command, "--example", "append_speed", "--", folder], cwd=_ROOT, check=True)


def figures(*, quick: bool) -> Iterable[Latency | Rate]:
    """The ledger's figures, for `prunella bench`."""
    with tempfile.TemporaryDirectory(prefix="prunella-bench-") as folder:
        yield from _ledger(Path(folder) / "ledger", _QUICK_RECORDS if quick else _RECORDS)


def _ledger(folder: Path, records: int) -> Iterable[Latency | Rate]:
    key = Ed25519PrivateKey.generate()
    record = {"incident": "inc-000001", "text": "x" * 200}
    appends, signatures = [], []
    with Ledger(folder, key) as ledger:
        for number in range(records):
            begun = time.perf_counter_ns()
            ledger.append("note", record, number)
            appends.append(time.perf_counter_ns() - begun)
            if number % 100 == 0:
                begun = time.perf_counter_ns()
                ledger.checkpoint(number)
                signatures.append(time.perf_counter_ns() - begun)
    begun = time.perf_counter_ns()
    verify_ledger(folder, key.public_key())
    seconds = (time.perf_counter_ns() - begun) / 1e9
    yield latency("ledger append", appends)
    yield latency("ledger checkpoint", signatures)
    yield Rate(name="ledger verification, records", goal="", per_second=records / seconds)


def main() -> None:
    """Prints the figures."""
    print(describe_machine(), flush=True)
    parent = Path(sys.argv[1] if sys.argv[1:] else ".").absolute()
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        _appends(Path(folder))
        for figure in _ledger(Path(folder) / "ledger", _RECORDS):
            print(figure)


if __name__ == "__main__":
    main()
