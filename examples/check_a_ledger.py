"""Write three records of evidence, check them as an auditor would, alter one byte, check again.

    python examples/check_a_ledger.py

prints

    3 entries, 1 signed checkpoint: nothing is wrong
    after one altered byte: entry 2 is bad
"""

import tempfile
from pathlib import Path

from prunella.errors import JournalError
from prunella.journal import Ledger, ensure_key_pair, load_public_key, verify_ledger

SECOND_NS = 1_000_000_000


def main() -> None:
    """Tells both checks."""
    with tempfile.TemporaryDirectory() as name:
        folder, key = Path(name) / "ledger", Path(name) / "ledger.key"
        with Ledger(folder, ensure_key_pair(key)) as ledger:
            ledger.append("incident.opened", {"culprit": "exchange-primary"}, 1 * SECOND_NS)
            ledger.append("step.intent", {"act": "switch_venue"}, 2 * SECOND_NS)
            ledger.append("incident.closed", {"outcome": "resolved"}, 3 * SECOND_NS)

        public = load_public_key(key.with_suffix(".pub"))
        found = verify_ledger(folder, public)
        print(f"{found.entries} entries, {found.checkpoints} signed checkpoint: nothing is wrong")

        segment = next(path for path in folder.iterdir() if b"switch_venue" in path.read_bytes())
        segment.write_bytes(segment.read_bytes().replace(b"switch_venue", b"switch_venuf"))
        try:
            verify_ledger(folder, public)
        except JournalError as error:
            # The whole message has the file, the place, and both checksums.
            entry = str(error).partition(": entry ")[2].split()[0]
            print(f"after one altered byte: entry {entry} is bad")


if __name__ == "__main__":
    main()
