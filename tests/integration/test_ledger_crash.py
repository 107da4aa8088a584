"""A real process that records, killed at any moment; its ledger opened again."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prunella.journal import Ledger, ensure_key_pair, load_public_key, read_ledger, verify_ledger

CHILD = """
import sys
from pathlib import Path
from prunella.journal import Ledger, load_private_key
ledger = Ledger(Path(sys.argv[1]), load_private_key(Path(sys.argv[2])))
number = ledger.last_seq
while True:
    number += 1
    seq = ledger.append("note", {"number": number, "fill": "x" * (number % 700)}, number)
    ledger.tick(number * 50_000_000)
    sys.stdout.write(f"{seq}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("rounds", [6])
def test_killed_ledger_has_all_that_it_acknowledged(tmp_path: Path, rounds: int) -> None:
    """After each kill -9 every acknowledged record is there, in order, and the tree goes on."""
    folder, key_path = tmp_path / "ledger", tmp_path / "ledger.key"
    key = ensure_key_pair(key_path)
    for life in range(1, rounds + 1):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(folder), str(key_path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        acknowledged = 0
        for _ in range(life * 23):
            acknowledged = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split("\n")[:-1]
        child.wait(timeout=10)
        acknowledged = max([acknowledged, *map(int, rest)])
        numbers = [entry.fields()["number"] for entry in read_ledger(folder)]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) in (acknowledged, acknowledged + 1)
        Ledger(folder, key).close()
        found = verify_ledger(folder, load_public_key(tmp_path / "ledger.pub"))
        assert (found.entries, found.unsigned) == (len(numbers), 0)
