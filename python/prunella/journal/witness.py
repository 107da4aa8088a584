"""Checkpoints that were kept elsewhere in; which of them count, and cosignatures of our own, out.

A chain and a signature cannot show that the tail is gone, or that the key's owner tells two people
two histories. Whoever keeps a checkpoint can: the ledger must go on from it for ever. A *witness*
is such a keeper, and its *notebook* a file of signed notes, like the ledger's `checkpoints.txt`.
A notebook on another volume is written by the ledger itself; a person's (or another machine's) is
cosigned with a key of their own, after they checked that the ledger goes on from their last note.

Source: C2SP tlog-cosignature and tlog-witness (`cosignature/v1`, signature type 4).
"""

import base64
import hashlib
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from prunella.errors import JournalError
from prunella.journal import checkpoint as notes
from prunella.journal.checkpoint import Checkpoint

_COSIGNATURE = b"\x04"
_COSIGNATURE_BYTES = 4 + 8 + 64


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who keeps checkpoints.

    Attributes:
        path: The notebook.
        key: Theirs; only what it cosigned counts. None: a notebook without cosignatures, which
            counts because it was out of the ledger's reach.
    """

    path: Path
    key: Ed25519PublicKey | None = None


def read_notebook(witness: Witness, ledger_key: Ed25519PublicKey) -> list[Checkpoint]:
    """The checkpoints that count, the smallest first.

    Raises:
        JournalError: The notebook is damaged, holds another ledger's notes, or nothing that counts.
    """
    found = notes.load(witness.path, ledger_key)
    if witness.key is not None:
        found = [each for each in found if is_cosigned(each, witness.key)]
    if not found:
        word = "checkpoint" if witness.key is None else "checkpoint with this witness's signature"
        raise JournalError(f"{witness.path}: found no {word}, expected at least one")
    return sorted(found, key=lambda each: each.size)


def vouched(witnesses: Iterable[Sequence[Checkpoint]], needed: int) -> int:
    """How many entries at least `needed` witnesses (or one) vouch for.

    Raises:
        JournalError: There are not so many witnesses.
    """
    sizes = sorted((each[-1].size for each in witnesses), reverse=True)
    if needed > len(sizes):
        raise JournalError(f"{len(sizes)} witnesses vouch for the ledger, {needed} are needed")
    return sizes[max(needed, 1) - 1] if sizes else 0


def cosign(checkpoint: Checkpoint, name: str, key: Ed25519PrivateKey, now_ns: int) -> Checkpoint:
    """The checkpoint with one more signature line: `name` saw it at `now_ns`.

    Example:
        >>> ledger, anna = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        >>> seen = cosign(notes.sign(1, bytes(32), ledger), "anna", anna, 1_000_000_000)
        >>> is_cosigned(seen, anna.public_key()), is_cosigned(seen, ledger.public_key())
        (True, False)
    """
    seconds = now_ns // 1_000_000_000
    body = checkpoint.note.partition("\n\n")[0] + "\n"
    signature = (
        _key_id(name, key.public_key())
        + seconds.to_bytes(8, "big")
        + key.sign(_said(seconds, body))
    )
    line = f"\u2014 {name} {base64.b64encode(signature).decode()}\n"
    return Checkpoint(size=checkpoint.size, root=checkpoint.root, note=checkpoint.note + line)


def is_cosigned(checkpoint: Checkpoint, key: Ed25519PublicKey) -> bool:
    """Whether a good cosignature of `key` is on it.

    Raises:
        JournalError: There is one that does not fit the checkpoint.
    """
    text, _, signatures = checkpoint.note.partition("\n\n")
    for line in signatures.splitlines():
        name, _, encoded = line.removeprefix("\u2014 ").rpartition(" ")
        signature = base64.b64decode(encoded)
        if len(signature) != _COSIGNATURE_BYTES or signature[:4] != _key_id(name, key):
            continue
        try:
            key.verify(signature[12:], _said(int.from_bytes(signature[4:12], "big"), f"{text}\n"))
        except InvalidSignature:
            raise JournalError(
                f"the cosignature of {name} does not fit the checkpoint of {checkpoint.size} "
                "entries"
            ) from None
        return True
    return False


def _said(seconds: int, body: str) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{body}".encode()


def _key_id(name: str, key: Ed25519PublicKey) -> bytes:
    named = name.encode() + b"\n" + _COSIGNATURE + key.public_bytes_raw()
    return hashlib.sha256(named).digest()[:4]


class Notebooks:
    """Copies a ledger's checkpoints to other places, on a thread of its own.

    A volume that hangs must not hold up who heals: only the newest checkpoint waits (it covers
    those before it), and what cannot be written is counted, told once, and tried again with the
    next one.

    Attributes:
        failures: Notes that could not be written.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._new = threading.Condition()
        self._newest: Checkpoint | None = None
        self._closed = False
        self.failures = 0
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)
        self._thread.start()

    def post(self, checkpoint: Checkpoint) -> None:
        """Hands over a checkpoint; returns at once."""
        with self._new:
            self._newest = checkpoint
            self._new.notify()

    def close(self, timeout_s: float = 5.0) -> None:
        """Writes what waits, but waits no longer than that for a volume that hangs."""
        with self._new:
            self._closed = True
            self._new.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._new:
                self._new.wait_for(lambda: self._newest is not None or self._closed)
                checkpoint, self._newest = self._newest, None
            if checkpoint is None:
                return
            for path in self._paths:
                self._write(path, checkpoint)

    def _write(self, path: Path, checkpoint: Checkpoint) -> None:
        try:
            notes.cut_torn_tail(path)
            notes.append(path, checkpoint)
        except (JournalError, OSError) as error:
            self.failures += 1
            if self.failures == 1:
                sys.stderr.write(f"a witness does not get the ledger's checkpoints: {error}\n")
