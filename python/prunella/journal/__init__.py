"""Append, read, verify: entries in, numbered and chained on the disk; proofs about them out.

`log` is the journal itself, `retention` checks and shortens it, `merkle` the tree and its proofs,
`ledger` a journal of records under signed checkpoints, `verification` the check that anyone can
make offline, `bundle` chosen records with their proofs in one file, `proof` the auditor's own check
of both, `witness` checkpoints kept elsewhere, `keys` what it is all signed with.
"""

from prunella.journal.bundle import Evidence, Proven, export_bundle, prove
from prunella.journal.checkpoint import Checkpoint
from prunella.journal.keys import ensure_key_pair, load_private_key, load_public_key
from prunella.journal.ledger import Ledger, LedgerEntry, read_ledger
from prunella.journal.log import Entry, JournalReader, JournalWriter, read, verify
from prunella.journal.merkle import (
    MerkleTree,
    merkle_leaf,
    verify_consistency,
    verify_inclusion,
)
from prunella.journal.retention import (
    Checked,
    Pruned,
    Segment,
    check_journal,
    list_segments,
    prune_segments,
)
from prunella.journal.verification import Verified, verify_ledger
from prunella.journal.witness import Witness, cosign, read_notebook

__all__ = [
    "Checked",
    "Checkpoint",
    "Entry",
    "Evidence",
    "JournalReader",
    "JournalWriter",
    "Ledger",
    "LedgerEntry",
    "MerkleTree",
    "Proven",
    "Pruned",
    "Segment",
    "Verified",
    "Witness",
    "check_journal",
    "cosign",
    "ensure_key_pair",
    "export_bundle",
    "list_segments",
    "load_private_key",
    "load_public_key",
    "merkle_leaf",
    "prove",
    "prune_segments",
    "read",
    "read_ledger",
    "read_notebook",
    "verify",
    "verify_consistency",
    "verify_inclusion",
    "verify_ledger",
]
