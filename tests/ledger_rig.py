"""A small signed ledger for tests, and the tools of someone who tampers with it."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prunella.errors import JournalError
from prunella.journal import (
    JournalWriter,
    Ledger,
    Verified,
    Witness,
    read_ledger,
    verify_ledger,
)

SECOND_NS = 1_000_000_000
HEADER_BYTES = 64


@dataclass(kw_only=True)
class SignedLedger:
    """Twelve records; a checkpoint after every third."""

    folder: Path
    key: Ed25519PrivateKey

    @property
    def segment(self) -> Path:
        """The one file with its entries."""
        return self.folder / f"{1:020}.journal"

    @property
    def checkpoints(self) -> Path:
        """Its signed notes."""
        return self.folder / "checkpoints.txt"

    def verify(self, saved: Path | None = None) -> Verified:
        """Checks it."""
        kept = () if saved is None else (Witness(path=saved),)
        return verify_ledger(self.folder, self.key.public_key(), witnesses=kept)

    def leaves(self) -> list[tuple[int, bytes]]:
        """Time and bytes of each entry."""
        return [(entry.ts_ns, entry.leaf) for entry in read_ledger(self.folder)]

    def bounds(self) -> list[tuple[int, int]]:
        """Where each entry begins and ends in the segment."""
        data, at, found = self.segment.read_bytes(), HEADER_BYTES, []
        while size := int.from_bytes(data[at : at + 4], "little"):
            found.append((at, at + (size + 7) // 8 * 8))
            at = found[-1][1]
        return found

    def copy(self, to: Path) -> "SignedLedger":
        """The same ledger elsewhere."""
        shutil.copytree(self.folder, to)
        return SignedLedger(folder=to, key=self.key)

    def replace_entries(self, parts: Sequence[bytes]) -> None:
        """Overwrites the entries' raw bytes; the file keeps its length."""
        data = self.segment.read_bytes()
        entries = data[:HEADER_BYTES] + b"".join(parts)
        self.segment.write_bytes(entries.ljust(len(data), b"\0"))

    def forge(self, leaves: Sequence[tuple[int, bytes]]) -> None:
        """Writes the journal anew with good checksums and chain: what needs no key."""
        self.segment.unlink()
        writer = JournalWriter(self.folder, segment_bytes=self.forged_segment_bytes)
        for ts_ns, leaf in leaves:
            writer.append(ts_ns, 1, leaf)
        writer.close()

    forged_segment_bytes = 65_536


def signed_ledger(folder: Path, *, records: int = 12, every: int = 3) -> SignedLedger:
    """A ledger of `records` records, signed after each `every` of them and at the end."""
    made = SignedLedger(folder=folder, key=Ed25519PrivateKey.generate())
    with Ledger(folder, made.key) as ledger:
        for number in range(1, records + 1):
            record = {"incident": f"inc-{number % 2}", "text": f"record {number}"}
            ledger.append("note", record, number * SECOND_NS)
            if number % every == 0:
                ledger.checkpoint(number * SECOND_NS)
    # Most of the preallocated file is zeros; a test that copies it hundreds of times needs none.
    with made.segment.open("r+b") as file:
        file.truncate(4096)
    return made


def named(error: JournalError) -> int:
    """The entry that a refusal names as the first bad one."""
    found = re.search(r"entry (\d+)", str(error))
    assert found, f"no entry is named: {error}"
    return int(found.group(1))
