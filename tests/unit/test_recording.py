"""Recordings read through the compiled core: what comes out, and what is said of bad files."""

import gzip
import os
from pathlib import Path

import pytest
from prunella.errors import RecordingError
from prunella.values.recording import Recording

LINES = b'1000 {"u":1}\n2000 {"u":2}\n\n'
DATA = Path(os.environ.get("PRUNELLA_DATA", Path(__file__).parents[3] / "shared" / "data"))


def frames(*paths: Path) -> list[tuple[int, bytes]]:
    """Every frame of the files."""
    return list(Recording([str(path) for path in paths]))


def test_plain_and_gzip_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    """Frames come in the order of the files, with their times and raw bytes."""
    plain, packed = tmp_path / "a", tmp_path / "b.gz"
    plain.write_bytes(LINES)
    packed.write_bytes(gzip.compress(b'3000 {"u":3}'))
    assert frames(plain, packed) == [(1000, b'{"u":1}'), (2000, b'{"u":2}'), (3000, b'{"u":3}')]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("plain.gz", LINES, "plain.gz: expected gzip because of the name's ending"),
        ("cut.gz", gzip.compress(LINES)[:-9], "cut.gz: line 3: expected more of the packed file"),
        ("table.csv", b"time,price\n1,2\n", "table.csv: unknown format: expected lines"),
        ("broken", LINES + b'3000 {"u":}\n', "broken: line 4: expected a value at byte 5"),
        ("half", LINES + b'3000 {"u":4', "half: line 4: expected ',' or '}' at byte 6"),
        ("timeless", LINES + b"{}\n", "timeless: line 4: expected a receive time in nanoseconds"),
        ("back", b"70000000000 {}\n1 {}\n", "back: line 2: expected a time not before 70000000000"),
        ("empty", b"\n\n", "expected at least one recorded frame, found none in"),
    ],
)
def test_bad_file_is_refused_with_file_line_found_and_expected(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    """Each kind of damage is told apart and located."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(RecordingError) as refused:
        frames(path)
    assert expected in str(refused.value)
    assert name in str(refused.value)


def test_missing_file_is_refused_when_opened(tmp_path: Path) -> None:
    """A missing second file is told before the first is played."""
    present = tmp_path / "present"
    present.write_bytes(LINES)
    with pytest.raises(RecordingError, match="gone: expected a recording, cannot open it"):
        Recording([str(present), str(tmp_path / "gone")])


def test_no_file_is_refused() -> None:
    """An empty list of files is a mistake, not an empty recording."""
    with pytest.raises(RecordingError, match="an empty list of files"):
        Recording([])


def test_real_session_is_read_whole() -> None:
    """Two recorded files follow one another; the empty last line of one does no harm."""
    folder = DATA / "market"
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder} (set PRUNELLA_DATA)")
    names = ("binance_spot_btcusdt_20240808.gz", "binance_spot_btcusdt_20240809.gz")
    read = frames(*(folder / name for name in names))
    assert len(read) == 6_495 + 73_174 + 19_904 + 1
    assert (read[0][0], read[-1][0]) == (1723161253937085768, 1723161904535092233)
