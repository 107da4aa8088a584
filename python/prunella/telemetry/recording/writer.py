"""`TelemetryWriter`: readings in, segments of a bounded size together out."""

import contextlib
from pathlib import Path
from typing import IO, TypeVar

import numpy as np

from prunella.errors import UsageError
from prunella.telemetry.reading import Domain, Readings
from prunella.telemetry.recording.segment import (
    MAGIC,
    Block,
    Names,
    SeriesName,
    frame,
    pack_names,
    pack_rows,
)

Name = TypeVar("Name")

SUFFIX = ".telemetry"
SEGMENTS = 16
"""Into how many the bound is divided: the oldest goes whole, a sixteenth at once."""
SEGMENT_BYTES_MAX = 64 << 20
SERIES_MAX = 200_000
"""Names of one segment; a source with an unbounded label must not fill the memory."""
_ROWS_MAX = 100_000
"""Rows that wait for `flush`; a flood is written in several blocks."""


def segments(folder: Path) -> list[Path]:
    """The segments of a recording, oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


class TelemetryWriter:
    """Appends to a recording; belongs to one thread.

    Each run begins a segment of its own, so that what a crash has torn stays as it is.

    Args:
        folder: Where; made when missing.
        bytes_max: How much the segments may take together; the oldest make room.

    Attributes:
        rows: Readings written.
        bytes: Bytes written.
        dropped: Readings left out, for a segment has no room for another name.

    Raises:
        UsageError: The folder cannot be made or written.
    """

    def __init__(self, folder: Path, *, bytes_max: int) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot record telemetry in {folder}: {error.strerror}") from None
        self._folder = folder
        self._bytes_max = bytes_max
        self._segment_bytes_max = min(SEGMENT_BYTES_MAX, max(bytes_max // SEGMENTS, 1 << 16))
        self._file: IO[bytes] | None = None
        self._file_bytes = 0
        self._series: dict[SeriesName, int] = {}
        self._sources: dict[tuple[Domain, str], int] = {}
        self._new = Names([], [])
        self._batches: list[tuple[int, int]] = []
        self._rows: list[tuple[int, int, int, float]] = []
        self.rows = 0
        self.bytes = 0
        self.dropped = 0
        self._make_room()  # the bound may have been larger before

    def append(self, readings: Readings) -> None:
        """Takes one batch; on disk with the next `flush`."""
        source = _number(self._sources, (readings.domain, readings.source), self._new.sources)
        before = len(self._rows)
        for each in readings.items:
            name = (each.metric, each.entity, tuple(each.labels.items()))
            if name not in self._series and len(self._series) >= SERIES_MAX:
                self.dropped += 1
                continue
            series = _number(self._series, name, self._new.series)
            self._rows.append((series, each.ts_init_ns, each.ts_event_ns, each.value))
        if len(self._rows) > before:
            self._batches.append((source, len(self._rows) - before))
        if len(self._rows) >= _ROWS_MAX:
            self.flush()

    def flush(self) -> None:
        """Writes what waits as one block.

        Raises:
            OSError: It cannot be written; what waited is lost, the recording stays readable.
        """
        if not self._rows:
            return
        rows, batches, new = self._rows, self._batches, self._new
        self._rows, self._batches, self._new = [], [], Names([], [])
        try:
            if new.series or new.sources:
                self._write(rows[0][1], frame(pack_names(new)))
            self._write(rows[0][1], frame(pack_rows(_block(batches, rows))))
        except OSError:
            self._begin_anew()
            raise
        self.rows += len(rows)
        if self._file_bytes >= self._segment_bytes_max:
            self._begin_anew()
            self._make_room()

    def close(self) -> None:
        """Writes what waits and ends the segment."""
        self.flush()
        self._begin_anew()

    def _write(self, first_ns: int, data: bytes) -> None:
        if self._file is None:
            path = self._folder / f"{first_ns:020d}{SUFFIX}"
            while path.exists():  # a clock that was set back, or a restart within the nanosecond
                first_ns += 1
                path = self._folder / f"{first_ns:020d}{SUFFIX}"
            self._file = path.open("xb", buffering=0)
            self._file.write(MAGIC)
            self._file_bytes = len(MAGIC)
        self._file.write(data)
        self._file_bytes += len(data)
        self.bytes += len(data)

    def _begin_anew(self) -> None:
        """The next write begins a segment, whose names are numbered anew."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._file = None
        self._series.clear()
        self._sources.clear()

    def _make_room(self) -> None:
        sizes = [(path, path.stat().st_size) for path in segments(self._folder)]
        total = sum(size for _, size in sizes)
        for path, size in sizes[:-1]:
            # Room for the segment that is about to be written is part of the bound.
            if total + self._segment_bytes_max <= self._bytes_max:
                return
            path.unlink(missing_ok=True)
            total -= size


def _number(known: dict[Name, int], name: Name, new: list[Name]) -> int:
    number = known.get(name)
    if number is None:
        number = known[name] = len(known)
        new.append(name)
    return number


def _block(batches: list[tuple[int, int]], rows: list[tuple[int, int, int, float]]) -> Block:
    batch_source, batch_length = (
        np.array(column, np.int64) for column in zip(*batches, strict=True)
    )
    series, init_ns, event_ns, values = zip(*rows, strict=True)
    return Block(
        batch_source=batch_source,
        batch_length=batch_length,
        series=np.array(series, np.int64),
        init_ns=np.array(init_ns, np.int64),
        event_ns=np.array(event_ns, np.int64),
        values=np.array(values, np.float64),
    )
