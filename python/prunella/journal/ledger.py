"""Records in, numbered entries under signed checkpoints out: the evidence of what was done and why.

A ledger is a journal whose entries are also the leaves of a Merkle tree. About once a second, and
when it is closed, the ledger signs the tree's size and root: what is under a signature cannot be
altered, dropped, reordered or added to by anyone without the key unseen, and what a checkpoint
kept elsewhere covers, not even with it.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from prunella.errors import JournalError
from prunella.journal import checkpoint as notes
from prunella.journal.checkpoint import CHECKPOINTS, Checkpoint
from prunella.journal.log import JournalReader, JournalWriter
from prunella.journal.merkle import MerkleTree
from prunella.journal.witness import Notebooks

SCHEMA_VERSION = 1
RECORD_KIND = 1
"""The journal kind of a ledger entry."""
SEGMENT_BYTES = 8 * 1024 * 1024
"""Thousands of records a file; much more would only reserve space that a ledger never fills."""
CHECKPOINT_NS = 1_000_000_000
"""A tick signs what came since the last signature when that is so long ago: bounds in time what a
cut could hide from whoever keeps copies of checkpoints."""
CHECKPOINT_ENTRIES = 1_000
"""An append signs by itself when so many are unsigned: the same bound, however fast they come."""

T = TypeVar("T")
Record = msgspec.Struct | Mapping[str, object]


class Envelope(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What an entry's bytes hold, in this order, as a MessagePack array."""

    schema_version: int
    seq: int
    ts_ns: int
    kind: str
    incident: str
    record: msgspec.Raw


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a ledger.

    Attributes:
        seq: Its number, from 1; its leaf in the tree is `seq - 1`.
        ts_ns: When, nanoseconds UTC.
        kind: What happened, such as `incident.opened`.
        incident: The incident that it belongs to; empty if none.
        record: MessagePack of the record.
        leaf: The entry's exact bytes, which the tree's leaf is the hash of.
    """

    seq: int
    ts_ns: int
    kind: str
    incident: str
    record: bytes
    leaf: bytes

    def decode(self, record_type: type[T]) -> T:
        """The record as `record_type`.

        Raises:
            JournalError: It is something else.
        """
        try:
            return msgspec.msgpack.decode(self.record, type=record_type)
        except msgspec.MsgspecError as error:
            raise JournalError(f"ledger entry {self.seq} ({self.kind}): {error}") from None

    def fields(self) -> dict[str, object]:
        """The record as a plain dictionary."""
        return self.decode(dict[str, object])


class Ledger:
    """The one writer of a ledger's folder; goes on where the last one stopped.

    Args:
        folder: Where it is kept; made if missing.
        key: Signs the checkpoints.
        notebooks: Files elsewhere that get a copy of the checkpoints; what they hold already is
            compared with the ledger, so that a ledger that was cut short is not gone on with.

    Raises:
        JournalError: Another process writes it, or its entries do not fit its checkpoints.

    Example:
        >>> import tempfile
        >>> ledger = Ledger(Path(tempfile.mkdtemp()), Ed25519PrivateKey.generate())
        >>> ledger.append("note", {"text": "hello"}, 1_000)
        1
        >>> ledger.close()
    """

    def __init__(
        self, folder: Path, key: Ed25519PrivateKey, *, notebooks: Sequence[Path] = ()
    ) -> None:
        self._folder = folder
        self._key = key
        self._encode = msgspec.msgpack.Encoder(order="deterministic").encode
        self._writer = JournalWriter(folder, power=True, segment_bytes=SEGMENT_BYTES)
        self._tree = MerkleTree()
        self._checkpoint: Checkpoint | None = None
        self._checkpoint_ns = 0
        self._signed = 0
        self._closed = False
        self._notebooks: Notebooks | None = None
        try:
            self._resume()
            for path in notebooks:
                self._compare_notebook(path)
            if notebooks:
                self._notebooks = Notebooks(notebooks)
            self.checkpoint(0)
        except BaseException:
            self._writer.close()
            raise

    def append(self, kind: str, record: Record, now_ns: int, *, incident: str = "") -> int:
        """Writes one record and returns its number; it then survives the death of this process.

        It survives a power cut from the next checkpoint on.

        Args:
            kind: What happened.
            record: The record; keys of dictionaries are put in order.
            now_ns: When, nanoseconds UTC.
            incident: The incident that it belongs to (default: the record's own `incident`).

        Raises:
            JournalError: It is not certain to be written; nothing may be done on its strength.
        """
        seq = self._writer.last_seq + 1
        body = msgspec.Raw(self._encode(record))
        leaf = self._encode(
            Envelope(SCHEMA_VERSION, seq, now_ns, kind, incident or _incident_of(record), body)
        )
        self._writer.append(now_ns, RECORD_KIND, leaf)
        self._tree.append(leaf)
        if seq - self._signed >= CHECKPOINT_ENTRIES:
            self.checkpoint(now_ns)
        return seq

    def tick(self, now_ns: int) -> None:
        """Signs when it is time to; to be called a few times a second, beside the work.

        Raises:
            JournalError: The disk refused; the ledger must not be used any more.
        """
        # A clock that was set back must not stop the signing: hence the distance, not the sign.
        if self._unsigned() and abs(now_ns - self._checkpoint_ns) >= CHECKPOINT_NS:
            self.checkpoint(now_ns)

    def checkpoint(self, now_ns: int) -> Checkpoint | None:
        """Signs everything so far, if there is something new; the last checkpoint, if any.

        Raises:
            JournalError: The disk refused; the ledger must not be used any more.
        """
        if self._unsigned():
            size = len(self._tree)
            # The entries first: a signature over what a power cut took away would look like fraud.
            self._writer.sync()
            made = notes.sign(size, self._tree.root(), self._key)
            notes.append(self._folder / CHECKPOINTS, made)
            if self._notebooks is not None:
                self._notebooks.post(made)
            self._checkpoint, self._checkpoint_ns, self._signed = made, now_ns, size
        return self._checkpoint

    @property
    def last_seq(self) -> int:
        """The number of the last record; 0 when empty."""
        return len(self._tree)

    @property
    def witness_failures(self) -> int:
        """How many checkpoints a notebook did not get."""
        return self._notebooks.failures if self._notebooks is not None else 0

    def inclusion_proof(self, seq: int, size: int) -> list[bytes]:
        """The hashes from record `seq` to the root of the first `size` records.

        Raises:
            ValueError: There are no such records.
        """
        return self._tree.inclusion_proof(seq - 1, size)

    def close(self) -> None:
        """Signs what is unsigned and lets another writer in; closing twice does nothing."""
        if not self._closed:
            self._closed = True
            try:
                self.checkpoint(self._checkpoint_ns)
            finally:
                self._writer.close()
                if self._notebooks is not None:
                    self._notebooks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _unsigned(self) -> int:
        return len(self._tree) - self._signed

    def _resume(self) -> None:
        """Rebuilds the tree from the journal and compares it with the last checkpoint."""
        notes.cut_torn_tail(self._folder / CHECKPOINTS)
        for entry in read_ledger(self._folder):
            self._tree.append(entry.leaf)
        found = notes.load(self._folder / CHECKPOINTS, self._key.public_key())
        if found:
            self._checkpoint = found[-1]
            self._signed = self._checkpoint.size
            compare(self._tree, self._checkpoint, "its last checkpoint")

    def _compare_notebook(self, path: Path) -> None:
        """Refuses to go on with a ledger that does not begin as a notebook says it did."""
        notes.cut_torn_tail(path)
        for each in notes.load(path, self._key.public_key()):
            compare(self._tree, each, f"the notebook {path}")


def read_ledger(folder: Path, *, from_seq: int = 1) -> Iterator[LedgerEntry]:
    """Every record from number `from_seq` on, chain and checksums checked; beside a writer too.

    Signatures are not looked at: that is `verify_ledger`'s work.

    Raises:
        JournalError: The first bad entry.
    """
    reader = JournalReader(folder, from_seq)
    yield from decode(reader)
    reader.check_end()


def decode(reader: JournalReader) -> Iterator[LedgerEntry]:
    """The records of a journal that holds a ledger."""
    decoder = msgspec.msgpack.Decoder(Envelope)
    for seq, ts_ns, _, leaf, _ in reader:
        try:
            entry = decoder.decode(leaf)
        except msgspec.MsgspecError as error:
            raise JournalError(f"ledger entry {seq}: found no record ({error})") from None
        if (entry.seq, entry.ts_ns, entry.schema_version) != (seq, ts_ns, SCHEMA_VERSION):
            raise JournalError(
                f"ledger entry {seq}: its record says number {entry.seq}, time {entry.ts_ns}, "
                f"schema {entry.schema_version}; expected {seq}, {ts_ns} and {SCHEMA_VERSION}"
            )
        yield LedgerEntry(
            seq=seq,
            ts_ns=ts_ns,
            kind=entry.kind,
            incident=entry.incident,
            record=bytes(entry.record),
            leaf=leaf,
        )


def compare(
    tree: MerkleTree,
    checkpoint: Checkpoint,
    name: str,
    *,
    good: int = 0,
    what: str = "rewritten",
) -> None:
    """Refuses a tree that is not what `checkpoint` signed; its first `good` leaves are known good.

    Raises:
        JournalError: It names the first entry that is missing, or from which on one was altered.
    """
    size = len(tree)
    if size < checkpoint.size:
        raise JournalError(
            f"ledger entry {size + 1}: missing: {name} covers {checkpoint.size} entries, "
            f"found {size}: the tail was cut off"
        )
    if tree.root(checkpoint.size) != checkpoint.root:
        raise JournalError(
            f"ledger entry {good + 1} or one of those up to {checkpoint.size}: {what}: {name} "
            f"has the root {checkpoint.root.hex()[:16]}…, found "
            f"{tree.root(checkpoint.size).hex()[:16]}…"
        )


def _incident_of(record: Record) -> str:
    if isinstance(record, msgspec.Struct):
        own = getattr(record, "incident", "")
    else:
        own = record.get("incident")
    return own if isinstance(own, str) else ""
