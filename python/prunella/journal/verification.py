"""A ledger's folder and its public key in; how much of it is proved out, or its first bad entry."""

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from prunella.errors import JournalError
from prunella.journal import checkpoint as notes
from prunella.journal.checkpoint import CHECKPOINTS, Checkpoint
from prunella.journal.ledger import compare, decode
from prunella.journal.log import JournalReader
from prunella.journal.merkle import MerkleTree
from prunella.journal.witness import Witness, read_notebook, vouched


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What `verify_ledger` found; nothing is wrong.

    Attributes:
        entries: How many records there are.
        checkpoints: How many signed checkpoints were checked against the records.
        unsigned: How many records came after the last checkpoint: chained, but not signed yet.
        witnessed: How many records at least as many witnesses as were needed vouch for.
        root: The Merkle root of all records, hexadecimal.
    """

    entries: int
    checkpoints: int
    unsigned: int
    witnessed: int
    root: str


def verify_ledger(
    folder: Path,
    public_key: Ed25519PublicKey,
    *,
    witnesses: Sequence[Witness] = (),
    needed: int = 0,
) -> Verified:
    """Checks every record, the chain, the tree and every signed checkpoint; needs nothing else.

    Each checkpoint's root is computed anew from the records themselves, which is more than a proof
    of consistency between one checkpoint and the next.

    Args:
        folder: The ledger's folder.
        public_key: The ledger's key.
        witnesses: Who kept checkpoints elsewhere.
        needed: How many of them must vouch for the ledger.

    Raises:
        JournalError: The first bad record by its number, or the bad checkpoint by its line.
    """
    if not folder.is_dir():
        raise JournalError(f"{folder}: no such folder, expected a ledger's")
    own = notes.load(folder / CHECKPOINTS, public_key)
    kept = [(each.path.name, read_notebook(each, public_key)) for each in witnesses]
    tree = MerkleTree()
    reader = JournalReader(folder)
    due = deque(enumerate(own, start=1))
    good = 0
    for entry in decode(reader):
        if entry.seq != len(tree) + 1:
            raise JournalError(f"ledger entry 1: missing: the first one found is {entry.seq}")
        tree.append(entry.leaf)
        while due and due[0][1].size <= len(tree):
            number, each = due.popleft()
            if each.size < good:
                raise JournalError(f"{CHECKPOINTS}: checkpoint {number} covers less than before")
            compare(tree, each, f"checkpoint {number}", good=good)
            good = each.size
    reader.check_end()
    if reader.torn is not None:
        raise JournalError(f"ledger {reader.torn}")
    for number, each in due:
        compare(tree, each, f"checkpoint {number}", good=good)
    if len(tree) and not own:
        raise JournalError(f"{folder / CHECKPOINTS}: found no checkpoint for {len(tree)} entries")
    for name, notebook in kept:
        _compare_notebook(tree, name, notebook)
    return Verified(
        entries=len(tree),
        checkpoints=len(own),
        unsigned=len(tree) - good,
        witnessed=vouched((notebook for _, notebook in kept), needed),
        root=tree.root().hex(),
    )


def _compare_notebook(tree: MerkleTree, name: str, notebook: Sequence[Checkpoint]) -> None:
    """The ledger's own key signed these too: another root means that it told two histories."""
    good, what = 0, "forked: the ledger's key signed two histories"
    for each in notebook:
        compare(tree, each, f"the checkpoint in {name}", good=good, what=what)
        good = each.size
