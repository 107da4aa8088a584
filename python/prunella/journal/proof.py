"""A ledger's folder or a bundle, and a public key, in; what is proved, or what is wrong, out.

For whoever does not trust us: this file imports nothing of ours, only Python's own library and
`cryptography`, and may be copied and run alone:

    python proof.py LEDGER-FOLDER ledger.pub [--record N] [--witness anna.txt=anna.pub] [--needed K]
    python proof.py BUNDLE.json ledger.pub [--witness anna.txt]

It is on purpose a second implementation of what the ledger itself does. In reading order: entries
and their chain, the Merkle tree over them, the signed notes about it, witnesses, and the two
questions that can be asked (a whole folder; chosen records in a bundle). Sources: RFC 9162 (2.1),
C2SP signed-note, tlog-checkpoint and tlog-cosignature, the MessagePack specification.
"""

import argparse
import base64
import binascii
import hashlib
import json
import re
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

ORIGIN = "prunella.local/ledger"
BUNDLE_VERSION = 1
DEPTH_MAX = 32
"""Nesting that is followed: a bundle from a stranger must not exhaust the stack."""

# 1. Entries. A segment is 64 bytes of header, then entries at multiples of 8, all little-endian:
#    size u32 (64 + payload), CRC32C of all other bytes u32, number u64, time i64, kind u16,
#    unsynced u32, 2 zero bytes, chain (32 bytes), payload, zeros up to the next multiple of 8.
#    chain = SHA-256(chain before, size, bytes 8..32, payload); before the first entry: 32 zeros.


def entries(folder: Path) -> Iterator[bytes]:
    """The payload of each entry, from number 1 on.

    Raises:
        ValueError: The first entry that is not what it should be.
    """
    seq, chain = 0, bytes(32)
    for path in sorted(folder.glob("*.journal")):
        data = path.read_bytes()
        first = struct.unpack_from("<Q", data, 16)[0] if len(data) >= 64 else 0
        sealed = len(data) >= 64 and _crc32c(data[:60]) == struct.unpack_from("<I", data, 60)[0]
        if data[:12] != b"PRNJRNL\0\1\0\0\0" or not sealed or path.stem != f"{first:020}":
            raise ValueError(f"entry {seq + 1}: the header of {path.name} is damaged")
        if first != seq + 1 or data[24:56] != chain:
            raise ValueError(f"entry {seq + 1}: missing or altered: {path.name} follows another")
        at = 64
        while at + 64 <= len(data) and any(data[at : at + 4]):
            seq += 1
            payload, chain, at = _read_entry(data, at, seq, chain)
            yield payload
        if any(data[at:]):
            raise ValueError(f"entry {seq + 1}: blanked: {path.name} goes on behind byte {at}")


def _read_entry(data: bytes, at: int, seq: int, before: bytes) -> tuple[bytes, bytes, int]:
    """Payload and chain of one entry, and where the next begins."""
    size, crc, own_seq = struct.unpack_from("<IIQ", data, at)
    end = at + (size + 7) // 8 * 8
    if size < 64 or end > len(data) or crc != _crc32c(data[at : at + 4] + data[at + 8 : end]):
        raise ValueError(f"entry {seq}: altered at byte {at}: its checksum does not fit its bytes")
    if own_seq != seq:
        raise ValueError(f"entry {seq}: missing: entry {own_seq} stands in its place")
    payload = data[at + 64 : at + size]
    chain = hashlib.sha256(before + data[at : at + 4] + data[at + 8 : at + 32] + payload).digest()
    if data[at + 32 : at + 64] != chain:
        raise ValueError(f"entry {seq}: its link to the entries before is broken")
    return payload, chain, end


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_CRC = [_crc_of(byte) for byte in range(256)]


def _fields(leaf: bytes, seq: int) -> dict[str, Any]:
    """What an entry says: schema, number, time, kind, incident, record."""
    try:
        (_, own_seq, ts_ns, kind, incident, record), end = _decode(leaf, 0, 0)
    except (TypeError, ValueError, IndexError, struct.error) as error:
        raise ValueError(f"entry {seq}: cannot be read: {error}") from None
    if own_seq != seq or end != len(leaf):
        raise ValueError(f"entry {seq}: its bytes say that they are entry {own_seq}")
    return {"seq": seq, "ts_ns": ts_ns, "kind": kind, "incident": incident, "record": record}


# 2. The tree. A leaf is SHA-256(0, entry), a node SHA-256(1, left, right).


class Tree:
    """The complete subtrees of all leaves so far, the largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def append(self, leaf: bytes) -> None:
        """Adds an entry; two subtrees of the same size become one."""
        size, node = 1, hashlib.sha256(b"\0" + leaf).digest()
        while self._peaks and self._peaks[-1][0] == size:
            node = _node(self._peaks.pop()[1], node)
            size *= 2
        self._peaks.append((size, node))
        self.size += 1

    def root(self) -> bytes:
        """The hash of the whole."""
        if not self._peaks:
            return hashlib.sha256(b"").digest()
        root = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            root = _node(peak, root)
        return root


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _root_from(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes | None:
    """The root that an inclusion proof leads to; None if it has not the right length."""
    if not 0 <= index < size:
        return None
    first, last, found = index, size - 1, hashlib.sha256(b"\0" + leaf).digest()
    for step in proof:
        if last == 0:
            return None
        if first % 2 or first == last:
            found = _node(step, found)
            while first and not first % 2:
                first, last = first >> 1, last >> 1
        else:
            found = _node(found, step)
        first, last = first >> 1, last >> 1
    return found if last == 0 else None


def _grew(old: int, new: int, roots: tuple[bytes, bytes], proof: list[bytes]) -> bool:
    """Whether a consistency proof shows that the tree of `new` leaves begins with that of `old`."""
    if old == new:
        return not proof and roots[0] == roots[1]
    if old & (old - 1) == 0:
        proof = [roots[0], *proof]
    if not 0 < old < new or not proof:
        return False
    first, last = old - 1, new - 1
    while first % 2:
        first, last = first >> 1, last >> 1
    before = after = proof[0]
    for step in proof[1:]:
        if last == 0:
            return False
        if first % 2 or first == last:
            before, after = _node(step, before), _node(step, after)
            while first and not first % 2:
                first, last = first >> 1, last >> 1
        else:
            after = _node(after, step)
        first, last = first >> 1, last >> 1
    return last == 0 and (before, after) == roots


# 3. Signed notes: origin, size, root in base64, an empty line, `— NAME SIGNATURE` lines.

_NOTE = re.compile(
    r"(([^\n]+)\n([1-9][0-9]{0,17})\n([A-Za-z0-9+/]{43}=)\n)\n((?:\u2014 [^\n]+\n)+)(?:\n|\Z)"
)


class Note(NamedTuple):
    """The ledger's word that its first `size` entries have this root."""

    name: str
    size: int
    root: bytes
    body: str
    signatures: list[tuple[str, bytes]]


def notes(text: str, name: str, key: Ed25519PublicKey) -> list[Note]:
    """Every note of a file, each one signed by `key`.

    Raises:
        ValueError: One is cut off, altered, or by another key; it names the line.
    """
    found, at = [], 0
    while at < len(text):
        match = _NOTE.match(text, at)
        where = f"{name}, line {text.count(chr(10), 0, at) + 1}"
        if match is None or match[2] != ORIGIN:
            raise ValueError(f"{where}: no checkpoint of {ORIGIN}")
        note = Note(where, int(match[3]), _base64(match[4], where), match[1], [])
        for line in match[5].splitlines():
            signer, _, signature = line[2:].rpartition(" ")
            note.signatures.append((signer, _base64(signature, where)))
        if not _signed(note, ORIGIN, key, b"\x01"):
            raise ValueError(f"{where}: the checkpoint is not signed by this key")
        found.append(note)
        at = match.end()
    return found


def _base64(text: str, where: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        raw = b""
    if not raw or base64.b64encode(raw).decode() != text:
        raise ValueError(f"{where}: {text!r} is not base64")
    return raw


def _signed(note: Note, signer: str, key: Ed25519PublicKey, kind: bytes) -> bool:
    """Whether `key` signed the note: kind 1 its text, kind 4 its text and when it was seen."""
    named = signer.encode() + b"\n" + kind + key.public_bytes_raw()
    for name, signature in note.signatures:
        if name != signer or signature[:4] != hashlib.sha256(named).digest()[:4]:
            continue
        said, proof = note.body, signature[4:]
        if kind == b"\x04" and len(signature) == 76:
            seconds = struct.unpack_from(">Q", signature, 4)[0]
            said, proof = f"cosignature/v1\ntime {seconds}\n{note.body}", signature[12:]
        try:
            key.verify(proof, said.encode())
        except InvalidSignature:
            raise ValueError(f"{note.name}: the signature does not fit the checkpoint") from None
        return True
    return False


# 4. Witnesses: files of notes that were kept elsewhere, and may be cosigned by whoever kept them.


class Witness(NamedTuple):
    """One file of notes from elsewhere."""

    name: str
    notes: list[Note]


def read_witness(path: Path, key: Ed25519PublicKey, own: Ed25519PublicKey | None) -> Witness:
    """A witness's notes; with `own` only those that the witness cosigned.

    Raises:
        ValueError: A note is not the ledger's, or there is none.
    """
    found = notes(path.read_bytes().decode(), path.name, key)
    if own is not None:
        found = [
            note
            for note in found
            if any(_signed(note, name, own, b"\x04") for name, _ in note.signatures)
        ]
    if not found:
        raise ValueError(f"{path.name}: holds no checkpoint that counts")
    return Witness(path.name, sorted(found, key=lambda note: note.size))


def _vouched(witnesses: Sequence[Witness], needed: int) -> int:
    """How many entries at least `needed` witnesses vouch for."""
    sizes = sorted((witness.notes[-1].size for witness in witnesses), reverse=True)
    if needed and (len(sizes) < needed):
        raise ValueError(f"{len(sizes)} witnesses vouch for the ledger, {needed} are needed")
    return sizes[max(needed, 1) - 1] if sizes else 0


# 5. A whole folder.


def check_folder(
    folder: Path,
    key: Ed25519PublicKey,
    *,
    witnesses: Sequence[Witness] = (),
    needed: int = 0,
    record: int = 0,
) -> dict[str, Any]:
    """Every entry, link, root and signature of a ledger; with `record` also what that entry says.

    Raises:
        ValueError: The first thing that is not true, with the entry where it begins.
    """
    own = notes((folder / "checkpoints.txt").read_bytes().decode(), "checkpoints.txt", key)
    if [note.size for note in own] != sorted(note.size for note in own):
        raise ValueError("checkpoints.txt: a checkpoint covers less than one before it")
    due = [*own, *(note for witness in witnesses for note in witness.notes)]
    due.sort(key=lambda note: note.size)
    mine, tree, good, told = set(map(id, own)), Tree(), 0, None
    for leaf in entries(folder):
        tree.append(leaf)
        fields = _fields(leaf, tree.size)
        told = fields if tree.size == record else told
        while due and due[0].size == tree.size:
            note = due.pop(0)
            if note.root != tree.root():
                what = "rewritten" if id(note) in mine else "forked: this key signed two histories"
                raise ValueError(
                    f"entry {good + 1} or one of those up to {note.size}: {what}: "
                    f"the root is not that of {note.name}"
                )
            good = note.size
    if due:
        missing = f"entry {tree.size + 1}: missing: {due[0].name} covers {due[0].size} entries"
        raise ValueError(f"{missing}, found {tree.size}: the tail was cut off")
    if tree.size and not own:
        raise ValueError(f"entry 1: no checkpoint for {tree.size} entries")
    if record and told is None:
        raise ValueError(f"entry {record}: there is none, the last one is {tree.size}")
    whole = {
        "entries": tree.size,
        "checkpoints": len(own),
        "unsigned": tree.size - (own[-1].size if own else 0),
        "witnessed": _vouched(witnesses, needed),
        "root": tree.root().hex(),
    }
    return whole if told is None else {**whole, "record": told}


# 6. Chosen records in a bundle.


def check(
    bundle: bytes, key: Ed25519PublicKey, witnesses: Sequence[Witness] = (), needed: int = 0
) -> list[dict[str, Any]]:
    """The records of a bundle, each proved to be in the ledger that `key` signed.

    Raises:
        ValueError: The bundle is no bundle, or something in it is not true; the message says what.
    """
    try:
        content = json.loads(bundle)
        version, note, entries_in = content["version"], content["checkpoint"], content["entries"]
        proofs = {int(size): proof for size, proof in content.get("consistency", {}).items()}
        if version != BUNDLE_VERSION:
            raise ValueError(f"found version {version!r}, expected {BUNDLE_VERSION}")
        (head,) = notes(note, "the bundle", key)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is not a bundle: {error!r}") from None
    for witness in witnesses:
        for each in witness.notes:
            _check_growth(each, head, proofs)
    _vouched(witnesses, needed)
    return [_entry(entry, head) for entry in entries_in]


def _check_growth(note: Note, head: Note, proofs: dict[int, list[str]]) -> None:
    """Raises ValueError unless the bundle's checkpoint goes on from a witness's."""
    if note.size > head.size:
        raise ValueError(
            f"entry {head.size + 1}: missing: {note.name} covers {note.size} entries, the bundle's "
            f"checkpoint {head.size}: an older bundle, or the tail was cut off"
        )
    if note.size == head.size:
        proofs = {note.size: []}
    if note.size not in proofs:
        raise ValueError(
            f"{note.name}: the bundle has no proof for {note.size} entries: export "
            "it again with --since and this file"
        )
    proof = [bytes.fromhex(step) for step in proofs[note.size]]
    if not _grew(note.size, head.size, (note.root, head.root), proof):
        raise ValueError(
            f"one of the entries up to {note.size}: forked: this key signed two histories: the "
            f"bundle's does not go on from {note.name}"
        )


def _entry(entry: dict[str, Any], head: Note) -> dict[str, Any]:
    try:
        seq, leaf = int(entry["seq"]), base64.b64decode(entry["leaf"], validate=True)
        proof = [bytes.fromhex(step) for step in entry["proof"]]
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise ValueError(f"entry {entry!r:.60}: cannot be read: {error}") from None
    if _root_from(leaf, seq - 1, head.size, proof) != head.root:
        raise ValueError(f"entry {seq}: its proof does not lead to the checkpoint's root")
    return _fields(leaf, seq)


# 7. MessagePack, as far as records use it.


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


# 8. The command.


def _public_key(path: str) -> Ed25519PublicKey:
    key = load_pem_public_key(Path(path).read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{path}: expected an Ed25519 public key")  # noqa: TRY004
    return key


def _witness(text: str, key: Ed25519PublicKey) -> Witness:
    path, _, own = text.partition("=")
    return read_witness(Path(path), key, _public_key(own) if own else None)


def main(arguments: list[str]) -> int:
    """Prints JSON: one line about a folder, or one per proven record; 1 when anything is wrong."""
    parser = argparse.ArgumentParser(prog="proof.py", description="Checks a ledger offline.")
    parser.add_argument("what", help="a ledger's folder, or a bundle that was exported from one")
    parser.add_argument("key", help="the ledger's public key (PEM)")
    parser.add_argument(
        "--witness",
        action="append",
        default=[],
        metavar="FILE[=KEY.pub]",
        help="checkpoints kept elsewhere; with a key only those cosigned by it",
    )
    parser.add_argument("--needed", type=int, default=0, help="how many witnesses must vouch")
    parser.add_argument("--record", type=int, default=0, help="tell this entry of the folder")
    given = parser.parse_args(arguments)
    try:
        key, what = _public_key(given.key), Path(given.what)
        witnesses = [_witness(each, key) for each in given.witness]
        if what.is_dir():
            found = [
                check_folder(
                    what, key, witnesses=witnesses, needed=given.needed, record=given.record
                )
            ]
        else:
            found = check(what.read_bytes(), key, witnesses, given.needed)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"not proven: {error}\n")
        return 1
    for each in found:
        sys.stdout.write(json.dumps(each, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
