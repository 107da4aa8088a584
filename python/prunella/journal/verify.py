"""A ledger folder and a public key in; "whole", or the first bad entry by name, out. Offline."""

from itertools import pairwise
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from prunella._core import MerkleTree
from prunella.errors import JournalError
from prunella.journal import checkpoint
from prunella.journal.checkpoint import Checkpoint
from prunella.journal.ledger import CHECKPOINTS_FILE, read_ledger


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found whole.

    Attributes:
        entries: How many entries.
        checkpoints: How many signed checkpoints they agree with.
        unsigned: Entries after the last checkpoint: chained, but not signed yet.
        root: Merkle root over all entries, hex.
    """

    entries: int
    checkpoints: int
    unsigned: int
    root: str


def verify_ledger(folder: Path, key: Ed25519PublicKey, *, saved: Path | None = None) -> Verified:
    """Checks chain, tree and signatures; needs nothing but the folder and the key.

    Args:
        folder: The ledger.
        key: The log's public key.
        saved: A checkpoint (or several) kept elsewhere; finds a ledger cut short or rewritten.

    Raises:
        JournalError: Names the first bad entry or checkpoint.
    """
    if not folder.is_dir():
        raise JournalError(f"{folder} is no folder: expected a ledger")
    tree = MerkleTree()
    last_ts_ns = 0
    for entry in read_ledger(folder):
        if entry.seq != len(tree) + 1:
            raise JournalError(f"{folder}: entry {len(tree) + 1} is missing")
        tree.append(entry.leaf)
        last_ts_ns = entry.ts_ns
    own = _notes(folder / CHECKPOINTS_FILE, key) if (folder / CHECKPOINTS_FILE).exists() else []
    for number, each in enumerate(own, 1):
        _compare(tree, each, where=f"{folder / CHECKPOINTS_FILE}: checkpoint {number}")
    for each in _notes(saved, key) if saved is not None else []:
        _compare(tree, each, where=str(saved))
    if not own and len(tree):
        raise JournalError(f"{folder}: {len(tree)} entries and no signed checkpoint ({last_ts_ns})")
    return Verified(
        entries=len(tree),
        checkpoints=len(own),
        unsigned=len(tree) - own[-1].size if own else 0,
        root=tree.root(len(tree)).hex(),
    )


def _notes(path: Path, key: Ed25519PublicKey) -> list[Checkpoint]:
    """Every checkpoint of a file, signatures checked, sizes never falling."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise JournalError(f"{path}: cannot be read: {error}") from None
    notes = checkpoint.split(text)
    if not notes:
        raise JournalError(f"{path}: expected a signed checkpoint, found {text[:80]!r}")
    found = [
        checkpoint.read(note, key, where=f"{path}: checkpoint {number}")
        for number, note in enumerate(notes, 1)
    ]
    for number, (before, after) in enumerate(pairwise(found), 2):
        if after.size < before.size:
            raise JournalError(f"{path}: checkpoint {number}: {after.size} after {before.size}")
    return found


def _compare(tree: MerkleTree, signed: Checkpoint, *, where: str) -> None:
    if signed.size > len(tree):
        raise JournalError(
            f"{where}: signed over {signed.size} entries, found {len(tree)}: entry "
            f"{len(tree) + 1} and what follows it were cut off"
        )
    if tree.root(signed.size) != signed.root:
        raise JournalError(
            f"{where}: the first {signed.size} entries are not the ones that were signed: "
            "the history was rewritten"
        )
