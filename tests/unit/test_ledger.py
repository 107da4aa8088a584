"""A ledger that nobody tampers with: records, signatures, reopening, bundles."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ledger_rig import SECOND_NS, SignedLedger, signed_ledger
from prunella.errors import JournalError
from prunella.journal import (
    Ledger,
    export_bundle,
    merkle_leaf,
    proof,
    prove,
    read_ledger,
    verify_inclusion,
)
from prunella.journal.checkpoint import load


class Acted(msgspec.Struct, frozen=True, kw_only=True, tag="acted"):
    """A record with an incident of its own."""

    incident: str
    what: str


@pytest.fixture
def ledger(tmp_path: Path) -> SignedLedger:
    """Twelve records, four checkpoints."""
    return signed_ledger(tmp_path / "ledger")


def test_records_come_back_with_number_time_kind_and_incident(tmp_path: Path) -> None:
    """Structs and dictionaries are both kept; the record's own incident is taken."""
    with Ledger(tmp_path, Ed25519PrivateKey.generate()) as book:
        assert book.append("acted", Acted(incident="inc-1", what="halt"), 5) == 1
        assert book.append("note", {"b": 1, "a": 2}, now_ns=6, incident="inc-2") == 2
    first, second = read_ledger(tmp_path)
    assert (first.seq, first.ts_ns, first.kind, first.incident) == (1, 5, "acted", "inc-1")
    assert first.decode(Acted) == Acted(incident="inc-1", what="halt")
    assert (second.incident, second.fields()) == ("inc-2", {"a": 2, "b": 1})
    with pytest.raises(JournalError, match="ledger entry 2"):
        second.decode(Acted)
    assert [entry.seq for entry in read_ledger(tmp_path, from_seq=2)] == [2]


def test_equal_dictionaries_give_equal_bytes(tmp_path: Path) -> None:
    """One canonical encoding: the order in which keys were set does not show."""
    with Ledger(tmp_path, Ed25519PrivateKey.generate()) as book:
        book.append("note", {"a": 1, "b": 2}, 0)
        book.append("note", {"b": 2, "a": 1}, 0)
    first, second = read_ledger(tmp_path)
    assert first.record == second.record


def test_untouched_ledger_verifies_whole(ledger: SignedLedger) -> None:
    """All records are signed once the ledger is closed."""
    found = ledger.verify()
    assert (found.entries, found.checkpoints, found.unsigned) == (12, 4, 0)
    assert ledger.verify(saved=ledger.checkpoints).witnessed == 12


def test_empty_ledger_verifies(tmp_path: Path) -> None:
    """Nothing was recorded, nothing is wrong."""
    made = signed_ledger(tmp_path / "ledger", records=0)
    assert made.verify().entries == 0


def test_tick_signs_a_second_after_the_last_signature(tmp_path: Path) -> None:
    """Not sooner, not without something new, and also after the clock was set back."""
    book = Ledger(tmp_path, Ed25519PrivateKey.generate())

    def signed() -> list[int]:
        return [each.size for each in load(tmp_path / "checkpoints.txt", None)]

    book.append("note", {}, 10 * SECOND_NS)
    assert signed() == []
    book.tick(10 * SECOND_NS)
    assert signed() == [1]
    book.append("note", {}, 10 * SECOND_NS)
    book.tick(11 * SECOND_NS - 1)
    assert signed() == [1]
    book.tick(11 * SECOND_NS)
    book.tick(20 * SECOND_NS)
    assert signed() == [1, 2]
    book.append("note", {}, SECOND_NS)
    book.tick(SECOND_NS)
    assert signed() == [1, 2, 3]


def test_thousand_records_are_signed_without_a_tick(tmp_path: Path) -> None:
    """However fast they come, a bounded number is unsigned."""
    book = Ledger(tmp_path, Ed25519PrivateKey.generate())
    for _ in range(2_500):
        book.append("note", {}, 0)
    assert [each.size for each in load(tmp_path / "checkpoints.txt", None)] == [1_000, 2_000]


def test_reopened_ledger_continues_the_tree(ledger: SignedLedger) -> None:
    """Numbers go on, old checkpoints stay good."""
    with Ledger(ledger.folder, ledger.key) as book:
        assert book.last_seq == 12
        assert book.append("note", {}, 99) == 13
    found = ledger.verify()
    assert (found.entries, found.checkpoints, found.unsigned) == (13, 5, 0)


def test_ledger_refuses_a_key_that_did_not_sign_it(ledger: SignedLedger) -> None:
    """Two keys in one ledger would make each look like the other's forger."""
    with pytest.raises(JournalError, match="no signature by this ledger's key"):
        Ledger(ledger.folder, Ed25519PrivateKey.generate())
    with Ledger(ledger.folder, ledger.key) as book:
        assert book.last_seq == 12


def test_ledger_refuses_to_open_on_a_cut_tail(ledger: SignedLedger) -> None:
    """Whoever signed twelve records does not go on from nine."""
    ledger.forge(ledger.leaves()[:9])
    with pytest.raises(JournalError, match="ledger entry 10: missing"):
        Ledger(ledger.folder, ledger.key)


def test_half_written_checkpoint_is_cut_on_opening(ledger: SignedLedger) -> None:
    """Every beginning of the last note, as a power cut leaves it, is removed and signed anew."""
    whole = ledger.checkpoints.read_bytes()
    last = whole.rindex(b"prunella.local/ledger\n12\n")
    for length in range(last, len(whole)):
        ledger.checkpoints.write_bytes(whole[:length])
        Ledger(ledger.folder, ledger.key).close()
        assert ledger.checkpoints.read_bytes() == whole
        assert ledger.verify().unsigned == 0


def test_records_after_the_last_checkpoint_are_counted(ledger: SignedLedger) -> None:
    """What is chained but not signed is told, not hidden."""
    whole = ledger.checkpoints.read_bytes()
    ledger.checkpoints.write_bytes(whole[: whole.rindex(b"prunella.local/ledger\n12\n")])
    assert ledger.verify().unsigned == 3


def test_inclusion_proof_leads_to_the_signed_root(ledger: SignedLedger) -> None:
    """Each record is proved against the last checkpoint without its neighbours."""
    evidence = prove(ledger.folder, lambda entry: entry.incident == "inc-1")
    assert [each.entry.seq for each in evidence.records] == [1, 3, 5, 7, 9, 11]
    root = load(ledger.checkpoints, ledger.key.public_key())[-1].root
    for each in evidence.records:
        assert each.proof is not None
        leaf, index = merkle_leaf(each.entry.leaf), each.entry.seq - 1
        assert verify_inclusion(leaf, index, evidence.size, each.proof, root)


def test_unsigned_record_has_no_proof_yet(tmp_path: Path) -> None:
    """Beside a live ledger the newest records wait for their signature."""
    book = Ledger(tmp_path, Ed25519PrivateKey.generate())
    book.append("note", {}, 0)
    book.checkpoint(0)
    book.append("note", {}, 0)
    evidence = prove(tmp_path, lambda _: True)
    assert [each.proof is None for each in evidence.records] == [False, True]
    with pytest.raises(JournalError, match="entry 2 is not under a signed checkpoint yet"):
        export_bundle(evidence)


def _bundle(ledger: SignedLedger) -> bytes:
    return export_bundle(prove(ledger.folder, lambda entry: entry.incident == "inc-0"))


def test_bundle_is_proved_without_anything_of_ours(ledger: SignedLedger, tmp_path: Path) -> None:
    """The auditor's one file, run alone, prints the records as they were written."""
    (tmp_path / "bundle.json").write_bytes(_bundle(ledger))
    public = ledger.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "ledger.pub").write_bytes(public)
    script = tmp_path / "proof.py"
    script.write_bytes(Path(proof.__file__).read_bytes())
    command = [sys.executable, "-P", str(script), "bundle.json", "ledger.pub"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, check=True)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["seq"] for each in records] == [2, 4, 6, 8, 10, 12]
    assert records[0] == {
        "seq": 2,
        "ts_ns": 2 * SECOND_NS,
        "kind": "note",
        "incident": "inc-0",
        "record": {"incident": "inc-0", "text": "record 2"},
    }


def test_altered_bundle_is_refused(ledger: SignedLedger) -> None:
    """A changed record, number, proof, checkpoint or key each breaks the proof."""
    key, good = ledger.key.public_key(), json.loads(_bundle(ledger))
    assert len(proof.check(json.dumps(good).encode(), key)) == 6

    def refused(change: str) -> None:
        with pytest.raises(ValueError, match=change):
            proof.check(json.dumps(bad).encode(), key)

    bad = json.loads(json.dumps(good))
    leaf = bytearray(base64.b64decode(bad["entries"][0]["leaf"]))
    leaf[-1] ^= 1
    bad["entries"][0]["leaf"] = base64.b64encode(leaf).decode()
    refused("entry 2: its proof does not lead")
    bad = json.loads(json.dumps(good))
    bad["entries"][1]["seq"] = 5
    refused("entry 5: its proof does not lead")
    bad = json.loads(json.dumps(good))
    bad["entries"][2]["proof"].pop()
    refused("entry 6: its proof does not lead")
    bad = json.loads(json.dumps(good))
    bad["checkpoint"] = bad["checkpoint"].replace("\n12\n", "\n11\n")
    refused("signature does not fit")
    bad = json.loads(json.dumps(good))
    key = Ed25519PrivateKey.generate().public_key()
    refused("not signed by this key")


@pytest.mark.parametrize("junk", [b"", b"[]", b"{}", b'{"version": 1}', b"\xff", b'{"version":2}'])
def test_file_that_is_no_bundle_is_refused(junk: bytes) -> None:
    """Whatever the file holds, the answer is a refusal with a reason."""
    with pytest.raises(ValueError, match=r"."):
        proof.check(junk, Ed25519PrivateKey.generate().public_key())


def test_auditors_decoder_reads_what_a_record_can_hold(tmp_path: Path) -> None:
    """Every MessagePack form that our encoder makes is read as it was meant."""
    values: dict[str, object] = {
        "numbers": [0, 127, 128, 255, 256, 65_536, 2**32, 2**63, -1, -32, -33, -200, -(2**40)],
        "floats": [0.5, -1e300],
        "others": [None, True, False],
        "texts": ["", "é" * 20, "x" * 300, "y" * 70_000],
        "lists": [list(range(20))],
        "maps": [{str(number): number for number in range(20)}],
    }
    key = Ed25519PrivateKey.generate()
    with Ledger(tmp_path, key) as book:
        book.append("note", values, 0)
    (found,) = proof.check(export_bundle(prove(tmp_path, lambda _: True)), key.public_key())
    assert found["record"] == values
