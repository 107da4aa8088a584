"""The journal, its tree and its keys as Python sees them."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from prunella.errors import AuthenticationError, JournalError
from prunella.journal import (
    JournalReader,
    JournalWriter,
    MerkleTree,
    ensure_key_pair,
    load_private_key,
    load_public_key,
    merkle_leaf,
    read,
    verify,
    verify_consistency,
    verify_inclusion,
)

SEGMENT = 4096


def _fill(folder: Path, count: int) -> None:
    writer = JournalWriter(folder, segment_bytes=SEGMENT)
    for number in range(count):
        writer.append(number * 10, 3, b"entry %d" % number)
    writer.close()


def test_appended_entries_are_read_back_in_order(tmp_path: Path) -> None:
    """Number, time, kind and payload come back, over several segments, from any place on."""
    _fill(tmp_path, 200)
    entries = list(read(tmp_path))
    assert [entry.seq for entry in entries] == list(range(1, 201))
    assert (entries[7].ts_ns, entries[7].kind, entries[7].payload) == (70, 3, b"entry 7")
    assert list(read(tmp_path, from_seq=150)) == entries[149:]
    assert verify(tmp_path) == 200


def test_reader_beside_a_writer_goes_on_after_the_end(tmp_path: Path) -> None:
    """Iterating again gives what was appended since."""
    writer = JournalWriter(tmp_path, segment_bytes=SEGMENT)
    reader = JournalReader(tmp_path)
    assert list(reader) == []
    writer.append(1, 1, b"one")
    assert [entry[3] for entry in reader] == [b"one"]
    writer.append(2, 1, b"two")
    assert [entry[3] for entry in reader] == [b"two"]


def test_second_writer_is_told_who_holds_the_journal(tmp_path: Path) -> None:
    """The refusal names the process; closing lets the next one in."""
    first = JournalWriter(tmp_path, segment_bytes=SEGMENT)
    with pytest.raises(JournalError, match=r"being written by process \d+"):
        JournalWriter(tmp_path, segment_bytes=SEGMENT)
    first.close()
    JournalWriter(tmp_path, segment_bytes=SEGMENT).close()


def test_closed_writer_refuses_to_append(tmp_path: Path) -> None:
    """A closed journal is our own mistake to use."""
    writer = JournalWriter(tmp_path, segment_bytes=SEGMENT)
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.append(0, 0, b"")


def test_damaged_entry_is_named_with_its_place(tmp_path: Path) -> None:
    """The message has the segment, the entry, the byte, what was found and what was expected."""
    _fill(tmp_path, 10)
    path = tmp_path / f"{1:020}.journal"
    data = bytearray(path.read_bytes())
    data[64 + 72 * 4 + 66] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalError, match=r"1\.journal: entry 5 at byte 352: found .* expected"):
        list(read(tmp_path))


def test_half_written_end_is_cut_by_the_next_writer(tmp_path: Path) -> None:
    """A power cut's leftovers are told and removed; everything before stays."""
    _fill(tmp_path, 3)
    path = tmp_path / f"{1:020}.journal"
    data = bytearray(path.read_bytes())
    data[64 + 72 * 3 : 64 + 72 * 3 + 16] = b"\x70" + bytes(15)
    path.write_bytes(data)
    with pytest.raises(JournalError, match="entry 4 at byte 280"):
        verify(tmp_path)
    writer = JournalWriter(tmp_path, segment_bytes=SEGMENT)
    assert writer.cut is not None
    assert "entry 4" in writer.cut
    assert writer.append(0, 0, b"goes on") == 4
    writer.close()
    assert verify(tmp_path) == 4


def _naive_root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    middle = 1 << (len(leaves) - 1).bit_length() - 1
    pair = _naive_root(leaves[:middle]) + _naive_root(leaves[middle:])
    return hashlib.sha256(b"\1" + pair).digest()


def test_tree_agrees_with_the_definition_and_its_proofs_hold() -> None:
    """Roots of every size equal RFC 9162's recursion; each proof verifies, a changed one not."""
    leaves = [b"leaf %d" % index for index in range(40)]
    tree = MerkleTree()
    for index, leaf in enumerate(leaves):
        assert tree.append(leaf) == index
        assert tree.root() == _naive_root(leaves[: index + 1])
    for size in (1, 2, 7, 8, 33, 40):
        for index in range(size):
            proof = tree.inclusion_proof(index, size)
            leaf = merkle_leaf(leaves[index])
            assert verify_inclusion(leaf, index, size, proof, tree.root(size))
            assert not verify_inclusion(leaf, index, size, [*proof, leaf], tree.root(size))
        growth = tree.consistency_proof(size, 40)
        assert verify_consistency(size, 40, tree.root(size), tree.root(), growth)
        assert not verify_consistency(size, 40, tree.root(1), tree.root(), growth) or size == 1
    with pytest.raises(ValueError, match="41"):
        tree.root(41)
    with pytest.raises(ValueError, match="no leaf"):
        tree.inclusion_proof(40, 40)


def test_key_pair_is_made_private_and_never_replaced(tmp_path: Path) -> None:
    """The private key has mode 0600; a second call hands back the same key."""
    path = tmp_path / "ledger.key"
    made = ensure_key_pair(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert ensure_key_pair(path).private_bytes_raw() == made.private_bytes_raw()
    public = load_public_key(tmp_path / "ledger.pub")
    assert public.public_bytes_raw() == made.public_key().public_bytes_raw()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_private_key_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """The refusal says which mode was found and how to mend it."""
    path = tmp_path / "ledger.key"
    ensure_key_pair(path)
    path.chmod(mode)
    with pytest.raises(AuthenticationError, match=f"mode {mode:04o}.*chmod 600"):
        load_private_key(path)


def test_file_that_is_no_ed25519_key_is_refused(tmp_path: Path) -> None:
    """Missing, not PEM, and a key of another kind are each told apart."""
    path = tmp_path / "ledger.key"
    with pytest.raises(AuthenticationError, match="no private key"):
        load_private_key(path)
    with pytest.raises(AuthenticationError, match="no public key"):
        load_public_key(path)
    path.write_text("nonsense")
    path.chmod(0o600)
    with pytest.raises(AuthenticationError, match="no PEM private key"):
        load_private_key(path)
    with pytest.raises(AuthenticationError, match="no PEM public key"):
        load_public_key(path)
    other = generate_private_key(SECP256R1())
    path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(AuthenticationError, match="expected an Ed25519 private key"):
        load_private_key(path)
