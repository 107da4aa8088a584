"""Checkpoints: a tree's size and root in, a signed note that anybody can check out, and back.

The text is C2SP's `tlog-checkpoint` in a `signed-note`: origin, size, root in base64, an empty
line, and a line with the signature. Source: https://c2sp.org/tlog-checkpoint, https://c2sp.org/signed-note.
"""

import base64
import binascii

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from prunella.errors import JournalError
from prunella.journal.keys import key_hash

ORIGIN = "prunella.local/ledger"
_ROOT_BYTES = 32


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """How the ledger stood.

    Attributes:
        size: Number of entries.
        root: Merkle root over them, 32 bytes.
        note: The signed note that says so.
    """

    size: int
    root: bytes
    note: str


def sign(size: int, root: bytes, key: Ed25519PrivateKey) -> Checkpoint:
    """A signed checkpoint."""
    body = f"{ORIGIN}\n{size}\n{base64.b64encode(root).decode()}\n"
    signature = key_hash(ORIGIN, key.public_key()) + key.sign(body.encode())
    note = f"{body}\n\u2014 {ORIGIN} {base64.b64encode(signature).decode()}\n"
    return Checkpoint(size=size, root=root, note=note)


def read(note: str, key: Ed25519PublicKey, *, where: str) -> Checkpoint:
    """The checkpoint in a signed note.

    Args:
        note: Its text.
        key: Whose signature it must carry.
        where: What to call it in a message.

    Raises:
        JournalError: It is no checkpoint, or not signed by this key.
    """
    try:
        body, _, signatures = note.partition("\n\n")
        origin, size, root = body.split("\n")
        mark, name, encoded = signatures.strip().split(" ")
        signature = base64.b64decode(encoded, validate=True)
        checkpoint = Checkpoint(
            size=int(size), root=base64.b64decode(root, validate=True), note=note
        )
    except (ValueError, binascii.Error):
        raise JournalError(f"{where}: expected a signed checkpoint, found {note[:80]!r}") from None
    if (
        mark != "\u2014"
        or name != ORIGIN
        or origin != ORIGIN
        or len(checkpoint.root) != _ROOT_BYTES
    ):
        raise JournalError(f"{where}: this is a checkpoint of another log ({origin!r})")
    if signature[:4] != key_hash(ORIGIN, key):
        raise JournalError(f"{where}: signed by another key than the one given")
    try:
        key.verify(signature[4:], f"{body}\n".encode())
    except InvalidSignature:
        raise JournalError(f"{where}: the signature is wrong: text or signature changed") from None
    return checkpoint


def split(text: str) -> list[str]:
    """The notes of a file of notes, oldest first; a torn last one is left out."""
    return [
        f"{ORIGIN}\n{block}"
        for block in text.split(f"{ORIGIN}\n")[1:]
        if block.endswith("\n") and "\n\n\u2014 " in block
    ]
