"""`prunella telemetry …` over a recording on disk, without a stack."""

import csv
import json
from pathlib import Path

import msgspec
import pytest
from prunella.cli.app import app
from prunella.errors import UsageError
from prunella.telemetry import Reading, Readings
from prunella.telemetry.recording import TelemetryWriter
from prunella.values import Home
from typer.testing import CliRunner

START_NS = 1_790_000_000_000_000_000


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with ten rounds of two series."""
    folder = Home(tmp_path / "h").create()
    writer = TelemetryWriter(folder.telemetry, bytes_max=1 << 20)
    for number in range(10):
        at = START_NS + number * 1_000_000_000
        items = tuple(
            Reading(
                metric=metric,
                entity=entity,
                value=float(number),
                labels={"k": "v,1"},
                ts_event_ns=at,
                ts_init_ns=at,
            )
            for metric, entity in (("disk_seconds", "host"), ("orders_total", "engine"))
        )
        writer.append(Readings(domain="io", source="host", items=items))
    writer.close()
    return folder.root


def typed(*words: str | Path) -> str:
    """What the command says on standard output."""
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_recording_is_listed_with_its_extent(home: Path) -> None:
    """How many readings, from when to when, in which files."""
    kept = json.loads(typed("telemetry", "ls", "--home", home, "--json"))
    assert (kept["readings"], len(kept["segments"]), kept["damage"]) == (20, 1, [])
    assert kept["first"] < kept["last"]
    assert "20 readings" in typed("telemetry", "ls", "--home", home)


def test_torn_segment_is_told(home: Path) -> None:
    """A person sees which file ends early."""
    (path,) = (home / "telemetry").glob("*.telemetry")
    path.write_bytes(path.read_bytes() + b"torn")
    assert "the last 4 bytes are torn" in typed("telemetry", "ls", "--home", home)


def test_series_are_summed_up(home: Path) -> None:
    """Pattern, entity and time choose; the figures are those of the values."""
    since = "2026-09-21T14:13:25"
    words = ("telemetry", "show", "disk_*", "--since", since, "--home", home, "--json")
    (row,) = json.loads(typed(*words))
    assert (row["metric"], row["count"], row["minimum"], row["maximum"]) == (
        "disk_seconds",
        5,
        5,
        9,
    )
    assert "orders_total" in typed("telemetry", "show", "--entity", "engine", "--home", home)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_export_holds_every_reading(home: Path, tmp_path: Path, suffix: str) -> None:
    """A file for others has one row for each reading, with exact times."""
    file = tmp_path / f"out.{suffix}"
    typed("telemetry", "export", file, "--metric", "orders_total", "--home", home)
    rows: list[dict[str, object]]
    if suffix == "csv":
        with file.open(newline="", encoding="utf-8") as text:
            rows = [dict(row) for row in csv.DictReader(text)]
    elif suffix == "jsonl":
        rows = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
    else:
        polars = pytest.importorskip("polars")
        rows = polars.read_parquet(file).to_dicts()
    assert [int(str(row["ts_event_ns"])) for row in rows] == [
        START_NS + i * 1_000_000_000 for i in range(10)
    ]
    assert [float(str(row["value"])) for row in rows] == [float(i) for i in range(10)]
    assert {str(row["entity"]) for row in rows} == {"engine"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show", "nothing_*"), "nothing recorded of metric 'nothing_\\*'"),
        (("show", "--since", "soon"), "expected `30s`"),
        (("export", "x.txt"), "ends in .csv"),
    ],
)
def test_mistake_is_told_in_a_sentence(home: Path, words: tuple[str, ...], message: str) -> None:
    """What was found and what would do."""
    with pytest.raises(UsageError, match=message):
        typed("telemetry", *words, "--home", home)
