"""A journal's folder in; a verdict on all of it, its segments, or less of it, out."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from prunella._core import check_journal as _check_journal
from prunella._core import list_segments as _list_segments
from prunella._core import prune_segments as _prune_segments


class Checked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was found in a journal whose entries are all good.

    Attributes:
        first_seq: The first entry kept; 1 unless the journal was pruned.
        last_seq: The last entry.
        chain: SHA-256 over everything up to it.
        payload_bytes: Bytes of all payloads.
        snapshots: Snapshots that belong to this journal.
        torn: The half-written end that the next writer will cut; `None` without one.
        problems: What else is wrong: bad or foreign snapshots, a missing end.
    """

    first_seq: int
    last_seq: int
    chain: bytes
    payload_bytes: int
    snapshots: int
    torn: str | None
    problems: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong at all."""
        return self.torn is None and not self.problems


class Segment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a journal.

    Attributes:
        first_seq: Its first entry.
        first_ns: When that was written, nanoseconds UTC; `None` while it has no entry.
        size_bytes: Bytes of the file.
    """

    first_seq: int
    first_ns: int | None
    size_bytes: int


class Pruned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a prune did.

    Attributes:
        segments: Files that went.
        freed_bytes: Their bytes.
        first_seq: The first entry kept.
    """

    segments: int
    freed_bytes: int
    first_seq: int


def check_journal(folder: Path, progress: Callable[[int], object] = lambda _: None) -> Checked:
    """Checks every checksum, number, link and snapshot; may run beside a live writer.

    Args:
        folder: The journal's.
        progress: Hears the last entry checked, every few thousand; may raise to end the check.

    Raises:
        JournalError: The first bad place, or a missing segment. Trying again does not help.

    Example:
        >>> import tempfile
        >>> from prunella.journal import JournalWriter
        >>> folder = Path(tempfile.mkdtemp())
        >>> JournalWriter(folder, segment_bytes=4096).append(1_000, 7, b"hello")
        1
        >>> check_journal(folder).is_whole
        True
    """
    return msgspec.convert(_check_journal(folder, progress=progress), Checked)


def list_segments(folder: Path) -> tuple[Segment, ...]:
    """The segments kept, oldest first.

    Raises:
        JournalError: A header is damaged or the first segment is missing.
    """
    return tuple(
        Segment(first_seq=first_seq, first_ns=first_ns, size_bytes=size_bytes)
        for first_seq, first_ns, size_bytes in _list_segments(folder)
    )


def prune_segments(
    folder: Path, *, keep_bytes: int | None = None, since_ns: int | None = None
) -> Pruned:
    """Removes the oldest segments that exceed a limit; never what the oldest snapshot needs.

    Args:
        folder: A journal that nobody writes.
        keep_bytes: Most bytes to keep.
        since_ns: Segments whose last entry is older go, nanoseconds UTC.

    Raises:
        JournalError: Damage, or another process writes (then trying again later helps).
    """
    segments, freed_bytes, first_seq = _prune_segments(
        folder, keep_bytes=keep_bytes, since_ns=since_ns
    )
    return Pruned(segments=segments, freed_bytes=freed_bytes, first_seq=first_seq)
