"""`Ledger`: records in; numbered, chained, Merkle-proven entries and signed checkpoints out.

An entry is a journal entry whose payload is the MessagePack of an `Envelope`; the same bytes are
the Merkle leaf, so that one proof covers everything that was recorded. Checkpoints are appended to
`checkpoints.txt`; a copy of one, kept elsewhere, finds a ledger that was cut short or rewritten.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from prunella._core import JournalReader, JournalWriter, MerkleTree
from prunella.errors import JournalError
from prunella.journal import checkpoint
from prunella.journal.checkpoint import Checkpoint

SCHEMA_VERSION = 1
CHECKPOINT_EVERY = 1_000
"""Entries after which a checkpoint is due whatever the time: bounds what a cut can hide."""
CHECKPOINT_NS = 1_000_000_000
"""After an entry, a checkpoint is due within this time."""
CHECKPOINTS_FILE = "checkpoints.txt"
_SEGMENT_BYTES = 16 * 1024 * 1024
_KIND = 1


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """What an entry holds.

    Attributes:
        kind: The record's kind, such as `incident.opened`.
        record: The record as MessagePack.
    """

    schema_version: int
    kind: str
    record: bytes


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry as it is read back; `leaf` are the bytes that the Merkle tree covers."""

    seq: int
    ts_ns: int
    kind: str
    record: bytes
    leaf: bytes


class Ledger:
    """The one writer of a ledger folder.

    Args:
        folder: Where; made when missing.
        key: Signs checkpoints.

    Raises:
        JournalError: Damaged, or somebody else writes to it; retrying cannot help.
    """

    def __init__(self, folder: Path, key: Ed25519PrivateKey) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = key
        self._writer = JournalWriter(folder, segment_bytes=_SEGMENT_BYTES)
        self._tree = MerkleTree()
        self._encoder = msgspec.msgpack.Encoder()
        for entry in read_ledger(folder):
            self._tree.append(entry.leaf)
        self._signed = self._last_signed_size()
        self._signed_ns = 0

    def append(self, kind: str, record: msgspec.Struct, now_ns: int) -> int:
        """Writes one record; its sequence number, from 1.

        Raises:
            JournalError: It could not be written; then nothing may be done on its strength.
        """
        envelope = Envelope(SCHEMA_VERSION, kind, self._encoder.encode(record))
        leaf = self._encoder.encode(envelope)
        seq = self._writer.append(now_ns, _KIND, leaf)
        self._tree.append(leaf)
        if len(self._tree) - self._signed >= CHECKPOINT_EVERY:
            self.checkpoint(now_ns)
        return seq

    def tick(self, now_ns: int) -> None:
        """Signs a checkpoint when one is due; to be called a few times a second."""
        if len(self._tree) > self._signed and now_ns - self._signed_ns >= CHECKPOINT_NS:
            self.checkpoint(now_ns)

    def checkpoint(self, now_ns: int) -> Checkpoint:
        """Signs how the ledger stands now, on disk before it is handed back."""
        size = len(self._tree)
        signed = checkpoint.sign(size, self._tree.root(size), self._key)
        self._writer.sync()
        with (self._folder / CHECKPOINTS_FILE).open("a", encoding="utf-8") as file:
            file.write(signed.note)
            file.flush()
            os.fsync(file.fileno())
        self._signed, self._signed_ns = size, now_ns
        return signed

    def inclusion_proof(self, seq: int, size: int) -> list[bytes]:
        """The proof that entry `seq` is in the ledger's first `size` entries."""
        return [bytes(each) for each in self._tree.inclusion_proof(seq - 1, size)]

    def close(self) -> None:
        """Signs what is not signed yet and gives the folder free."""
        if len(self._tree) > self._signed:
            self.checkpoint(self._signed_ns)
        self._writer.close()

    def _last_signed_size(self) -> int:
        """The size of the last whole checkpoint; a torn one is cut away."""
        path = self._folder / CHECKPOINTS_FILE
        if not path.exists():
            return 0
        notes = checkpoint.split(path.read_text(encoding="utf-8", errors="replace"))
        path.write_text("".join(notes), encoding="utf-8")
        public = self._key.public_key()
        return checkpoint.read(notes[-1], public, where=str(path)).size if notes else 0


def read_ledger(folder: Path, *, from_seq: int = 1) -> Iterator[LedgerEntry]:
    """Every entry in order, checked against checksum, number and chain.

    Raises:
        JournalError: An entry is damaged or of another format; the message names it.
    """
    reader = JournalReader(folder, from_seq)
    for seq, ts_ns, _kind, leaf, _chain in reader:
        try:
            envelope = msgspec.msgpack.decode(leaf, type=Envelope)
        except msgspec.DecodeError as error:
            raise JournalError(f"{folder}: entry {seq}: not a ledger's entry: {error}") from None
        yield LedgerEntry(
            seq=seq, ts_ns=ts_ns, kind=envelope.kind, record=envelope.record, leaf=leaf
        )
    reader.check_end()
