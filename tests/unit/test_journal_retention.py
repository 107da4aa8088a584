"""`prunella journal`: whole, shortened and damaged journals, as a person meets them."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from prunella.cli.app import app
from prunella.errors import JournalError
from prunella.journal import JournalWriter, check_journal, list_segments, prune_segments
from prunella.trading.runtime.settings import LoopSettings
from typer.testing import CliRunner, Result

ENTRY_BYTES = 64 + 104
PER_SEGMENT = 24
SEGMENTS = 5

Typed = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal of five full segments, at rest."""
    folder = tmp_path / "journal"
    writer = JournalWriter(folder, segment_bytes=4096)
    for number in range(1, SEGMENTS * PER_SEGMENT + 1):
        writer.append(number * 1_000, 7, bytes([number]) * 104)
    writer.close()
    return folder


@pytest.fixture
def typed() -> Typed:
    """Types `prunella journal …`."""

    def typed(*arguments: str | Path) -> Result:
        return CliRunner().invoke(app, ["journal", *map(str, arguments)])

    return typed


def test_whole_journal_is_told_with_its_ends(folder: Path, typed: Typed) -> None:
    """Exit status 0, the first and last entry, and the chain that a copy can be compared by."""
    said = typed("verify", folder, "--json")
    told = msgspec.json.decode(said.stdout)
    assert said.exit_code == 0
    assert (told["whole"], told["first_seq"], told["last_seq"]) == (True, 1, 120)
    assert told["payload_bytes"] == 120 * 104
    assert told["chain"] == check_journal(folder).chain.hex()
    assert "entries 1 to 120" in typed("verify", folder).stdout


def test_flipped_byte_is_located(folder: Path, typed: Typed) -> None:
    """File, entry and byte of the first bad place; exit status 1, as JSON too."""
    path = folder / f"{49:020}.journal"
    content = bytearray(path.read_bytes())
    content[64 + 2 * ENTRY_BYTES + 70] ^= 1
    path.write_bytes(content)
    said = typed("verify", folder)
    assert said.exit_code == 1
    assert f"{path}: entry 51 at byte {64 + 2 * ENTRY_BYTES}" in said.stdout
    told = msgspec.json.decode(typed("verify", folder, "--json").stdout)
    assert not told["whole"]
    assert "entry 51" in told["problems"][0]


@pytest.mark.parametrize("missing", [1, 49])
def test_missing_segment_is_named(folder: Path, missing: int, typed: Typed) -> None:
    """The first one too, which nothing after it would miss."""
    (folder / f"{missing:020}.journal").unlink()
    said = typed("verify", folder)
    assert said.exit_code == 1
    assert f"entry {missing}" in said.stdout


def test_half_written_end_is_told(folder: Path, typed: Typed) -> None:
    """A writer would cut it silently; whoever verifies hears of it."""
    path = folder / f"{97:020}.journal"
    content = bytearray(path.read_bytes())
    content[64 + 23 * ENTRY_BYTES + 70] ^= 1
    path.write_bytes(content)
    said = typed("verify", folder)
    assert said.exit_code == 1
    assert "torn end" in said.stdout


def test_segments_are_listed(folder: Path, typed: Typed) -> None:
    """Oldest first, with the time of their first entry."""
    listed = msgspec.json.decode(typed("ls", folder, "--json").stdout)
    assert [each["first_seq"] for each in listed] == [1, 25, 49, 73, 97]
    assert listed[1] == {"first_seq": 25, "first_ns": 25_000, "size_bytes": 4096}
    assert "1970-01-01 00:00:00" in typed("ls", folder).stdout


def test_without_a_snapshot_nothing_goes(folder: Path, typed: Typed) -> None:
    """All entries are needed then, whatever is asked for."""
    said = typed("prune", folder, "--keep-gb", "0", "--json")
    assert said.exit_code == 0
    assert msgspec.json.decode(said.stdout)["segments"] == 0
    assert len(list_segments(folder)) == SEGMENTS


def test_journal_in_use_is_not_pruned(folder: Path) -> None:
    """A running engine prunes by itself; two would disagree on where the journal begins."""
    writer = JournalWriter(folder, segment_bytes=4096)
    with pytest.raises(JournalError, match="is being written by process"):
        prune_segments(folder, keep_bytes=0)
    writer.close()


def test_check_ends_when_progress_raises(tmp_path: Path) -> None:
    """What a person's Ctrl-C does."""
    writer = JournalWriter(tmp_path / "long", segment_bytes=1 << 20)
    for number in range(5_000):
        writer.append(number, 7, b"x")

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_journal(tmp_path / "long", stop)


def test_limits_of_the_engine_s_own_pruning_reach_the_core() -> None:
    """0 keeps all; the core is told bytes and nanoseconds."""
    assert LoopSettings().raw()["journal_keep_bytes"] is None
    raw = LoopSettings(journal_keep_gb=1.5, journal_keep_days=2).raw()
    assert (raw["journal_keep_bytes"], raw["journal_keep_ns"]) == (1_500_000_000, 172_800 * 10**9)
    with pytest.raises(ValueError, match="journal_keep_days: expected 0 or more, found -1"):
        LoopSettings(journal_keep_days=-1)
