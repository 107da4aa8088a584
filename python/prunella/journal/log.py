"""Payloads in, numbered and chained entries on the disk; a folder in, its entries in order out.

`JournalWriter(folder, power=False, segment_bytes=...)` is the one writer of a folder. Opening cuts
what a power cut left half-written at the end (`cut` then says what), and refuses damage before it.
`append(ts_ns, kind, payload)` returns the entry's number (from 1); the entry then survives
`kill -9`, and with `power=True` a power cut too, once `sync()` has returned. A failed `sync` is
final: the kernel may have dropped what it could not write. `last_seq` and `chain` say where the
journal stands; `close()` lets another writer in.

`JournalReader(folder, from_seq=None)` iterates over the raw tuples of `Entry`, may run beside a
live writer, and can be iterated again to see what was appended since. `check_end()` searches behind
the end for entries that damage has cut off; `torn` says what a power cut left there.

Both raise `prunella.errors.JournalError`, whose message names segment, entry, byte offset, what was
found and what was expected. Trying again helps only when another writer holds the lock (the message
names its process) or the disk is full.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from prunella._core import JournalReader, JournalWriter
from prunella.errors import JournalError

__all__ = ["Entry", "JournalReader", "JournalWriter", "read", "verify"]


class Entry(NamedTuple):
    """One entry of a journal.

    Attributes:
        seq: Its number, from 1, without gaps.
        ts_ns: When, as its writer was told, nanoseconds UTC.
        kind: What it is, in the words of whoever writes this journal.
        payload: Its bytes.
        chain: SHA-256 over everything up to and including this entry.
    """

    seq: int
    ts_ns: int
    kind: int
    payload: bytes
    chain: bytes


def read(folder: Path, *, from_seq: int | None = None) -> Iterator[Entry]:
    """Every entry from `from_seq` (or the first one kept) to the present end, each one checked.

    Raises:
        JournalError: An entry is damaged, or `from_seq` is not in the journal.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> writer = JournalWriter(folder, segment_bytes=4096)
        >>> writer.append(1_000, 7, b"hello")
        1
        >>> [(entry.seq, entry.payload) for entry in read(folder)]
        [(1, b'hello')]
    """
    return (Entry(*entry) for entry in JournalReader(folder, from_seq))


def verify(folder: Path) -> int:
    """Reads all of a journal at rest; returns the number of its last entry.

    Raises:
        JournalError: The first bad entry, or a half-written one at the end.
    """
    reader = JournalReader(folder)
    for _ in reader:
        pass
    reader.check_end()
    if reader.torn is not None:
        raise JournalError(reader.torn)
    return reader.last_seq
