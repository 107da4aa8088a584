"""The command and the stranger's script find the same tampering at the same place; witnesses."""

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Said
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ledger_rig import HEADER_BYTES, SECOND_NS, SignedLedger, named, signed_ledger
from prunella.cli import main
from prunella.errors import JournalError
from prunella.journal import Ledger, Witness, cosign, ensure_key_pair, proof, verify_ledger
from prunella.journal.checkpoint import append, load, sign

RECORDS = 12
Typed = Callable[..., Said]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> SignedLedger:
    """Twelve records, a checkpoint after every third."""
    return signed_ledger(tmp_path_factory.mktemp("ledger") / "ledger", records=RECORDS)


@pytest.fixture
def ledger(original: SignedLedger, tmp_path: Path) -> SignedLedger:
    """A copy to tamper with, and its public key beside it."""
    public = original.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "ledger.pub").write_bytes(public)
    return original.copy(tmp_path / "ledger")


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Typed:
    """Types a command in this process."""

    def typed(*arguments: str | Path) -> Said:
        monkeypatch.setattr("sys.argv", ["prunella", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capfd.readouterr()
        return Said(int(end.value.code or 0), out, err)

    return typed


def _script(ledger: SignedLedger, *more: str | Path) -> Said:
    """The auditor's one file, copied elsewhere and run without anything of ours."""
    script = ledger.folder.parent / "auditor.py"
    script.write_bytes(Path(proof.__file__).read_bytes())
    command = [sys.executable, "-I", str(script), str(ledger.folder), "ledger.pub", *map(str, more)]
    done = subprocess.run(
        command, cwd=script.parent, env={}, capture_output=True, text=True, check=False
    )
    return Said(done.returncode, done.stdout, done.stderr)


def _flip(ledger: SignedLedger) -> None:
    data = bytearray(ledger.segment.read_bytes())
    data[ledger.bounds()[4][0] + 90] ^= 1
    ledger.segment.write_bytes(data)


def _drop(ledger: SignedLedger) -> None:
    data = ledger.segment.read_bytes()
    parts = [data[begin:end] for begin, end in ledger.bounds()]
    ledger.replace_entries(parts[:7] + parts[8:])


def _cut(ledger: SignedLedger) -> None:
    """Entries and their checkpoints go together: only the notebook elsewhere tells."""
    ledger.forge(ledger.leaves()[:9])
    kept = "\n\nprunella".join(ledger.checkpoints.read_text().split("\n\nprunella")[:3])
    ledger.checkpoints.write_text(f"{kept}\n\n")


def _rewrite(ledger: SignedLedger) -> None:
    """With a good chain: anyone can make checksums and chain anew, not the signed roots."""
    leaves = ledger.leaves()
    ts_ns, leaf = leaves[4]
    leaves[4] = (ts_ns, leaf.replace(b"record", b"RECORD"))
    ledger.forge(leaves)


def _fork(ledger: SignedLedger) -> None:
    """The key's owner signs a second story from entry 7 on."""
    ledger.forge(ledger.leaves()[:6])
    kept = "\n\nprunella".join(ledger.checkpoints.read_text().split("\n\nprunella")[:2])
    ledger.checkpoints.write_text(f"{kept}\n\n")
    with Ledger(ledger.folder, ledger.key) as book:
        for number in range(7, RECORDS + 1):
            book.append("note", {"text": f"another story {number}"}, number * SECOND_NS)


@pytest.mark.parametrize(
    "tampering",
    [
        (_flip, 5, "checksum"),
        (_drop, 8, "entry"),
        (_cut, 10, "the tail was cut off"),
        (_rewrite, 4, "rewritten"),
        (_fork, 7, "forked"),
    ],
)
def test_each_tampering_is_found_and_located_by_command_and_script(
    ledger: SignedLedger,
    typed: Typed,
    tmp_path: Path,
    tampering: tuple[Callable[[SignedLedger], None], int, str],
) -> None:
    """Flipped byte, dropped row, cut tail, rewritten history, forked view."""
    notebook = tmp_path / "notebook.txt"
    notebook.write_bytes(ledger.checkpoints.read_bytes())
    command = ("ledger", "verify", ledger.folder, "--key", tmp_path / "ledger.pub")
    good = typed(*command, "--witness", notebook, "--json")
    assert (good.status, json.loads(good.out)["witnessed"]) == (0, RECORDS)
    assert _script(ledger, "--witness", notebook).status == 0

    tamper, where, word = tampering
    tamper(ledger)
    said = typed(*command, "--witness", notebook, "--json")
    problem = json.loads(said.out)["problem"]
    assert said.status == 1
    assert (named(JournalError(problem)), word in problem) == (where, True), problem
    script = _script(ledger, "--witness", notebook)
    assert script.status == 1
    assert script.out == ""
    assert (named(JournalError(script.err)), word in script.err) == (where, True), script.err


def test_script_and_command_name_the_same_entry_for_every_flipped_byte(
    ledger: SignedLedger,
) -> None:
    """One random bit of every byte of every entry, header and padding included."""
    good, bounds = ledger.segment.read_bytes(), ledger.bounds()
    key, dice = ledger.key.public_key(), random.Random(7)
    for at in range(bounds[-1][1]):
        data = bytearray(good)
        data[at] ^= 1 << dice.randrange(8)
        ledger.segment.write_bytes(data)
        with pytest.raises(JournalError) as ours:
            ledger.verify()
        with pytest.raises(ValueError, match=r"entry \d") as theirs:
            proof.check_folder(ledger.folder, key)
        assert named(JournalError(str(theirs.value))) == named(ours.value), f"byte {at}"
    assert at > HEADER_BYTES


def test_script_refuses_every_flipped_byte_of_the_checkpoints(ledger: SignedLedger) -> None:
    """Each byte of the notes belongs to a checked note."""
    good, dice = ledger.checkpoints.read_bytes(), random.Random(7)
    for at in range(len(good)):
        data = bytearray(good)
        data[at] ^= 1 << dice.randrange(8)
        ledger.checkpoints.write_bytes(data)
        with pytest.raises(ValueError, match=r"checkpoint|utf-8|base64"):
            proof.check_folder(ledger.folder, ledger.key.public_key())


def test_script_tells_a_record_and_the_same_root_as_the_command(ledger: SignedLedger) -> None:
    """The whole folder, across several segments, and one record of it."""
    with Ledger(ledger.folder, ledger.key) as book:
        for number in range(RECORDS + 1, 1_800):
            book.append("note", {"text": "x" * 5_000}, number * SECOND_NS)
    assert len(list(ledger.folder.glob("*.journal"))) > 1
    ours = ledger.verify()
    said = _script(ledger, "--record", "5")
    told = json.loads(said.out)
    assert (told["entries"], told["root"]) == (ours.entries, ours.root)
    assert told["checkpoints"] == ours.checkpoints
    assert told["record"]["record"] == {"incident": "inc-1", "text": "record 5"}


def test_script_refuses_a_lost_segment(ledger: SignedLedger) -> None:
    """Neither the first file nor the last can go."""
    with Ledger(ledger.folder, ledger.key) as book:
        for number in range(RECORDS + 1, 1_800):
            book.append("note", {"text": "x" * 5_000}, number * SECOND_NS)
    first, second = sorted(ledger.folder.glob("*.journal"))
    kept = first.read_bytes()
    first.unlink()
    with pytest.raises(ValueError, match="entry 1: missing"):
        proof.check_folder(ledger.folder, ledger.key.public_key())
    first.write_bytes(kept)
    second.unlink()
    with pytest.raises(ValueError, match=f"entry {int(second.stem)}: missing"):
        proof.check_folder(ledger.folder, ledger.key.public_key())


def test_exported_bundle_goes_on_from_an_auditors_checkpoint(
    ledger: SignedLedger, typed: Typed, tmp_path: Path
) -> None:
    """Bundle and script leave the house together; the auditor holds only key and notebook."""
    notebook = tmp_path / "notebook.txt"
    notebook.write_bytes(ledger.checkpoints.read_bytes()[: ledger.checkpoints.stat().st_size // 2])
    assert len(load(notebook, ledger.key.public_key())) == 2
    bundle, script = tmp_path / "bundle.json", tmp_path / "check.py"
    said = typed(
        "ledger", "export", bundle, "--incident", "inc-0", "--since", notebook, "--script", script,
        "--folder", ledger.folder, "--json",
    )  # fmt: skip
    assert json.loads(said.out)["records"] == 6
    public = tmp_path / "ledger.pub"
    command = [sys.executable, "-I", *map(str, (script, bundle, public, "--witness", notebook))]
    done = subprocess.run(command, env={}, capture_output=True, text=True, check=True)
    assert [json.loads(line)["seq"] for line in done.stdout.splitlines()] == [2, 4, 6, 8, 10, 12]

    fork = load(notebook, ledger.key.public_key())[-1]
    notebook.unlink()
    append(notebook, sign(fork.size, bytes(32), ledger.key))
    bad = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert "forked: this key signed two histories" in bad.stderr


def test_one_record_is_proved_on_the_screen(ledger: SignedLedger, typed: Typed) -> None:
    """The proof in hexadecimal, and the record itself; a number that is not there is told."""
    said = typed("ledger", "prove", "5", "--folder", ledger.folder, "--json")
    (entry,) = proof.check(said.out.encode(), ledger.key.public_key())
    assert entry["record"]["text"] == "record 5"
    shown = typed("ledger", "prove", "5", "--folder", ledger.folder).out
    steps = json.loads(said.out)["entries"][0]["proof"]
    assert re.findall(r"\+  ([0-9a-f]{64})", shown) == steps
    assert "holds no entry 13" in typed("ledger", "prove", "13", "--folder", ledger.folder).err


# Witnesses --------------------------------------------------------------------------------------


def test_two_people_cosign_and_k_of_n_is_counted(
    ledger: SignedLedger, typed: Typed, tmp_path: Path
) -> None:
    """Each cosigns what they saw; two of two vouch for the smaller of the two, and one forges."""
    anna, ben = (ensure_key_pair(tmp_path / f"{name}.key") for name in ("anna", "ben"))

    def cosigns(name: str) -> Said:
        return typed(
            "ledger", "cosign", tmp_path / f"{name}.txt", "--sign-with", tmp_path / f"{name}.key",
            "--name", name, "--folder", ledger.folder, "--key", tmp_path / "ledger.pub", "--json",
        )  # fmt: skip

    assert json.loads(cosigns("anna").out) == {"cosigned": True, "entries": 12, "before": 0}
    assert json.loads(cosigns("anna").out)["cosigned"] is False
    with Ledger(ledger.folder, ledger.key) as book:
        book.append("note", {"text": "one more"}, 13 * SECOND_NS)
    assert json.loads(cosigns("ben").out)["entries"] == 13

    notebooks = [
        Witness(path=tmp_path / "anna.txt", key=anna.public_key()),
        Witness(path=tmp_path / "ben.txt", key=ben.public_key()),
    ]
    key = ledger.key.public_key()
    assert verify_ledger(ledger.folder, key, witnesses=notebooks, needed=1).witnessed == 13
    assert verify_ledger(ledger.folder, key, witnesses=notebooks, needed=2).witnessed == 12
    with pytest.raises(JournalError, match="2 witnesses vouch for the ledger, 3 are needed"):
        verify_ledger(ledger.folder, key, witnesses=notebooks, needed=3)
    pairs = [each for name in ("anna", "ben") for each in ("--witness", f"{name}.txt={name}.pub")]
    script = _script(ledger, *pairs, "--needed", "2")
    assert json.loads(script.out)["witnessed"] == 12
    wrong = _script(ledger, "--witness", "anna.txt=ben.pub", "--needed", "1")
    assert (wrong.status, "holds no checkpoint that counts" in wrong.err) == (1, True)


def test_witness_refuses_to_cosign_a_ledger_that_was_cut(
    ledger: SignedLedger, typed: Typed, tmp_path: Path
) -> None:
    """Whoever signed twelve entries does not sign nine; the notebook stays as it was."""
    ensure_key_pair(tmp_path / "anna.key")
    command = (
        "ledger", "cosign", tmp_path / "anna.txt", "--sign-with", tmp_path / "anna.key",
        "--name", "anna", "--folder", ledger.folder, "--key", tmp_path / "ledger.pub",
    )  # fmt: skip
    assert typed(*command).status == 0
    before = (tmp_path / "anna.txt").read_bytes()
    _cut(ledger)
    said = typed(*command)
    assert said.status == 1
    assert "entry 10" in said.out
    assert (tmp_path / "anna.txt").read_bytes() == before


def test_altered_cosignature_is_refused(ledger: SignedLedger, tmp_path: Path) -> None:
    """Another time of seeing, or another root, does not pass under an old cosignature."""
    anna = Ed25519PrivateKey.generate()
    first, *_, last = load(ledger.checkpoints, ledger.key.public_key())
    line = cosign(first, "anna", anna, SECOND_NS).note.splitlines()[-1]
    notebook = tmp_path / "anna.txt"
    notebook.write_text(f"{last.note}{line}\n\n")
    witness = Witness(path=notebook, key=anna.public_key())
    with pytest.raises(JournalError, match="cosignature of anna does not fit"):
        verify_ledger(ledger.folder, ledger.key.public_key(), witnesses=[witness])
    with pytest.raises(ValueError, match="does not fit the checkpoint"):
        proof.read_witness(notebook, ledger.key.public_key(), anna.public_key())


def test_ledger_writes_its_notebooks_and_does_not_go_on_when_it_was_cut(tmp_path: Path) -> None:
    """A notebook on another volume gets the newest checkpoint; the next life compares."""
    key, notebook = Ed25519PrivateKey.generate(), tmp_path / "elsewhere.txt"
    folder = tmp_path / "ledger"
    with Ledger(folder, key, notebooks=[notebook]) as book:
        for number in range(1, 10):
            book.append("note", {"text": str(number)}, number * SECOND_NS)
            book.checkpoint(number * SECOND_NS)
    assert load(notebook, key.public_key())[-1].size == 9
    made = SignedLedger(folder=folder, key=key)
    made.forge(made.leaves()[:5])
    notes = made.checkpoints.read_text().split("\n\nprunella")
    made.checkpoints.write_text("\n\nprunella".join(notes[:5]) + "\n\n")
    with pytest.raises(JournalError, match=r"ledger entry 6: missing: the notebook .*cut off"):
        Ledger(folder, key, notebooks=[notebook])
    Ledger(folder, key).close()


def test_witness_that_cannot_be_written_holds_nobody_up(tmp_path: Path) -> None:
    """A volume that is not there is counted; the ledger goes on."""
    key, gone = Ed25519PrivateKey.generate(), tmp_path / "gone" / "notebook.txt"
    with Ledger(tmp_path / "ledger", key, notebooks=[gone]) as book:
        book.append("note", {}, 1)
        book.checkpoint(1)
    assert book.witness_failures == 1
    assert verify_ledger(tmp_path / "ledger", key.public_key()).entries == 1
