"""A tree's size and root in, a signed note out; a file of such notes in, checked checkpoints out.

A checkpoint is the ledger's word, under its key, that its first `size` entries have this root. Kept
outside the machine, one of them is enough to find a ledger that was cut short or rewritten since.

Source: C2SP signed-note and tlog-checkpoint. A note is the origin, the size, the root in base64, an
empty line, and `— NAME SIGNATURE`; in a file an empty line follows each note.
"""

import base64
import binascii
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from prunella.errors import JournalError

CHECKPOINTS = "checkpoints.txt"
"""The file's name in a ledger's folder."""
ORIGIN = "prunella.local/ledger"
"""Names the log in every note, so that a note of another log never passes for ours."""

_ED25519 = b"\x01"
_SIGNATURE_BYTES = 4 + 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The root of a ledger's first `size` entries.

    Attributes:
        size: How many entries it covers, 1 or more.
        root: SHA-256 Merkle root, 32 bytes.
        note: The signed note that says so, without the empty line after it.
    """

    size: int
    root: bytes
    note: str


def sign(size: int, root: bytes, key: Ed25519PrivateKey) -> Checkpoint:
    """The checkpoint under `key`."""
    text = f"{ORIGIN}\n{size}\n{base64.b64encode(root).decode()}\n"
    signature = _key_id(key.public_key()) + key.sign(text.encode())
    note = f"{text}\n\u2014 {ORIGIN} {base64.b64encode(signature).decode()}\n"
    return Checkpoint(size=size, root=root, note=note)


def append(path: Path, checkpoint: Checkpoint) -> None:
    """Adds a checkpoint to a file of them; on the disk when it returns.

    Raises:
        JournalError: The system refused.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            note = f"{checkpoint.note}\n".encode()
            if os.write(descriptor, note) != len(note):
                raise JournalError(f"{path}: a checkpoint was written in part: is the disk full?")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise JournalError(f"cannot write {path}: {error.strerror}") from None


def load(path: Path, key: Ed25519PublicKey | None) -> list[Checkpoint]:
    """Every checkpoint of a file, in order; signatures are checked when a key is given.

    Raises:
        JournalError: One is cut off, altered, or by another key; it names the line.
    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise JournalError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise JournalError(f"{path}: byte {error.start} is not UTF-8") from None
    checkpoints: list[Checkpoint] = []
    lines = text.rstrip("\n").split("\n") if text else []
    at = 0
    while at < len(lines):
        end = at + 4
        while end < len(lines) and lines[end].startswith("\u2014 "):
            end += 1
        try:
            after = lines[end] if end < len(lines) else ""
            checkpoints.append(_parse("\n".join(lines[at:end]) + "\n", after, key))
        except ValueError as error:
            problem = f"{path}: checkpoint {len(checkpoints) + 1} at line {at + 1}: {error}"
            raise JournalError(problem) from None
        at = end + 1
    return checkpoints


def cut_torn_tail(path: Path) -> None:
    """Removes a last note that a power cut left without its end; leaves everything else."""
    if not path.exists():
        return
    content = path.read_bytes()
    # Only a signature line is followed by the empty line that ends a note.
    last_signature = content.rfind("\n\u2014 ".encode())
    end = content.find(b"\n\n", last_signature + 1)
    if last_signature >= 0 and end < 0:
        before = content.rfind("\n\u2014 ".encode(), 0, last_signature)
        end = content.find(b"\n\n", before + 1) if before >= 0 else -1
    keep = end + 2 if last_signature >= 0 and end >= 0 else 0
    if keep < len(content):
        with path.open("r+b") as file:
            file.truncate(keep)
            os.fsync(file.fileno())


def _parse(note: str, after: str, key: Ed25519PublicKey | None) -> Checkpoint:
    if after:
        raise ValueError(f"found {after!r} after it, expected an empty line")
    text, separator, signatures = note.partition("\n\n")
    fields = text.split("\n")
    if not separator or len(fields) != 3:
        raise ValueError(f"found {note!r}, expected origin, size, root and a signature")
    origin, size, root = fields
    if origin != ORIGIN:
        raise ValueError(f"found the origin {origin!r}, expected {ORIGIN!r}")
    if not (size.isascii() and size.isdigit()) or size.startswith("0"):
        raise ValueError(f"found the size {size!r}, expected a number from 1")
    try:
        root_bytes = base64.b64decode(root, validate=True)
    except binascii.Error:
        root_bytes = b""
    if len(root_bytes) != 32 or base64.b64encode(root_bytes).decode() != root:
        raise ValueError(f"found the root {root!r}, expected 32 bytes in base64")
    if key is not None:
        _check_signature(f"{text}\n".encode(), signatures, key)
    return Checkpoint(size=int(size), root=root_bytes, note=note)


def _check_signature(text: bytes, signatures: str, key: Ed25519PublicKey) -> None:
    """Raises ValueError unless a line of `signatures` is `key`'s own, and good."""
    for line in signatures.removesuffix("\n").split("\n"):
        name, _, encoded = line.removeprefix("\u2014 ").rpartition(" ")
        try:
            signature = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            continue
        ours = name == ORIGIN and signature[:4] == _key_id(key)
        if not ours or len(signature) != _SIGNATURE_BYTES:
            continue
        if base64.b64encode(signature).decode() != encoded:
            continue
        try:
            key.verify(signature[4:], text)
        except InvalidSignature:
            raise ValueError("its signature does not fit what it says") from None
        return
    raise ValueError("found no signature by this ledger's key")


def _key_id(key: Ed25519PublicKey) -> bytes:
    named = ORIGIN.encode() + b"\n" + _ED25519 + key.public_bytes_raw()
    return hashlib.sha256(named).digest()[:4]
