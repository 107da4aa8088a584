"""Each way to tamper with a ledger, and which entry the verifier names."""

import random
from pathlib import Path

import pytest
from ledger_rig import HEADER_BYTES, SECOND_NS, SignedLedger, named, signed_ledger
from prunella.errors import JournalError
from prunella.journal import Ledger

SEED = 20_260_101
RECORDS = 12


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> SignedLedger:
    """Twelve records, a checkpoint after every third."""
    return signed_ledger(tmp_path_factory.mktemp("ledger") / "ledger", records=RECORDS)


@pytest.fixture
def ledger(original: SignedLedger, tmp_path: Path) -> SignedLedger:
    """A copy to tamper with."""
    return original.copy(tmp_path / "ledger")


def _refused(ledger: SignedLedger, saved: Path | None = None) -> int:
    with pytest.raises(JournalError) as caught:
        ledger.verify(saved)
    return named(caught.value)


def test_every_flipped_byte_of_an_entry_names_that_entry(ledger: SignedLedger) -> None:
    """One random bit of every byte from the header to the last entry, one at a time."""
    good, bounds = ledger.segment.read_bytes(), ledger.bounds()
    assert len(bounds) == RECORDS
    dice = random.Random(SEED)
    for at in range(bounds[-1][1]):
        data = bytearray(good)
        data[at] ^= 1 << dice.randrange(8)
        ledger.segment.write_bytes(data)
        first_bad = next((n for n, (_, end) in enumerate(bounds, 1) if at < end), RECORDS)
        assert _refused(ledger) == (first_bad if at >= HEADER_BYTES else 1), f"byte {at}"


def test_flipped_byte_behind_the_entries_changes_nothing(ledger: SignedLedger) -> None:
    """Where nothing was written there is nothing to falsify."""
    good, end = ledger.segment.read_bytes(), ledger.bounds()[-1][1]
    expected = ledger.verify()
    for at in range(end + 64, len(good), 97):
        data = bytearray(good)
        data[at] ^= 4
        ledger.segment.write_bytes(data)
        assert ledger.verify() == expected


@pytest.mark.parametrize("entry", range(1, RECORDS + 1))
def test_dropped_entry_is_named(ledger: SignedLedger, entry: int) -> None:
    """Its bytes are taken out and the rest moved up."""
    data = ledger.segment.read_bytes()
    parts = [data[begin:end] for begin, end in ledger.bounds()]
    ledger.replace_entries(parts[: entry - 1] + parts[entry:])
    assert _refused(ledger) == entry


@pytest.mark.parametrize("entry", range(1, RECORDS + 1))
def test_blanked_entry_is_named(ledger: SignedLedger, entry: int) -> None:
    """Its bytes are zeroed in place."""
    data = ledger.segment.read_bytes()
    parts = [data[begin:end] for begin, end in ledger.bounds()]
    parts[entry - 1] = bytes(len(parts[entry - 1]))
    ledger.replace_entries(parts)
    assert _refused(ledger) == entry


@pytest.mark.parametrize("entry", range(1, RECORDS))
def test_swapped_entries_name_the_first(ledger: SignedLedger, entry: int) -> None:
    """Two neighbours change places."""
    data = ledger.segment.read_bytes()
    parts = [data[begin:end] for begin, end in ledger.bounds()]
    parts[entry - 1], parts[entry] = parts[entry], parts[entry - 1]
    ledger.replace_entries(parts)
    assert _refused(ledger) == entry


@pytest.mark.parametrize("entry", range(1, RECORDS + 1))
def test_inserted_entry_is_named(ledger: SignedLedger, entry: int) -> None:
    """A second copy of an entry stands behind it."""
    data = ledger.segment.read_bytes()
    parts = [data[begin:end] for begin, end in ledger.bounds()]
    ledger.replace_entries([*parts[:entry], parts[entry - 1], *parts[entry:]])
    # Behind the last entry, a copy is what a writer would cut: still named, as the one that
    # should have come.
    assert _refused(ledger) == entry + 1


@pytest.mark.parametrize("kept", range(RECORDS))
def test_cut_tail_names_the_first_missing_entry(ledger: SignedLedger, kept: int) -> None:
    """With a chain that fits: the ledger's own checkpoints tell."""
    ledger.forge(ledger.leaves()[:kept])
    assert _refused(ledger) == kept + 1


@pytest.mark.parametrize("kept", [0, 3, 6, 9])
def test_cut_tail_with_its_checkpoints_is_found_by_a_saved_one(
    ledger: SignedLedger, tmp_path: Path, kept: int
) -> None:
    """Entries and checkpoints are cut together: whole in itself, but not what was signed once."""
    saved = tmp_path / "saved.txt"
    saved.write_bytes(ledger.checkpoints.read_bytes())
    ledger.forge(ledger.leaves()[:kept])
    notes = ledger.checkpoints.read_text().split("\n\nprunella")
    whole = "\n\nprunella".join(notes[: kept // 3])
    ledger.checkpoints.write_text(f"{whole}\n\n" if whole else "")
    assert ledger.verify().entries == kept
    assert _refused(ledger, saved) == kept + 1


@pytest.mark.parametrize("entry", range(1, RECORDS + 1))
def test_rewritten_entry_with_a_good_chain_is_named_between_two_checkpoints(
    ledger: SignedLedger, entry: int
) -> None:
    """Checksums and chain can be made anew by anyone; the signed roots cannot."""
    leaves = ledger.leaves()
    ts_ns, leaf = leaves[entry - 1]
    leaves[entry - 1] = (ts_ns, leaf.replace(b"record", b"RECORD"))
    ledger.forge(leaves)
    last_good_checkpoint = (entry - 1) // 3 * 3
    assert _refused(ledger) == last_good_checkpoint + 1


def test_forked_history_is_found_by_a_saved_checkpoint(
    ledger: SignedLedger, tmp_path: Path
) -> None:
    """The key's owner tells a second story from entry 7 on; who kept a checkpoint sees it."""
    fork = ledger.copy(tmp_path / "fork")
    fork.forge(fork.leaves()[:6])
    notes = fork.checkpoints.read_text().split("\n\nprunella")
    fork.checkpoints.write_text("\n\nprunella".join(notes[:2]) + "\n\n")
    with Ledger(fork.folder, fork.key) as book:
        for number in range(7, RECORDS + 1):
            book.append("note", {"text": f"another story {number}"}, number * SECOND_NS)
    assert fork.verify().entries == RECORDS
    assert _refused(fork, ledger.checkpoints) == 7


def test_missing_checkpoints_are_refused(ledger: SignedLedger) -> None:
    """Records that nobody signed are no evidence."""
    ledger.checkpoints.unlink()
    with pytest.raises(JournalError, match="found no checkpoint for 12 entries"):
        ledger.verify()


def test_every_flipped_byte_of_the_checkpoints_is_refused(ledger: SignedLedger) -> None:
    """Each byte of the notes belongs to a checked note."""
    good = ledger.checkpoints.read_bytes()
    dice = random.Random(SEED)
    for at in range(len(good)):
        data = bytearray(good)
        data[at] ^= 1 << dice.randrange(8)
        ledger.checkpoints.write_bytes(data)
        with pytest.raises(JournalError, match=r"checkpoint|UTF-8"):
            ledger.verify()


def test_checkpoint_of_another_key_is_refused(ledger: SignedLedger, tmp_path: Path) -> None:
    """A whole ledger of somebody else does not pass for ours."""
    other = signed_ledger(tmp_path / "other")
    ledger.checkpoints.write_bytes(other.checkpoints.read_bytes())
    with pytest.raises(JournalError, match=r"checkpoint 1 at line 1.*this ledger's key"):
        ledger.verify()


def test_checkpoints_in_another_order_are_refused(ledger: SignedLedger) -> None:
    """A ledger's word never gets smaller."""
    notes = ledger.checkpoints.read_text().removesuffix("\n\n").split("\n\nprunella")
    first, second = notes[0].removeprefix("prunella"), notes[1]
    swapped = [f"prunella{second}", first, *notes[2:]]
    ledger.checkpoints.write_text("\n\nprunella".join(swapped) + "\n\n")
    with pytest.raises(JournalError, match="checkpoint 2 covers less than"):
        ledger.verify()
