"""Recorded telemetry: the same readings come back, whatever a crash or a full disk has done."""

import random
import resource
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prunella.errors import RecordingError
from prunella.telemetry import DOMAINS, Reading, Readings
from prunella.telemetry.recording import Recorder, TelemetryReader, TelemetryWriter
from prunella.values import ManualClock

START_NS = 1_790_000_000_000_000_000
TIMES = st.integers(START_NS, START_NS + 10**12)
ITEMS = st.builds(
    Reading,
    metric=st.sampled_from(["a_total", "b_ratio"]),
    entity=st.sampled_from(["host", "engine", "pid:1"]),
    value=st.floats(allow_nan=False),
    labels=st.dictionaries(st.sampled_from(["cpu", "venue"]), st.text(max_size=4), max_size=2),
    ts_event_ns=TIMES,
    ts_init_ns=TIMES,
)
BATCHES = st.builds(
    Readings,
    domain=st.sampled_from(DOMAINS),
    source=st.sampled_from(["host", "scrape:engine"]),
    items=st.lists(ITEMS, min_size=1, max_size=8).map(tuple),
)


def batch(number: int, *, width: int = 4) -> Readings:
    """A round of a few series whose values move."""
    at = START_NS + number * 100_000_000
    return Readings(
        domain="cpu",
        source="host",
        items=tuple(
            Reading(
                metric="m_ratio",
                entity="host",
                value=number * 1.1 + i,
                labels={"cpu": str(i)},
                ts_event_ns=at,
                ts_init_ns=at,
            )
            for i in range(width)
        ),
    )


def recorded(folder: Path, batches: list[Readings], *, every: int = 5) -> None:
    """A recording in blocks of `every` batches."""
    writer = TelemetryWriter(folder, bytes_max=1 << 30)
    for number, each in enumerate(batches, 1):
        writer.append(each)
        if number % every == 0:
            writer.flush()
    writer.close()


@settings(max_examples=50)
@given(batches=st.lists(BATCHES, min_size=1, max_size=12), every=st.integers(1, 7))
def test_what_was_recorded_comes_back_in_order_bit_for_bit(
    batches: list[Readings], every: int
) -> None:
    """Any readings, in blocks of any size: read back as they were."""
    with tempfile.TemporaryDirectory() as name:
        recorded(Path(name), batches, every=every)
        reader = TelemetryReader(Path(name))
        assert list(reader.readings()) == batches
        assert reader.damage == []


def test_torn_end_costs_the_last_block_and_nothing_else(tmp_path: Path) -> None:
    """Cut at every byte: whole blocks before the cut are read, the rest is told as damage."""
    batches = [batch(i) for i in range(12)]
    recorded(tmp_path / "whole", batches, every=4)
    (path,) = (tmp_path / "whole").glob("*.telemetry")
    data = path.read_bytes()
    counts = set()
    for cut in range(len(data)):
        folder = tmp_path / "torn"
        folder.mkdir(exist_ok=True)
        (folder / path.name).write_bytes(data[:cut])
        reader = TelemetryReader(folder)
        read = list(reader.readings())
        assert read == batches[: len(read)]
        assert len(read) % 4 == 0
        lost = sum(each.bytes_lost for each in reader.damage)
        assert lost < len(data)
        assert (lost == 0) == (cut == 0 or _is_border(data, cut))
        counts.add(len(read))
    assert counts == {0, 4, 8}


def _is_border(data: bytes, cut: int) -> bool:
    """Whether a frame ends there; the eight bytes of the file's name are the first."""
    at = 8
    while at < cut:
        at += 8 + int.from_bytes(data[at : at + 4], "little")
    return at == cut


def test_flipped_bit_is_found_and_the_next_segment_is_read(tmp_path: Path) -> None:
    """Damage in one segment ends that segment alone."""
    recorded(tmp_path, [batch(i) for i in range(10)])
    recorded(tmp_path, [batch(i) for i in range(100, 110)])
    first, _second = sorted(tmp_path.glob("*.telemetry"))
    data = bytearray(first.read_bytes())
    data[-20] ^= 1
    first.write_bytes(data)
    reader = TelemetryReader(tmp_path)
    assert list(reader.readings()) == [batch(i) for i in (*range(5), *range(100, 110))]
    assert [each.segment for each in reader.damage] == [first.name]


def test_bound_is_kept_by_removing_the_oldest(tmp_path: Path) -> None:
    """However much is recorded, the folder stays within its bound and holds the latest."""
    noise, last = random.Random(7), 0
    writer = TelemetryWriter(tmp_path, bytes_max=1 << 20)
    for last in range(2000):
        items = (
            msgspec.structs.replace(each, value=noise.random())
            for each in batch(last, width=100).items
        )
        writer.append(Readings(domain="cpu", source=f"s{last}", items=tuple(items)))
        if last % 10 == 9:
            writer.flush()
            assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 1 << 20
    writer.close()
    assert writer.bytes > 1 << 20
    sources = [each.source for each in TelemetryReader(tmp_path).readings()]
    assert sources == [f"s{i}" for i in range(last + 1 - len(sources), last + 1)]
    assert len(sources) > 500


def test_time_range_and_series_hold_what_was_asked_for(tmp_path: Path) -> None:
    """A range begins with its first nanosecond and ends before its last."""
    batches = [batch(i) for i in range(40)]
    recorded(tmp_path, batches)
    since, until = batches[7].items[0].ts_init_ns, batches[23].items[0].ts_init_ns
    reader = TelemetryReader(tmp_path)
    assert list(reader.readings(since_ns=since, until_ns=until)) == batches[7:23]
    (one,) = reader.series(lambda name: name[2] == (("cpu", "2"),), since_ns=since, until_ns=until)
    assert one.values.tolist() == [each.items[2].value for each in batches[7:23]]
    assert one.times_ns.tolist() == [each.items[2].ts_event_ns for each in batches[7:23]]
    assert (one.metric, one.entity, one.labels, one.domain) == (
        "m_ratio",
        "host",
        {"cpu": "2"},
        "cpu",
    )


def test_recording_is_read_while_it_is_written(tmp_path: Path) -> None:
    """Each flush is there for a reader at once."""
    writer = TelemetryWriter(tmp_path, bytes_max=1 << 20)
    for number in range(3):
        writer.append(batch(number))
        writer.flush()
        assert len(list(TelemetryReader(tmp_path).readings())) == number + 1
    writer.close()


def test_folder_without_a_recording_is_refused(tmp_path: Path) -> None:
    """The message names the folder."""
    with pytest.raises(RecordingError, match=str(tmp_path)):
        TelemetryReader(tmp_path)


@contextmanager
def full_disk(file_bytes: int) -> Iterator[None]:
    """No file of this process may grow beyond: a write fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_loses_what_does_not_fit_and_goes_on_after(tmp_path: Path) -> None:
    """Blocks that cannot be written are counted; what was and what comes later is whole."""
    clock, encode = ManualClock(), msgspec.msgpack.encode
    queue: list[bytes] = []
    empty = threading.Event()

    def receive(_timeout_s: float) -> bytes | None:
        clock.advance(300_000_000)
        if queue:
            return queue.pop(0)
        empty.set()
        return None

    recorder = Recorder(TelemetryWriter(tmp_path, bytes_max=1 << 20), receive, clock)
    queue += [encode(batch(i)) for i in range(20)] + [b"no readings"]
    with full_disk(600):
        recorder.start()
        assert empty.wait(10)
        empty.clear()
        lost_from = recorder.failures
        queue += [encode(batch(i)) for i in range(20, 200)]
        while queue:
            assert empty.wait(10)
    recorder.close()
    assert recorder.failures > lost_from >= 0
    assert recorder.malformed == 1
    reader = TelemetryReader(tmp_path)
    read = list(reader.readings())
    assert 0 < len(read) < 200
    assert [each for each in (batch(i) for i in range(200)) if each in read] == read
    assert b"telemetry_recording_failures_total" in recorder.metrics()
