"""`TelemetryReader`: a recording in; its readings in order, its series and their values out."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from prunella.errors import RecordingError
from prunella.telemetry.reading import Domain, Readings
from prunella.telemetry.recording import segment
from prunella.telemetry.recording.segment import MAGIC, NAMES, Block, Names, SeriesName
from prunella.telemetry.recording.writer import segments

_END_NS = (1 << 63) - 1


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """Where a segment ends before its end; a crash leaves this, and nothing else should.

    Attributes:
        segment: File name.
        offset: Where the first bad frame begins.
        bytes_lost: From there to the end of the file.
    """

    segment: str
    offset: int
    bytes_lost: int


class Series(NamedTuple):
    """One series over the time that was asked for.

    Attributes:
        times_ns: When each value was so, in the order of arrival.
    """

    metric: str
    entity: str
    labels: dict[str, str]
    domain: Domain
    times_ns: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


class _Part(NamedTuple):
    """One block with the names that its numbers stand for."""

    block: Block
    names: Names


class TelemetryReader:
    """Reads a recording, also while it is written.

    Args:
        folder: Where it is.

    Attributes:
        damage: Found by what was read so far.

    Raises:
        RecordingError: There is no recording.

    Example:
        >>> import tempfile
        >>> from prunella.telemetry import Reading
        >>> from prunella.telemetry.recording import TelemetryWriter
        >>> folder = Path(tempfile.mkdtemp())
        >>> writer = TelemetryWriter(folder, bytes_max=1 << 20)
        >>> item = Reading(metric="m", entity="e", value=2.5, ts_event_ns=7, ts_init_ns=8)
        >>> writer.append(Readings(domain="cpu", source="host", items=(item,)))
        >>> writer.close()
        >>> [batch.items == (item,) for batch in TelemetryReader(folder).readings()]
        [True]
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.damage: list[Damage] = []
        if not segments(folder):
            raise RecordingError(f"{folder}: no recorded telemetry here")

    def segments(self) -> list[tuple[str, int]]:
        """Name and size of each segment, oldest first."""
        return [(path.name, path.stat().st_size) for path in segments(self._folder)]

    def readings(self, *, since_ns: int = 0, until_ns: int = _END_NS) -> Iterator[Readings]:
        """What was published from `since_ns` on and before `until_ns`, in the order of arrival."""
        for block, names in self._parts(since_ns, until_ns):
            for batch in segment.batches(block, names.series, names.sources):
                if since_ns <= batch.items[0].ts_init_ns < until_ns:
                    yield batch

    def series(
        self,
        wanted: Callable[[SeriesName], bool] = lambda _name: True,
        *,
        since_ns: int = 0,
        until_ns: int = _END_NS,
    ) -> list[Series]:
        """The wanted series with their values, by name."""
        found: dict[tuple[SeriesName, Domain], list[tuple[npt.NDArray[np.int64], ...]]] = {}
        for block, names in self._parts(since_ns, until_ns):
            columns = _selected(block, names, wanted, since_ns, until_ns)
            for key, times_ns, values in columns:
                found.setdefault(key, []).append((times_ns, values.view(np.int64)))
        return [
            Series(
                metric=name[0],
                entity=name[1],
                labels=dict(name[2]),
                domain=domain,
                times_ns=np.concatenate([part[0] for part in parts]),
                values=np.concatenate([part[1] for part in parts]).view(np.float64),
            )
            for (name, domain), parts in sorted(found.items(), key=lambda each: each[0])
        ]

    def _parts(self, since_ns: int, until_ns: int) -> Iterator[_Part]:
        """The blocks that hold something of the time, oldest first."""
        for path in segments(self._folder):
            yield from self._of_segment(path, since_ns, until_ns)

    def _of_segment(self, path: Path, since_ns: int, until_ns: int) -> Iterator[_Part]:
        names = Names([], [])
        try:
            data = memoryview(path.read_bytes())
        except FileNotFoundError:  # it has made room meanwhile
            return
        if data[: len(MAGIC)] != MAGIC:
            self._tell(path, 0, len(data))
            return
        for offset, body in segment.frames(data):
            if body is None:
                self._tell(path, offset, len(data) - offset)
                return
            if body[0] == NAMES:
                new = segment.unpack_names(body)
                names.series += new.series
                names.sources += new.sources
                continue
            head = segment.head_of(body)
            if head.last_ns >= since_ns and head.first_ns < until_ns:
                yield _Part(segment.unpack_rows(body), names)

    def _tell(self, path: Path, offset: int, lost: int) -> None:
        damage = Damage(segment=path.name, offset=offset, bytes_lost=lost)
        if damage not in self.damage:
            self.damage.append(damage)


def _selected(
    block: Block,
    names: Names,
    wanted: Callable[[SeriesName], bool],
    since_ns: int,
    until_ns: int,
) -> Iterator[tuple[tuple[SeriesName, Domain], npt.NDArray[np.int64], npt.NDArray[np.float64]]]:
    """Of each wanted series in the block: whose it is, its times and its values."""
    source_of_row = np.repeat(block.batch_source, block.batch_length)
    within = (block.init_ns >= since_ns) & (block.init_ns < until_ns)
    for number in np.unique(block.series[within]).tolist():
        name = names.series[number]
        if wanted(name):
            rows = np.flatnonzero((block.series == number) & within)
            domain = names.sources[int(source_of_row[rows[0]])][0]
            yield (name, domain), block.event_ns[rows], block.values[rows]
