"""A folder in (default: the present one); durations of journal appends and of ledger work, printed.

Goal: an append of 200 B at p50 well below 1 µs. The Rust figures come from the journal's own
example, so that no Python is in them; they include the rotation into new segments.

    python bench/journal.py [FOLDER]
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prunella.evaluation.bench import describe_machine, latency
from prunella.journal import Ledger, verify_ledger

_RECORDS = 20_000
_ROOT = Path(__file__).parents[1]


def _appends(folder: Path) -> None:
    command = ["cargo", "run", "--quiet", "--release", "--package", "prunella-journal"]
    subprocess.run([*command, "--example", "append_speed", "--", folder], cwd=_ROOT, check=True)


def _ledger(folder: Path) -> None:
    key = Ed25519PrivateKey.generate()
    record = {"incident": "inc-000001", "text": "x" * 200}
    appends, signatures = [], []
    with Ledger(folder, key) as ledger:
        for number in range(_RECORDS):
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
    print(latency("ledger append", appends))
    print(latency("ledger checkpoint", signatures))
    print(f"ledger verification: {_RECORDS / seconds:,.0f} records/s")


def main() -> None:
    """Prints the figures."""
    print(describe_machine(), flush=True)
    parent = Path(sys.argv[1] if sys.argv[1:] else ".").absolute()
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        _appends(Path(folder))
        _ledger(Path(folder) / "ledger")


if __name__ == "__main__":
    main()
