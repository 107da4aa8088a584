"""A bundle and a public key in; the proven records out, or the first thing that is wrong with it.

For whoever does not trust us: this file imports nothing of ours, only Python's own library and
`cryptography`, and may be copied and run alone:

    python proof.py BUNDLE.json LEDGER.pub

It is on purpose a second implementation of what the ledger itself does. Sources: RFC 9162 (2.1.3.2,
inclusion), C2SP signed-note and tlog-checkpoint, the MessagePack specification.
"""

import base64
import binascii
import hashlib
import json
import struct
import sys
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

ORIGIN = "prunella.local/ledger"
BUNDLE_VERSION = 1
DEPTH_MAX = 32
"""Nesting that is followed: a bundle from a stranger must not exhaust the stack."""


def check(bundle: bytes, key: Ed25519PublicKey) -> list[dict[str, Any]]:
    """The records of a bundle, each proved to be in the ledger that `key` signed.

    Raises:
        ValueError: The bundle is no bundle, or something in it is not true; the message says what.
    """
    try:
        content = json.loads(bundle)
        version, note, entries = content["version"], content["checkpoint"], content["entries"]
        if version != BUNDLE_VERSION:
            raise ValueError(f"found version {version!r}, expected {BUNDLE_VERSION}")
        size, root = _checkpoint(note, key)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is not a bundle: {error!r}") from None
    return [_entry(entry, size, root) for entry in entries]


def _checkpoint(note: str, key: Ed25519PublicKey) -> tuple[int, bytes]:
    """Size and root of a checkpoint that carries a good signature of `key`."""
    body, _, signatures = note.partition("\n\n")
    origin, size, root = body.split("\n")
    if origin != ORIGIN:
        raise ValueError(f"the checkpoint is of {origin!r}, expected {ORIGIN!r}")
    named = ORIGIN.encode() + b"\n\x01" + key.public_bytes_raw()
    key_id = hashlib.sha256(named).digest()[:4]
    for line in signatures.splitlines():
        signature = base64.b64decode(line.rpartition(" ")[2], validate=True)
        if line.startswith(f"\u2014 {ORIGIN} ") and signature[:4] == key_id:
            try:
                key.verify(signature[4:], f"{body}\n".encode())
            except InvalidSignature:
                raise ValueError("the checkpoint's signature does not fit it") from None
            return int(size), base64.b64decode(root, validate=True)
    raise ValueError("the checkpoint is not signed by this key")


def _entry(entry: dict[str, Any], size: int, root: bytes) -> dict[str, Any]:
    try:
        seq, leaf = int(entry["seq"]), base64.b64decode(entry["leaf"], validate=True)
        proof = [bytes.fromhex(step) for step in entry["proof"]]
        decoded, end = _decode(leaf, 0, 0)
        _, own_seq, ts_ns, kind, incident, record = decoded
    except (KeyError, TypeError, ValueError, IndexError, struct.error, binascii.Error) as error:
        raise ValueError(f"entry {entry!r:.60}: cannot be read: {error}") from None
    if _root_from(leaf, seq - 1, size, proof) != root:
        raise ValueError(f"entry {seq}: its proof does not lead to the checkpoint's root")
    if own_seq != seq or end != len(leaf):
        raise ValueError(f"entry {seq}: its bytes say that they are entry {own_seq}")
    return {"seq": seq, "ts_ns": ts_ns, "kind": kind, "incident": incident, "record": record}


def _root_from(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes | None:
    """The root that a proof leads to; None if it has not the right length."""
    if not 0 <= index < size:
        return None
    first, last, found = index, size - 1, hashlib.sha256(b"\0" + leaf).digest()
    for step in proof:
        if last == 0:
            return None
        if first % 2 or first == last:
            found = hashlib.sha256(b"\1" + step + found).digest()
            while first and not first % 2:
                first, last = first >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\1" + found + step).digest()
        first, last = first >> 1, last >> 1
    return found if last == 0 else None


def _decode(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    """One MessagePack value at `at`, and where the next one begins."""
    if depth > DEPTH_MAX:
        raise ValueError("nested too deeply")
    head, at = data[at], at + 1
    if head <= 0x7F or head >= 0xE0:
        return (head if head <= 0x7F else head - 256), at
    if head in _CONSTANTS:
        return _CONSTANTS[head], at
    if head in _NUMBERS:
        form = _NUMBERS[head]
        return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    what, length, at = _length(data, head, at)
    if what in ("text", "bytes"):
        if at + length > len(data):
            raise ValueError("cut off")
        raw = data[at : at + length]
        return (raw.decode() if what == "text" else raw.hex()), at + length
    values = []
    for _ in range(length * (2 if what == "map" else 1)):
        value, at = _decode(data, at, depth + 1)
        values.append(value)
    if what == "map":
        return dict(zip(values[::2], values[1::2], strict=True)), at
    return values, at


def _length(data: bytes, head: int, at: int) -> tuple[str, int, int]:
    """What `head` begins, how long it is, and where its content begins."""
    if head in _LENGTHS:
        what, form = _LENGTHS[head]
        return what, struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    if head <= 0x9F:
        return ("map" if head <= 0x8F else "array"), head & 0x0F, at
    if head <= 0xBF:
        return "text", head & 0x1F, at
    raise ValueError(f"byte {head:#x} begins nothing that a record holds")


_CONSTANTS: dict[int, Any] = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
_LENGTHS = {
    0xC4: ("bytes", ">B"), 0xC5: ("bytes", ">H"), 0xC6: ("bytes", ">I"),
    0xD9: ("text", ">B"), 0xDA: ("text", ">H"), 0xDB: ("text", ">I"),
    0xDC: ("array", ">H"), 0xDD: ("array", ">I"), 0xDE: ("map", ">H"), 0xDF: ("map", ">I"),
}  # fmt: skip


def _public_key(path: Path) -> Ed25519PublicKey:
    key = load_pem_public_key(path.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{path}: expected an Ed25519 public key")  # noqa: TRY004
    return key


def main(arguments: list[str]) -> int:
    """Prints one JSON line per proven record; 1 when anything is wrong."""
    if len(arguments) != 2:
        sys.stderr.write("usage: proof.py BUNDLE.json LEDGER.pub\n")
        return 2
    try:
        key = _public_key(Path(arguments[1]))
        records = check(Path(arguments[0]).read_bytes(), key)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"not proven: {error}\n")
        return 1
    for record in records:
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
