"""Append-only logs that show every change: the ledger of evidence, its keys and its verifier."""

from prunella.journal.checkpoint import Checkpoint
from prunella.journal.keys import ensure_key_pair, load_private_key, load_public_key
from prunella.journal.ledger import Ledger, LedgerEntry, read_ledger
from prunella.journal.verify import Verified, verify_ledger

__all__ = [
    "Checkpoint",
    "Ledger",
    "LedgerEntry",
    "Verified",
    "ensure_key_pair",
    "load_private_key",
    "load_public_key",
    "read_ledger",
    "verify_ledger",
]
