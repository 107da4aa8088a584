"""A ledger's folder and a choice of records in; the records with what proves them out.

A bundle is a JSON file that stands alone: a signed checkpoint, and for each record its exact bytes
and the hashes that lead from them to the checkpoint's root. `proof.py`, one file without anything
of ours in it, checks it against the ledger's public key.
"""

import base64
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from prunella.errors import JournalError
from prunella.journal import checkpoint as notes
from prunella.journal.checkpoint import CHECKPOINTS, Checkpoint
from prunella.journal.ledger import LedgerEntry, compare, read_ledger
from prunella.journal.merkle import MerkleTree

BUNDLE_VERSION = 1


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """One record and its proof.

    Attributes:
        entry: The record.
        proof: The hashes from its leaf to the checkpoint's root; None while no checkpoint covers
            it (that takes about a second).
    """

    entry: LedgerEntry
    proof: tuple[bytes, ...] | None


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Chosen records of a ledger.

    Attributes:
        checkpoint: The signed note that the proofs lead to; empty before the first one.
        size: How many entries the checkpoint covers.
        records: The records, oldest first.
        consistency: By the size of an earlier checkpoint: the hashes that show that the ledger
            only grew since.
    """

    checkpoint: str
    size: int
    records: tuple[Proven, ...]
    consistency: dict[int, tuple[bytes, ...]] = msgspec.field(default_factory=dict)


def prove(
    folder: Path, wanted: Callable[[LedgerEntry], bool], *, since: Iterable[int] = ()
) -> Evidence:
    """Every record that is `wanted`, proved as far as the ledger's last checkpoint goes.

    Args:
        folder: The ledger's folder.
        wanted: Which records.
        since: Sizes of earlier checkpoints, from which the ledger is to be shown to go on.

    Reads beside a live writer too, and needs no key: whoever checks the proofs checks the
    checkpoint's signature.

    Raises:
        JournalError: The ledger is damaged or does not fit its checkpoint.
    """
    # Checkpoints first: a live writer may sign more while we read, never less.
    checkpoints = notes.load(folder / CHECKPOINTS, None)
    last = checkpoints[-1] if checkpoints else Checkpoint(size=0, root=b"", note="")
    tree, chosen = MerkleTree(), []
    for entry in read_ledger(folder):
        tree.append(entry.leaf)
        if wanted(entry):
            chosen.append(entry)
    if last.size:
        compare(tree, last, "the last checkpoint")
    records = [
        Proven(
            entry=entry,
            proof=tuple(tree.inclusion_proof(entry.seq - 1, last.size))
            if entry.seq <= last.size
            else None,
        )
        for entry in chosen
    ]
    return Evidence(
        checkpoint=last.note,
        size=last.size,
        records=tuple(records),
        consistency={
            size: tuple(tree.consistency_proof(size, last.size))
            for size in since
            if 0 < size <= last.size
        },
    )


def export_bundle(evidence: Evidence) -> bytes:
    """The evidence as a JSON file that `proof.py` checks.

    Raises:
        JournalError: A record is not under a checkpoint yet; trying again a second later helps.
    """
    entries = []
    for each in evidence.records:
        if each.proof is None:
            raise JournalError(
                f"ledger entry {each.entry.seq} is not under a signed checkpoint yet: "
                "try again in a second, or stop the healing plane, which signs everything"
            )
        entries.append(
            {
                "seq": each.entry.seq,
                "leaf": base64.b64encode(each.entry.leaf).decode(),
                "proof": [step.hex() for step in each.proof],
            }
        )
    whole = {
        "version": BUNDLE_VERSION,
        "checkpoint": evidence.checkpoint,
        "entries": entries,
        "consistency": {
            str(size): [step.hex() for step in proof]
            for size, proof in evidence.consistency.items()
        },
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=1)
